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

/// Words of at most so many bytes are remembered in one integer.
const MEMO_BYTES: usize = 15;
/// Longer words of at most so many bytes are remembered in two: the first 16 bytes, and the rest.
const LONG_BYTES: usize = 16 + MEMO_BYTES;
/// How many longer words share a set, and how many sets of them a thread remembers: 32 KiB.
const LONG_WAYS: usize = 2;
const LONG_SETS: usize = 1 << 9;
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
    /// The first 16 bytes of a word, and what `words` would keep of the rest.
    long_words: Recent<(u128, Packed), LONG_WAYS>,
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
        static MEMO: RefCell<Memo> = const { RefCell::new(Memo { owner: MemoOwner(0), words: Recent::new(), long_words: Recent::new() }) };
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
            self.long_words.reset(LONG_SETS, (0, 0));
        }
    }

    fn readers_of(&mut self, word: &str, judge: &mut impl FnMut(&str) -> Readers) -> Readers {
        let mut with_readers = |packed| packed | Packed::from(judge(word).bits()) << READERS_SHIFT;
        let entry = match word.as_bytes().split_first_chunk() {
            _ if word.len() > LONG_BYTES => return judge(word),
            Some((head, rest)) if word.len() > MEMO_BYTES => {
                let (head, packed) = (u128::from_le_bytes(*head), pack(rest));
                let is_it = |known: &(u128, Packed)| known.0 == head && without_readers(known.1) == packed;
                let hash = recent::hash(head ^ packed.rotate_left(64));
                self.long_words.entry(hash, is_it, || (head, with_readers(packed))).1
            }
            _ => {
                let packed = pack(word.as_bytes());
                let is_it = |known: &Packed| without_readers(*known) == packed;
                *self.words.entry(recent::hash(packed), is_it, || with_readers(packed))
            }
        };
        Readers::from_bits((entry >> READERS_SHIFT) as u8)
    }
}

fn without_readers(entry: Packed) -> Packed {
    entry & ((1 << READERS_SHIFT) - 1)
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
