//! Compiled decisions against an interpreter that walks the configuration and looks everything up by name.

use std::{cmp::Ordering, collections::HashMap};

use proptest::prelude::*;
use vsr_config::{
    Compatibility, Config, Decision, OnErrorRule, Predicate, RuleNode, RuleOperator, Strategy as Pick,
};
use vsr_policy::Policy;
use vsr_types::{
    Atom, AtomTable, DecisionOutcome, Diagnostics, Evidence, OnError, ProjectionTrace, SignalFamily,
    UnavailableReason,
};

use crate::fixture::config;

/// More atoms than one word of a bit set holds, of which the first few are used.
const DECLARED: usize = 130;
const USED: [usize; 8] = [0, 1, 2, 63, 64, 65, 100, 129];

/// What a request is known to be.
#[derive(Debug, Clone)]
struct Fact {
    /// `Some(None)` is a match without confidence.
    matched: Option<Option<f64>>,
    is_unavailable: bool,
    value: Option<f64>,
}

type Facts = HashMap<String, Fact>;

/// The three values of logic.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Truth {
    False,
    Unknown,
    True,
}

// The interpreter.

fn truth(node: &RuleNode, facts: &Facts) -> Truth {
    let children = || node.conditions.iter().map(|child| truth(child, facts));
    match node.operator {
        None if node.kind.is_none() => Truth::True,
        None => leaf_truth(node, facts),
        Some(RuleOperator::And) if children().any(|child| child == Truth::False) => Truth::False,
        Some(RuleOperator::And) if children().all(|child| child == Truth::True) => Truth::True,
        Some(RuleOperator::Or) if children().any(|child| child == Truth::True) => Truth::True,
        Some(RuleOperator::Or) if children().all(|child| child == Truth::False) => Truth::False,
        Some(RuleOperator::And | RuleOperator::Or) => Truth::Unknown,
        Some(RuleOperator::Not) => match children().next().unwrap() {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        },
    }
}

fn leaf_truth(node: &RuleNode, facts: &Facts) -> Truth {
    let fact = &facts[node.name.as_deref().unwrap()];
    if fact.is_unavailable {
        return match node.on_error {
            Some(OnErrorRule::Match) => Truth::True,
            Some(OnErrorRule::NoMatch) => Truth::False,
            _ => Truth::Unknown,
        };
    }
    let holds = match &node.predicate {
        None => fact.matched.is_some(),
        Some(predicate) => {
            let confidence = fact.matched.map(|confidence| confidence.unwrap_or(1.0));
            fact.value.or(confidence).is_some_and(|number| within(predicate, number))
        }
    };
    if holds { Truth::True } else { Truth::False }
}

fn within(predicate: &Predicate, number: f64) -> bool {
    predicate.gt.is_none_or(|bound| number > bound)
        && predicate.gte.is_none_or(|bound| number >= bound)
        && predicate.lt.is_none_or(|bound| number < bound)
        && predicate.lte.is_none_or(|bound| number <= bound)
}

/// The confidence of a node that is true, and the names that made it so.
fn strength(node: &RuleNode, facts: &Facts, old: bool) -> (Option<f64>, Vec<String>) {
    let children = || node.conditions.iter().filter(|child| truth(child, facts) == Truth::True);
    match node.operator {
        None if node.kind.is_none() => (None, Vec::new()),
        None => {
            let name = node.name.clone().unwrap();
            let fact = &facts[&name];
            let confidence = match fact.matched {
                Some(stored) if node.predicate.is_none() && !fact.is_unavailable => stored.unwrap_or(1.0),
                _ => 1.0,
            };
            (Some(if old && confidence <= 0.0 { 1.0 } else { confidence }), vec![name])
        }
        Some(RuleOperator::Not) => (old.then_some(1.0), Vec::new()),
        Some(RuleOperator::And) => {
            let names = children().flat_map(|child| strength(child, facts, old).1).collect();
            let numbers = summands(node, facts, old);
            let mean = (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64);
            (mean, names)
        }
        Some(RuleOperator::Or) => {
            let mut best: Option<(Option<f64>, Vec<String>)> = None;
            for child in children() {
                let found = strength(child, facts, old);
                if best.as_ref().is_none_or(|best| found.0.unwrap_or(-1.0) > best.0.unwrap_or(-1.0)) {
                    best = Some(found);
                }
            }
            best.unwrap()
        }
    }
}

