//! Families that compare embeddings: embedding, preference, complexity, reask, kb.

use proptest::prelude::*;
use vsr_signals::{Head, PrototypeVectors, TextReadings};
use vsr_types::{
    FamilySet, RequestView,
    SignalFamily::{Complexity, Embedding, Kb, Preference, Reask},
    UnavailableReason,
};

use crate::{
    policy::Policy,
    reader::{Reader, embed},
};

const COMPAT: &str = "router: {compatibility: v0.3}";

fn dot(left: &str, right: &str) -> f64 {
    f64::from(embed(left).iter().zip(embed(right).iter()).map(|(left, right)| left * right).sum::<f32>())
}

fn score(policy: &Policy, prompt: &str) -> f64 {
    policy.read_by(&Reader::new(), &RequestView::from_prompt(prompt)).value(Embedding, "e").unwrap()
}

#[test]
fn max_is_a_maximum_over_all_candidates_and_any_is_any() {
    let rule = |method: &str| {
        format!(
            "embeddings: [{{name: e, threshold: 0.7, aggregation_method: {method}, candidates: [red apple, green pear, blue car]}}]"
        )
    };
    let prompt = "green pear please";
    let best = dot(prompt, "green pear");
    for method in ["max", "any"] {
        let policy = Policy::learned(&rule(method), "");
        assert!((score(&policy, prompt) - best).abs() < 1e-6);
        let found = policy.read_by(&Reader::new(), &RequestView::from_prompt(prompt));
        assert!(found.matched(Embedding, "e"));
        assert!((found.confidence(Embedding, "e").unwrap() - best).abs() < 1e-6);
        assert_eq!(found.notes(Embedding, "e"), [format!("nearest {best:.3}: green pear")]);
    }
    let mean = Policy::learned(&rule("mean"), "");
    let expected =
        ["red apple", "green pear", "blue car"].map(|text| dot(prompt, text)).iter().sum::<f64>() / 3.0;
    assert!((score(&mean, prompt) - expected).abs() < 1e-6);
    let release = Policy::learned(&rule("max"), COMPAT);
    let mut all = ["red apple", "green pear", "blue car"].map(|text| dot(prompt, text));
    all.sort_by(|left, right| right.total_cmp(left));
    let blend = 0.75 * all[0] + 0.25 * f64::midpoint(all[0], all[1]);
    assert!((score(&release, prompt) - blend).abs() < 1e-6);
}

#[test]
fn a_rule_never_matches_below_its_own_threshold_except_as_in_the_release() {
    let rules = "
embeddings:
  - {name: strict, threshold: 0.95, candidates: [green pear]}
  - {name: open, candidates: [green pear]}
  - {name: far, candidates: [quantum physics]}";
    let request = RequestView::from_prompt("one green pear");
    let found = Policy::learned(rules, "");
    let found = found.read_by(&Reader::new(), &request);
    assert_eq!(found.names(Embedding), ["open"]);
    let strict = "embeddings: [{name: strict, threshold: 0.95, candidates: [green pear]}]";
    assert!(!Policy::learned(strict, "").read_by(&Reader::new(), &request).matched(Embedding, "strict"));
    assert!(Policy::learned(strict, COMPAT).read_by(&Reader::new(), &request).matched(Embedding, "strict"));
}

#[test]
fn rules_without_vectors_or_with_those_of_another_model_are_unavailable() {
    let rules = "embeddings: [{name: e, candidates: [a b]}, {name: f, candidates: [a b, c d]}]";
    let policy = Policy::learned_unchecked(rules, "");
    let request = RequestView::from_prompt("a b");
    assert!(policy.read_by(&Reader::new(), &request).unavailable(Embedding, "e"));
    assert_eq!(policy.set.prototype_texts(), ["a b".into(), "c d".into()]);
    policy.set.install(&PrototypeVectors::new("stand-in", [("a b".into(), embed("a b"))]));
    let found = policy.read_by(&Reader::new(), &request);
    assert!(found.matched(Embedding, "e"));
    assert_eq!(found.reason(Embedding, "f"), Some(UnavailableReason::Failed));
    let all = ["a b", "c d"].map(|text| (text.into(), embed(text)));
    let policy = Policy::learned_unchecked(rules, "");
    policy.set.install(&PrototypeVectors::new("another model", all));
    assert_eq!(
        policy.read_by(&Reader::new(), &request).reason(Embedding, "e"),
        Some(UnavailableReason::Failed)
    );
}

