//! Learns sparse n-gram weights for the languages of one group: softmax regression, FTRL-proximal with L1.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::counts::{KeyHasher, Table};
use crate::detector::model::{LONGEST_NGRAM, WORD_BOUNDARY};
use crate::synthesis::{Author, Dice};

/// One word in so many is one that people open a chat with.
const CHAT_WORD_EVERY: usize = 16;

/// How a group is trained.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// n-grams rarer than this (relative to the letters) in every language are not considered.
    pub rarest: f64,
    pub l1: f32,
    pub rate: f32,
    pub samples: usize,
    /// Further samples that refit the weights that stay, without the pull to zero.
    pub refit_samples: usize,
    /// Most weights kept.
    pub postings: usize,
}

/// Row numbers of n-grams.
pub type Index = HashMap<u64, u32, BuildHasherDefault<KeyHasher>>;

pub struct Learner {
    pub index: Index,
    pub keys: Vec<u64>,
    pub weights: Vec<f32>,
    z: Vec<f32>,
    n: Vec<f32>,
    seen: Vec<u32>,
    pub biases: Vec<f32>,
    pub languages: usize,
    recipe: Recipe,
    frozen: bool,
}

impl Learner {
    pub fn new(tables: &[Table], recipe: Recipe) -> Self {
        let mut index = Index::default();
        let mut keys = Vec::new();
        for table in tables {
            for (key, frequency) in table {
                if *frequency >= recipe.rarest && !index.contains_key(key) {
                    index.insert(*key, 0);
                    keys.push(*key);
                }
            }
        }
        keys.sort_unstable();
        for (row, key) in keys.iter().enumerate() {
            index.insert(*key, row as u32);
        }
        let cells = keys.len() * tables.len();
        Self {
            weights: vec![0.0; cells],
            z: vec![0.0; cells],
            n: vec![0.0; cells],
            seen: vec![0; keys.len()],
            biases: vec![0.0; tables.len()],
            languages: tables.len(),
            index,
            keys,
            recipe,
            frozen: false,
        }
    }

    pub fn train(&mut self, authors: &[Author], dice: &mut Dice) {
        self.run(authors, dice, self.recipe.samples);
        self.center();
        self.prune();
        self.frozen = true;
        self.run(authors, dice, self.recipe.refit_samples);
    }

    fn run(&mut self, authors: &[Author], dice: &mut Dice, samples: usize) {
        let mut rows = Vec::new();
        let mut word = Vec::new();
        let mut wrong = 0usize;
        for sample in 0..samples {
            let language = dice.below(self.languages);
            rows.clear();
            compose(&authors[language], dice, &mut word, |word| self.rows_of(word, &mut rows));
            wrong += usize::from(self.step(&mut rows, language));
            if (sample + 1) % (samples / 8).max(1) == 0 {
                eprintln!(
                    "    {:>8} samples, error {:.4}",
                    sample + 1,
                    wrong as f64 / (samples / 8).max(1) as f64
                );
                wrong = 0;
            }
        }
    }

    /// Appends the rows of the n-grams of a word.
    pub fn rows_of(&self, word: &[u8], rows: &mut Vec<u32>) {
        each_window(word, |key| match self.index.get(&key) {
            Some(row) => {
                rows.push(*row);
                true
            }
            None => false,
        });
    }

    pub fn scores(&self, rows: &[u32]) -> Vec<f32> {
        let mut scores = self.biases.clone();
        for row in rows {
            let start = *row as usize * self.languages;
            for (score, weight) in scores.iter_mut().zip(&self.weights[start..start + self.languages]) {
                *score += weight;
            }
        }
        scores
    }

    /// One gradient step; whether the sample was classified wrongly before it.
    fn step(&mut self, rows: &mut [u32], language: usize) -> bool {
        let mut scores = self.scores(rows);
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let wrong = scores[language] < best;
        scores.iter_mut().for_each(|score| *score = (*score - best).exp());
        let total: f32 = scores.iter().sum();
        let mut gradients: Vec<(usize, f32)> = Vec::with_capacity(8);
        for (other, score) in scores.iter().enumerate() {
            let gradient = score / total - if other == language { 1.0 } else { 0.0 };
            if gradient.abs() > 2e-3 {
                gradients.push((other, gradient));
            }
        }
        if gradients.is_empty() {
            return wrong;
        }
        rows.sort_unstable();
        let mut at = 0;
        while at < rows.len() {
            let row = rows[at];
            let mut times = 0.0;
            while at < rows.len() && rows[at] == row {
                times += 1.0;
                at += 1;
            }
            self.seen[row as usize] += 1;
            for (other, gradient) in &gradients {
                self.update(row as usize * self.languages + other, gradient * times);
            }
        }
        wrong
    }

