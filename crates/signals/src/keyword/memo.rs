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
        let far = pack(word.as_bytes());
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

fn slot_of(word: Slot) -> usize {
    let mixed = (word as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ ((word >> 64) as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed >> (u64::BITS - SLOTS.ilog2())) as usize
}
