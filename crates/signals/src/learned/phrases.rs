//! Phrases looked for as text: in any letter case, with any white space and punctuation between words.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::characters::fold;

/// Phrases of one rule.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    automaton: Option<AhoCorasick>,
    written: Vec<String>,
}

// === impl Phrases

impl Phrases {
    /// Compiles `phrases`; blank ones are left out.
    ///
    /// # Errors
    /// If they are too many for an automaton.
    pub(super) fn compile(phrases: &[String]) -> Result<Self, aho_corasick::BuildError> {
        let written: Vec<String> =
            phrases.iter().filter(|phrase| !words(phrase).trim().is_empty()).cloned().collect();
        if written.is_empty() {
            return Ok(Self::default());
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(written.iter().map(|phrase| words(phrase)))?;
        Ok(Self { automaton: Some(automaton), written })
    }

    /// Whether there are no phrases.
    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The first phrase that occurs in a text of which these are the [`words`], as it was written in the rule.
    pub(super) fn find(&self, words: &str) -> Option<&str> {
        let found = self.automaton.as_ref()?.find(words)?;
        Some(&self.written[found.pattern().as_usize()])
    }
}

/// The words of a text, case-folded, each between two spaces of its own. Scripts without spaces
/// between words stay as they are, so that phrases are found inside them.
pub(super) fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + 2);
    let mut in_word = false;
    for c in fold(text).chars() {
        let is_whole = crate::characters::is_cjk(c);
        if is_whole || !c.is_alphanumeric() {
            if in_word {
                words.push(' ');
            }
            in_word = false;
            if is_whole {
                words.push(c);
            }
            continue;
        }
        if !in_word {
            words.push(' ');
        }
        in_word = true;
        words.push(c);
    }
    if in_word {
        words.push(' ');
    }
    words
}
