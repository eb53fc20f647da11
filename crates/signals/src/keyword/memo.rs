//! Which words are near no keyword, kept per thread: the words of a language repeat, within a text and between
//! texts, and most of them are near none.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU64, Ordering},
};

/// Words of at most so many bytes are remembered.
const MEMO_BYTES: usize = 15;
/// How many words a thread remembers, one per hash: 64 KiB.
const SLOTS: usize = 1 << 12;
const NEAR: u8 = 1 << 4;

/// Tells the keywords of one compiled policy from those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoOwner(u64);

/// A word in the low bytes; its length, and whether it is near a keyword, in the highest.
type Slot = u128;

struct Memo {
    owner: MemoOwner,
    slots: Vec<Slot>,
}

// === impl MemoOwner

impl MemoOwner {
    /// One that differs from all before.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Calls `work` with a function that tells whether a word is near a keyword of `owner`: remembered, or as
/// `judge` says.
pub(super) fn with_memo<T>(
    owner: MemoOwner,
    mut judge: impl FnMut(&str) -> bool,
    work: impl FnOnce(&mut dyn FnMut(&str) -> bool) -> T,
) -> T {
    thread_local! {
        static MEMO: RefCell<Memo> = const { RefCell::new(Memo { owner: MemoOwner(0), slots: Vec::new() }) };
    }
    MEMO.with_borrow_mut(|memo| {
        memo.belong_to(owner);
        work(&mut |word| memo.is_near(word, &mut judge))
    })
}

impl Memo {
    fn belong_to(&mut self, owner: MemoOwner) {
        if self.owner != owner {
            self.owner = owner;
            self.slots.clear();
            self.slots.resize(SLOTS, 0);
        }
    }

    fn is_near(&mut self, word: &str, judge: &mut impl FnMut(&str) -> bool) -> bool {
        if word.len() > MEMO_BYTES {
            return judge(word);
        }
        let mut bytes = [0; MEMO_BYTES + 1];
        bytes[..word.len()].copy_from_slice(word.as_bytes());
        bytes[MEMO_BYTES] = word.len() as u8;
        let far = u128::from_le_bytes(bytes);
        let near = far | u128::from(NEAR) << (8 * MEMO_BYTES);
        let slot = &mut self.slots[slot_of(far)];
        if *slot == far || *slot == near {
            return *slot == near;
        }
        let is_near = judge(word);
        *slot = if is_near { near } else { far };
        is_near
    }
}

fn slot_of(word: Slot) -> usize {
    let mixed = (word as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ ((word >> 64) as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed >> (u64::BITS - SLOTS.ilog2())) as usize
}