    fn update(&mut self, cell: usize, gradient: f32) {
        let weight = self.weights[cell];
        if self.frozen && weight == 0.0 {
            return;
        }
        let n = self.n[cell];
        let grown = n + gradient * gradient;
        if self.frozen {
            self.n[cell] = grown;
            let moved = weight - self.recipe.rate * 0.5 * gradient / (1.0 + grown.sqrt());
            self.weights[cell] = if moved == 0.0 { f32::MIN_POSITIVE } else { moved };
            return;
        }
        self.z[cell] += gradient - (grown.sqrt() - n.sqrt()) / self.recipe.rate * weight;
        self.n[cell] = grown;
        let z = self.z[cell];
        self.weights[cell] = if z.abs() <= self.recipe.l1 {
            0.0
        } else {
            -(z - self.recipe.l1.copysign(z)) / ((1.0 + grown.sqrt()) / self.recipe.rate)
        };
    }

    /// Moves every row by a constant (which softmax cannot see) so that most of its weights vanish.
    fn center(&mut self) {
        for row in self.weights.chunks_exact_mut(self.languages) {
            let mut sorted = row.to_vec();
            sorted.sort_unstable_by(f32::total_cmp);
            let median = sorted[sorted.len() / 2];
            if median != 0.0 {
                row.iter_mut().for_each(|weight| *weight -= median);
            }
        }
    }

    /// Keeps the weights that matter most.
    fn prune(&mut self) {
        let languages = self.languages;
        let importance =
            |cell: usize, weight: f32, seen: &[u32]| weight.abs() * (seen[cell / languages] as f32).sqrt();
        let mut ranked: Vec<f32> = self
            .weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight != 0.0)
            .map(|(cell, weight)| importance(cell, *weight, &self.seen))
            .collect();
        eprintln!("    {} n-grams considered, {} weights not zero", self.keys.len(), ranked.len());
        if ranked.len() <= self.recipe.postings {
            return;
        }
        ranked.sort_unstable_by(|a, b| b.total_cmp(a));
        let least = ranked[self.recipe.postings];
        for cell in 0..self.weights.len() {
            if importance(cell, self.weights[cell], &self.seen) < least {
                self.weights[cell] = 0.0;
            }
        }
    }
}

/// Calls `visit` with the key of every n-gram of a word, shortest first at each position; a `false` answer
/// skips the longer ones that end there.
pub fn each_window(word: &[u8], mut visit: impl FnMut(u64) -> bool) {
    let mut window = u64::from(WORD_BOUNDARY);
    let mut filled = 1;
    for symbol in word.iter().copied().chain([WORD_BOUNDARY]) {
        window = (window << 8 | u64::from(symbol)) & 0xFF_FFFF_FFFF;
        filled = LONGEST_NGRAM.min(filled + 1);
        let shortest = if symbol == WORD_BOUNDARY { 2 } else { 1 };
        for length in shortest..=filled {
            if !visit(window & (u64::MAX >> (64 - 8 * length))) {
                break;
            }
        }
    }
}

/// Makes a text of one to some twenty words; a part of the texts avoids short words, which carry little.
fn compose(author: &Author, dice: &mut Dice, word: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
    let words = match dice.below(10) {
        0 => 1,
        1..=4 => 2,
        5..=6 => 3 + dice.below(3),
        _ => 6 + dice.below(12),
    };
    let shortest = if words <= 3 && dice.below(2) == 0 { 5 } else { 1 };
    for _ in 0..words {
        if !author.chat_words.is_empty() && dice.below(CHAT_WORD_EVERY) == 0 {
            take(&author.chat_words[dice.below(author.chat_words.len())]);
            continue;
        }
        for _ in 0..6 {
            author.word(dice, word);
            if word.len() >= shortest {
                break;
            }
        }
        take(word);
    }
}
