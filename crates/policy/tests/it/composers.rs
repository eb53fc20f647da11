//! Complexity rules under a condition.

use vsr_types::DecisionOutcome::{Matched, NotMatched, Unavailable};

use crate::fixture::{Case, V0_3};

const ATOMS: &[&str] = &[
    "complexity:code:easy",
    "complexity:code:medium",
    "complexity:code:hard",
    "domain:law",
    "authz:admin",
    "keyword:a",
];

fn composed(head: &str, composer: &str) -> Case {
    let text = format!(
        "{head}
routing:
  signals:
    complexity:
      - {{name: code, composer: {composer}}}
  decisions:
    - {{name: d, rules: {{type: complexity, name: 'code:hard'}}}}
"
    );
    Case::new(ATOMS, &text).matched("complexity:code:hard", 0.4)
}

#[test]
fn a_composer_that_holds_changes_nothing() {
    let mut case = composed("", "{type: domain, name: law}").matched("domain:law", 0.9);
    assert_eq!(case.outcome(), Matched(0.4));
    assert_eq!(composed("", "{}").outcome(), Matched(0.4));
}

#[test]
fn a_composer_that_does_not_hold_drops_the_level() {
    let mut case = composed("", "{type: domain, name: law}");
    assert_eq!(case.outcome(), NotMatched);
    let mut undecided = composed("", "{type: domain, name: law}").unavailable("complexity:code:hard");
    assert_eq!(undecided.outcome(), NotMatched, "whatever the level would have been");
}

#[test]
fn an_unavailable_composer_leaves_the_level_undecided() {
    let mut case = composed("", "{type: domain, name: law}").unavailable("domain:law");
    assert_eq!(case.outcome(), Unavailable);
    let reason = case.evidence.reason(case.id("complexity:code:hard"));
    assert_eq!(reason, Some(vsr_types::UnavailableReason::Overloaded));
}

#[test]
fn composers_may_use_roles() {
    let mut case = composed("", "{type: authz, name: admin}").matched("authz:admin", 1.0);
    assert_eq!(case.outcome(), Matched(0.4));
}

#[test]
fn a_missing_operator_is_an_and_in_the_old_behaviour() {
    let tree = "{conditions: [{type: domain, name: law}, {type: keyword, name: a}]}";
    let mut case = composed(V0_3, tree).matched("domain:law", 0.9);
    assert_eq!(case.outcome(), NotMatched);
}
