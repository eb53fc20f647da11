//! Which methods find words near a keyword, and which term a word is, kept per thread: the words of a language
//! repeat, within a text and between texts, and most of them are near none.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    recent::{self, Recent},
    words::Readers,
};

/// Words of at most so many bytes are remembered.
const MEMO_BYTES: usize = 15;
/// How many words share a set: as many as a cache line has room for.
const WAYS: usize = 4;
/// How many sets of words a thread remembers: 64 KiB.
const SETS: usize = 1 << 10;
/// How many sets of words a thread remembers the terms of: 8 KiB. Few words are terms.
const TERM_SETS: usize = 1 << 6;
/// Where the entry of a word says who wants it, above the word's length.
const READERS_SHIFT: u32 = 8 * MEMO_BYTES as u32 + 4;

/// Tells the keywords of one compiled policy from those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoOwner(u64);

/// A word in the low bytes; its length, and who finds it near a keyword, in the highest.
type Packed = u128;

struct Memo {
    owner: MemoOwner,
    words: Recent<Packed, WAYS>,
}

struct TermMemo {
    owner: MemoOwner,
    /// A word and its length, and its term.
    words: Recent<(Packed, Option<u32>), WAYS>,
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
        static MEMO: RefCell<Memo> = const { RefCell::new(Memo { owner: MemoOwner(0), words: Recent::new() }) };
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
        static TERMS: RefCell<TermMemo> = const { RefCell::new(TermMemo { owner: MemoOwner(0), words: Recent::new() }) };
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
            self.words.reset(TERM_SETS, (0, None));
        }
    }

    fn term_of(&mut self, word: &str, find: &impl Fn(&str) -> Option<u32>) -> Option<u32> {
        if word.len() > MEMO_BYTES {
            return find(word);
        }
        let packed = pack(word.as_bytes());
        self.words.entry(recent::hash(packed), |(known, _)| *known == packed, || (packed, find(word))).1
    }
}

impl Memo {
    fn belong_to(&mut self, owner: MemoOwner) {
        if self.owner != owner {
            self.owner = owner;
            self.words.reset(SETS, 0);
        }
    }

    fn readers_of(&mut self, word: &str, judge: &mut impl FnMut(&str) -> Readers) -> Readers {
        if word.len() > MEMO_BYTES {
            return judge(word);
        }
        let packed = pack(word.as_bytes());
        let is_it = |known: &Packed| *known & ((1 << READERS_SHIFT) - 1) == packed;
        let judged = || packed | Packed::from(judge(word).bits()) << READERS_SHIFT;
        let entry = self.words.entry(recent::hash(packed), is_it, judged);
        Readers::from_bits((*entry >> READERS_SHIFT) as u8)
    }
}

/// Up to 15 bytes and their number in one integer, in a few loads instead of a copy of unknown length.
fn pack(word: &[u8]) -> Packed {
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
