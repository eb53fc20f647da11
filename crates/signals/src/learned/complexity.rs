//! The `complexity` family: how hard a request is.

use vsr_config::{Compatibility, ComplexityMethod, ComplexityRule, Config, PrototypeScoring};
use vsr_types::{
    Atom, AtomId, AtomTable, Diagnostics, Evidence, OnError, Path, SignalFamily, UnavailableReason,
};

use super::{
    bank::{Bank, PrototypeVectors, Scoring},
    pictures,
    plan::Wants,
    reading::{Head, TextReadings},
    support::ModelSupport,
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
    images: Option<ImageBanks>,
}

/// Examples of both sides that the request's image is compared with, or its text if it has none.
#[derive(Debug)]
struct ImageBanks {
    hard: Bank,
    easy: Bank,
}

/// What was measured on a text or an image.
#[derive(Debug, Clone, Copy)]
struct Measured {
    hard: f64,
    easy: f64,
}

// === impl ComplexityFamily

impl ComplexityFamily {
    pub(super) fn compile(
        config: &Config,
        support: &ModelSupport<'_>,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let v0_3 = config.global.router.compatibility == Some(Compatibility::V0_3);
        let written = &config.routing.signals.complexity;
        let scoring = &config.global.model_catalog.modules.complexity.prototype_scoring;
        let path = rules::family_path(SignalFamily::Complexity);
        rules::check_names(&path, written.iter().map(|rule| rule.name.as_str()), diagnostics);
        let rules = written.iter().enumerate().map(|(index, rule)| {
            let images = image_banks(rule, &path.index(index), (scoring, support), diagnostics);
            check(rule, &path.index(index), images.is_some(), diagnostics);
            Rule::compile(rule, scoring, v0_3, images, atoms)
        });
        Self { rules: rules.collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn banks(&self) -> impl Iterator<Item = &Bank> {
        self.comparing().flat_map(|rule| {
            let images = rule.images.iter().flat_map(|banks| [&banks.hard, &banks.easy]);
            [&rule.hard, &rule.easy].into_iter().chain(images)
        })
    }

    pub(super) fn install(&self, vectors: &PrototypeVectors) {
        for rule in &self.rules {
            rule.hard.install(vectors);
            rule.easy.install(vectors);
            if let Some(images) = &rule.images {
                images.hard.install(vectors);
                images.easy.install(vectors);
            }
        }
    }

    fn comparing(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.method != ComplexityMethod::Classifier)
    }

    /// Whether the request's image is compared.
    pub(super) fn reads_image(&self) -> bool {
        self.comparing().any(|rule| rule.images.is_some())
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
        let image = if self.reads_image() { readings.image() } else { Err(UnavailableReason::NotActive) };
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
            let text = query.as_deref().map_err(|reason| *reason);
            let seen = rule.compare_image(text, image, readings, evidence);
            let mut compared = || match text {
                // The image says what the text does not.
                Err(UnavailableReason::NoInput) if matches!(seen, Some(Ok(_))) => {
                    Ok(Measured { hard: 0.0, easy: 0.0 })
                }
                text => rule.compare(text?, readings, evidence),
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
            rule.emit(measured, seen, evidence);
        }
    }
}

// === impl Rule

impl Rule {
    fn compile(
        rule: &ComplexityRule,
        scoring: &PrototypeScoring,
        v0_3: bool,
        images: Option<ImageBanks>,
        atoms: &mut AtomTable,
    ) -> Self {
        let mut declare = |suffix: &str| {
            atoms.declare(Atom::new(SignalFamily::Complexity, format!("{}:{suffix}", rule.name)))
        };
        let levels = LEVELS.map(|level| Target::new(declare(level), rule.on_error));
        let text_values = TEXT_VALUES.map(&mut declare);
        let image_values = IMAGE_VALUES.map(&mut declare);
        let bank = |texts: &[String]| Bank::new(texts.iter().map(String::as_str), Scoring::blend(scoring));
        let (hard, easy) = (bank(&rule.hard.candidates), bank(&rule.easy.candidates));
        let has_examples = !(hard.is_empty() && easy.is_empty() && images.is_none());
        let method = rule.method.unwrap_or(match !has_examples && !v0_3 {
            true => ComplexityMethod::Classifier,
            false => ComplexityMethod::Contrastive,
        });
        let default = if v0_3 { 0.0 } else { THRESHOLD };
        let threshold = rule.threshold.unwrap_or(default);
        Self { levels, text_values, image_values, threshold, method, hard, easy, images }
    }

    /// The scores of both sides; a side without examples scores 0.
    fn compare(
        &self,
        query: &[f32],
        readings: &TextReadings,
        evidence: &mut Evidence,
    ) -> Result<Measured, UnavailableReason> {
        score([&self.hard, &self.easy], query, readings, (self.text_values[0], evidence))
    }

