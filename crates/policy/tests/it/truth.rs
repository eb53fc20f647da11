//! When rule trees hold.

use vsr_types::DecisionOutcome::{Matched, NotMatched, Unavailable};

use crate::fixture::{Case, V0_3, with_rules};

const ATOMS: &[&str] = &["keyword:a", "keyword:b", "jailbreak:attack"];

fn rules(rules: &str) -> Case {
    Case::new(ATOMS, &with_rules(rules))
}

#[test]
fn a_leaf_holds_if_its_rule_matched() {
    assert_eq!(rules("{type: keyword, name: a}").outcome(), NotMatched);
    assert_eq!(rules("{type: ' KeyWord ', name: a}").matched("keyword:a", 0.5).outcome(), Matched(0.5));
}

#[test]
fn not_jailbreak_is_not_true_because_the_detector_is_down() {
    let tree = "{operator: NOT, conditions: [{type: jailbreak, name: attack}]}";
    assert_eq!(rules(tree).outcome(), Matched(0.0));
    assert_eq!(rules(tree).unavailable("jailbreak:attack").outcome(), Unavailable);
}

#[test]
fn one_false_condition_decides_and_whatever_is_unavailable() {
    let tree = "{operator: AND, conditions: [{type: keyword, name: a}, {type: jailbreak, name: attack}]}";
    assert_eq!(rules(tree).unavailable("jailbreak:attack").outcome(), NotMatched);
    assert_eq!(rules(tree).unavailable("jailbreak:attack").matched("keyword:a", 1.0).outcome(), Unavailable);
}

#[test]
fn one_true_condition_decides_or_whatever_is_unavailable() {
    let tree = "{operator: OR, conditions: [{type: jailbreak, name: attack}, {type: keyword, name: a}]}";
    assert_eq!(rules(tree).unavailable("jailbreak:attack").matched("keyword:a", 0.3).outcome(), Matched(0.3));
    assert_eq!(rules(tree).unavailable("jailbreak:attack").outcome(), Unavailable);
}

#[test]
fn a_leaf_may_say_what_unavailable_evidence_counts_as() {
    let counts_as = |word: &str| {
        rules(&format!("{{type: jailbreak, name: attack, on_error: {word}}}"))
            .unavailable("jailbreak:attack")
            .outcome()
    };
    assert_eq!(counts_as("match"), Matched(1.0));
    assert_eq!(counts_as("no_match"), NotMatched);
    assert_eq!(counts_as("unavailable"), Unavailable);
    let under_not = "{operator: NOT, conditions: [{type: jailbreak, name: attack, on_error: no_match}]}";
    assert_eq!(rules(under_not).unavailable("jailbreak:attack").outcome(), Matched(0.0));
}

#[test]
fn a_predicate_compares_the_raw_value_or_else_the_confidence() {
    let tree = "{type: keyword, name: a, predicate: {gt: 0.5, lte: 2}}";
    assert_eq!(rules(tree).value("keyword:a", 2.0).outcome(), Matched(1.0));
    assert_eq!(rules(tree).value("keyword:a", 0.5).matched("keyword:a", 0.9).outcome(), NotMatched);
    assert_eq!(rules(tree).matched("keyword:a", 0.9).outcome(), Matched(1.0));
    assert_eq!(rules(tree).matched("keyword:a", 0.4).outcome(), NotMatched);
    assert_eq!(rules(tree).outcome(), NotMatched);
    assert_eq!(rules(tree).value("keyword:a", 1.0).unavailable("keyword:a").outcome(), Unavailable);
}

#[test]
fn absent_and_empty_rules_always_hold() {
    for text in ["{}", "{operator: AND}", "{operator: AND, conditions: []}", "null"] {
        assert_eq!(rules(text).outcome(), Matched(0.0), "{text}");
    }
    let mut omitted = Case::new(&[], "routing: {decisions: [{name: d}]}");
    assert_eq!(omitted.outcome(), Matched(0.0));
}

#[test]
fn a_domain_also_holds_by_a_label_of_its_categories() {
    let text = "
routing:
  signals:
    domains:
      - {name: science, mmlu_categories: [physics, chemistry]}
      - {name: chemistry, mmlu_categories: [biology]}
  decisions:
    - {name: d, rules: {type: domain, name: science}}
";
    let case =
        |text: &str| Case::new(&["domain:science", "domain:chemistry", "domain:physics", "domain:law"], text);
    assert_eq!(case(text).matched("domain:science", 0.6).outcome(), Matched(0.6));
    assert_eq!(case(text).matched("domain:physics", 0.7).outcome(), Matched(0.7));
    assert_eq!(case(text).matched("domain:law", 0.7).outcome(), NotMatched);
    // `chemistry` is a domain of its own, which stands for another label.
    assert_eq!(case(text).matched("domain:chemistry", 0.7).outcome(), NotMatched);
    assert_eq!(case(text).unavailable("domain:physics").outcome(), Unavailable);

    let old = format!("{V0_3}{text}");
    assert_eq!(case(&old).matched("domain:physics", 0.7).outcome(), Matched(1.0));

    let mut by_label = case(text).matched("domain:physics", 0.7);
    let atoms = by_label.decide().winner.unwrap().matched_atoms;
    assert_eq!(by_label.names(&atoms), ["domain:physics"]);
}

#[test]
fn a_bare_complexity_name_never_matches_in_the_old_behaviour() {
    let text = format!("{V0_3}{}", with_rules("{type: complexity, name: code}"));
    let mut case = Case::new(&["complexity:code:easy", "complexity:code:hard"], &text);
    assert_eq!(case.diagnostics.len(), 1);
    assert_eq!(case.outcome(), NotMatched);
}

#[test]
fn conditions_without_operator_are_an_or_in_the_old_behaviour() {
    let tree = "{conditions: [{type: keyword, name: a}, {type: keyword, name: b}]}";
    let mut case = Case::new(ATOMS, &format!("{V0_3}{}", with_rules(tree))).matched("keyword:b", 0.5);
    assert_eq!(case.diagnostics.len(), 1);
    assert_eq!(case.outcome(), Matched(0.5));
}

#[test]
fn what_is_wrong_never_matches() {
    let mut case = Case::checked(ATOMS, &with_rules("{type: keyword, name: missing}"));
    assert!(case.diagnostics.has_errors());
    assert_eq!(case.outcome(), NotMatched);
}
