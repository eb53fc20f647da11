//! One condition: an atom, optional bounds, and what its absence means.

use std::sync::Arc;

use vsr_types::{AtomId, Evidence, OnError, SignalFamily};

use super::RuleState;
use crate::{bounds::Bounds, reading::Reading};

/// A condition on one rule, role or output.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) family: SignalFamily,
    pub(crate) name: Arc<str>,
    /// The atom named.
    pub(crate) atom: AtomId,
    /// Atoms that mean the same: labels of a domain.
    pub(crate) others: Vec<AtomId>,
    pub(crate) predicate: Option<Bounds>,
    pub(crate) on_error: OnError,
}

// === impl Leaf

impl Leaf {
    /// Whether its truth can be read off its atoms' bits.
    pub(crate) fn is_plain(&self) -> bool {
        self.predicate.is_none() && self.on_error == OnError::Unavailable
    }

    /// The atom named, then those that mean the same.
    pub(crate) fn atoms(&self) -> impl Iterator<Item = AtomId> {
        std::iter::once(self.atom).chain(self.others.iter().copied())
    }

    pub(crate) fn state(&self, evidence: &Evidence) -> RuleState {
        match (self.found(evidence), self.on_error) {
            (RuleState::Unavailable, OnError::Match) => RuleState::Matched,
            (RuleState::Unavailable, OnError::NoMatch) => RuleState::NotMatched,
            (state, _) => state,
        }
    }

    /// Its confidence, if it holds.
    pub(crate) fn confidence(&self, evidence: &Evidence, reading: Reading) -> f64 {
        if self.predicate.is_some() {
            return 1.0;
        }
        match self.atoms().find(|id| evidence.is_matched(*id)) {
            Some(other) if reading.v0_3 && other != self.atom => 1.0,
            Some(matched) => reading.confidence(evidence, matched),
            None => 1.0,
        }
    }

    /// The atom by which it holds.
    pub(crate) fn deciding_atom(&self, evidence: &Evidence) -> AtomId {
        self.atoms().find(|id| self.atom_state(*id, evidence) == RuleState::Matched).unwrap_or(self.atom)
    }

    /// The first of its atoms that is unavailable.
    pub(crate) fn missing_atom(&self, evidence: &Evidence) -> Option<AtomId> {
        self.atoms().find(|id| evidence.is_unavailable(*id))
    }

    fn found(&self, evidence: &Evidence) -> RuleState {
        let mut found = RuleState::NotMatched;
        for id in self.atoms() {
            match self.atom_state(id, evidence) {
                RuleState::Matched => return RuleState::Matched,
                RuleState::Unavailable => found = RuleState::Unavailable,
                RuleState::NotMatched => {}
            }
        }
        found
    }

    fn atom_state(&self, id: AtomId, evidence: &Evidence) -> RuleState {
        if evidence.is_unavailable(id) {
            return RuleState::Unavailable;
        }
        let matched = evidence.is_matched(id);
        let holds = match &self.predicate {
            None => matched,
            Some(bounds) => {
                let confidence = || matched.then(|| evidence.confidence(id).unwrap_or(1.0));
                evidence.value(id).or_else(confidence).is_some_and(|number| bounds.hold(number))
            }
        };
        if holds { RuleState::Matched } else { RuleState::NotMatched }
    }
}
