//! What is known of a text's language, and whether a head that was evaluated on some languages reads it.

use vsr_signals::language::{Detector, Script};

/// How sure the language of a text must be to keep a head from reading it.
const SURE: f32 = 0.8;
/// The shortest text whose language is asked for, in characters.
const TELLING_CHARACTERS: usize = 20;
/// The length in characters from which a text is of no language that a head reads if none that it may be of is one.
const LONG_CHARACTERS: usize = 200;

/// What is known of a text's language.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tongue {
    /// Its language, where that is sure.
    sure: Option<&'static str>,
    /// The two languages that a long text is most likely in, where neither is sure.
    likely: Option<[&'static str; 2]>,
    /// The script of most of its letters.
    script: Option<Script>,
}

// === impl Tongue

impl Tongue {
    pub(crate) fn of(text: &str) -> Self {
        let script = Script::of(text);
        if text.chars().take(TELLING_CHARACTERS).count() < TELLING_CHARACTERS {
            return Self { script, ..Self::default() };
        }
        let Some(detected) = Detector::embedded().detect(text) else {
            return Self { script, ..Self::default() };
        };
        let sure = (detected.confidence >= SURE).then_some(detected.language);
        let is_long = || text.chars().take(LONG_CHARACTERS).count() == LONG_CHARACTERS;
        let runner_up = detected.runner_up.map_or(detected.language, |(language, _)| language);
        let likely = (sure.is_none() && is_long()).then_some([detected.language, runner_up]);
        Self { sure, likely, script }
    }

    /// Whether a head of these languages reads the text. It does unless something speaks against it: short and neutral
    /// texts are of any language.
    pub(crate) fn is_read_by(self, languages: &[String]) -> bool {
        let knows = |language: &str| languages.iter().any(|known| known == language);
        match self {
            _ if languages.is_empty() => true,
            Self { sure: Some(language), .. } => knows(language),
            _ if self.has_foreign_script(languages) => false,
            Self { likely: Some(likely), .. } => likely.into_iter().any(knows),
            _ => true,
        }
    }

    /// Whether a head of these languages reads a window, of which this is known, of a text of which `whole` is: a window
    /// of a text that it reads unless it is in another script, and a window of another text if its language is sure.
    pub(crate) fn is_read_within(self, whole: Self, languages: &[String]) -> bool {
        match whole.is_read_by(languages) {
            true => languages.is_empty() || !self.has_foreign_script(languages),
            false => self.sure.is_some() && self.is_read_by(languages),
        }
    }

    fn has_foreign_script(self, languages: &[String]) -> bool {
        self.script.is_some_and(|script| !languages.iter().any(|language| script.writes(language)))
    }
}
