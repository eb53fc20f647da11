//! The `modality` family: whether an answer in text, an image, or both are wanted.

use std::sync::Arc;

use vsr_config::{Config, ModalityDetector, ModalityMethod};
use vsr_types::{AtomTable, Diagnostics, Evidence, Path, SignalFamily, UnavailableReason};

use super::{
    reading::{Head, TextReadings},
    target::Target,
};
use crate::{characters::fold, rules};

/// Every modality rule.
#[derive(Debug)]
pub(super) struct ModalityFamily {
    rules: Vec<(String, Target)>,
    /// `None` if the detector is off.
    method: Option<ModalityMethod>,
    keywords: Vec<String>,
    both_keywords: Vec<String>,
    threshold: f64,
    lower_threshold: f64,
    v0_3: bool,
}

/// A class, and how sure it is.
type Found = (Arc<str>, f64);

// === impl ModalityFamily

impl ModalityFamily {
    pub(super) fn compile(
        config: &Config,
        v0_3: bool,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let written = &config.routing.signals.modality;
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Modality, names, atoms, diagnostics);
        let targets = written.iter().zip(ids).map(|(rule, atom)| Target::new(atom, rule.on_error));
        let detector = &config.global.model_catalog.modules.modality_detector;
        let method = if detector.enabled { detector.method } else { None };
        if !written.is_empty() {
            check(detector, diagnostics);
        }
        let folded = |words: &[String]| {
            words.iter().map(|word| fold(word.trim())).filter(|word| !word.is_empty()).collect()
        };
        let threshold = detector.confidence_threshold.unwrap_or(0.5);
        Self {
            rules: written.iter().map(|rule| rule.name.clone()).zip(targets).collect(),
            method,
            keywords: folded(&detector.keywords),
            both_keywords: folded(&detector.both_keywords),
            threshold,
            lower_threshold: threshold * detector.lower_threshold_ratio.unwrap_or(1.0),
            v0_3,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether a model is needed.
    pub(super) fn reads_head(&self) -> bool {
        matches!(self.method, Some(ModalityMethod::Classifier | ModalityMethod::Hybrid))
    }

    pub(super) fn evaluate(
        &self,
        text: &str,
        readings: &TextReadings,
        need: Option<usize>,
        evidence: &mut Evidence,
    ) {
        let Some(method) = self.method else { return self.fail(UnavailableReason::NotActive, evidence) };
        if text.trim().is_empty() {
            return self.emit(Some(&("AR".into(), 1.0)), evidence);
        }
        let by_model = || {
            let classes = readings.probabilities(need, Head::Modality)?;
            let top = classes.into_iter().max_by(|left, right| left.1.total_cmp(&right.1));
            top.ok_or(UnavailableReason::Failed)
        };
        let found = match method {
            ModalityMethod::Keyword => Ok(Some(self.by_keywords(text))),
            ModalityMethod::Classifier => {
                by_model().map(|found| Some(found).filter(|found| self.v0_3 || found.1 >= self.threshold))
            }
            ModalityMethod::Hybrid => Ok(Some(self.by_both(text, by_model().ok()))),
        };
        match found {
            Ok(found) => self.emit(found.as_ref(), evidence),
            Err(reason) => self.fail(reason, evidence),
        }
    }

    /// A wish for an image is worded as one.
    fn by_keywords(&self, text: &str) -> Found {
        let text = fold(text);
        let has = |words: &[String]| words.iter().any(|word| text.contains(word.as_str()));
        match (self.keywords.is_empty(), has(&self.keywords)) {
            (true, _) => ("AR".into(), 0.5),
            (false, false) => ("AR".into(), 0.8),
            (false, true) if has(&self.both_keywords) => ("BOTH".into(), 0.75),
            (false, true) => ("DIFFUSION".into(), 0.8),
        }
    }

    /// A sure model decides alone, a fairly sure one where the words do not contradict it more loudly.
    fn by_both(&self, text: &str, model: Option<Found>) -> Found {
        let words = self.by_keywords(text);
        match model {
            Some(model) if model.1 >= self.threshold => model,
            Some(model) if model.0 == words.0 => (model.0, f64::midpoint(model.1, words.1)),
            Some(model) if model.1 >= self.lower_threshold => model,
            _ => words,
        }
    }

    fn emit(&self, found: Option<&Found>, evidence: &mut Evidence) {
        for (name, target) in &self.rules {
            let confidence = found.filter(|(class, _)| **class == **name).map(|(_, confidence)| *confidence);
            if let Some(confidence) = confidence {
                evidence.set_value(target.atom, confidence);
                evidence.note(target.atom, || format!("confidence {confidence:.3}"));
            }
            // The release exported no confidence, which counts as 1.
            target.settle(confidence.map(|confidence| if self.v0_3 { 1.0 } else { confidence }), evidence);
        }
    }

    fn fail(&self, reason: UnavailableReason, evidence: &mut Evidence) {
        self.rules.iter().for_each(|(_, target)| target.fail(reason, evidence));
    }
}

fn check(detector: &ModalityDetector, diagnostics: &mut Diagnostics) {
    let path = Path::keys("global.model_catalog.modules.modality_detector");
    if !detector.enabled {
        let message =
            "modality rules need the detector, which is off; they are unavailable; set `enabled: true`";
        diagnostics.not_active(path, message);
    } else if detector.method != Some(ModalityMethod::Classifier) && detector.keywords.is_empty() {
        diagnostics.warning(path.key("keywords"), "without keywords every text is taken for a wish for text");
    }
}
