//! A unigram tokenizer's vocabulary in a few flat arrays, behind the tokenizer library's model trait.
//!
//! The library keeps such a vocabulary in a tree of hash maps, 100 MB for 60,000 pieces; sorted pieces take 2 MB. The
//! segmentation is the same: the path of pieces with the greatest sum of scores (Kudo 2018, "Subword Regularization"),
//! characters without a piece scored 10 below the least likely piece, and neighbouring ones joined.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokenizers::models::unigram::UnigramTrainer;
use tokenizers::{Model, Token};

/// How much less likely than the least likely piece an unknown character is.
const UNKNOWN_PENALTY: f64 = 10.0;

/// The `model` part of a `tokenizer.json` of type Unigram, without byte fallback.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub(crate) struct Unigram {
    /// All pieces, sorted by their bytes, one behind the other.
    pieces: Vec<u8>,
    /// Where each piece begins, and the end of the last.
    starts: Vec<u32>,
    ids: Vec<u32>,
    scores: Vec<f64>,
    /// The place of each id among the sorted pieces; `u32::MAX` if it has none.
    places: Vec<u32>,
    /// The first piece that begins with this byte or a later one.
    by_first_byte: Vec<u32>,
    unknown: Option<u32>,
    unknown_score: f64,
}

#[derive(Deserialize)]
struct Raw {
    vocab: Vec<(String, f64)>,
    unk_id: Option<u32>,
}

impl TryFrom<Raw> for Unigram {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let lowest = raw.vocab.iter().fold(f64::INFINITY, |least, (_, score)| least.min(*score));
        let count = raw.vocab.len();
        let mut sorted: Vec<(String, f64, u32)> =
            (0_u32..).zip(raw.vocab).map(|(id, (piece, score))| (piece, score, id)).collect();
        // Of equal pieces the last one counts.
        sorted.sort_unstable_by(|a, b| (a.0.as_bytes(), b.2).cmp(&(b.0.as_bytes(), a.2)));
        sorted.dedup_by(|next, kept| next.0 == kept.0);
        let mut made = Self {
            pieces: Vec::new(),
            starts: vec![0],
            ids: Vec::with_capacity(sorted.len()),
            scores: Vec::with_capacity(sorted.len()),
            places: vec![u32::MAX; count],
            by_first_byte: Vec::new(),
            unknown: raw.unk_id,
            unknown_score: lowest - UNKNOWN_PENALTY,
        };
        if made.unknown.is_some_and(|id| id as usize >= count) {
            return Err("unk_id is not in the vocabulary".to_owned());
        }
        for (place, (piece, score, id)) in (0_u32..).zip(sorted) {
            made.pieces.extend_from_slice(piece.as_bytes());
            let end =
                u32::try_from(made.pieces.len()).map_err(|_| "the vocabulary is too large".to_owned())?;
            made.starts.push(end);
            made.ids.push(id);
            made.scores.push(score);
            made.places[id as usize] = place;
        }
        made.pieces.shrink_to_fit();
        let places = 0..made.ids.len();
        for byte in 0..=256_usize {
            let (mut low, mut high) = (places.start, places.end);
            while low < high {
                let middle = usize::midpoint(low, high);
                match made.piece(middle).first() {
                    Some(first) if usize::from(*first) >= byte => high = middle,
                    _ => low = middle + 1,
                }
            }
            made.by_first_byte.push(u32::try_from(low).unwrap_or(u32::MAX));
        }
        Ok(made)
    }
}

/// The best way to an offset of the text.
#[derive(Clone, Copy)]
struct Step {
    score: f64,
    start: usize,
    /// The piece's place, or none for an unknown character.
    place: Option<usize>,
}

impl Unigram {
    fn piece(&self, place: usize) -> &[u8] {
        &self.pieces[self.starts[place] as usize..self.starts[place + 1] as usize]
    }

    fn text(&self, place: usize) -> String {
        String::from_utf8_lossy(self.piece(place)).into_owned()
    }

    /// Calls `found` with the place of every piece that `bytes` begins with, the shortest first.
    fn prefixes(&self, bytes: &[u8], mut found: impl FnMut(usize)) {
        let Some(&first) = bytes.first() else { return };
        let bound = |byte: usize| self.by_first_byte.get(byte).map_or(0, |place| *place as usize);
        let (mut low, mut high) = (bound(usize::from(first)), bound(usize::from(first) + 1));
        for depth in 1..=bytes.len() {
            // All of low..high begin with the first `depth` bytes; the piece that is just these comes first.
            if low < high && self.piece(low).len() == depth {
                found(low);
                low += 1;
            }
            let Some(&byte) = bytes.get(depth) else { return };
            low = self.first_where(low, high, |piece| piece[depth] >= byte);
            high = self.first_where(low, high, |piece| piece[depth] > byte);
            if low >= high {
                return;
            }
        }
    }

