//! Makes words of a language from its n-gram statistics (a Markov chain of order 4 with word edges).

use crate::counts::{self, Table};
use crate::detector::model::{LONGEST_NGRAM, WORD_BOUNDARY};
use crate::detector::script::{Glyph, LETTER_SLOTS, glyph, group_of_slot};

/// A small deterministic random source (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }
}

/// Writes words of one language.
pub struct Author {
    contexts: std::collections::HashMap<u64, (u32, u32), std::hash::BuildHasherDefault<counts::KeyHasher>>,
    symbols: Vec<u8>,
    cumulative: Vec<f64>,
    /// Words that are mixed in, in symbols.
    pub chat_words: Vec<Vec<u8>>,
}

/// The words of the chat list for a language, in symbols.
pub fn chat_words(code: &str, group: usize, classes: &[u8; LETTER_SLOTS]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    for line in include_str!("../chat_words.txt").lines() {
        let Some(list) = line.strip_prefix(code).filter(|list| list.starts_with(' ')) else { continue };
        let symbol = |c: char| match glyph(c.to_lowercase().next().unwrap_or(c)) {
            Glyph::Slot(slot) if group_of_slot(slot) == group => classes[slot],
            _ => 0,
        };
        let symbols: Vec<u8> = list.chars().map(symbol).collect();
        words
            .extend(symbols.split(|symbol| *symbol == 0).filter(|word| !word.is_empty()).map(<[u8]>::to_vec));
    }
    words
}

impl Author {
    pub fn new(table: &Table) -> Self {
        let mut steps: Vec<(u64, f64)> = table
            .iter()
            .filter(|(key, _)| {
                let length = counts::length(**key);
                length == LONGEST_NGRAM
                    || (length > 1 && **key >> (8 * (length - 1)) == u64::from(WORD_BOUNDARY))
            })
            .map(|(key, frequency)| (*key, *frequency))
            .collect();
        steps.sort_unstable_by_key(|(key, _)| *key);
        let mut author = Self {
            contexts: Default::default(),
            symbols: Vec::new(),
            cumulative: Vec::new(),
            chat_words: Vec::new(),
        };
        let mut at = 0;
        while at < steps.len() {
            let context = steps[at].0 >> 8;
            let first = author.symbols.len() as u32;
            let mut sum = 0.0;
            while at < steps.len() && steps[at].0 >> 8 == context {
                sum += steps[at].1;
                author.symbols.push(steps[at].0 as u8);
                author.cumulative.push(sum);
                at += 1;
            }
            author.contexts.insert(context, (first, author.symbols.len() as u32));
        }
        author
    }

    /// Appends one word (without its boundaries) to `word`.
    pub fn word(&self, dice: &mut Dice, word: &mut Vec<u8>) {
        word.clear();
        let mut window = u64::from(WORD_BOUNDARY);
        while word.len() < 30 {
            let Some(&(first, last)) = self.contexts.get(&window) else { break };
            let (first, last) = (first as usize, last as usize);
            let wanted = dice.unit() * self.cumulative[last - 1];
            let at = first + self.cumulative[first..last].partition_point(|sum| *sum <= wanted);
            let symbol = self.symbols[at.min(last - 1)];
            if symbol == WORD_BOUNDARY {
                break;
            }
            word.push(symbol);
            window = (window << 8 | u64::from(symbol)) & 0xFFFF_FFFF;
        }
    }
}
