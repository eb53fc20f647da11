//! The text of one request in the forms that rules read, each made at most once and only if read.

use std::{borrow::Cow, cell::OnceCell};

use crate::{
    characters::fold,
    lexicon::{Hits, Lexicon},
};

/// One text and what was derived from it.
#[derive(Debug)]
pub(crate) struct TextIndex<'t> {
    text: Cow<'t, str>,
    lexicon: &'t Lexicon,
    blank: bool,
    folded: OnceCell<String>,
    hits: OnceCell<Hits>,
}

// === impl TextIndex

impl<'t> TextIndex<'t> {
    /// An index of `text` in which nothing was derived yet.
    pub(crate) fn new(text: Cow<'t, str>, lexicon: &'t Lexicon) -> Self {
        let blank = text.trim_start().is_empty();
        Self { text, lexicon, blank, folded: OnceCell::new(), hits: OnceCell::new() }
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
}
