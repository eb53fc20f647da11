//! Decisions explained.

use serde_json::json;

use crate::fixture::{Case, with_rules};

#[test]
fn the_tree_shows_every_state_and_the_branch_that_matched() {
    let tree = "{operator: AND, conditions: [\
        {operator: OR, conditions: [{type: keyword, name: a}, {type: keyword, name: b}]}, \
        {operator: NOT, conditions: [{type: jailbreak, name: attack, on_error: no_match}]}]}";
    let mut case = Case::new(&["keyword:a", "keyword:b", "jailbreak:attack"], &with_rules(tree))
        .matched("keyword:b", 0.5)
        .value("keyword:b", 3.0)
        .unavailable("jailbreak:attack");
    case.evidence.note(case.id("keyword:b"), || "found `now`");
    case.project();
    let explained = serde_json::to_value(case.policy.explain(&case.evidence)).unwrap();
    assert_eq!(
        explained,
        json!([{
            "name": "d", "priority": 0, "state": "matched", "confidence": 0.5,
            "rules": {
                "kind": "and", "state": "matched", "confidence": 0.5,
                "conditions": [
                    {
                        "kind": "or", "state": "matched", "confidence": 0.5, "branch": 1,
                        "conditions": [
                            {"kind": "leaf", "type": "keyword", "name": "a", "state": "not_matched"},
                            {
                                "kind": "leaf", "type": "keyword", "name": "b", "state": "matched",
                                "confidence": 0.5, "value": 3.0, "notes": ["found `now`"],
                            },
                        ],
                    },
                    {
                        "kind": "not", "state": "matched",
                        "conditions": [{
                            "kind": "leaf", "type": "jailbreak", "name": "attack", "state": "not_matched",
                            "on_error": "no_match", "reason": "overloaded",
                        }],
                    },
                ],
            },
        }])
    );
}

#[test]
fn the_catch_all_and_undecided_trees_are_told_apart() {
    let text = "
routing:
  decisions:
    - {name: any, tier: 2}
    - {name: unsure, priority: 3, rules: {type: keyword, name: a}}
";
    let case = Case::new(&["keyword:a"], text).unavailable("keyword:a");
    let explained = serde_json::to_value(case.policy.explain(&case.evidence)).unwrap();
    assert_eq!(
        explained,
        json!([
            {
                "name": "any", "priority": 0, "tier": 2, "state": "matched", "confidence": 0.0,
                "rules": {"kind": "always", "state": "matched"},
            },
            {
                "name": "unsure", "priority": 3, "state": "unavailable",
                "rules": {
                    "kind": "leaf", "type": "keyword", "name": "a",
                    "state": "unavailable", "reason": "overloaded",
                },
            },
        ])
    );
}
