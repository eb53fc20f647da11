//! Scores and mappings.

use proptest::prelude::*;
use vsr_types::DecisionOutcome::{Matched, NotMatched, Unavailable};

use crate::fixture::{Case, V0_3};

const ATOMS: &[&str] = &[
    "keyword:a",
    "keyword:b",
    "context:long",
    "complexity:code:hard",
    "complexity:code:margin",
    "authz:admin",
    "kb:private",
    "kb:kb_metric:docs:best_score",
];

fn sigmoid(slope: f64, distance: f64) -> f64 {
    1.0 / (1.0 + (-slope * distance).exp())
}

fn score(head: &str, inputs: &str) -> Case {
    let text = format!("{head}routing: {{projections: {{scores: [{{name: s, inputs: [{inputs}]}}]}}}}\n");
    Case::new(ATOMS, &text)
}

fn value(mut case: Case) -> f64 {
    case.project().scores[0].value
}

#[test]
fn a_binary_input_counts_its_match_or_its_miss() {
    let inputs =
        "{type: keyword, name: a, weight: 2, match: 3, miss: -1}, {type: keyword, name: b, weight: 0.5}";
    assert_eq!(value(score("", inputs)), -2.0);
    assert_eq!(value(score("", inputs).matched("keyword:a", 0.1)), 6.0);
    assert_eq!(value(score("", inputs).matched("keyword:b", 0.1)), -1.5);
}

#[test]
fn an_explicit_match_of_zero_is_possible() {
    let inputs = "{type: keyword, name: a, weight: 2, match: 0, miss: 1}";
    assert_eq!(value(score("", inputs).matched("keyword:a", 1.0)), 0.0);
    assert_eq!(value(score(V0_3, inputs).matched("keyword:a", 1.0)), 2.0);
}

#[test]
fn a_confidence_input_counts_the_confidence_of_a_match() {
    let inputs = "{type: keyword, name: a, weight: 2, value_source: confidence}";
    assert_eq!(value(score("", inputs)), 0.0);
    assert_eq!(value(score("", inputs).matched("keyword:a", 0.25)), 0.5);
    assert_eq!(value(score("", inputs).matched("keyword:a", 0.0)), 0.0);
    assert_eq!(value(score(V0_3, inputs).matched("keyword:a", 0.0)), 2.0);
    assert_eq!(value(score("", inputs).matched("keyword:a", f64::NAN)), 2.0);
}

#[test]
fn a_raw_input_counts_the_value_matched_or_not() {
    let inputs = "{type: complexity, name: 'code:margin', weight: 2, value_source: raw}";
    assert_eq!(value(score("", inputs).value("complexity:code:margin", 0.25)), 0.5);
    assert_eq!(value(score("", inputs)), 0.0);
}

#[test]
fn a_knowledge_base_metric_is_a_value() {
    let inputs = "{type: kb_metric, kb: Docs, metric: best_score, weight: 1}";
    assert_eq!(value(score("", inputs).value("kb:kb_metric:docs:best_score", 0.75)), 0.75);
}

#[test]
fn roles_count_in_scores() {
    let inputs = "{type: authz, name: admin, weight: 1}";
    assert_eq!(value(score("", inputs).matched("authz:admin", 1.0)), 1.0);
}

#[test]
fn unavailable_evidence_counts_as_a_miss_and_the_trace_says_so() {
    let inputs = "{type: keyword, name: a, weight: 2, miss: 0.5}, {type: keyword, name: b, weight: 1}";
    let mut case = score("", inputs).unavailable("keyword:a").matched("keyword:b", 1.0);
    let trace = case.project();
    assert_eq!(trace.scores[0].value, 2.0);
    assert_eq!(trace.scores[0].contributions, [None, Some(1.0)]);
}

const BANDS: &str = "
routing:
  projections:
    scores:
      - {name: s, inputs: [{type: keyword, name: a, weight: 0.6}, {type: keyword, name: b, weight: 0.2}]}
    mappings:
      - {name: band, source: s, outputs: [{name: low, lt: 0.5}, {name: mid, gte: 0.2, lte: 0.6}, {name: top, gt: 0.7}]}
      - {name: all, source: s, method: multi_emit, calibration: {slope: 2}, outputs: [{name: some, gt: 0}, {name: much, gte: 0.6}]}
  decisions:
    - {name: d, rules: {operator: NOT, conditions: [{type: projection, name: top}]}}
";

#[test]
fn threshold_bands_emit_the_first_output_that_holds() {
    let mut case = Case::new(ATOMS, BANDS).matched("keyword:b", 1.0);
    let trace = case.project();
    assert_eq!(case.confidence("projection:low"), Some(sigmoid(12.0, 0.5 - 0.2)));
    assert_eq!(case.confidence("projection:mid"), None);
    assert_eq!(trace.mappings[0].outputs.len(), 1);
    assert_eq!(case.evidence.value(case.id("projection:mid")), Some(0.2));
}

#[test]
fn multi_emit_emits_all_outputs_that_hold() {
    let mut case = Case::new(ATOMS, BANDS).matched("keyword:a", 1.0);
    let trace = case.project();
    assert_eq!(case.confidence("projection:some"), Some(sigmoid(2.0, 0.6)));
    assert_eq!(case.confidence("projection:much"), Some(0.5), "on the bound");
    assert_eq!(trace.mappings[1].outputs.len(), 2);
    // The nearer of two bounds counts.
    assert_eq!(case.confidence("projection:mid"), Some(0.5));
}

