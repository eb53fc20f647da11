//! The `complexity` family: how hard a request is.

use vsr_config::{ComplexityMethod, ComplexityRule, Config, PrototypeScoring};
use vsr_types::{
    Atom, AtomId, AtomTable, Diagnostics, Evidence, OnError, Path, SignalFamily, UnavailableReason,
};

use super::{
    bank::{Bank, PrototypeVectors, Scoring},
    plan::Wants,
    reading::{Head, TextReadings},
    target::{Target, excerpt},
};
use crate::rules;

/// The levels that a rule emits.
const LEVELS: [&str; 3] = ["easy", "medium", "hard"];
/// The raw values of a rule that are measured on text, beside its levels.
const TEXT_VALUES: [&str; 4] = ["margin", "text_margin", "text_hard_score", "text_easy_score"];
/// Those that need an image.
const IMAGE_VALUES: [&str; 3] = ["image_margin", "image_hard_score", "image_easy_score"];
/// The margin from which a request is hard or easy, where a rule names none. The release's command line
/// assumed so, its router 0.
const THRESHOLD: f64 = 0.1;

/// Every complexity rule.
#[derive(Debug)]
pub(super) struct ComplexityFamily {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    levels: [Target; 3],
    text_values: [AtomId; 4],
    image_values: [AtomId; 3],
    threshold: f64,
    method: ComplexityMethod,
    hard: Bank,
    easy: Bank,
}

/// What was measured on a text.
#[derive(Debug, Clone, Copy)]
struct Measured {
    hard: f64,
    easy: f64,
}

// === impl ComplexityFamily

