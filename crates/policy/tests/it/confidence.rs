//! How confident a tree is that holds.

use vsr_types::DecisionOutcome::Matched;

use crate::fixture::{Case, V0_3, with_rules};

const ATOMS: &[&str] = &["keyword:a", "keyword:b", "keyword:c", "keyword:d"];

fn evaluate(rules: &str, old: bool) -> f64 {
    let text = format!("{}{}", if old { V0_3 } else { "" }, with_rules(rules));
    let mut case = Case::new(ATOMS, &text)
        .matched("keyword:a", 0.5)
        .matched("keyword:b", 0.0)
        .matched("keyword:c", f64::NAN);
    match case.outcome() {
        Matched(confidence) => confidence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn zero_is_respected_and_missing_is_one() {
    assert_eq!(evaluate("{type: keyword, name: b}", false), 0.0);
    assert_eq!(evaluate("{type: keyword, name: b}", true), 1.0);
    assert_eq!(evaluate("{type: keyword, name: c}", false), 1.0);
    assert_eq!(evaluate("{type: keyword, name: c}", true), 1.0);
}

#[test]
fn not_adds_no_confidence_to_a_mean() {
    let tree = "{operator: AND, conditions: [{type: keyword, name: a}, \
                {operator: NOT, conditions: [{type: keyword, name: d}]}]}";
    assert_eq!(evaluate(tree, false), 0.5);
    assert_eq!(evaluate(tree, true), 0.75);
}

#[test]
fn and_of_nots_has_no_confidence() {
    let tree = "{operator: AND, conditions: [{operator: NOT, conditions: [{type: keyword, name: d}]}]}";
    assert_eq!(evaluate(tree, false), 0.0);
    assert_eq!(evaluate(tree, true), 1.0);
}

#[test]
fn nesting_an_and_does_not_change_its_mean() {
    let tree = "{operator: AND, conditions: [{type: keyword, name: a}, \
                {operator: AND, conditions: [{type: keyword, name: a}, {type: keyword, name: c}]}]}";
    assert_eq!(evaluate(tree, false), (0.5 + 0.5 + 1.0) / 3.0);
    assert_eq!(evaluate(tree, true), (0.5 + 0.75) / 2.0);
}

#[test]
fn or_takes_the_best_branch_and_only_its_atoms() {
    let tree = "{operator: OR, conditions: [{type: keyword, name: b}, {type: keyword, name: a}, \
                {operator: AND, conditions: [{type: keyword, name: a}, {type: keyword, name: a}]}]}";
    let mut case = Case::new(ATOMS, &with_rules(tree)).matched("keyword:a", 0.5).matched("keyword:b", 0.25);
    let winner = case.decide().winner.unwrap();
    assert_eq!(winner.confidence, 0.5);
    assert_eq!(case.names(&winner.matched_atoms), ["keyword:a"]);
}

#[test]
fn a_branch_of_zero_confidence_keeps_its_atoms() {
    let tree = "{operator: OR, conditions: [{operator: NOT, conditions: [{type: keyword, name: d}]}, \
                {type: keyword, name: b}]}";
    let mut case = Case::new(ATOMS, &with_rules(tree)).matched("keyword:b", 0.0);
    let winner = case.decide().winner.unwrap();
    assert_eq!(winner.confidence, 0.0);
    assert_eq!(case.names(&winner.matched_atoms), ["keyword:b"]);
}

#[test]
fn matched_atoms_come_in_rule_order() {
    let tree = "{operator: AND, conditions: [{type: keyword, name: c}, {type: keyword, name: a}, \
                {operator: NOT, conditions: [{type: keyword, name: d}]}]}";
    let mut case = Case::new(ATOMS, &with_rules(tree)).matched("keyword:a", 1.0).matched("keyword:c", 1.0);
    let atoms = case.decide().winner.unwrap().matched_atoms;
    assert_eq!(case.names(&atoms), ["keyword:c", "keyword:a"]);
}
