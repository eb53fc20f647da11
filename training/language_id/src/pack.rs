//! Writes the packed model (its layout is described where it is read).

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::alphabet::LANGUAGES;
use crate::counts;
use crate::detector::model::{FINGERPRINT_BITS, MAGIC, ROW_FOLLOWS, locate};
use crate::detector::script::LETTER_SLOTS;
use crate::learner::Learner;

/// What one group contributes.
pub struct Part {
    pub group: usize,
    pub learner: Learner,
    pub temperature: f32,
    pub exponent: f32,
}

/// One weight step in nats.
pub const WEIGHT_UNIT: f32 = 1.0 / 40.0;
/// An n-gram with more weights than this is written as a row.
const MOST_POSTINGS: usize = 22;

pub fn pack(parts: &[Part], classes: &[u8; LETTER_SLOTS], han: &[i8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(LANGUAGES.iter().map(|group| group.len()).sum::<usize>() as u8);
    out.extend(WEIGHT_UNIT.to_le_bytes());
    let mut first = 0;
    let mut bodies = Vec::new();
    for part in parts {
        let (symbols, bucket_bits, body) = group_body(part, first);
        bodies.push(body);
        out.extend([first, LANGUAGES[part.group].len() as u8, symbols as u8, bucket_bits as u8]);
        out.extend(part.temperature.to_le_bytes());
        out.extend(part.exponent.to_le_bytes());
        first += LANGUAGES[part.group].len() as u8;
    }
    for (code, _) in LANGUAGES.iter().copied().flatten() {
        out.extend(code.as_bytes());
    }
    for part in parts {
        for bias in &part.learner.biases {
            out.extend(((bias / WEIGHT_UNIT).round() as i16).to_le_bytes());
        }
    }
    out.extend(classes);
    out.extend(han.iter().map(|weight| weight.cast_unsigned()));
    bodies.iter().for_each(|body| out.extend(body));
    out
}

/// The weights of n-grams, and where a row replaces them.
struct Layout<'l> {
    learner: &'l Learner,
    rows: HashMap<u64, Vec<u8>>,
    clipped: usize,
}

impl Layout<'_> {
    fn own(&self, key: u64) -> Option<&[f32]> {
        let row = *self.learner.index.get(&key)? as usize;
        Some(&self.learner.weights[row * self.learner.languages..(row + 1) * self.learner.languages])
    }

    /// The row of an n-gram: its weights and those of every shorter one that ends in it.
    fn row(&mut self, key: u64) -> Vec<u8> {
        let mut sum = vec![0f32; self.learner.languages];
        for length in 1..=counts::length(key) {
            if let Some(weights) = self.own(suffix(key, length)) {
                sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
            }
        }
        // Softmax cannot see a shift of the whole row: use it to keep the row inside a byte.
        let (least, most) = sum.iter().fold((0f32, 0f32), |(a, b), w| (a.min(*w), b.max(*w)));
        let limit = 127.0 * WEIGHT_UNIT;
        if least < -limit || most > limit {
            sum.iter_mut().for_each(|weight| *weight -= (least + most) / 2.0);
            self.clipped += usize::from(most - least > 2.0 * limit);
        }
        sum.iter().map(|weight| quantised(*weight).cast_unsigned()).collect()
    }
}

fn quantised(weight: f32) -> i8 {
    (weight / WEIGHT_UNIT).round().clamp(-127.0, 127.0) as i8
}

fn suffix(key: u64, length: usize) -> u64 {
    key & (u64::MAX >> (64 - 8 * length))
}

