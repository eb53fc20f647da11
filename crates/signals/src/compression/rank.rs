//! How much each sentence of a text says. Time is linear in the number of words: similarities between
//! sentences are never written down, only multiplied through the words they share.

use std::{collections::HashMap, ops::Range};

use super::{CompressionWeights, terms::for_each_term};

/// The damping of TextRank, and when it stops.
const DAMPING: f64 = 0.85;
const ROUNDS: usize = 100;
const CLOSE_ENOUGH: f64 = 1e-5;

/// Sentences as counts of terms.
struct Matrix {
    /// Per sentence, its terms with their counts, in order of first occurrence.
    rows: Vec<Vec<(u32, f64)>>,
    /// Per sentence, the length of its vector of counts.
    lengths: Vec<f64>,
    /// In how many sentences each term occurs.
    frequencies: Vec<u32>,
}

/// The score of each part of `text`.
pub(super) fn scores(text: &str, parts: &[Range<usize>], weights: &CompressionWeights) -> Vec<f64> {
    let matrix = Matrix::of(text, parts);
    let mut scores = vec![0.0; parts.len()];
    let mut add = |weight: f64, values: &dyn Fn() -> Vec<f64>| {
        if weight > 0.0 {
            let values = values();
            scores.iter_mut().zip(values).for_each(|(score, value)| *score += weight * value);
        }
    };
    add(weights.textrank, &|| by_maximum(matrix.textrank()));
    add(weights.position, &|| positions(parts.len(), weights.position_depth));
    add(weights.tfidf, &|| by_maximum(matrix.tfidf()));
    add(weights.novelty, &|| by_maximum(matrix.novelty()));
    scores
}

/// `1 − depth·sin(π·t)`: the ends count most.
fn positions(count: usize, depth: f64) -> Vec<f64> {
    let last = count.saturating_sub(1).max(1) as f64;
    (0..count).map(|index| 1.0 - depth * (std::f64::consts::PI * index as f64 / last).sin()).collect()
}

fn by_maximum(mut values: Vec<f64>) -> Vec<f64> {
    let most = values.iter().copied().fold(0.0, f64::max);
    if most > 0.0 {
        values.iter_mut().for_each(|value| *value /= most);
    }
    values
}

// === impl Matrix

impl Matrix {
    fn of(text: &str, parts: &[Range<usize>]) -> Self {
        let mut numbers: HashMap<Box<str>, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut frequencies: Vec<u32> = Vec::new();
        // Where each term stands in the row under construction, and for which row that holds.
        let mut places: Vec<(usize, usize)> = Vec::new();
        let mut rows = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let mut row: Vec<(u32, f64)> = Vec::new();
            for_each_term(&text[part.clone()], |term| {
                let number = match numbers.get(term) {
                    Some(number) => *number,
                    None => {
                        let number = frequencies.len() as u32;
                        numbers.insert(term.into(), number);
                        frequencies.push(0);
                        places.push((usize::MAX, 0));
                        number
                    }
                };
                let place = &mut places[number as usize];
                if place.0 == index {
                    row[place.1].1 += 1.0;
                } else {
                    *place = (index, row.len());
                    frequencies[number as usize] += 1;
                    row.push((number, 1.0));
                }
            });
            rows.push(row);
        }
        let length = |row: &Vec<(u32, f64)>| row.iter().map(|(_, count)| count * count).sum::<f64>().sqrt();
        let lengths = rows.iter().map(length).collect();
        Self { rows, lengths, frequencies }
    }

    /// The product of the cosine similarities of all sentences with `vector`, each sentence's with itself
    /// left out.
    fn similarities_times(&self, vector: &[f64], terms: &mut [f64], product: &mut [f64]) {
        terms.fill(0.0);
        for ((row, length), value) in self.rows.iter().zip(&self.lengths).zip(vector) {
            if *length > 0.0 {
                row.iter().for_each(|(term, count)| terms[*term as usize] += count / length * value);
            }
        }
        for (index, (row, length)) in self.rows.iter().zip(&self.lengths).enumerate() {
            product[index] = 0.0;
            if *length > 0.0 {
                let with_itself: f64 =
                    row.iter().map(|(term, count)| count / length * terms[*term as usize]).sum();
                product[index] = (with_itself - vector[index]).max(0.0);
            }
        }
    }

    /// Weighted PageRank over the graph of cosine similarities (Mihalcea and Tarau 2004, equation 2).
    fn textrank(&self) -> Vec<f64> {
        let count = self.rows.len();
        let mut terms = vec![0.0; self.frequencies.len()];
        let mut outgoing = vec![0.0; count];
        self.similarities_times(&vec![1.0; count], &mut terms, &mut outgoing);
        let mut ranks = vec![1.0; count];
        let mut shares = vec![0.0; count];
        let mut received = vec![0.0; count];
        for _ in 0..ROUNDS {
            for ((share, rank), outgoing) in shares.iter_mut().zip(&ranks).zip(&outgoing) {
                *share = if *outgoing > 1e-12 { rank / outgoing } else { 0.0 };
            }
            self.similarities_times(&shares, &mut terms, &mut received);
            let mut change = 0.0_f64;
            for (rank, received) in ranks.iter_mut().zip(&received) {
                let next = 1.0 - DAMPING + DAMPING * received;
                change = change.max((next - *rank).abs());
                *rank = next;
            }
            if change < CLOSE_ENOUGH {
                break;
            }
        }
        ranks
    }

    /// The sum of `tf·ln((N+1)/(df+1))`, tf being a share of the sentence's terms.
    fn tfidf(&self) -> Vec<f64> {
        let documents = (self.rows.len() + 1) as f64;
        let of_row = |row: &Vec<(u32, f64)>| {
            let total: f64 = row.iter().map(|(_, count)| count).sum();
            let rarity = |term: u32| (documents / f64::from(self.frequencies[term as usize] + 1)).ln();
            row.iter().map(|(term, count)| count / total * rarity(*term)).sum()
        };
        self.rows.iter().map(of_row).collect()
    }

    /// `1 − cos` of a sentence and the sum of all.
    fn novelty(&self) -> Vec<f64> {
        let mut centroid = vec![0.0; self.frequencies.len()];
        for (term, count) in self.rows.iter().flatten() {
            centroid[*term as usize] += count;
        }
        let norm = centroid.iter().map(|value| value * value).sum::<f64>().sqrt();
        let of_row = |(row, length): (&Vec<(u32, f64)>, &f64)| {
            let product: f64 = row.iter().map(|(term, count)| count * centroid[*term as usize]).sum();
            if *length > 0.0 && norm > 0.0 { 1.0 - product / (length * norm) } else { 0.0 }
        };
        self.rows.iter().zip(&self.lengths).map(of_row).collect()
    }
}