#[test]
fn a_gap_between_bands_emits_nothing() {
    let text = BANDS.replace("weight: 0.6", "weight: 0.65");
    let mut case = Case::new(ATOMS, &text).matched("keyword:a", 1.0);
    assert!(case.project().mappings[0].outputs.is_empty());
}

#[test]
fn outputs_are_unavailable_when_all_inputs_are() {
    let mut case = Case::new(ATOMS, BANDS).unavailable("keyword:a").unavailable("keyword:b");
    assert_eq!(case.outcome(), Unavailable);
    assert!(case.is_unavailable("projection:low"));
    assert_eq!(
        case.evidence.reason(case.id("projection:low")),
        Some(vsr_types::UnavailableReason::Overloaded)
    );
    let mut partly = Case::new(ATOMS, BANDS).unavailable("keyword:a");
    assert_eq!(partly.outcome(), Matched(0.0));
}

#[test]
fn a_band_is_emitted_only_if_it_holds_whatever_the_unavailable_evidence_would_say() {
    // a is worth 0.6: with b alone the score is 0.2, with both it is 0.8.
    let mut case = Case::new(ATOMS, BANDS).unavailable("keyword:a").matched("keyword:b", 1.0);
    case.project();
    for undecided in ["projection:low", "projection:mid", "projection:top", "projection:much"] {
        assert!(case.is_unavailable(undecided), "{undecided}");
    }
    assert_eq!(case.confidence("projection:some"), Some(sigmoid(2.0, 0.2)), "above 0 in any case");
    let old = format!("{BANDS}global: {{router: {{compatibility: v0.3}}}}");
    let mut case = Case::new(ATOMS, &old).unavailable("keyword:a").matched("keyword:b", 1.0);
    case.project();
    assert_eq!(case.confidence("projection:low"), Some(sigmoid(12.0, 0.5 - 0.2)), "a miss, as it was");
}

const CHAIN: &str = "
routing:
  projections:
    scores:
      - {name: last, inputs: [{type: projection, name: first, weight: 2}, {type: projection, name: out, weight: 1, value_source: confidence}]}
      - {name: first, inputs: [{type: keyword, name: a, weight: 0.5}]}
    mappings:
      - {name: end, source: last, outputs: [{name: ended, gt: 0}]}
      - {name: m, source: first, outputs: [{name: out, gte: 0.5}]}
  decisions:
    - {name: d, rules: {type: projection, name: ended}}
";

#[test]
fn scores_are_evaluated_after_what_they_read() {
    let mut case = Case::new(ATOMS, CHAIN).matched("keyword:a", 1.0);
    let trace = case.project();
    let order: Vec<(&str, f64)> = trace.scores.iter().map(|score| (&*score.score, score.value)).collect();
    assert_eq!(order, [("first", 0.5), ("last", 1.5)]);
    let mappings: Vec<&str> = trace.mappings.iter().map(|mapping| &*mapping.mapping).collect();
    assert_eq!(mappings, ["m", "end"]);
}

#[test]
fn what_is_unavailable_stays_so_along_a_chain() {
    assert_eq!(Case::new(ATOMS, CHAIN).unavailable("keyword:a").outcome(), Unavailable);
    assert_eq!(Case::new(ATOMS, CHAIN).outcome(), NotMatched);
}

#[test]
fn a_projection_leaf_with_a_predicate_reads_the_score() {
    let text = BANDS.replace(
        "rules: {operator: NOT, conditions: [{type: projection, name: top}]}",
        "rules: {type: projection, name: low, predicate: {gte: 0.6}}",
    );
    assert_eq!(Case::new(ATOMS, &text).matched("keyword:a", 1.0).outcome(), Matched(1.0));
    assert_eq!(Case::new(ATOMS, &text).matched("keyword:b", 1.0).outcome(), NotMatched);
}

proptest! {
    /// Scores in any order, each reading some of those that come before it in a hidden order.
    #[test]
    fn any_order_of_declaration_gives_the_same_values(
        reads in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..12),
        order in any::<prop::sample::Index>(),
        step in 1_usize..5,
    ) {
        let count = reads.len();
        let name = |score: usize| format!("s{score}");
        let mut expected = Vec::new();
        let mut lines = Vec::new();
        for (score, reads) in reads.iter().enumerate() {
            let mut inputs = vec!["{type: keyword, name: a, weight: 1}".to_owned()];
            let mut value = 1.0;
            for read in reads.iter().filter(|_| score > 0).map(|read| read.index(score.max(1))) {
                inputs.push(format!("{{type: projection, name: {}, weight: 0.5}}", name(read)));
                value += 0.5 * expected[read];
            }
            expected.push(value);
            lines.push(format!("{{name: {}, inputs: [{}]}}", name(score), inputs.join(", ")));
        }
        // A rotation, then every other one first: declarations far from evaluation order.
        lines.rotate_left(order.index(count));
        let shuffled: Vec<String> = (0..step)
            .flat_map(|start| lines.iter().skip(start).step_by(step).cloned().collect::<Vec<_>>())
            .collect();
        let text = format!("routing: {{projections: {{scores: [{}]}}}}\n", shuffled.join(", "));
        let trace = Case::new(ATOMS, &text).matched("keyword:a", 1.0).project();
        prop_assert_eq!(trace.scores.len(), count);
        for score in &trace.scores {
            let index: usize = score.score[1..].parse().unwrap();
            prop_assert_eq!(score.value, expected[index]);
        }
    }
}
