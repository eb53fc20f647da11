//! The `preference` family: how the user likes answers, told by examples.

use vsr_config::{Config, PreferenceRule};
use vsr_types::{AtomTable, Diagnostics, Evidence, Path, SignalFamily, UnavailableReason};

use super::{
    bank::{Bank, Nearness, PrototypeVectors, Scoring},
    reading::TextReadings,
    target::{Target, excerpt},
};
use crate::rules;

/// Every preference rule.
#[derive(Debug)]
pub(super) struct PreferenceFamily {
    rules: Vec<Rule>,
    /// The lead the best rule needs; none if 0.
    margin: f64,
    /// Whether examples are compared.
    is_contrastive: bool,
}

#[derive(Debug)]
struct Rule {
    name: String,
    target: Target,
    threshold: f64,
    bank: Bank,
}

// === impl PreferenceFamily

impl PreferenceFamily {
    pub(super) fn compile(
        config: &Config,
        v0_3: bool,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let catalog = &config.global.model_catalog;
        let module = &catalog.modules.classifier.preference;
        let written = &config.routing.signals.preferences;
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Preference, names, atoms, diagnostics);
        let path = rules::family_path(SignalFamily::Preference);
        if !module.use_contrastive && !written.is_empty() {
            let place = Path::keys("global.model_catalog.modules.classifier.preference.use_contrastive");
            let message = "preferences judged by a model served elsewhere; the rules are unavailable";
            diagnostics.not_active(place, message);
        }
        // Without a threshold some preference always matched in the release.
        let default =
            if v0_3 { 0.0 } else { catalog.embeddings.semantic.embedding_config.min_score_threshold };
        let compile = |((index, rule), atom): ((usize, &PreferenceRule), _)| {
            let place = path.index(index);
            rules::check_share(&place, "threshold", rule.threshold, diagnostics);
            let texts = rule.description.iter().chain(&rule.examples).map(String::as_str);
            let bank = Bank::new(texts, Scoring::blend(&module.prototype_scoring));
            if bank.is_empty() && module.use_contrastive {
                let message = "the rule has neither a description nor examples, so it never matches";
                diagnostics.warning(place, message);
            }
            let threshold = rule.threshold.filter(|threshold| *threshold > 0.0).unwrap_or(default);
            Rule { name: rule.name.clone(), target: Target::new(atom, rule.on_error), threshold, bank }
        };
        let rules = written.iter().enumerate().zip(ids).map(compile).collect();
        Self {
            rules,
            margin: module.prototype_scoring.margin_threshold,
            is_contrastive: module.use_contrastive,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn reads_text(&self) -> bool {
        self.is_contrastive && !self.rules.is_empty()
    }

    pub(super) fn banks(&self) -> impl Iterator<Item = &Bank> {
        self.rules.iter().filter(|_| self.is_contrastive).map(|rule| &rule.bank)
    }

    pub(super) fn install(&self, vectors: &PrototypeVectors) {
        self.rules.iter().for_each(|rule| rule.bank.install(vectors));
    }

    /// At most one rule matches: the nearest, if near enough and far enough ahead.
    pub(super) fn evaluate(&self, readings: &TextReadings, need: Option<usize>, evidence: &mut Evidence) {
        let query = match self.is_contrastive {
            true => readings.embedding(need),
            false => Err(UnavailableReason::NotActive),
        };
        let mut scored: Vec<(&Rule, Nearness)> = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let nearness = match &query {
                Ok(_) if rule.bank.is_empty() => {
                    rule.target.settle(None, evidence);
                    continue;
                }
                Ok(query) => {
                    rule.bank.nearness(query, readings.fingerprint()).ok_or(UnavailableReason::Failed)
                }
                Err(reason) => Err(*reason),
            };
            match nearness {
                Ok(nearness) => scored.push((rule, nearness)),
                Err(reason) => rule.target.fail(reason, evidence),
            }
        }
        scored.sort_by(|(left, near_left), (right, near_right)| {
            near_right.score.total_cmp(&near_left.score).then_with(|| left.name.cmp(&right.name))
        });
        let runner_up = scored.get(1).map(|(_, nearness)| nearness.score);
        for (index, (rule, nearness)) in scored.iter().enumerate() {
            let lead = runner_up.map_or(f64::INFINITY, |runner_up| nearness.score - runner_up);
            let is_ahead = self.margin <= 0.0 || lead >= self.margin;
            let matched = index == 0 && nearness.score >= rule.threshold && is_ahead;
            evidence.set_value(rule.target.atom, nearness.score);
            rule.target.settle(matched.then_some(nearness.score), evidence);
            let nearest = excerpt(&nearness.nearest);
            evidence.note(rule.target.atom, || format!("nearest {:.3}: {nearest}", nearness.best));
        }
    }
}
