//! The `fact_check` and `user_feedback` families: rules that name a class of a head.

use vsr_config::{Config, LearnedRule, closest};
use vsr_types::{AtomTable, Diagnostic, Diagnostics, Evidence, RequestView, SignalFamily};

use super::{
    reading::{Head, TextReadings},
    target::Target,
};
use crate::rules;

/// The classes of fact checking: needed, and not.
const FACT_CHECK: [&str; 2] = ["needs_fact_check", "no_fact_check_needed"];
/// The classes of feedback.
const FEEDBACK: [&str; 4] = ["satisfied", "need_clarification", "wrong_answer", "want_different"];

/// Rules that name a class.
#[derive(Debug)]
pub(super) struct ClassFamily {
    rules: Vec<(String, Target)>,
    threshold: f64,
    v0_3: bool,
}

// === impl ClassFamily

impl ClassFamily {
    pub(super) fn fact_check(
        config: &Config,
        v0_3: bool,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let threshold = config.global.model_catalog.modules.hallucination_mitigation.fact_check.threshold;
        let rules = &config.routing.signals.fact_check;
        let rules = compile(SignalFamily::FactCheck, rules, &FACT_CHECK, atoms, diagnostics);
        Self { rules, threshold, v0_3 }
    }

    pub(super) fn user_feedback(
        config: &Config,
        v0_3: bool,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let threshold = config.global.model_catalog.modules.feedback_detector.threshold;
        let rules = &config.routing.signals.user_feedbacks;
        let rules = compile(SignalFamily::UserFeedback, rules, &FEEDBACK, atoms, diagnostics);
        Self { rules, threshold, v0_3 }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Exactly one of the two classes holds: verification is needed only if probable enough.
    pub(super) fn evaluate_fact_check(
        &self,
        readings: &TextReadings,
        need: Option<usize>,
        evidence: &mut Evidence,
    ) {
        let needed = match readings.probabilities(need, Head::FactCheck) {
            Ok(classes) => {
                let is_needed = |label: &str| class_of(label) == FACT_CHECK[0];
                classes.iter().filter(|(label, _)| is_needed(label)).map(|(_, p)| p).sum::<f64>()
            }
            Err(reason) => return self.fail(reason, evidence),
        };
        let (class, confidence) = match needed >= self.threshold {
            true => (FACT_CHECK[0], needed),
            false => (FACT_CHECK[1], 1.0 - needed),
        };
        self.emit(Some((class, confidence)), evidence);
        let values = [needed, 1.0 - needed];
        for (class, value) in FACT_CHECK.iter().zip(values) {
            self.of_class(class).for_each(|target| evidence.set_value(target.atom, value));
        }
    }

    /// What the user thinks of an answer, where there was one. A class that is not probable enough is no
    /// class; the release took it for satisfaction.
    pub(super) fn evaluate_user_feedback(
        &self,
        request: &RequestView<'_>,
        readings: &TextReadings,
        need: Option<usize>,
        evidence: &mut Evidence,
    ) {
        if !request.facts.has_prior_assistant_reply {
            return self.emit(None, evidence);
        }
        let classes = match readings.probabilities(need, Head::UserFeedback) {
            Ok(classes) => classes,
            Err(reason) => return self.fail(reason, evidence),
        };
        for (label, probability) in &classes {
            let class = class_of(label);
            self.of_class(&class).for_each(|target| evidence.set_value(target.atom, *probability));
        }
        let top = classes.iter().max_by(|left, right| left.1.total_cmp(&right.1));
        let Some((label, probability)) = top else { return self.emit(None, evidence) };
        let class = class_of(label);
        let found = match *probability >= self.threshold {
            true => Some((class.as_str(), *probability)),
            false if self.v0_3 => Some((FEEDBACK[0], 1.0 - probability)),
            false => None,
        };
        self.emit(found, evidence);
    }

    fn of_class<'s>(&'s self, class: &'s str) -> impl Iterator<Item = Target> + 's {
        self.rules.iter().filter(move |(name, _)| name == class).map(|(_, target)| *target)
    }

    fn emit(&self, found: Option<(&str, f64)>, evidence: &mut Evidence) {
        for (name, target) in &self.rules {
            let confidence = found.filter(|(class, _)| name == class).map(|(_, confidence)| confidence);
            if let Some(probability) = confidence {
                evidence.note(target.atom, || format!("probability {probability:.3}"));
            }
            // The release exported no confidence, which counts as 1.
            target.settle(confidence.map(|confidence| if self.v0_3 { 1.0 } else { confidence }), evidence);
        }
    }

    fn fail(&self, reason: vsr_types::UnavailableReason, evidence: &mut Evidence) {
        self.rules.iter().for_each(|(_, target)| target.fail(reason, evidence));
    }
}

fn compile(
    family: SignalFamily,
    written: &[LearnedRule],
    classes: &[&'static str],
    atoms: &mut AtomTable,
    diagnostics: &mut Diagnostics,
) -> Vec<(String, Target)> {
    let ids = rules::declare(family, written.iter().map(|rule| rule.name.as_str()), atoms, diagnostics);
    for (index, rule) in written.iter().enumerate() {
        let is_known = classes.contains(&rule.name.as_str()) || rule.name.trim().is_empty();
        if !is_known {
            let path = rules::family_path(family).index(index).key("name");
            let message = format!("the classifier has no class `{}`, so the rule never matches", rule.name);
            let help = match closest(&rule.name, classes.iter().copied()) {
                Some(class) => format!("did you mean `{class}`?"),
                None => format!("the classes are {}", classes.join(", ")),
            };
            diagnostics.push(Diagnostic::warning(path, message).help(help));
        }
    }
    let targets = written.iter().zip(ids).map(|(rule, atom)| Target::new(atom, rule.on_error));
    written.iter().map(|rule| rule.name.clone()).zip(targets).collect()
}

/// The contract's name for what a model calls a class.
/// What the contract calls a class of fact checking or feedback that a model calls `label`.
pub fn class_of(label: &str) -> String {
    let plain = label.trim().to_lowercase().replace([' ', '-'], "_");
    let known = match plain.as_str() {
        "sat" | "satisfaction" => "satisfied",
        "clarification" | "needs_clarification" => "need_clarification",
        "wrong" => "wrong_answer",
        "different" | "wants_different" => "want_different",
        "fact_check_needed" | "fact_check" | "needed" => "needs_fact_check",
        "no_fact_check" | "not_needed" => "no_fact_check_needed",
        _ => return plain,
    };
    known.to_owned()
}
