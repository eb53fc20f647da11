//! Partitions, and the embedding top-k after them.

use crate::fixture::{Case, V0_3, config};

const ATOMS: &[&str] = &["embedding:a", "embedding:b", "embedding:c", "domain:law", "domain:math"];

fn partition(head: &str, partition: &str) -> Case {
    top_k(0, head, partition)
}

fn top_k(limit: i64, head: &str, partition: &str) -> Case {
    let mut config = config(&format!("{head}routing:\n  projections:\n    partitions: [{partition}]\n"));
    config.global.model_catalog.embeddings.semantic.embedding_config.top_k = limit;
    Case::of(ATOMS, &config)
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
    let kept = |limit: i64| {
        let mut case = top_k(limit, "", "{name: p, members: [a, b], default: b}")
            .matched("embedding:a", 0.4)
            .matched("embedding:c", 0.6);
        case.project();
        (case.confidence("embedding:a"), case.confidence("embedding:c"))
    };
    assert_eq!(kept(1), (None, Some(0.6)));
    assert_eq!(kept(2), (Some(0.4), Some(0.6)));
    assert_eq!(kept(0), (Some(0.4), Some(0.6)));
    assert_eq!(kept(-3), (None, Some(0.6)));
}

#[test]
fn top_k_prefers_any_scored_match_to_a_default() {
    for head in ["", V0_3] {
        let mut case = top_k(1, head, "{name: p, members: [a, b], default: a}").matched("embedding:c", 0.1);
        case.project();
        assert_eq!((case.confidence("embedding:a"), case.confidence("embedding:c")), (None, Some(0.1)));
    }
}

#[test]
fn of_equal_embeddings_top_k_keeps_the_first_by_name() {
    let mut case = top_k(1, "", "{name: p, members: [a, b], default: a}")
        .matched("embedding:c", 0.5)
        .matched("embedding:b", 0.5);
    case.project();
    assert_eq!((case.confidence("embedding:b"), case.confidence("embedding:c")), (Some(0.5), None));
}