    /// The same for the request's image or, if it has none, for its text: a model of two towers puts both in one space.
    /// `None` where the rule compares no images.
    fn compare_image(
        &self,
        text: Result<&[f32], UnavailableReason>,
        image: Result<&[f32], UnavailableReason>,
        readings: &TextReadings,
        evidence: &mut Evidence,
    ) -> Option<Result<Measured, UnavailableReason>> {
        let banks = self.images.as_ref().filter(|_| self.method != ComplexityMethod::Classifier)?;
        let query = match image {
            Err(UnavailableReason::NoInput) => text,
            image => image,
        };
        let scored = |query: &[f32]| {
            score([&banks.hard, &banks.easy], query, readings, (self.image_values[0], evidence))
        };
        Some(query.and_then(scored))
    }

    /// The level is that of the image if its margin is the larger one.
    fn emit(
        &self,
        measured: Result<Measured, UnavailableReason>,
        seen: Option<Result<Measured, UnavailableReason>>,
        evidence: &mut Evidence,
    ) {
        match seen {
            Some(Ok(seen)) => {
                for (atom, value) in self.image_values.iter().zip([seen.margin(), seen.hard, seen.easy]) {
                    evidence.set_value(*atom, value);
                }
            }
            other => {
                let reason = other.and_then(Result::err).unwrap_or(UnavailableReason::NotActive);
                let values = self.image_values.iter();
                values.for_each(|atom| evidence.set_unavailable(*atom, reason, OnError::Unavailable));
            }
        }
        let both = measured.and_then(|measured| Ok((measured, seen.transpose()?)));
        let (measured, seen) = match both {
            Ok(both) => both,
            Err(reason) => {
                self.levels.iter().for_each(|level| level.fail(reason, evidence));
                let values = self.text_values.iter();
                values.for_each(|atom| evidence.set_unavailable(*atom, reason, OnError::Unavailable));
                return;
            }
        };
        let text_margin = measured.margin();
        let margin = match seen.map(Measured::margin) {
            Some(margin) if margin.abs() > text_margin.abs() => margin,
            _ => text_margin,
        };
        for (atom, value) in self.text_values.iter().zip([margin, text_margin, measured.hard, measured.easy])
        {
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

// === impl Measured

impl Measured {
    fn margin(self) -> f64 {
        self.hard - self.easy
    }
}

/// The scores of hard and easy examples, with the nearest of both as notes on an atom.
fn score(
    [hard, easy]: [&Bank; 2],
    query: &[f32],
    readings: &TextReadings,
    (atom, evidence): (AtomId, &mut Evidence),
) -> Result<Measured, UnavailableReason> {
    let mut score = |bank: &Bank, side: &'static str| {
        if bank.is_empty() {
            return Ok(0.0);
        }
        let nearness = bank.nearness(query, readings.fingerprint()).ok_or(UnavailableReason::Failed)?;
        evidence
            .note(atom, || format!("nearest {side} {:.3}: {}", nearness.best, excerpt(&nearness.nearest)));
        Ok(nearness.score)
    };
    Ok(Measured { hard: score(hard, "hard")?, easy: score(easy, "easy")? })
}

/// The images of a rule, if there is a model for them and both sides have some.
fn image_banks(
    rule: &ComplexityRule,
    place: &Path,
    (scoring, support): (&PrototypeScoring, &ModelSupport<'_>),
    diagnostics: &mut Diagnostics,
) -> Option<ImageBanks> {
    let (hard, easy) = (&rule.hard.image_candidates, &rule.easy.image_candidates);
    let place_of = |side: &str| place.key(side).key("image_candidates");
    if hard.is_empty() && easy.is_empty() {
        return None;
    }
    if !support.images {
        let message = "images need a multimodal model; only the text is compared";
        for (side, _) in [("hard", hard), ("easy", easy)].into_iter().filter(|(_, it)| !it.is_empty()) {
            diagnostics.not_active(place_of(side), message);
        }
        return None;
    }
    if hard.is_empty() || easy.is_empty() {
        let (side, other) = if hard.is_empty() { ("easy", "hard") } else { ("hard", "easy") };
        let message = format!("images are compared with both sides, and there are none under `{other}`");
        diagnostics.warning(place_of(side), message);
        return None;
    }
    let mut bank = |written: &[String], side: &str| {
        let mut examples = Vec::with_capacity(written.len());
        for (index, example) in written.iter().enumerate() {
            match pictures::example(example, support.pictures) {
                Ok(example) => examples.push(example),
                Err(message) => diagnostics.error(place_of(side).index(index), message),
            }
        }
        Bank::new(examples.iter().map(|example| &**example), Scoring::blend(scoring))
    };
    Some(ImageBanks { hard: bank(hard, "hard"), easy: bank(easy, "easy") })
}

fn check(rule: &ComplexityRule, place: &Path, has_images: bool, diagnostics: &mut Diagnostics) {
    if rule.name.contains(':') {
        let message = "the name has a `:`, which separates a rule from its level in `name:hard`";
        diagnostics.error(place.key("name"), message);
    }
    if let Some(threshold) = rule.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
        diagnostics.error(place.key("threshold"), format!("{threshold} is not between 0 and 1"));
    }
    let has_examples = has_images || !(rule.hard.candidates.is_empty() && rule.easy.candidates.is_empty());
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
}
