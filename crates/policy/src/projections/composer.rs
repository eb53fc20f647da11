//! Composers: conditions without which a complexity rule emits nothing.

use vsr_types::{AtomId, Diagnostics, Evidence, OnError, Path, SignalFamily, UnavailableReason};

use crate::{
    reading::Reading,
    references::{LEVELS, References},
    rules::{Rule, RuleBuilder, RuleHome, RuleState},
};

/// The condition of one complexity rule.
#[derive(Debug, Clone)]
pub(crate) struct Composer {
    pub(crate) rule: Rule,
    /// The levels of the complexity rule.
    levels: Vec<AtomId>,
}

// === impl Composer

impl Composer {
    /// Reads the composers of all complexity rules.
    pub(crate) fn compile_all(
        references: References<'_>,
        reading: Reading,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Self> {
        let builder = RuleBuilder { references, reading, home: RuleHome::Composer };
        let rules = references.config.routing.signals.complexity.iter().enumerate();
        rules
            .filter_map(|(index, written)| {
                let place = Path::keys("routing.signals.complexity").index(index).key("composer");
                let rule = builder.root(written.composer.as_ref()?, &place, diagnostics);
                let level = |level| {
                    references.atoms.find(SignalFamily::Complexity, &format!("{}:{level}", written.name))
                };
                Some(Self { rule, levels: LEVELS.into_iter().filter_map(level).collect() })
            })
            .collect()
    }

    /// Drops what the rule emitted if the condition does not hold.
    pub(crate) fn apply(&self, evidence: &mut Evidence) {
        let is_open =
            |evidence: &Evidence, id: AtomId| evidence.is_matched(id) || evidence.is_unavailable(id);
        if !self.levels.iter().any(|id| is_open(evidence, *id)) {
            return;
        }
        match self.rule.state(evidence) {
            RuleState::Matched => {}
            RuleState::NotMatched => {
                for id in self.levels.iter().copied().filter(|id| is_open(evidence, *id)).collect::<Vec<_>>()
                {
                    evidence.set_not_matched(id);
                    evidence.note(id, || "dropped: the composer does not hold");
                }
            }
            RuleState::Unavailable => {
                let reason = self.missing_reason(evidence);
                for id in
                    self.levels.iter().copied().filter(|id| evidence.is_matched(*id)).collect::<Vec<_>>()
                {
                    evidence.set_unavailable(id, reason, OnError::Unavailable);
                    evidence.note(id, || "the composer is unavailable");
                }
            }
        }
    }

    fn missing_reason(&self, evidence: &Evidence) -> UnavailableReason {
        let mut missing = None;
        self.rule.for_each_leaf(&mut |leaf| missing = missing.or_else(|| leaf.missing_atom(evidence)));
        missing.and_then(|id| evidence.reason(id)).unwrap_or(UnavailableReason::Failed)
    }
}
