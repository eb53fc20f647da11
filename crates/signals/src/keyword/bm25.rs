//! BM25: each keyword is a document, the text is the query; scored in one pass for all rules.
//!
//! Robertson and Zaragoza (2009), with k1 = 1.2, b = 0.75, the always-positive
//! idf = ln(1 + (N - n + 0.5) / (n + 0.5)), and a rule's keywords as the collection. Terms are English:
//! stop words removed, Snowball stems, accents of Latin letters ignored. Scripts without spaces give
//! their character pairs as terms (single characters where a run has only one). A term counts as
//! often as the text has it.

use std::{borrow::Cow, collections::HashMap};

use foldhash::fast::RandomState;
use rust_stemmers::{Algorithm, Stemmer};

use super::{
    memo::{self, MemoOwner},
    terms::{is_stop_word, plain_latin},
};
use crate::{
    characters::fold,
    words::{Readers, Words},
};

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// The average document length assumed where no keyword has a term.
const FALLBACK_AVERAGE_TERMS: f64 = 256.0;
/// Words longer than this, in bytes, are not stemmed.
const MAX_STEMMED_BYTES: usize = 64;

/// The keywords of every BM25 rule.
pub(crate) struct Bm25Index {
    stemmer: Stemmer,
    terms: HashMap<Box<str>, u32, RandomState>,
    /// Per term, its documents.
    postings: Vec<Vec<Posting>>,
    pairs: HashMap<(char, char), Vec<Posting>, RandomState>,
    singles: HashMap<char, Vec<Posting>, RandomState>,
    prefixes: Prefixes,
    documents: usize,
}

/// What one occurrence of a term in the text adds to a document's score.
#[derive(Debug, Clone, Copy)]
struct Posting {
    document: u32,
    impact: f64,
}

/// Which beginnings a word must have to be worth stemming: a stem keeps the first letters of its word.
#[derive(Debug)]
struct Prefixes {
    two: [bool; 1 << 10],
    three: Vec<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Term {
    Stem(Box<str>),
    Pair(char, char),
    Single(char),
}

// === impl Bm25Index

impl Default for Bm25Index {
    fn default() -> Self {
        Self {
            stemmer: Stemmer::create(Algorithm::English),
            terms: HashMap::default(),
            postings: Vec::new(),
            pairs: HashMap::default(),
            singles: HashMap::default(),
            prefixes: Prefixes { two: [false; 1 << 10], three: vec![false; 1 << 15] },
            documents: 0,
        }
    }
}

impl std::fmt::Debug for Bm25Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bm25Index").field("documents", &self.documents).finish_non_exhaustive()
    }
}

impl Bm25Index {
    /// Adds a rule's keywords; they become the documents from the returned number on. The second part
    /// tells which keywords have no term, so that they can never be found.
    pub(crate) fn add_rule(&mut self, keywords: &[String]) -> (usize, Vec<usize>) {
        let first = self.documents;
        let documents: Vec<HashMap<Term, u32>> = keywords.iter().map(|text| self.terms_of(text)).collect();
        let lengths: Vec<u32> = documents.iter().map(|terms| terms.values().sum()).collect();
        let total: u32 = lengths.iter().sum();
        let average = match total {
            0 => FALLBACK_AVERAGE_TERMS,
            _ => f64::from(total) / keywords.len() as f64,
        };
        let mut holders: HashMap<&Term, u32> = HashMap::new();
        for term in documents.iter().flat_map(HashMap::keys) {
            *holders.entry(term).or_default() += 1;
        }
        for (offset, (terms, length)) in documents.iter().zip(&lengths).enumerate() {
            for (term, occurrences) in terms {
                let held_by = f64::from(holders[term]);
                let idf = (1.0 + (keywords.len() as f64 - held_by + 0.5) / (held_by + 0.5)).ln();
                let frequency = f64::from(*occurrences);
                let weight =
                    frequency * (K1 + 1.0) / (frequency + K1 * (1.0 - B + B * f64::from(*length) / average));
                self.post(term, Posting { document: (first + offset) as u32, impact: idf * weight });
            }
        }
        self.documents += keywords.len();
        let empty = (0..keywords.len()).filter(|keyword| lengths[*keyword] == 0).collect();
        (first, empty)
    }

    /// Whether there is no document.
    pub(crate) fn is_empty(&self) -> bool {
        self.documents == 0
    }

    /// Whether no document has the word.
    pub(crate) fn is_far(&self, word: &str) -> bool {
        self.find(word).is_none()
    }

