//! What words add to the scores, kept per thread: the words of a language repeat, within a text and between texts.

use std::cell::RefCell;

use super::model::{MAX_LANGUAGES, Model};
use super::script::GROUPS;
use crate::recent::{self, Recent};

/// Words of at most so many symbols are remembered.
pub(super) const MEMO_SYMBOLS: usize = 16;
/// How many words share a set.
const WAYS: usize = 2;
/// How many sets of words a thread remembers: some 160 KiB.
const SETS: usize = 1 << 9;
/// No group: the place is free.
const FREE: u8 = GROUPS as u8;

/// What the n-grams of one word add, its edges included.
#[derive(Debug, Clone, Copy)]
pub(super) struct WordScores {
    /// Per language of the model.
    pub(super) scores: [i16; MAX_LANGUAGES],
    /// Places where n-grams of three and more symbols were looked up.
    pub(super) tried: u16,
    /// Places where one of four symbols was known.
    pub(super) known: u16,
}

#[derive(Clone, Copy)]
struct Entry {
    symbols: [u8; MEMO_SYMBOLS],
    group: u8,
    word: WordScores,
}

struct Memo {
    /// The address of the model that the words were scored with.
    model: usize,
    words: Recent<Entry, WAYS>,
}

impl WordScores {
    /// Nothing yet.
    pub(super) const EMPTY: Self = Self { scores: [0; MAX_LANGUAGES], tried: 0, known: 0 };
}

impl Memo {
    const fn new() -> Self {
        Self { model: 0, words: Recent::new() }
    }

    fn scores_of(
        &mut self,
        model: &Model<'_>,
        group: usize,
        symbols: [u8; MEMO_SYMBOLS],
        score: impl FnOnce() -> WordScores,
    ) -> &WordScores {
        let address = std::ptr::from_ref(model).addr();
        if self.model != address {
            self.model = address;
            self.words
                .reset(SETS, Entry { symbols: [0; MEMO_SYMBOLS], group: FREE, word: WordScores::EMPTY });
        }
        let hash = recent::hash(u128::from_le_bytes(symbols) ^ group as u128);
        let is_it = |known: &Entry| usize::from(known.group) == group && known.symbols == symbols;
        &self.words.entry(hash, is_it, || Entry { symbols, group: group as u8, word: score() }).word
    }
}

/// Calls `read` with what a word adds: remembered, or computed by `score`. The word is the symbols of one
/// letter group, filled up with zeros, which are no symbol.
pub(super) fn with_scores(
    model: &Model<'_>,
    group: usize,
    symbols: [u8; MEMO_SYMBOLS],
    score: impl FnOnce() -> WordScores,
    read: impl FnOnce(&WordScores),
) {
    thread_local! {
        static MEMO: RefCell<Memo> = const { RefCell::new(Memo::new()) };
    }
    MEMO.with_borrow_mut(|memo| read(memo.scores_of(model, group, symbols, score)));
}