/// The confidences that the mean of an AND is taken of.
fn summands(node: &RuleNode, facts: &Facts, old: bool) -> Vec<f64> {
    let of_child = |child: &RuleNode| match child.operator {
        Some(RuleOperator::And) if !old => summands(child, facts, old),
        _ => strength(child, facts, old).0.into_iter().collect(),
    };
    node.conditions.iter().flat_map(of_child).collect()
}

/// Winner first: the matches in order.
fn ranked(config: &Config, outcomes: &[DecisionOutcome], pick: Pick, old: bool) -> Vec<usize> {
    let decisions = &config.routing.decisions;
    let confidence = |index: usize| match outcomes[index] {
        DecisionOutcome::Matched(confidence) => Some(confidence),
        _ => None,
    };
    let mut matches: Vec<usize> = (0..decisions.len()).filter(|index| confidence(*index).is_some()).collect();
    let tier = |index: usize| decisions[index].tier.unwrap_or(0);
    let tiers_count = !old || matches.iter().any(|index| tier(*index) > 0);
    let tier_rank = |index: usize| match tier(index) {
        tier if old => tier,
        tier if tier < 1 => i64::MAX,
        tier => tier,
    };
    let pick = if old && tiers_count { Pick::Confidence } else { pick };
    matches.sort_by(|left, right| {
        let by_tier = if tiers_count { tier_rank(*left).cmp(&tier_rank(*right)) } else { Ordering::Equal };
        let by_priority = decisions[*right].priority.cmp(&decisions[*left].priority);
        let by_confidence = confidence(*right).partial_cmp(&confidence(*left)).unwrap();
        let by_strategy = match pick {
            Pick::Priority => by_priority.then(by_confidence),
            Pick::Confidence => by_confidence.then(by_priority),
        };
        by_tier.then(by_strategy).then(decisions[*left].name.cmp(&decisions[*right].name))
    });
    matches
}

// What is generated.

fn leaf() -> impl Strategy<Value = RuleNode> {
    let bound = (0_u8..4, 0.0..1.0_f64).prop_map(|(side, at)| {
        let at = (at * 4.0).round() / 4.0;
        let mut predicate = Predicate { gt: None, gte: None, lt: None, lte: None };
        *[&mut predicate.gt, &mut predicate.gte, &mut predicate.lt, &mut predicate.lte][usize::from(side)] =
            Some(at);
        predicate
    });
    let on_error =
        prop::sample::select(vec![OnErrorRule::Unavailable, OnErrorRule::Match, OnErrorRule::NoMatch]);
    (
        prop::sample::select(USED.to_vec()),
        prop::option::weighted(0.2, bound),
        prop::option::weighted(0.3, on_error),
    )
        .prop_map(|(atom, predicate, on_error)| RuleNode {
            kind: Some("keyword".into()),
            name: Some(format!("k{atom}")),
            predicate,
            on_error,
            ..RuleNode::default()
        })
}

fn tree() -> impl Strategy<Value = RuleNode> {
    leaf().prop_recursive(5, 40, 4, |inner| {
        let many =
            (any::<bool>(), prop::collection::vec(inner.clone(), 1..5)).prop_map(|(is_and, conditions)| {
                let operator = Some(if is_and { RuleOperator::And } else { RuleOperator::Or });
                RuleNode { operator, conditions, ..RuleNode::default() }
            });
        let not = inner.prop_map(|condition| RuleNode {
            operator: Some(RuleOperator::Not),
            conditions: vec![condition],
            ..RuleNode::default()
        });
        prop_oneof![3 => many, 1 => not]
    })
}

fn fact() -> impl Strategy<Value = Fact> {
    // Eighths add up exactly, so both sides find the same ties.
    let eighth = || (0_u8..=8).prop_map(|eighths| f64::from(eighths) / 8.0);
    let matched = prop_oneof![3 => eighth().prop_map(Some), 1 => Just(None)];
    (prop::option::of(matched), prop::bool::weighted(0.25), prop::option::weighted(0.3, eighth())).prop_map(
        |(matched, is_unavailable, value)| Fact {
            matched: matched.filter(|_| !is_unavailable),
            is_unavailable,
            value,
        },
    )
}

