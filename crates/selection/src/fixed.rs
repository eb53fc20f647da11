//! `static`: fixed scores from the domain that shares the decision's name.

use vsr_config::{Config, Decision};
use vsr_types::ModelName;

use crate::Pick;

/// The pick of a decision whose scores never change.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    best: usize,
    scores: Vec<(ModelName, f64)>,
}

// === impl Fixed

impl Fixed {
    /// A candidate's score is its entry in `model_scores` of the domain named like the decision,
    /// else 1. Equal scores go to the earlier candidate.
    pub(crate) fn compile(config: &Config, decision: &Decision) -> Self {
        let domain = config.routing.signals.domains.iter().find(|domain| domain.name == decision.name);
        let score = |model: &str| {
            domain
                .and_then(|domain| domain.model_scores.iter().find(|score| score.model == model))
                .map_or(1.0, |score| score.score)
        };
        let names = decision.model_refs.iter().map(|reference| {
            let name = reference.lora_name.as_deref().unwrap_or(&reference.model);
            (ModelName::from(name), score(&reference.model))
        });
        let mut ranked: Vec<(usize, (ModelName, f64))> = names.enumerate().collect();
        // A stable sort: candidates of equal score stay in the order written.
        ranked.sort_by(|(_, left), (_, right)| right.1.total_cmp(&left.1));
        let best = ranked.first().map_or(0, |(candidate, _)| *candidate);
        Self { best, scores: ranked.into_iter().map(|(_, scored)| scored).collect() }
    }

    pub(crate) fn choose(&self) -> Pick {
        Pick { candidate: self.best, method: "static", scores: self.scores.clone(), propensity: 1.0 }
    }
}