#[test]
fn an_overloaded_reader_leaves_rules_to_their_on_error() {
    let policy = Policy::learned(
        "embeddings: [{name: u, candidates: [x]}, {name: m, on_error: match, candidates: [x]}, {name: n, on_error: no_match, candidates: [x]}]",
        "",
    );
    let request = RequestView::from_prompt("x");
    let readings =
        TextReadings::unavailable(policy.set.plan(&request, FamilySet::ALL), UnavailableReason::Overloaded);
    let found = policy.with(&readings, &request);
    assert!(found.unavailable(Embedding, "u"));
    assert!(found.matched(Embedding, "m"));
    assert!(!found.matched(Embedding, "n") && !found.unavailable(Embedding, "n"));
    assert_eq!(found.reason(Embedding, "u"), Some(UnavailableReason::Overloaded));
    let blank = policy.read_by(&Reader::new(), &RequestView::from_prompt("  "));
    assert_eq!(blank.reason(Embedding, "u"), Some(UnavailableReason::NoInput));
}

#[test]
fn image_rules_are_unavailable_and_announced_one_by_one() {
    let policy = Policy::learned_unchecked(
        "embeddings: [{name: t, candidates: [cat]}, {name: i, query_modality: image, candidates: [cat]}]",
        "model_catalog: {embeddings: {semantic: {embedding_config: {model_type: multimodal}}}}",
    );
    let announced: Vec<String> = policy.diagnostics.iter().map(|it| it.path.to_string()).collect();
    assert_eq!(announced, ["routing.signals.embeddings[1].query_modality"]);
    let found = policy.read_by(&Reader::new(), &RequestView::from_prompt("cat"));
    assert_eq!(found.reason(Embedding, "i"), Some(UnavailableReason::NotActive));
}

