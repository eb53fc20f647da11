//! Reads the n-gram statistics of one language and recovers those at word boundaries.
//!
//! The files hold, for every n-gram of 1 to 5 letters inside a word, the logarithm of its frequency
//! relative to the n-gram without its last letter. The products of these are joint frequencies; what
//! is missing between an n-gram and all its one-letter extensions happened at a word's edge.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::Path;

use fst::Streamer;

use crate::detector::model::{LONGEST_NGRAM, WORD_BOUNDARY};
use crate::detector::script::{Glyph, LETTER_SLOTS, glyph};

/// Frequencies of n-grams by key: one byte for each symbol, newest lowest.
pub type Table = HashMap<u64, f64, BuildHasherDefault<KeyHasher>>;

/// Differences below this are rounding, not occurrences.
const NOISE: f64 = 2e-9;

#[derive(Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 keys are hashed")
    }
    fn write_u64(&mut self, key: u64) {
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = hash ^ (hash >> 32);
    }
}

/// The statistics file of a crate.
pub fn open(crates: &Path, language: &str) -> fst::Map<Vec<u8>> {
    let folder = crate_folder(crates, language);
    let path = folder.join("models/ngrams.fst");
    let bytes =
        std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    fst::Map::new(bytes).unwrap_or_else(|error| panic!("{} is no statistics file: {error}", path.display()))
}

/// The folder of a language's crate, with or without its version in the name.
pub fn crate_folder(crates: &Path, language: &str) -> std::path::PathBuf {
    let name = format!("lingua-{language}-language-model");
    let plain = crates.join(&name);
    if plain.is_dir() { plain } else { crates.join(format!("{name}-1.3.0")) }
}

/// Frequencies of single letters.
pub fn letters(statistics: &fst::Map<Vec<u8>>) -> BTreeMap<char, f64> {
    let mut found = BTreeMap::new();
    let mut stream = statistics.stream();
    while let Some((key, value)) = stream.next() {
        let text = std::str::from_utf8(key).expect("n-grams are UTF-8");
        let mut chars = text.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            found.insert(c, f64::from_bits(value).exp());
        }
    }
    found
}

/// Frequencies, relative to all letters, of the n-grams of up to 5 symbols including word boundaries.
pub fn ngrams(statistics: &fst::Map<Vec<u8>>, group: usize, classes: &[u8; LETTER_SLOTS]) -> Table {
    let mut inner = Table::default();
    let mut joint = [1f64; LONGEST_NGRAM + 1];
    let mut stream = statistics.stream();
    while let Some((key, value)) = stream.next() {
        let text = std::str::from_utf8(key).expect("n-grams are UTF-8");
        let length = text.chars().count();
        joint[length] = joint[length - 1] * f64::from_bits(value).exp();
        if length == 1 {
            joint[1] = f64::from_bits(value).exp();
        }
        let symbols = text.chars().try_fold(0u64, |key, c| match glyph(c) {
            Glyph::Slot(slot)
                if crate::detector::script::group_of_slot(slot) == group && classes[slot] != 0 =>
            {
                Some(key << 8 | u64::from(classes[slot]))
            }
            _ => None,
        });
        if let Some(symbols) = symbols {
            *inner.entry(symbols).or_default() += joint[length];
        }
    }
    with_boundaries(inner)
}

/// Adds the n-grams that start or end a word.
fn with_boundaries(inner: Table) -> Table {
    let (mut starts, mut ends) = (Table::default(), Table::default());
    for (key, frequency) in &inner {
        if length(*key) < LONGEST_NGRAM {
            *starts.entry(*key).or_default() += frequency;
            *ends.entry(*key).or_default() += frequency;
        }
        if length(*key) > 1 {
            let suffix = key & !(0xFF << (8 * (length(*key) - 1)));
            *starts.entry(suffix).or_default() -= frequency;
            *ends.entry(key >> 8).or_default() -= frequency;
        }
    }
    let mut words = Table::default();
    for (key, frequency) in &starts {
        if length(*key) < LONGEST_NGRAM - 1 {
            *words.entry(*key).or_default() += frequency;
        }
        if length(*key) > 1 {
            *words.entry(key >> 8).or_default() -= frequency;
        }
    }
    let boundary = u64::from(WORD_BOUNDARY);
    let mut all = inner;
    for (key, frequency) in starts {
        if frequency > NOISE {
            all.insert(boundary << (8 * length(key)) | key, frequency);
        }
    }
    for (key, frequency) in ends {
        if frequency > NOISE {
            all.insert(key << 8 | boundary, frequency);
        }
    }
    for (key, frequency) in words {
        if frequency > NOISE {
            all.insert(boundary << (8 * (length(key) + 1)) | key << 8 | boundary, frequency);
        }
    }
    all
}

/// Number of symbols in a key.
pub fn length(key: u64) -> usize {
    (64 - key.leading_zeros() as usize).div_ceil(8)
}
