//! What the caller's roles alone say about a decision: the question behind models that are named directly.

use vsr_types::{AtomId, AtomTable, Evidence};

use crate::{
    Policy, families,
    rules::{Leaf, Rule, RuleState},
};

// === impl Policy

impl Policy {
    /// The atoms that the rules of the decision at `index` name.
    pub fn atoms_of(&self, index: usize) -> Vec<AtomId> {
        let mut atoms = Vec::new();
        if let Some(decision) = self.decisions.get(index) {
            decision.rule.for_each_leaf(&mut |leaf| atoms.extend(leaf.atoms()));
        }
        atoms
    }

    /// Whether the caller's roles leave it open that the decision at `index` matches: its rules do
    /// not fail when all that does not depend on roles is taken for undecided. `atoms` is the table
    /// the policy was compiled with.
    pub fn permits(&self, index: usize, evidence: &Evidence, atoms: &AtomTable) -> bool {
        let depends_on_roles = |leaf: &Leaf| {
            leaf.atoms().any(|atom| families::depends_on_roles(atom, self.projections(), atoms))
        };
        let state = |leaf: &Leaf| {
            if depends_on_roles(leaf) { leaf.state(evidence, self.reading) } else { RuleState::Unavailable }
        };
        self.decisions
            .get(index)
            .is_some_and(|decision| state_by(&decision.rule, &state) != RuleState::NotMatched)
    }
}

/// Whether the tree holds if its leaves are as `leaf_state` says.
fn state_by(rule: &Rule, leaf_state: &dyn Fn(&Leaf) -> RuleState) -> RuleState {
    let all = |rules: &[Rule], dominant: RuleState| {
        let mut outcome = dominant.negated();
        for rule in rules {
            match state_by(rule, leaf_state) {
                state if state == dominant => return dominant,
                RuleState::Unavailable => outcome = RuleState::Unavailable,
                _ => {}
            }
        }
        outcome
    };
    match rule {
        Rule::Always => RuleState::Matched,
        Rule::Never => RuleState::NotMatched,
        Rule::Leaf(leaf) => leaf_state(leaf),
        Rule::All(rules) => all(rules, RuleState::NotMatched),
        Rule::Any(rules) => all(rules, RuleState::Matched),
        Rule::Not(rule) => state_by(rule, leaf_state).negated(),
    }
}
