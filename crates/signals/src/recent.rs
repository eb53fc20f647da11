//! What was worked out of words, kept by hash in sets of a few places each: what comes back is there, unless more of its
//! hash came since than a set has places.

/// A bounded memory of entries `E`. Those of one hash share a set; in a full set a new entry takes the oldest one's place.
pub(crate) struct Recent<E, const WAYS: usize> {
    sets: Vec<[E; WAYS]>,
}

// === impl Recent

impl<E: Copy, const WAYS: usize> Recent<E, WAYS> {
    /// No sets: to be [`Self::reset`] before its first use.
    pub(crate) const fn new() -> Self {
        Self { sets: Vec::new() }
    }

    /// Forgets everything: `sets` sets, a power of two from 2 on, of `free` places.
    pub(crate) fn reset(&mut self, sets: usize, free: E) {
        debug_assert!(sets.is_power_of_two() && sets > 1);
        self.sets.clear();
        self.sets.resize(sets, [free; WAYS]);
    }

    /// The entry of `hash` that `is_it`, or the one that `make` gives, which is kept.
    pub(crate) fn entry(&mut self, hash: u64, is_it: impl Fn(&E) -> bool, make: impl FnOnce() -> E) -> &E {
        let index = (hash >> (u64::BITS - self.sets.len().ilog2())) as usize;
        let set = &mut self.sets[index];
        let at = set.iter().position(is_it).unwrap_or_else(|| {
            let made = make();
            set.rotate_right(1);
            set[0] = made;
            0
        });
        &set[at]
    }
}

/// A hash of 16 bytes whose highest bits depend on all of them.
pub(crate) fn hash(word: u128) -> u64 {
    let mixed = (word as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ ((word >> 64) as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB)
}
