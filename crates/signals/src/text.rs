//! The text of one request in the forms that rules read, each made at most once and only if read.

use std::{borrow::Cow, cell::OnceCell};

use crate::{
    characters::fold,
    lexicon::{Hits, Lexicon},
    words::Words,
};

/// One text and what was derived from it.
#[derive(Debug)]
pub(crate) struct TextIndex<'t> {
    text: Cow<'t, str>,
    lexicon: &'t Lexicon,
    blank: bool,
    folded: OnceCell<String>,
    hits: OnceCell<Hits>,
    words: OnceCell<Words>,
    exact_words: OnceCell<Words>,
}

// === impl TextIndex

impl<'t> TextIndex<'t> {
    /// An index of `text` in which nothing was derived yet.
    pub(crate) fn new(text: Cow<'t, str>, lexicon: &'t Lexicon) -> Self {
        let blank = text.trim_start().is_empty();
        Self {
            text,
            lexicon,
            blank,
            folded: OnceCell::new(),
            hits: OnceCell::new(),
            words: OnceCell::new(),
            exact_words: OnceCell::new(),
        }
    }

    /// The text as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing but whitespace.
    pub(crate) fn is_blank(&self) -> bool {
        self.blank
    }

    /// The text case-folded.
    pub(crate) fn folded(&self) -> &str {
        self.folded.get_or_init(|| fold(&self.text))
    }

    /// The literals found.
    pub(crate) fn hits(&self) -> &Hits {
        self.hits.get_or_init(|| self.lexicon.scan(&self.text, self.folded()))
    }

    /// The words of [`Self::folded`].
    pub(crate) fn words(&self) -> &Words {
        self.words.get_or_init(|| Words::of(self.folded()))
    }

    /// The words of [`Self::text`].
    pub(crate) fn exact_words(&self) -> &Words {
        self.exact_words.get_or_init(|| Words::of(&self.text))
    }
}