    /// The score of every document. `owner` stands for the policy whose keywords these are.
    pub(crate) fn score(&self, owner: MemoOwner, words: &Words, text: &str) -> Vec<f64> {
        let mut scores = vec![0.0; self.documents];
        memo::with_terms(
            owner,
            |word| self.find(word),
            |term_of| {
                for word in words.unique(Readers::BM25).filter(|word| word.terms > 0) {
                    if let Some(term) = term_of(word.of(text)) {
                        credit(&mut scores, &self.postings[term as usize], f64::from(word.terms));
                    }
                }
            },
        );
        if !self.singles.is_empty() || !self.pairs.is_empty() {
            for run in words.unspaced() {
                self.score_run(&text[run.clone()], &mut scores);
            }
        }
        scores
    }

    fn score_run(&self, run: &str, scores: &mut [f64]) {
        let mut previous = None;
        for c in run.chars() {
            if let Some(postings) = self.singles.get(&c) {
                credit(scores, postings, 1.0);
            }
            if let Some(previous) = previous
                && let Some(postings) = self.pairs.get(&(previous, c))
            {
                credit(scores, postings, 1.0);
            }
            previous = Some(c);
        }
    }

    /// The term that a word is, if a document has it.
    fn find(&self, token: &str) -> Option<u32> {
        if !self.prefixes.may_begin(token) {
            return None;
        }
        let term = self.terms.get(&*self.stem(token))?;
        (!is_stop_word(token)).then_some(*term)
    }

    fn stem<'t>(&self, token: &'t str) -> Cow<'t, str> {
        match plain_latin(token) {
            Cow::Borrowed(token) if token.is_ascii() && token.len() <= MAX_STEMMED_BYTES => {
                self.stemmer.stem(token)
            }
            Cow::Owned(token) if token.is_ascii() && token.len() <= MAX_STEMMED_BYTES => {
                Cow::Owned(self.stemmer.stem(&token).into_owned())
            }
            other => other,
        }
    }

    fn terms_of(&self, keyword: &str) -> HashMap<Term, u32> {
        let folded = fold(keyword);
        let words = Words::of(&folded);
        let mut terms: HashMap<Term, u32> = HashMap::new();
        for word in
            words.unique(Readers::ALL).filter(|word| word.terms > 0 && !is_stop_word(word.of(&folded)))
        {
            *terms.entry(Term::Stem(self.stem(word.of(&folded)).into())).or_default() += word.terms;
        }
        for run in words.unspaced() {
            let chars: Vec<char> = folded[run.clone()].chars().collect();
            if let [single] = chars[..] {
                *terms.entry(Term::Single(single)).or_default() += 1;
            }
            for pair in chars.windows(2) {
                *terms.entry(Term::Pair(pair[0], pair[1])).or_default() += 1;
            }
        }
        terms
    }

    fn post(&mut self, term: &Term, posting: Posting) {
        let postings = match term {
            Term::Stem(stem) => {
                self.prefixes.add(stem);
                let term = *self.terms.entry(stem.clone()).or_insert(self.postings.len() as u32);
                if term as usize == self.postings.len() {
                    self.postings.push(Vec::new());
                }
                &mut self.postings[term as usize]
            }
            Term::Pair(left, right) => self.pairs.entry((*left, *right)).or_default(),
            Term::Single(single) => self.singles.entry(*single).or_default(),
        };
        postings.push(posting);
    }
}

fn credit(scores: &mut [f64], postings: &[Posting], times: f64) {
    for posting in postings {
        scores[posting.document as usize] += posting.impact * times;
    }
}

// === impl Prefixes

impl Prefixes {
    /// English stems keep the first letters of their words: three, or two if the stem is shorter than
    /// four. Only `die`, `lie` and `tie` (from `dying`, ...) lose their second letter.
    fn add(&mut self, stem: &str) {
        if let "die" | "lie" | "tie" = stem {
            self.two[two([stem.as_bytes()[0], b'y'])] = true;
        }
        match stem.as_bytes() {
            [a, b, c, _, ..] => self.three[three([*a, *b, *c])] = true,
            [a, b, ..] => self.two[two([*a, *b])] = true,
            [a] => (0..32).for_each(|b| self.two[two([*a, b])] = true),
            [] => {}
        }
    }

    fn may_begin(&self, token: &str) -> bool {
        let begins_lower = |length| token.bytes().take(length).all(|byte| byte.is_ascii_lowercase());
        match token.as_bytes() {
            [a, b, c, ..] if begins_lower(3) => self.two[two([*a, *b])] || self.three[three([*a, *b, *c])],
            [a, b] if begins_lower(2) => self.two[two([*a, *b])],
            [a] if begins_lower(1) => self.two[two([*a, 0])],
            _ => true,
        }
    }
}

fn two([a, b]: [u8; 2]) -> usize {
    usize::from(a & 31) << 5 | usize::from(b & 31)
}

fn three([a, b, c]: [u8; 3]) -> usize {
    two([a, b]) << 5 | usize::from(c & 31)
}
