//! What the caller's roles alone say about a decision: the question behind models that are named directly.

use vsr_types::{AtomId, AtomTable, Evidence};

use crate::{
    Policy, families,
    rules::{Leaf, RuleState},
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
            if depends_on_roles(leaf) { leaf.state(evidence) } else { RuleState::Unavailable }
        };
        self.decisions
            .get(index)
            .is_some_and(|decision| decision.rule.state_by(&state) != RuleState::NotMatched)
    }
}
