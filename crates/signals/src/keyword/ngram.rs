//! Similarity by character n-grams: every distinct word is taken apart once per n-gram length.
//!
//! Words and keywords are padded with n - 1 spaces on both sides. With s shared n-grams of a in all,
//! similarity = 1 - ((a - s) / a)^2, the formula (warp 2) of the `ngrammatic` crate. What is compared:
//! every word; every run of as many words as the keyword has; and the whole text, where it is short.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::{
    characters::fold,
    words::{Readers, Words, plain_word},
};

/// n-grams are packed into a word of 128 bits, 21 per character.
pub(crate) const MAX_ARITY: usize = 6;

/// Most words have fewer characters, padding included.
const TYPICAL_CHARACTERS: usize = 32;

/// The bits of the filter that most n-grams of a text do not pass.
const FILTER_BITS: u32 = 14;

/// The keywords of all rules with one n-gram length and one way to treat case.
#[derive(Debug)]
pub(crate) struct NgramIndex {
    /// The length of the n-grams.
    pub arity: usize,
    /// Whether case matters.
    pub case_sensitive: bool,
    keywords: Vec<Keyword>,
    postings: HashMap<u128, Vec<Posting>, RandomState>,
    filter: Vec<u64>,
    /// No text of more n-grams is similar enough to any keyword.
    most_grams: usize,
    /// How many words the keywords have that have more than one.
    word_counts: Vec<usize>,
}

/// The most similar piece of the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NgramHit {
    /// The similarity.
    pub similarity: f64,
    /// What the text has.
    pub matched: String,
}

#[derive(Debug)]
struct Keyword {
    grams: usize,
    threshold: f64,
}

/// A keyword that has an n-gram at least `nth` times.
#[derive(Debug, Clone, Copy)]
struct Posting {
    keyword: u32,
    nth: u32,
}

/// The working memory of one search.
pub(crate) struct Search<'i> {
    index: &'i NgramIndex,
    padded: Vec<char>,
    shared: Vec<u32>,
    touched: Vec<u32>,
    repeats: Vec<(u128, u32)>,
    hits: Vec<Option<NgramHit>>,
}

// === impl NgramIndex

impl NgramIndex {
    /// An index of nothing.
    pub(crate) fn new(arity: usize, case_sensitive: bool) -> Self {
        Self {
            arity,
            case_sensitive,
            keywords: Vec::new(),
            postings: HashMap::default(),
            filter: vec![0; 1 << (FILTER_BITS - 6)],
            most_grams: 0,
            word_counts: Vec::new(),
        }
    }

    /// Adds a keyword that counts from `threshold` on.
    pub(crate) fn add(&mut self, keyword: &str, threshold: f64) -> usize {
        let text = if self.case_sensitive { keyword.to_owned() } else { fold(keyword) };
        let index = self.keywords.len();
        let mut occurrences: HashMap<u128, u32> = HashMap::new();
        let mut count = 0;
        let mut padded = Vec::new();
        pad(self.arity, text.chars(), usize::MAX, &mut padded);
        for gram in grams(self.arity, &padded) {
            let nth = occurrences.entry(gram).or_default();
            *nth += 1;
            count += 1;
            self.postings.entry(gram).or_default().push(Posting { keyword: index as u32, nth: *nth });
            let bit = filter_bit(gram);
            self.filter[bit / 64] |= 1 << (bit % 64);
        }
        let word_count = Words::of(&text).plain().len();
        if word_count > 1 && !self.word_counts.contains(&word_count) {
            self.word_counts.push(word_count);
        }
        let keyword = Keyword { grams: count, threshold };
        self.most_grams = self.most_grams.max(keyword.most_grams());
        self.keywords.push(keyword);
        index
    }

    /// The working memory for searches in this index.
    pub(crate) fn search(&self) -> Search<'_> {
        Search {
            index: self,
            padded: Vec::with_capacity(TYPICAL_CHARACTERS),
            shared: vec![0; self.keywords.len()],
            touched: Vec::new(),
            repeats: Vec::new(),
            hits: vec![None; self.keywords.len()],
        }
    }

    /// The best hit per keyword. Of the distinct words only those need be given that are not far.
    pub(crate) fn find(&self, words: &Words, text: &str) -> Vec<Option<NgramHit>> {
        let mut search = self.search();
        for word in words.unique(Readers::NGRAM).filter(|word| word.compound) {
            let word = word.of(text);
            search.compare(word.chars(), || word.to_owned());
        }
        for count in &self.word_counts {
            for window in words.plain().windows(*count) {
                let parts = || window.iter().map(|place| plain_word(text, place));
                let chars = parts().enumerate().flat_map(|(position, part)| {
                    (position > 0).then_some(' ').into_iter().chain(part.chars())
                });
                search.compare(chars, || parts().collect::<Vec<_>>().join(" "));
            }
        }
        let whole = text.trim();
        // A character takes at most four bytes: a longer text has more n-grams than any that is similar.
        if whole.len() / 4 <= self.most_grams {
            search.compare(whole.chars(), || whole.to_owned());
        }
        search.hits
    }

    fn may_have(&self, gram: u128) -> bool {
        let bit = filter_bit(gram);
        self.filter[bit / 64] & (1 << (bit % 64)) != 0
    }
}