fn decision() -> impl Strategy<Value = (RuleNode, i64, Option<i64>)> {
    let rules = prop_oneof![1 => Just(RuleNode::default()), 12 => tree()];
    (rules, -1_i64..3, prop::option::of(-1_i64..3))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn compiled_decisions_are_what_the_interpreter_finds(
        decisions in prop::collection::vec(decision(), 1..7),
        facts in prop::collection::vec(fact(), USED.len()),
        old in any::<bool>(),
        by_confidence in any::<bool>(),
    ) {
        let pick = if by_confidence { Pick::Confidence } else { Pick::Priority };
        let config = assemble(decisions, pick, old);
        let facts: Facts = USED.iter().map(|atom| format!("k{atom}")).zip(facts).collect();
        let (atoms, policy, evidence) = compile(&config, &facts);

        let verdict = policy.decide(&evidence, ProjectionTrace::default());

        let rules = |index: usize| config.routing.decisions[index].rules.as_ref().unwrap();
        let expected: Vec<DecisionOutcome> = (0..config.routing.decisions.len())
            .map(|index| match truth(rules(index), &facts) {
                Truth::True => DecisionOutcome::Matched(strength(rules(index), &facts, old).0.unwrap_or(0.0)),
                Truth::False => DecisionOutcome::NotMatched,
                Truth::Unknown => DecisionOutcome::Unavailable,
            })
            .collect();
        prop_assert_eq!(&verdict.outcomes, &expected);

        let order = ranked(&config, &expected, pick, old);
        let found = [&verdict.winner, &verdict.runner_up];
        for (place, winner) in found.into_iter().enumerate() {
            prop_assert_eq!(winner.as_ref().map(|winner| winner.index), order.get(place).copied());
            if let Some(winner) = winner {
                let names: Vec<String> =
                    winner.matched_atoms.iter().map(|id| atoms.atom(*id).name.to_string()).collect();
                prop_assert_eq!(names, strength(rules(winner.index), &facts, old).1);
            }
        }
        prop_assert_eq!(verdict.won_by == "only match", order.len() == 1);

        for (explained, outcome) in policy.explain(&evidence).iter().zip(&expected) {
            prop_assert_eq!(explained.state, explained.rules.state, "gates and tree agree");
            let confidence = match outcome {
                DecisionOutcome::Matched(confidence) => Some(*confidence),
                _ => None,
            };
            prop_assert_eq!(explained.confidence, confidence);
        }
    }
}

fn assemble(decisions: Vec<(RuleNode, i64, Option<i64>)>, pick: Pick, old: bool) -> Config {
    let mut config = config("routing: {decisions: [{name: template}]}\n");
    config.global.router.compatibility = old.then_some(Compatibility::V0_3);
    config.routing.strategy = Some(pick);
    let template = config.routing.decisions.remove(0);
    let decisions = decisions.into_iter().enumerate();
    config.routing.decisions = decisions
        .map(|(index, (rules, priority, tier))| Decision {
            // Names run against the order of declaration.
            name: format!("d{}", 9 - index),
            priority,
            tier,
            rules: Some(rules),
            ..template.clone()
        })
        .collect();
    config
}

fn compile(config: &Config, facts: &Facts) -> (AtomTable, Policy, Evidence) {
    let mut atoms = AtomTable::default();
    for atom in 0..DECLARED {
        atoms.declare(Atom::new(SignalFamily::Keyword, format!("k{atom}")));
    }
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::compile(config, &mut atoms, &mut diagnostics);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let mut evidence = Evidence::new(&atoms);
    for (name, fact) in facts {
        let id = atoms.find(SignalFamily::Keyword, name).unwrap();
        if let Some(confidence) = fact.matched {
            evidence.set_matched(id, confidence.unwrap_or(f64::NAN));
        }
        if let Some(value) = fact.value {
            evidence.set_value(id, value);
        }
        if fact.is_unavailable {
            evidence.set_unavailable(id, UnavailableReason::Failed, OnError::Unavailable);
        }
    }
    (atoms, policy, evidence)
}