impl ComplexityFamily {
    pub(super) fn compile(
        config: &Config,
        v0_3: bool,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let written = &config.routing.signals.complexity;
        let scoring = &config.global.model_catalog.modules.complexity.prototype_scoring;
        let path = rules::family_path(SignalFamily::Complexity);
        rules::check_names(&path, written.iter().map(|rule| rule.name.as_str()), diagnostics);
        let rules = written.iter().enumerate().map(|(index, rule)| {
            check(rule, &path.index(index), diagnostics);
            Rule::compile(rule, scoring, v0_3, atoms)
        });
        Self { rules: rules.collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn banks(&self) -> impl Iterator<Item = &Bank> {
        let compares = |rule: &&Rule| rule.method != ComplexityMethod::Classifier;
        self.rules.iter().filter(compares).flat_map(|rule| [&rule.hard, &rule.easy])
    }

    pub(super) fn install(&self, vectors: &PrototypeVectors) {
        for rule in &self.rules {
            rule.hard.install(vectors);
            rule.easy.install(vectors);
        }
    }

    pub(super) fn reads_head(&self) -> bool {
        self.rules.iter().any(|rule| rule.method != ComplexityMethod::Contrastive)
    }

    /// What is wanted of the text; `None` without rules.
    pub(super) fn wants(&self) -> Option<Wants> {
        let compares = self.banks().any(|bank| !bank.is_empty());
        let wants = if compares { Wants::EMBEDDING } else { Wants::default() };
        let head = if self.reads_head() { Wants::head(Head::Complexity) } else { Wants::default() };
        (!self.rules.is_empty()).then(|| wants.union(head))
    }

    pub(super) fn evaluate(&self, readings: &TextReadings, need: Option<usize>, evidence: &mut Evidence) {
        let query = readings.embedding(need);
        let classes =
            if self.reads_head() { readings.probabilities(need, Head::Complexity) } else { Ok(Vec::new()) };
        let judged = classes.map(|classes| {
            let of = |wanted: &str| {
                let is_wanted = |label: &str| label.eq_ignore_ascii_case(wanted);
                classes.iter().filter(|(label, _)| is_wanted(label)).map(|(_, probability)| probability).sum()
            };
            Measured { hard: of("hard"), easy: of("easy") }
        });
        for rule in &self.rules {
            let mut compared = || {
                let query = query.as_deref().map_err(|reason| *reason)?;
                rule.compare(query, readings, evidence)
            };
            let measured = match rule.method {
                ComplexityMethod::Contrastive => compared(),
                ComplexityMethod::Classifier => judged,
                ComplexityMethod::Hybrid => compared().and_then(|compared| {
                    let judged = judged?;
                    let mean = |left: f64, right: f64| f64::midpoint(left, right);
                    Ok(Measured {
                        hard: mean(compared.hard, judged.hard),
                        easy: mean(compared.easy, judged.easy),
                    })
                }),
            };
            rule.emit(measured, evidence);
        }
    }
}

// === impl Rule

impl Rule {
    fn compile(rule: &ComplexityRule, scoring: &PrototypeScoring, v0_3: bool, atoms: &mut AtomTable) -> Self {
        let mut declare = |suffix: &str| {
            atoms.declare(Atom::new(SignalFamily::Complexity, format!("{}:{suffix}", rule.name)))
        };
        let levels = LEVELS.map(|level| Target::new(declare(level), rule.on_error));
        let text_values = TEXT_VALUES.map(&mut declare);
        let image_values = IMAGE_VALUES.map(&mut declare);
        let bank = |texts: &[String]| Bank::new(texts.iter().map(String::as_str), Scoring::blend(scoring));
        let (hard, easy) = (bank(&rule.hard.candidates), bank(&rule.easy.candidates));
        let method = rule.method.unwrap_or(match hard.is_empty() && easy.is_empty() && !v0_3 {
            true => ComplexityMethod::Classifier,
            false => ComplexityMethod::Contrastive,
        });
        let default = if v0_3 { 0.0 } else { THRESHOLD };
        let threshold = rule.threshold.unwrap_or(default);
        Self { levels, text_values, image_values, threshold, method, hard, easy }
    }

    /// The scores of both sides; a side without examples scores 0.
    fn compare(
        &self,
        query: &[f32],
        readings: &TextReadings,
        evidence: &mut Evidence,
    ) -> Result<Measured, UnavailableReason> {
        let mut notes = Vec::with_capacity(2);
        let mut score = |bank: &Bank, side: &'static str| {
            if bank.is_empty() {
                return Ok(0.0);
            }
            let nearness = bank.nearness(query, readings.fingerprint()).ok_or(UnavailableReason::Failed)?;
            let score = nearness.score;
            notes.push((side, nearness));
            Ok(score)
        };
        let measured = Measured { hard: score(&self.hard, "hard")?, easy: score(&self.easy, "easy")? };
        for (side, nearness) in notes {
            evidence.note(self.text_values[0], || {
                format!("nearest {side} {:.3}: {}", nearness.best, excerpt(&nearness.nearest))
            });
        }
        Ok(measured)
    }

    fn emit(&self, measured: Result<Measured, UnavailableReason>, evidence: &mut Evidence) {
        for atom in self.image_values {
            evidence.set_unavailable(atom, UnavailableReason::NotActive, OnError::Unavailable);
        }
        let Measured { hard, easy } = match measured {
            Ok(measured) => measured,
            Err(reason) => {
                self.levels.iter().for_each(|level| level.fail(reason, evidence));
                let values = self.text_values.iter();
                values.for_each(|atom| evidence.set_unavailable(*atom, reason, OnError::Unavailable));
                return;
            }
        };
        let margin = hard - easy;
        for (atom, value) in self.text_values.iter().zip([margin, margin, hard, easy]) {
            evidence.set_value(*atom, value);
        }
        let level = match margin {
            margin if margin > self.threshold => 2,
            margin if margin < -self.threshold => 0,
            _ => 1,
        };
        for (index, target) in self.levels.iter().enumerate() {
            target.settle((index == level).then_some(margin.abs()), evidence);
        }
    }
}

fn check(rule: &ComplexityRule, place: &Path, diagnostics: &mut Diagnostics) {
    if rule.name.contains(':') {
        let message = "the name has a `:`, which separates a rule from its level in `name:hard`";
        diagnostics.error(place.key("name"), message);
    }
    if let Some(threshold) = rule.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
        diagnostics.error(place.key("threshold"), format!("{threshold} is not between 0 and 1"));
    }
    let has_examples = !(rule.hard.candidates.is_empty() && rule.easy.candidates.is_empty());
    match rule.method {
        Some(ComplexityMethod::Classifier) if has_examples => {
            let message = "the method `classifier` does not read the examples; use `hybrid` for both";
            diagnostics.warning(place.key("method"), message);
        }
        Some(ComplexityMethod::Contrastive | ComplexityMethod::Hybrid) if !has_examples => {
            let message = "the method compares with examples, and there are none under `hard` and `easy`";
            diagnostics.error(place.key("method"), message);
        }
        _ => {}
    }
    for (side, examples) in [("hard", &rule.hard), ("easy", &rule.easy)] {
        if !examples.image_candidates.is_empty() {
            let message = "images need a multimodal model; only the text is compared";
            diagnostics.not_active(place.key(side).key("image_candidates"), message);
        }
    }
}
