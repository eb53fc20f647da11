//! Partitions, and the embedding top-k after them.

use crate::fixture::{Case, V0_3};

const ATOMS: &[&str] = &["embedding:a", "embedding:b", "embedding:c", "domain:law", "domain:math"];

fn partition(head: &str, partition: &str) -> Case {
    let text = format!("{head}routing:\n  projections:\n    partitions: [{partition}]\n");
    Case::new(ATOMS, &text).top_k(None)
}

const EXCLUSIVE: &str = "{name: p, members: [a, b, c], default: c}";
const SOFTMAX: &str =
    "{name: p, semantics: softmax_exclusive, temperature: 0.5, members: [a, b, c], default: c}";

#[test]
fn the_most_confident_contender_stays() {
    let mut case = partition("", EXCLUSIVE).matched("embedding:a", 0.6).matched("embedding:b", 0.7);
    let trace = case.project();
    assert_eq!(case.confidence("embedding:b"), Some(0.7));
    assert_eq!(case.confidence("embedding:a"), None);
    let outcome = &trace.partitions[0];
    assert_eq!((&*outcome.partition, outcome.by_default), ("p", false));
    assert_eq!(outcome.dropped, [case.id("embedding:a")]);
    assert_eq!(case.evidence.notes(case.id("embedding:a")).collect::<Vec<_>>(), ["dropped by partition `p`"]);
}

#[test]
fn of_equal_contenders_the_first_member_stays() {
    let mut case = partition("", EXCLUSIVE).matched("embedding:b", 0.7).matched("embedding:a", 0.7);
    case.project();
    assert_eq!(case.confidence("embedding:a"), Some(0.7));
    assert_eq!(case.confidence("embedding:b"), None);
}

#[test]
fn softmax_gives_the_winner_its_share() {
    let mut case = partition("", SOFTMAX).matched("embedding:a", 0.6).matched("embedding:b", 0.7);
    case.project();
    let share = (0.7_f64 / 0.5).exp() / ((0.7_f64 / 0.5).exp() + (0.6_f64 / 0.5).exp());
    assert!((case.confidence("embedding:b").unwrap() - share).abs() < 1e-12);
}

#[test]
fn a_tiny_temperature_does_not_overflow() {
    let text = SOFTMAX.replace("0.5", "1.0e-300");
    let mut case = partition("", &text).matched("embedding:a", 0.6).matched("embedding:b", 0.7);
    case.project();
    assert_eq!(case.confidence("embedding:b"), Some(1.0));
}

#[test]
fn a_single_contender_keeps_its_raw_confidence() {
    for text in [EXCLUSIVE, SOFTMAX] {
        let mut case = partition("", text).matched("embedding:a", 0.6);
        assert!(case.project().partitions.is_empty());
        assert_eq!(case.confidence("embedding:a"), Some(0.6));
    }
}

#[test]
fn the_default_is_taken_with_no_confidence_to_speak_of() {
    let mut case = partition("", EXCLUSIVE);
    let trace = case.project();
    assert_eq!(case.confidence("embedding:c"), Some(0.0));
    assert!(trace.partitions[0].by_default);
    assert_eq!(trace.partitions[0].confidence, 0.0);

    let mut old = partition(V0_3, EXCLUSIVE);
    assert_eq!(old.project().partitions[0].confidence, 1.0);
    assert!(old.confidence("embedding:c").unwrap().is_nan(), "matched, without a confidence");
}

#[test]
fn nothing_is_defaulted_while_nothing_is_known() {
    let down = partition("", EXCLUSIVE).unavailable("embedding:a").unavailable("embedding:b");
    let mut partly = down.unavailable("embedding:c");
    assert!(partly.project().partitions.is_empty());
    assert!(partly.is_unavailable("embedding:c"));

    let mut known = partition("", EXCLUSIVE).unavailable("embedding:a");
    assert!(known.project().partitions[0].by_default);
    assert!(known.is_unavailable("embedding:a"));
}

#[test]
fn domains_make_partitions_too() {
    let mut case = partition("", "{name: p, members: [law, math], default: law}")
        .matched("domain:law", 0.5)
        .matched("domain:math", 0.8);
    case.project();
    assert_eq!(case.confidence("domain:law"), None);
    assert_eq!(case.confidence("domain:math"), Some(0.8));
}

#[test]
fn top_k_keeps_the_best_embeddings_of_all_partitions() {
    let case = || {
        partition("", "{name: p, members: [a, b], default: b}")
            .matched("embedding:a", 0.4)
            .matched("embedding:c", 0.6)
    };
    let mut one = case().top_k(Some(1));
    one.project();
    assert_eq!((one.confidence("embedding:a"), one.confidence("embedding:c")), (None, Some(0.6)));
    let mut two = case().top_k(Some(2));
    two.project();
    assert_eq!((two.confidence("embedding:a"), two.confidence("embedding:c")), (Some(0.4), Some(0.6)));
    // Two equals: the first declared stays. A default yields to any scored match.
    let mut equal =
        partition("", "{name: p, members: [a, b], default: a}").matched("embedding:c", 0.1).top_k(Some(1));
    equal.project();
    assert_eq!((equal.confidence("embedding:a"), equal.confidence("embedding:c")), (None, Some(0.1)));
}