#[test]
fn at_most_one_preference_matches_and_none_without_a_reason() {
    let rules = "preferences: [{name: short, description: keep answers short}, {name: code, examples: [show me code, only code please]}]";
    let policy = Policy::learned(rules, "");
    let on = |policy: &Policy, prompt: &str| -> Vec<String> {
        let found = policy.read_by(&Reader::new(), &RequestView::from_prompt(prompt));
        found.names(Preference).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(on(&policy, "show me code now"), ["code"]);
    assert!(on(&policy, "weather in Lisbon tomorrow").is_empty());
    let release = Policy::learned(rules, COMPAT);
    assert_eq!(on(&release, "weather in Lisbon tomorrow").len(), 1);
    let margin =
        "model_catalog: {modules: {classifier: {preference: {prototype_scoring: {margin_threshold: 0.99}}}}}";
    assert!(on(&Policy::learned(rules, margin), "show me code now").is_empty());
}

#[test]
fn complexity_has_one_level_by_its_margin() {
    let policy = Policy::learned(
        "complexity: [{name: c, threshold: 0.2, hard: {candidates: [prove the theorem]}, easy: {candidates: [say hello]}}]",
        "",
    );
    let on = |prompt: &str| policy.read_by(&Reader::new(), &RequestView::from_prompt(prompt));
    let hard = on("prove the theorem");
    assert_eq!(hard.names(Complexity), ["c:hard"]);
    let margin = dot("prove the theorem", "prove the theorem") - dot("prove the theorem", "say hello");
    assert!((hard.value(Complexity, "c:margin").unwrap() - margin).abs() < 1e-6);
    assert!((hard.confidence(Complexity, "c:hard").unwrap() - margin).abs() < 1e-6);
    assert_eq!(on("say hello").names(Complexity), ["c:easy"]);
    assert_eq!(on("zzz yyy").names(Complexity), ["c:medium"]);
    assert!(hard.unavailable(Complexity, "c:image_margin"));
}

#[test]
fn a_complexity_rule_without_examples_asks_the_classifier() {
    let reader = Reader::new().head(Head::Complexity, |text| match text.contains("prove") {
        true => vec![("easy", 0.1), ("hard", 0.9)],
        false => vec![("easy", 0.53), ("hard", 0.47)],
    });
    let policy = Policy::learned(
        "complexity: [{name: c}, {name: h, method: hybrid, hard: {candidates: [prove it]}}]",
        "",
    );
    let hard = policy.read_by(&reader, &RequestView::from_prompt("prove it"));
    assert_eq!(hard.names(Complexity), ["c:hard", "h:hard"]);
    let score = |prompt| {
        policy.read_by(&reader, &RequestView::from_prompt(prompt)).value(Complexity, "c:margin").unwrap()
    };
    assert!((score("prove it") - 0.8).abs() < 1e-6);
    let other = policy.read_by(&reader, &RequestView::from_prompt("hello"));
    assert!(other.matched(Complexity, "c:medium"));
    assert!((hard.value(Complexity, "h:text_hard_score").unwrap() - 0.95).abs() < 1e-6);
}

#[test]
fn reask_looks_back_over_turns_in_a_row() {
    let policy = Policy::learned(
        "reasks: [{name: again, threshold: 0.7}, {name: thrice, threshold: 0.7, lookback_turns: 2}]",
        "",
    );
    let request = |prior: &[&'static str]| RequestView {
        prior_user: prior.iter().map(|text| (*text).into()).collect(),
        ..RequestView::from_prompt("how do I sort a list")
    };
    let on = |prior: &[&'static str]| policy.read_by(&Reader::new(), &request(prior));
    assert_eq!(on(&["how do I sort a list?"]).names(Reask), ["again"]);
    assert_eq!(on(&["how can I sort a list", "how do I sort a list?"]).names(Reask), ["thrice"]);
    assert_eq!(on(&["how do I sort a list?", "thanks"]).names(Reask), [""; 0]);
    assert_eq!(on(&[]).names(Reask), [""; 0]);
    let twice = on(&["how can I sort a list", "how do I sort a list"]);
    assert_eq!(twice.value(Reask, "thrice"), Some(2.0));
    let least = dot("how do I sort a list", "how can I sort a list");
    assert!((twice.confidence(Reask, "thrice").unwrap() - least).abs() < 1e-6);
}

#[test]
fn a_turn_that_was_not_read_matters_only_to_rules_that_look_back_to_it() {
    let policy = Policy::learned(
        "reasks: [{name: again, threshold: 0.7}, {name: thrice, threshold: 0.7, lookback_turns: 2}]",
        "",
    );
    let request = |prior: &[&'static str]| RequestView {
        prior_user: prior.iter().map(|text| (*text).into()).collect(),
        ..RequestView::from_prompt("how do I sort a list")
    };
    let reader = Reader::new().fails_on("poison", UnavailableReason::Overloaded);
    let on = |prior: &[&'static str]| policy.read_by(&reader, &request(prior));
    let unread = on(&["poison", "how do I sort a list?"]);
    assert!(unread.matched(Reask, "again"));
    assert_eq!(unread.reason(Reask, "thrice"), Some(UnavailableReason::Overloaded));
    let broken = on(&["poison", "thanks"]);
    assert!(!broken.unavailable(Reask, "thrice"), "the streak ended before");
    assert!(on(&["how do I sort a list?", "poison"]).unavailable(Reask, "again"));
}

const PETS: &str = "
model_catalog:
  kbs:
    - name: pets
      source: {path: pets}
      threshold: 0.6
      label_thresholds: {fish: 0.99}
      groups: {all: [cats, dogs, fish], felines: [cats], others: [dogs, fish]}
      metrics: [{name: cats_or_dogs, type: group_margin, positive_group: felines, negative_group: others}]";
const PET_RULES: &str = "
kb:
  - {name: cat, kb: pets, target: {kind: label, value: cats}}
  - {name: fish, kb: pets, target: {kind: label, value: fish}, match: best}
  - {name: felines, kb: pets, target: {kind: group, value: felines}, match: best}
  - {name: all, kb: pets, target: {kind: group, value: all}, match: best}
  - {name: any, kb: pets, target: {kind: group, value: all}}";

#[test]
fn of_groups_with_equal_scores_the_more_specific_is_the_best() {
    let request = RequestView::from_prompt("cats purr softly");
    let found = Policy::learned(PET_RULES, PETS);
    let found = found.read_by(&Reader::new(), &request);
    assert_eq!(found.names(Kb), ["cat", "felines", "any"]);
    let release = Policy::learned(PET_RULES, &format!("{COMPAT}{PETS}"));
    assert_eq!(release.read_by(&Reader::new(), &request).names(Kb), ["cat", "all", "any"]);
}

#[test]
fn the_nearest_label_needs_its_threshold_too() {
    let request = RequestView::from_prompt("fish swim");
    let policy = Policy::learned(PET_RULES, PETS);
    let found = policy.read_by(&Reader::new(), &request);
    assert!(found.value(Kb, "fish").unwrap() > 0.7);
    assert!(!found.matched(Kb, "fish"));
    let release = Policy::learned(PET_RULES, &format!("{COMPAT}{PETS}"));
    assert!(release.read_by(&Reader::new(), &request).matched(Kb, "fish"));
}

#[test]
fn metrics_of_knowledge_bases_are_measured() {
    let policy = Policy::learned(PET_RULES, PETS);
    let found = policy.read_by(&Reader::new(), &RequestView::from_prompt("cats purr softly"));
    let value = |metric: &str| found.value(Kb, &vsr_signals::kb_metric_name("pets", metric)).unwrap();
    assert!((value("best_score") - found.value(Kb, "cat").unwrap()).abs() < 1e-9);
    assert!((value("best_matched_score") - value("best_score")).abs() < 1e-9);
    assert!(value("cats_or_dogs") > 0.3);
    let far = policy.read_by(&Reader::new(), &RequestView::from_prompt("interest rates"));
    assert_eq!(far.value(Kb, &vsr_signals::kb_metric_name("pets", "best_matched_score")), Some(0.0));
}

#[test]
fn labels_that_a_knowledge_base_does_not_have_are_errors() {
    let policy = Policy::learned_unchecked(
        "kb: [{name: a, kb: pets, target: {kind: label, value: cat}}]",
        "
model_catalog:
  kbs:
    - {name: pets, source: {path: pets}, label_thresholds: {dog: 0.5}, groups: {g: [fishes]}}",
    );
    assert_eq!(
        policy.problems(),
        [
            "global.model_catalog.kbs[0].label_thresholds.dog: the knowledge base has no label `dog`",
            "global.model_catalog.kbs[0].groups.g[0]: the knowledge base has no label `fishes`",
            "routing.signals.kb[0].target.value: the knowledge base has no label `cat`",
        ]
    );
}

/// The release's scoring, written down as the specification words it.
fn naive_blend(query: &str, candidates: &[String]) -> f64 {
    let similarity = |left: &str, right: &str| dot(left, right);
    let mut left: Vec<&str> = Vec::new();
    for candidate in candidates {
        if !left.contains(&candidate.as_str()) {
            left.push(candidate);
        }
    }
    let mut clusters: Vec<Vec<&str>> = Vec::new();
    while !left.is_empty() {
        let near = |seed: &str| -> Vec<&str> {
            left.iter().copied().filter(|other| *other == seed || similarity(seed, other) >= 0.9).collect()
        };
        let mut seeds = left.clone();
        seeds.sort_by(|a, b| near(b).len().cmp(&near(a).len()).then(a.cmp(b)));
        let members = near(seeds[0]);
        left.retain(|text| !members.contains(text));
        clusters.push(members);
    }
    let mut prototypes: Vec<(usize, f64, &str)> = clusters
        .iter()
        .map(|members| {
            let mean = |of: &str| {
                members
                    .iter()
                    .map(|other| if *other == of { 1.0 } else { similarity(of, other) })
                    .sum::<f64>()
                    / members.len() as f64
            };
            let mut sorted = members.clone();
            sorted.sort_by(|a, b| mean(b).total_cmp(&mean(a)).then(a.cmp(b)));
            (members.len(), mean(sorted[0]), sorted[0])
        })
        .collect();
    prototypes.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(b.2)));
    prototypes.truncate(8);
    let mut scores: Vec<f64> = prototypes.iter().map(|(_, _, text)| similarity(query, text)).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    let support = scores.iter().take(2).sum::<f64>() / scores.len().min(2) as f64;
    0.75 * scores[0] + 0.25 * support
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn banks_score_as_the_specification_says(
        candidates in prop::collection::vec(prop::collection::vec("[abcd]", 1..6), 1..14),
        query in prop::collection::vec("[abcde]", 1..6),
    ) {
        let candidates: Vec<String> = candidates.iter().map(|words| words.join(" ")).collect();
        let query = query.join(" ");
        let rule = format!("embeddings: [{{name: e, candidates: {}}}]", serde_json::json!(candidates));
        let policy = Policy::learned(&rule, "");
        let score = score(&policy, &query);
        prop_assert!((score - naive_blend(&query, &candidates)).abs() < 1e-4, "{} {}", score, naive_blend(&query, &candidates));
    }
}
