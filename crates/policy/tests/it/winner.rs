//! Which of the decisions that match wins.

use crate::fixture::{Case, V0_3};

const ATOMS: &[&str] = &["keyword:low", "keyword:high", "keyword:also"];

/// Decisions from lines `name rule priority tier`, `-` for no tier.
fn policy(head: &str, lines: &[&str]) -> Case {
    let mut text = format!("{head}routing:\n  decisions:\n");
    for line in lines {
        let [name, rule, priority, tier] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let tier = if tier == "-" { String::new() } else { format!(", tier: {tier}") };
        text += &format!(
            "    - {{name: {name}, priority: {priority}{tier}, rules: {{type: keyword, name: {rule}}}}}\n"
        );
    }
    Case::new(ATOMS, &text).matched("keyword:low", 0.2).matched("keyword:high", 0.9)
}

fn won(head: &str, lines: &[&str]) -> (String, &'static str) {
    policy(head, lines).winner().unwrap()
}

const BY_CONFIDENCE: &str = "global: {router: {strategy: confidence}}\n";

#[test]
fn nothing_wins_if_nothing_matches() {
    let verdict = policy("", &["a also 1 -"]).decide();
    assert_eq!((verdict.winner, verdict.runner_up, verdict.won_by), (None, None, ""));
}

#[test]
fn the_only_match_wins() {
    assert_eq!(won("", &["a low 1 -", "b also 9 -"]), ("a".into(), "only match"));
}

#[test]
fn higher_priority_wins_then_confidence_then_name() {
    assert_eq!(won("", &["a high 1 -", "b low 2 -"]), ("b".into(), "higher priority"));
    assert_eq!(won("", &["a low 1 -", "b high 1 -"]), ("b".into(), "higher confidence"));
    assert_eq!(won("", &["b low 1 -", "a low 1 -"]), ("a".into(), "name order"));
    let extremes = [format!("a low {} -", i64::MIN), format!("b low {} -", i64::MAX)];
    assert_eq!(won("", &[&extremes[0], &extremes[1]]), ("b".into(), "higher priority"));
}

#[test]
fn under_the_confidence_strategy_confidence_comes_first() {
    assert_eq!(won(BY_CONFIDENCE, &["a high 1 -", "b low 2 -"]), ("a".into(), "higher confidence"));
    assert_eq!(won(BY_CONFIDENCE, &["a high 1 -", "b high 2 -"]), ("b".into(), "higher priority"));
}

#[test]
fn the_strategy_of_routing_wins_over_the_global_one() {
    let text = "
global: {router: {strategy: priority}}
routing:
  strategy: confidence
  decisions:
    - {name: a, priority: 1, rules: {type: keyword, name: high}}
    - {name: b, priority: 2, rules: {type: keyword, name: low}}
";
    let mut case = Case::new(ATOMS, text).matched("keyword:low", 0.2).matched("keyword:high", 0.9);
    assert_eq!(case.winner(), Some(("a".into(), "higher confidence")));
}

#[test]
fn lower_tiers_come_first_and_decisions_without_one_last() {
    let lines = ["none high 9 -", "two high 9 2", "one low 1 1"];
    let mut case = policy("", &lines);
    let verdict = case.decide();
    assert_eq!(verdict.winner.unwrap().name.as_str(), "one");
    assert_eq!(verdict.runner_up.unwrap().name.as_str(), "two");
    assert_eq!(verdict.won_by, "lower tier");
    assert_eq!(won("", &["none high 9 -", "two low 1 2"]), ("two".into(), "has a tier"));
    assert_eq!(won("", &["none high 9 0", "two low 1 2"]), ("two".into(), "has a tier"));
}

#[test]
fn within_a_tier_the_strategy_decides() {
    assert_eq!(won("", &["a high 1 1", "b low 2 1"]), ("b".into(), "higher priority"));
    assert_eq!(won(BY_CONFIDENCE, &["a high 1 1", "b low 2 1"]), ("a".into(), "higher confidence"));
}

#[test]
fn in_the_old_behaviour_no_tier_comes_first_while_a_tier_matches() {
    assert_eq!(won(V0_3, &["none low 1 -", "one high 9 1"]), ("none".into(), "lower tier"));
    // Confidence before priority among tiers, whatever the strategy.
    assert_eq!(won(V0_3, &["a high 1 1", "b low 2 1"]), ("a".into(), "higher confidence"));
    // Without a match that has a tier, the strategy decides.
    assert_eq!(won(V0_3, &["a high 1 -", "b low 2 -", "one also 9 1"]), ("b".into(), "higher priority"));
}

#[test]
fn an_undecided_decision_cannot_win() {
    let mut case = policy("", &["a also 9 1", "b low 1 -"]).unavailable("keyword:also");
    assert_eq!(case.winner(), Some(("b".into(), "only match")));
}

#[test]
fn the_runner_up_is_second_wherever_it_is_declared() {
    for lines in [["a low 3 -", "b low 2 -", "c low 1 -"], ["c low 1 -", "b low 2 -", "a low 3 -"]] {
        let verdict = policy("", &lines).decide();
        assert_eq!(verdict.winner.unwrap().name.as_str(), "a");
        assert_eq!(verdict.runner_up.unwrap().name.as_str(), "b");
    }
}