/// The pair table, rows, buckets and entries of one group, with its symbol count and bucket bits.
fn group_body(part: &Part, first: u8) -> (usize, u32, Vec<u8>) {
    let learner = &part.learner;
    let mut layout = Layout { learner, rows: HashMap::new(), clipped: 0 };
    let symbols = 1 + learner.keys.iter().map(|key| *key as u8).max().map_or(0, usize::from);
    let mut out = Vec::new();
    let mut rows: Vec<u8> = Vec::new();
    let mut known: HashMap<Vec<u8>, u16> = HashMap::new();
    for before in 0..symbols as u64 {
        for symbol in 0..symbols as u64 {
            let row = layout.row(if before == 0 { symbol.max(1) } else { before << 8 | symbol.max(1) });
            let next = known.len() as u16;
            let number = *known.entry(row.clone()).or_insert_with(|| {
                rows.extend(&row);
                next
            });
            out.extend(number.to_le_bytes());
        }
    }
    out.extend((known.len() as u16).to_le_bytes());
    out.extend(&rows);
    let entries = entries_of(&mut layout);
    let bucket_bits = (entries.len() as f64 / 2.0).log2().round().max(4.0) as u32;
    let mut buckets = vec![Vec::new(); 1 << bucket_bits];
    let mut taken = HashSet::new();
    let (mut weights, mut dropped, mut row_count) = (0, 0, 0);
    for (key, (extends, postings)) in &entries {
        let (bucket, fingerprint) = locate(*key, bucket_bits);
        if !taken.insert((bucket, fingerprint)) {
            dropped += 1;
            continue;
        }
        let row = layout.rows.get(key);
        let count = if row.is_some() { ROW_FOLLOWS } else { postings.len() as u16 };
        let header = fingerprint | u16::from(*extends) << FINGERPRINT_BITS | count << (FINGERPRINT_BITS + 1);
        let bytes: &mut Vec<u8> = &mut buckets[bucket];
        bytes.extend(header.to_le_bytes());
        match row {
            Some(row) => bytes.extend(row),
            None => postings.iter().for_each(|(language, weight)| {
                bytes.extend([first + *language as u8, weight.cast_unsigned()])
            }),
        }
        weights += if row.is_some() { 0 } else { postings.len() };
        row_count += usize::from(row.is_some());
    }
    let mut start = 0usize;
    for bucket in &buckets {
        out.extend((start as u32).to_le_bytes());
        start += bucket.len();
    }
    out.extend((start as u32).to_le_bytes());
    buckets.iter().for_each(|bucket| out.extend(bucket));
    eprintln!(
        "  packed: {} pair rows, {} n-grams ({row_count} as rows), {weights} postings, {dropped} lost to equal fingerprints, {} rows clipped, {} bytes",
        known.len(),
        entries.len(),
        layout.clipped,
        out.len()
    );
    (symbols, bucket_bits, out)
}

type Postings = Vec<(usize, i8)>;

/// The n-grams of three and more symbols with weights, and those that lead to longer ones.
fn entries_of(layout: &mut Layout) -> BTreeMap<u64, (bool, Postings)> {
    let mut entries: BTreeMap<u64, (bool, Postings)> = BTreeMap::new();
    let mut keys = layout.learner.keys.clone();
    keys.sort_by_key(|key| (counts::length(*key), *key));
    for key in keys {
        let length = counts::length(key);
        let Some(weights) = layout.own(key).filter(|_| length >= 3) else { continue };
        let mut postings: Postings = weights
            .iter()
            .enumerate()
            .map(|(language, weight)| (language, quantised(*weight)))
            .filter(|(_, weight)| *weight != 0)
            .collect();
        if postings.is_empty() {
            continue;
        }
        let row_below = length == 3 || layout.rows.contains_key(&suffix(key, length - 1));
        if postings.len() > MOST_POSTINGS && row_below {
            let row = layout.row(key);
            layout.rows.insert(key, row);
        }
        postings.sort_by_key(|(_, weight)| std::cmp::Reverse(weight.unsigned_abs()));
        postings.truncate(usize::from(ROW_FOLLOWS) - 1);
        entries.entry(key).or_default().1 = postings;
        for shorter in 3..length {
            entries.entry(suffix(key, shorter)).or_default().0 = true;
        }
    }
    entries
}
