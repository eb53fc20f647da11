//! Which methods find words near a keyword, and which term a word is, kept per thread: the words of a language
//! repeat, within a text and between texts, and most of them are near none.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::words::Readers;

/// Words of at most so many bytes are remembered.
const MEMO_BYTES: usize = 15;
/// How many words a thread remembers, one per hash: 64 KiB.
const SLOTS: usize = 1 << 12;
/// How many words a thread remembers the terms of: 8 KiB. Few words are terms.
const TERM_SLOTS: usize = 1 << 8;
/// Where the slot of a word says who wants it, above the word's length.
const READERS_SHIFT: u32 = 8 * MEMO_BYTES as u32 + 4;

/// Tells the keywords of one compiled policy from those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoOwner(u64);

/// A word in the low bytes; its length, and who finds it near a keyword, in the highest.
type Slot = u128;

struct Memo {
    owner: MemoOwner,
    slots: Vec<Slot>,
}

struct TermMemo {
    owner: MemoOwner,
    /// A word and its length, and its term.
    slots: Vec<(Slot, Option<u32>)>,
}

// === impl MemoOwner

impl MemoOwner {
    /// One that differs from all before.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Calls `work` with a function that tells which methods find a word near a keyword of `owner`: remembered, or
/// as `judge` says.
pub(super) fn with_memo<T>(
    owner: MemoOwner,
    mut judge: impl FnMut(&str) -> Readers,
    work: impl FnOnce(&mut dyn FnMut(&str) -> Readers) -> T,
) -> T {
    thread_local! {
        static MEMO: RefCell<Memo> = const { RefCell::new(Memo { owner: MemoOwner(0), slots: Vec::new() }) };
    }
    MEMO.with_borrow_mut(|memo| {
        memo.belong_to(owner);
        work(&mut |word| memo.readers_of(word, &mut judge))
    })
}

/// Calls `work` with a function that tells which term of `owner` a word is: remembered, or as `find` says.
pub(super) fn with_terms<T>(
    owner: MemoOwner,
    find: impl Fn(&str) -> Option<u32>,
    work: impl FnOnce(&mut dyn FnMut(&str) -> Option<u32>) -> T,
) -> T {
    thread_local! {
        static TERMS: RefCell<TermMemo> = const { RefCell::new(TermMemo { owner: MemoOwner(0), slots: Vec::new() }) };
    }
    TERMS.with_borrow_mut(|memo| {
        memo.belong_to(owner);
        work(&mut |word| memo.term_of(word, &find))
    })
}

impl TermMemo {
    fn belong_to(&mut self, owner: MemoOwner) {
        if self.owner != owner {
            self.owner = owner;
            self.slots.clear();
            self.slots.resize(TERM_SLOTS, (0, None));
        }
    }

    fn term_of(&mut self, word: &str, find: &impl Fn(&str) -> Option<u32>) -> Option<u32> {
        if word.len() > MEMO_BYTES {
            return find(word);
        }
        let packed = pack(word.as_bytes());
        let (known, term) = &mut self.slots[slot_of(packed, TERM_SLOTS)];
        if *known != packed {
            (*known, *term) = (packed, find(word));
        }
        *term
    }
}

impl Memo {
    fn belong_to(&mut self, owner: MemoOwner) {
        if self.owner != owner {
            self.owner = owner;
            self.slots.clear();
            self.slots.resize(SLOTS, 0);
        }
    }

    fn readers_of(&mut self, word: &str, judge: &mut impl FnMut(&str) -> Readers) -> Readers {
        if word.len() > MEMO_BYTES {
            return judge(word);
        }
        let packed = pack(word.as_bytes());
        let slot = &mut self.slots[slot_of(packed, SLOTS)];
        if *slot & ((1 << READERS_SHIFT) - 1) == packed {
            return Readers::from_bits((*slot >> READERS_SHIFT) as u8);
        }
        let readers = judge(word);
        *slot = packed | Slot::from(readers.bits()) << READERS_SHIFT;
        readers
    }
}

/// Up to 15 bytes and their number in one integer, in a few loads instead of a copy of unknown length.
fn pack(word: &[u8]) -> Slot {
    let length = word.len();
    let packed = if let (Some(head), Some(tail)) = (word.first_chunk(), word.last_chunk()) {
        let (head, tail) = (u64::from_le_bytes(*head), u64::from_le_bytes(*tail));
        u128::from(head) | u128::from(tail) << (8 * (length - 8))
    } else if let (Some(head), Some(tail)) = (word.first_chunk(), word.last_chunk()) {
        let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
        u128::from(head) | u128::from(tail) << (8 * (length - 4))
    } else {
        word.iter().rev().fold(0, |packed, byte| packed << 8 | u128::from(*byte))
    };
    packed | (length as u128) << (8 * MEMO_BYTES)
}

fn slot_of(word: Slot, slots: usize) -> usize {
    let mixed = (word as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ ((word >> 64) as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed >> (u64::BITS - slots.ilog2())) as usize
}
