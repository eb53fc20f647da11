//! What words add to the scores, kept per thread: the words of a language repeat, within a text and between texts.

use std::cell::RefCell;

use super::model::{MAX_LANGUAGES, Model};
use super::script::GROUPS;

/// Words of at most so many symbols are remembered.
pub(super) const MEMO_SYMBOLS: usize = 16;
/// How many words a thread remembers: some 160 KiB.
const SLOTS: usize = 1 << 10;
/// No group: the slot is free.
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
struct Slot {
    symbols: [u8; MEMO_SYMBOLS],
    group: u8,
    word: WordScores,
}

/// One slot per hash: a word replaces the one before it.
struct Memo {
    /// The address of the model that the words were scored with.
    model: usize,
    slots: Vec<Slot>,
}

impl WordScores {
    /// Nothing yet.
    pub(super) const EMPTY: Self = Self { scores: [0; MAX_LANGUAGES], tried: 0, known: 0 };
}

impl Memo {
    const fn new() -> Self {
        Self { model: 0, slots: Vec::new() }
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
            self.slots.clear();
            let free = Slot { symbols: [0; MEMO_SYMBOLS], group: FREE, word: WordScores::EMPTY };
            self.slots.resize(SLOTS, free);
        }
        let slot = &mut self.slots[slot_of(symbols, group)];
        if usize::from(slot.group) != group || slot.symbols != symbols {
            *slot = Slot { symbols, group: group as u8, word: score() };
        }
        &slot.word
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

fn slot_of(symbols: [u8; MEMO_SYMBOLS], group: usize) -> usize {
    let whole = u128::from_le_bytes(symbols);
    let mixed = (whole as u64 ^ group as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ ((whole >> 64) as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed >> (u64::BITS - SLOTS.ilog2())) as usize
}
