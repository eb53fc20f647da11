//! Recognises the language a text is written in.
//!
//! The script decides where a script belongs to one language (Greek, Hebrew, Thai, Hangul, ...);
//! Chinese and Japanese are told apart by kana and by the Han characters used; the languages that
//! share the Latin, Cyrillic, Arabic or Devanagari script are told apart by a linear model over
//! character n-grams of 1 to 5 symbols, embedded in the binary in a packed, directly usable form.
//! At most a few hundred letters of a text are looked at; each thread remembers what common words say.

mod memo;
pub(crate) mod model;
pub(crate) mod sample;
mod score;
pub(crate) mod script;

use std::sync::LazyLock;

use model::Model;
use score::{Evidence, Speech};

static MODEL_BYTES: &[u8] = include_bytes!("../../../../models/language-id/model.bin");

/// Tells languages apart; built once, shared by everyone.
#[derive(Debug)]
pub struct Detector {
    model: Model<'static>,
    languages: Vec<&'static str>,
}

/// The most likely language of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// ISO 639-1 code (`en`, `zh`, `nb`, ...).
    pub language: &'static str,
    /// Probability that this is the language of the whole text, 0 to 1; mixed and very short texts get little.
    pub confidence: f32,
    /// The next most likely language and its probability, where another one is possible.
    pub runner_up: Option<(&'static str, f32)>,
}

impl Detector {
    /// The detector over the embedded model.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Detector> = LazyLock::new(|| {
            #[expect(clippy::expect_used, reason = "the model is part of the binary and a test loads it")]
            Detector::from_bytes(MODEL_BYTES).expect("the embedded language model is readable")
        });
        &EMBEDDED
    }

    /// A detector over a packed model; `None` if the bytes are not one.
    pub(crate) fn from_bytes(bytes: &'static [u8]) -> Option<Self> {
        let model = Model::parse(bytes)?;
        let mut languages = model.languages.clone();
        languages.extend(["zh", "ja"]);
        languages.extend(script::SINGLE_SCRIPT_LANGUAGES);
        languages.sort_unstable();
        Some(Self { model, languages })
    }

    /// The language of `text`, or `None` if it holds no words (blank, digits, signs, program text).
    #[must_use]
    pub fn detect(&self, text: &str) -> Option<Detection> {
        let mut evidence = Evidence::new(&self.model);
        sample::scan(text, self.model.classes, &mut evidence);
        let verdict = evidence.verdict()?;
        let confidence = verdict.confidence.clamp(0.0, 1.0);
        Some(Detection {
            language: self.code(verdict.language),
            confidence,
            // Two that are equal may differ by a rounding.
            runner_up: verdict.runner_up.map(|(language, p)| (self.code(language), p.clamp(0.0, confidence))),
        })
    }

    /// ISO 639-1 codes of the languages that can be detected, in alphabetical order.
    #[must_use]
    pub fn languages(&self) -> &[&str] {
        &self.languages
    }

    /// The groups of letters that a language is written in, where it shares them with others.
    pub(crate) fn groups_of(&self, language: &str) -> impl Iterator<Item = usize> {
        self.model.groups.iter().enumerate().filter_map(move |(number, group)| {
            let languages = self.model.languages.get(group.first..group.first + group.count)?;
            languages.contains(&language).then_some(number)
        })
    }

    fn code(&self, language: Speech) -> &'static str {
        match language {
            Speech::Modelled(index) => self.model.languages[index],
            Speech::SingleScript(index) => script::SINGLE_SCRIPT_LANGUAGES[index],
            Speech::Chinese => "zh",
            Speech::Japanese => "ja",
        }
    }
}

/// Whether a rule written for `rule` accepts a text detected as `detected`: `no` accepts both written
/// forms of Norwegian, a region or script suffix of the rule (`pt-BR`, `zh_Hant`) is not looked at.
#[must_use]
pub fn code_matches(rule: &str, detected: &str) -> bool {
    let rule = primary_subtag(rule);
    if rule.eq_ignore_ascii_case("no") {
        return matches!(detected, "no" | "nb" | "nn");
    }
    canonical(rule).unwrap_or(rule).eq_ignore_ascii_case(detected)
}

/// Whether a rule may ask for `code`: a detectable language, or an accepted other name of one.
#[must_use]
pub fn is_supported(code: &str) -> bool {
    let detected = Detector::embedded().languages();
    detected.iter().any(|language| code_matches(code, language))
}

fn primary_subtag(code: &str) -> &str {
    code.split(['-', '_']).next().unwrap_or(code)
}

/// The detected code of codes that were withdrawn or renamed.
fn canonical(code: &str) -> Option<&'static str> {
    const RENAMED: [(&str, &str); 4] = [("iw", "he"), ("in", "id"), ("fil", "tl"), ("cmn", "zh")];
    RENAMED.iter().find(|(old, _)| old.eq_ignore_ascii_case(code)).map(|(_, new)| *new)
}