    /// The first of `low..high` for which `holds`, which no earlier and all later ones do; `high` if there is none.
    fn first_where(&self, mut low: usize, mut high: usize, holds: impl Fn(&[u8]) -> bool) -> usize {
        while low < high {
            let middle = usize::midpoint(low, high);
            if holds(self.piece(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// The best path's steps to every offset; none where no piece ends.
    fn steps(&self, text: &str) -> Vec<Option<Step>> {
        let mut best: Vec<Option<Step>> = vec![None; text.len() + 1];
        for (start, character) in text.char_indices() {
            let before =
                if start == 0 { 0.0 } else { best[start].map_or(f64::NEG_INFINITY, |step| step.score) };
            let mut offer = |end: usize, score: f64, place: Option<usize>| {
                if best[end].is_none_or(|step| score > step.score) {
                    best[end] = Some(Step { score, start, place });
                }
            };
            let mut single = false;
            self.prefixes(&text.as_bytes()[start..], |place| {
                let length = self.piece(place).len();
                single |= length == character.len_utf8();
                offer(start + length, before + self.scores[place], Some(place));
            });
            if !single {
                offer(start + character.len_utf8(), before + self.unknown_score, None);
            }
        }
        best
    }
}

impl Model for Unigram {
    type Trainer = UnigramTrainer;

    fn tokenize(&self, text: &str) -> tokenizers::Result<Vec<Token>> {
        let best = self.steps(text);
        let mut tokens: Vec<Token> = Vec::new();
        let mut end = text.len();
        let mut last_unknown = false;
        while end > 0 {
            let step = best.get(end).copied().flatten().ok_or("a piece ends between characters")?;
            // A vocabulary's own unknown piece counts as one, too.
            let known = step.place.filter(|place| Some(self.ids[*place]) != self.unknown);
            match (known, tokens.last_mut()) {
                (Some(place), _) => {
                    tokens.push(Token::new(self.ids[place], self.text(place), (step.start, end)));
                }
                (None, Some(next)) if last_unknown => {
                    next.offsets.0 = step.start;
                    next.value = text[step.start..next.offsets.1].to_owned();
                }
                (None, _) => {
                    let unknown = self.unknown.ok_or("the text has a character that the vocabulary lacks")?;
                    tokens.push(Token::new(unknown, text[step.start..end].to_owned(), (step.start, end)));
                }
            }
            last_unknown = known.is_none();
            end = step.start;
        }
        tokens.reverse();
        Ok(tokens)
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        let place = self.first_where(0, self.ids.len(), |piece| piece >= token.as_bytes());
        (place < self.ids.len() && self.piece(place) == token.as_bytes()).then(|| self.ids[place])
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        let place = self.places.get(id as usize).filter(|place| **place != u32::MAX)?;
        Some(self.text(*place as usize))
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        (0..self.ids.len()).map(|place| (self.text(place), self.ids[place])).collect()
    }

    fn get_vocab_size(&self) -> usize {
        self.places.len()
    }

    fn save(&self, _folder: &Path, _prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        Err("a packed tokenizer is not written back".into())
    }

    fn get_trainer(&self) -> UnigramTrainer {
        UnigramTrainer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both(vocabulary: &[(&str, f64)]) -> (Unigram, tokenizers::models::unigram::Unigram) {
        let json = serde_json::json!({"type": "Unigram", "unk_id": 0, "vocab": vocabulary}).to_string();
        (serde_json::from_str(&json).unwrap(), serde_json::from_str(&json).unwrap())
    }

    proptest! {
        #[test]
        fn segmentation_is_the_librarys(
            pieces in prop::collection::btree_map("[abc▁é一]{1,4}", -9.0_f64..-1.0, 0..30),
            text in "[abcd▁é一二]{0,24}",
        ) {
            let mut vocabulary = vec![("<unk>", 0.0)];
            vocabulary.extend(pieces.iter().map(|(piece, score)| (piece.as_str(), *score)));
            let (ours, library) = both(&vocabulary);
            prop_assert_eq!(ours.tokenize(&text).unwrap(), library.tokenize(&text).unwrap());
            for (id, (piece, _)) in (0_u32..).zip(&vocabulary) {
                prop_assert_eq!(ours.token_to_id(piece), Some(id));
                prop_assert_eq!(ours.id_to_token(id), Some((*piece).to_owned()));
            }
            prop_assert_eq!(ours.token_to_id("zz"), None);
        }
    }
}