impl Keyword {
    /// A text of g n-grams shares at most as many as this keyword has, so similarity sets a limit to g.
    fn most_grams(&self) -> usize {
        let least_overlap = 1.0 - (1.0 - self.threshold).max(0.0).sqrt();
        (self.grams as f64 / least_overlap.max(1e-3)) as usize
    }
}

// === impl Search

impl Search<'_> {
    /// Whether the word is similar to no keyword.
    pub(crate) fn is_far(&mut self, word: &str) -> bool {
        self.compare(word.chars(), String::new);
        let mut is_far = true;
        for hit in &mut self.hits {
            is_far &= hit.take().is_none();
        }
        is_far
    }

    fn compare(&mut self, chars: impl Iterator<Item = char>, matched: impl Fn() -> String) {
        let arity = self.index.arity;
        let mut padded = std::mem::take(&mut self.padded);
        pad(arity, chars, self.index.most_grams, &mut padded);
        let count = padded.len().saturating_sub(arity - 1);
        if count <= self.index.most_grams {
            self.count_shared(&padded);
        }
        self.padded = padded;
        while let Some(keyword) = self.touched.pop() {
            let shared = std::mem::take(&mut self.shared[keyword as usize]) as usize;
            self.judge(keyword as usize, shared, count, &matched);
        }
    }

    fn count_shared(&mut self, padded: &[char]) {
        for gram in grams(self.index.arity, padded).filter(|gram| self.index.may_have(*gram)) {
            let Some(postings) = self.index.postings.get(&gram) else { continue };
            let nth = match self.repeats.iter_mut().find(|(known, _)| *known == gram) {
                Some((_, times)) => {
                    *times += 1;
                    *times
                }
                None => {
                    self.repeats.push((gram, 1));
                    1
                }
            };
            for posting in postings.iter().filter(|posting| posting.nth == nth) {
                if self.shared[posting.keyword as usize] == 0 {
                    self.touched.push(posting.keyword);
                }
                self.shared[posting.keyword as usize] += 1;
            }
        }
        self.repeats.clear();
    }

    fn judge(&mut self, keyword: usize, shared: usize, count: usize, matched: impl Fn() -> String) {
        let Keyword { grams, threshold } = self.index.keywords[keyword];
        let all = (grams + count - shared) as f64;
        let different = all - shared as f64;
        let similarity = 1.0 - (different / all).powi(2);
        let best = self.hits[keyword].as_ref().map_or(f64::NEG_INFINITY, |hit| hit.similarity);
        if similarity >= threshold && similarity > best {
            self.hits[keyword] = Some(NgramHit { similarity, matched: matched() });
        }
    }
}

/// Puts a text, padded with spaces on both sides, into `padded`; of a text of more than `most` characters
/// only the beginning.
fn pad(arity: usize, chars: impl Iterator<Item = char>, most: usize, padded: &mut Vec<char>) {
    let padding = std::iter::repeat_n(' ', arity - 1);
    padded.clear();
    padded.extend(padding.clone());
    padded.extend(chars.take(most.saturating_add(1)));
    padded.extend(padding);
}

/// The n-grams of a padded text.
fn grams(arity: usize, padded: &[char]) -> impl Iterator<Item = u128> {
    let push = |window: u128, c: char| window << 21 | u128::from(c as u32);
    let mask = (1u128 << (21 * arity)) - 1;
    let (head, rest) = padded.split_at(arity - 1);
    let mut window = head.iter().fold(0, |window, c| push(window, *c));
    rest.iter().map(move |c| {
        window = push(window, *c) & mask;
        window
    })
}

fn filter_bit(gram: u128) -> usize {
    let mixed = (gram as u64 ^ (gram >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (64 - FILTER_BITS)) as usize
}
