//! The `language` family: the language of the prompt.

pub mod detector;
mod writing;

use vsr_config::LanguageRule;
use vsr_types::{
    AtomId, AtomTable, Diagnostic, Diagnostics, Evidence, OnError, SignalFamily, UnavailableReason,
};

use self::detector::{code_matches, is_supported};

pub use self::{
    detector::{Detection, Detector},
    writing::Script,
};
use crate::{rules, text::TextIndex};

/// The confidence from which a rule matches that names none.
const DEFAULT_THRESHOLD: f64 = 0.3;

/// Every language rule.
#[derive(Debug)]
pub(crate) struct LanguageFamily {
    rules: Vec<Rule>,
    /// Whether a match counts as certain, as in the public v0.3 release.
    certain: bool,
}

#[derive(Debug)]
struct Rule {
    atom: AtomId,
    code: String,
    threshold: f64,
}

/// The ISO 639-1 codes of the languages that can be told apart, in alphabetical order.
pub fn supported_languages() -> &'static [&'static str] {
    Detector::embedded().languages()
}

// === impl LanguageFamily

impl LanguageFamily {
    /// Compiles the rules.
    pub(crate) fn compile(
        written: &[LanguageRule],
        certain: bool,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Language, names, atoms, diagnostics);
        let path = rules::family_path(SignalFamily::Language);
        let mut compiled = Vec::with_capacity(written.len());
        for (index, (rule, atom)) in written.iter().zip(ids).enumerate() {
            let path = path.index(index);
            rules::check_share(&path, "threshold", rule.threshold, diagnostics);
            if !rule.name.trim().is_empty() && !is_supported(&rule.name) {
                let message = format!("`{}` is not the code of a language that can be recognised", rule.name);
                let mut diagnostic = Diagnostic::error(path.key("name"), message);
                let known = supported_languages().iter().copied();
                diagnostic = match vsr_config::closest(&rule.name, known) {
                    Some(suggestion) => diagnostic.help(format!("did you mean `{suggestion}`?")),
                    None => diagnostic.help(format!("use one of {}", supported_languages().join(" "))),
                };
                diagnostics.push(diagnostic);
            }
            let threshold = rule.threshold.filter(|threshold| *threshold > 0.0).unwrap_or(DEFAULT_THRESHOLD);
            compiled.push(Rule { atom, code: rule.name.clone(), threshold });
        }
        Self { rules: compiled, certain }
    }

    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Evaluates every rule. What cannot be told is not a match of any language.
    pub(crate) fn evaluate(&self, text: &TextIndex<'_>, evidence: &mut Evidence) {
        if text.is_blank() {
            for rule in &self.rules {
                evidence.set_unavailable(rule.atom, UnavailableReason::NoInput, OnError::Unavailable);
            }
            return;
        }
        let detection = Detector::embedded().detect(text.text());
        for rule in &self.rules {
            let probability = detection.map_or(0.0, |detection| rule.probability(&detection));
            evidence.set_value(rule.atom, probability);
            if let Some(detection) = detection
                && code_matches(&rule.code, detection.language)
                && probability >= rule.threshold
            {
                evidence.set_matched(rule.atom, if self.certain { 1.0 } else { probability });
                evidence.note(rule.atom, || format!("{} {probability:.2}", detection.language));
            } else {
                evidence.set_not_matched(rule.atom);
            }
        }
    }
}

// === impl Rule

impl Rule {
    /// How likely the text is in the rule's language.
    fn probability(&self, detection: &Detection) -> f64 {
        if code_matches(&self.code, detection.language) {
            return f64::from(detection.confidence);
        }
        let runner_up = detection.runner_up.filter(|(language, _)| code_matches(&self.code, language));
        runner_up.map_or(0.0, |(_, probability)| f64::from(probability))
    }
}
