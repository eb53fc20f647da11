//! In which script a text is written, and which languages are written in it.

use super::detector::{Detector, script};

/// How many letters of a text are looked at.
const LOOKED_AT: usize = 2000;
/// The fewest letters that tell: fewer may be a name or a sign in a text that is about something else.
const TELLING: usize = 8;

/// A writing system, or several that a language mixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Latin letters.
    Latin,
    /// Cyrillic letters.
    Cyrillic,
    /// Arabic letters.
    Arabic,
    /// Devanagari.
    Devanagari,
    /// Han characters and kana.
    Han,
    /// The script of one language, by its place among those that have one of their own.
    Own(usize),
    /// A script of no language that can be recognised, such as Ethiopic.
    Other,
}

// === impl Script

impl Script {
    /// The script of more than half of the letters of `text`; `None` where there are too few letters or no script has as
    /// many.
    pub fn of(text: &str) -> Option<Self> {
        let mut counts: Vec<(Script, usize)> = Vec::new();
        let mut letters = 0;
        for c in text.chars().filter(|c| c.is_alphabetic()).take(LOOKED_AT) {
            let script = Self::of_letter(c);
            letters += 1;
            match counts.iter_mut().find(|(known, _)| *known == script) {
                Some((_, count)) => *count += 1,
                None => counts.push((script, 1)),
            }
        }
        let most = counts.into_iter().find(|(_, count)| count * 2 > letters);
        most.filter(|_| letters >= TELLING).map(|(script, _)| script)
    }

    fn of_letter(c: char) -> Self {
        match script::glyph(c) {
            script::Glyph::Slot(slot) => Self::of_group(script::group_of_slot(slot)),
            script::Glyph::Single(index) => Self::Own(index),
            script::Glyph::Han(_) | script::Glyph::Kana => Self::Han,
            script::Glyph::Other => Self::Other,
        }
    }

    fn of_group(group: usize) -> Self {
        match group {
            0 => Self::Latin,
            1 => Self::Cyrillic,
            2 => Self::Arabic,
            _ => Self::Devanagari,
        }
    }

    /// Whether a language, by its ISO 639-1 code, is written in this script. What is not known is not ruled out.
    pub fn writes(self, language: &str) -> bool {
        if matches!(language, "zh" | "ja") {
            return self == Self::Han;
        }
        if let Some(own) = script::SINGLE_SCRIPT_LANGUAGES.iter().position(|known| *known == language) {
            return self == Self::Own(own);
        }
        let mut groups = Detector::embedded().groups_of(language).peekable();
        groups.peek().is_none() || groups.any(|group| Self::of_group(group) == self)
    }
}
