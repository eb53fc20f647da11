//! The `embedding` family: similarity of the text, or of the first image or sound, to examples.

use vsr_config::{AggregationMethod, Config, EmbeddingRule, QueryModality};
use vsr_types::{AtomId, AtomTable, Diagnostic, Diagnostics, Evidence, SignalFamily, UnavailableReason};

use super::{
    bank::{Bank, Nearness, PrototypeVectors, Scoring},
    reading::TextReadings,
    support::ModelSupport,
    target::{Target, excerpt},
};
use crate::rules;

/// Every embedding rule.
#[derive(Debug)]
pub(super) struct EmbeddingFamily {
    rules: Vec<Rule>,
    /// The release's soft matching: the score from which rules match when none reaches its threshold.
    soft_at: Option<f64>,
}

#[derive(Debug)]
struct Rule {
    target: Target,
    threshold: f64,
    bank: Bank,
    query: Query,
}

/// What is compared with a rule's examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Query {
    Text,
    Image,
    Audio,
    /// No model embeds what the rule asks for.
    Nothing,
}

// === impl EmbeddingFamily

impl EmbeddingFamily {
    pub(super) fn compile(
        config: &Config,
        (v0_3, support): (bool, &ModelSupport<'_>),
        ids: &[AtomId],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let settings = &config.global.model_catalog.embeddings.semantic.embedding_config;
        let path = rules::family_path(SignalFamily::Embedding);
        let soft = settings.enable_soft_matching.then_some(settings.min_score_threshold);
        let compile = |((index, rule), atom): ((usize, &EmbeddingRule), &AtomId)| {
            let place = path.index(index);
            rules::check_share(&place, "threshold", Some(rule.threshold), diagnostics);
            let query = match rule.query_modality {
                QueryModality::Text => Query::Text,
                QueryModality::Image if support.images => Query::Image,
                QueryModality::Audio if support.sounds => Query::Audio,
                QueryModality::Image | QueryModality::Audio => Query::Nothing,
            };
            if query == Query::Nothing {
                let word = rule.query_modality.as_str();
                let message = format!("{word} queries need a multimodal model; the rule is unavailable");
                diagnostics.not_active(place.key("query_modality"), message);
            }
            let scoring = match rule.aggregation_method {
                AggregationMethod::Mean => Scoring::mean(&settings.prototype_scoring),
                AggregationMethod::Max | AggregationMethod::Any if !v0_3 => Scoring::MAX,
                _ => Scoring::blend(&settings.prototype_scoring),
            };
            let bank = Bank::new(rule.candidates.iter().map(String::as_str), scoring);
            if bank.is_empty() && query != Query::Nothing {
                let problem = Diagnostic::warning(place, "the rule has no candidates, so it never matches");
                diagnostics.push(problem.help("add examples under `candidates`"));
            }
            let is_own = rule.threshold > 0.0 || v0_3;
            let threshold = soft.filter(|_| !is_own).unwrap_or(rule.threshold);
            Rule { target: Target::new(*atom, rule.on_error), threshold, bank, query }
        };
        let rules = config.routing.signals.embeddings.iter().enumerate().zip(ids).map(compile).collect();
        Self { rules, soft_at: soft.filter(|_| v0_3) }
    }

    pub(super) fn banks(&self) -> impl Iterator<Item = &Bank> {
        self.rules.iter().filter(|rule| rule.query != Query::Nothing).map(|rule| &rule.bank)
    }

    pub(super) fn install(&self, vectors: &PrototypeVectors) {
        self.rules.iter().for_each(|rule| rule.bank.install(vectors));
    }

    pub(super) fn reads_text(&self) -> bool {
        self.reads(Query::Text)
    }

    pub(super) fn reads_image(&self) -> bool {
        self.reads(Query::Image)
    }

    pub(super) fn reads_audio(&self) -> bool {
        self.reads(Query::Audio)
    }

    fn reads(&self, query: Query) -> bool {
        self.rules.iter().any(|rule| rule.query == query && !rule.bank.is_empty())
    }

    pub(super) fn evaluate(&self, readings: &TextReadings, need: Option<usize>, evidence: &mut Evidence) {
        for rule in self.rules.iter().filter(|rule| rule.query == Query::Nothing) {
            rule.target.fail(UnavailableReason::NotActive, evidence);
        }
        if self.rules.iter().any(|rule| rule.query == Query::Text) {
            self.compare(Query::Text, readings.embedding(need).as_deref(), readings, evidence);
        }
        if self.rules.iter().any(|rule| rule.query == Query::Image) {
            self.compare(Query::Image, readings.image().as_ref().map(|image| &**image), readings, evidence);
        }
        if self.rules.iter().any(|rule| rule.query == Query::Audio) {
            self.compare(Query::Audio, readings.audio().as_ref().map(|audio| &**audio), readings, evidence);
        }
    }

    /// Evaluates the rules that ask for `kind`. Which of them match softly is decided among them.
    fn compare(
        &self,
        kind: Query,
        query: Result<&[f32], &UnavailableReason>,
        readings: &TextReadings,
        evidence: &mut Evidence,
    ) {
        let mut scored: Vec<(&Rule, Nearness)> = Vec::with_capacity(self.rules.len());
        for rule in self.rules.iter().filter(|rule| rule.query == kind) {
            let nearness = match query {
                Ok(_) if rule.bank.is_empty() => {
                    rule.target.settle(None, evidence);
                    continue;
                }
                Ok(query) => {
                    let nearness = rule.bank.nearness(query, readings.fingerprint());
                    nearness.ok_or(UnavailableReason::Failed)
                }
                Err(reason) => Err(*reason),
            };
            match nearness {
                Ok(nearness) => scored.push((rule, nearness)),
                Err(reason) => rule.target.fail(reason, evidence),
            }
        }
        let is_hard = |rule: &Rule, nearness: &Nearness| nearness.score >= rule.threshold;
        let any_hard = scored.iter().any(|(rule, nearness)| is_hard(rule, nearness));
        for (rule, nearness) in &scored {
            let is_soft = !any_hard && self.soft_at.is_some_and(|soft_at| nearness.score >= soft_at);
            let matched = is_hard(rule, nearness) || is_soft;
            evidence.set_value(rule.target.atom, nearness.score);
            rule.target.settle(matched.then_some(nearness.score), evidence);
            let nearest = excerpt(&nearness.nearest);
            evidence.note(rule.target.atom, || format!("nearest {:.3}: {nearest}", nearness.best));
        }
    }
}

/// Declares the atoms of the rules.
pub(super) fn declare(config: &Config, atoms: &mut AtomTable, diagnostics: &mut Diagnostics) -> Vec<AtomId> {
    let names = config.routing.signals.embeddings.iter().map(|rule| rule.name.as_str());
    rules::declare(SignalFamily::Embedding, names, atoms, diagnostics)
}
