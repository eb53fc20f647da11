//! The `keyword` family: words and phrases, literal, by expression, or nearly.
//!
//! Every matching rule is emitted (only the first under `compatibility: v0.3`), with confidence 1 and the
//! keywords that were found as notes. Methods:
//!
//! - *literal*: a keyword with a letter, a digit or `_` and no Han character is found as a word: where it
//!   begins or ends with a word character, no word character may adjoin. Word characters are `_` and the
//!   letters and digits of all scripts but Han, kana, Hangul, Thai, Lao, Khmer and Burmese, which do not
//!   separate words; so `ber` is not found in `über`, and `api` is found in `调用api接口`. Other keywords
//!   are found anywhere. Case is folded as Unicode's simple folding does, unless the rule is case-sensitive.
//! - *regex*: as written; `\b`, `\d`, `\s` and `\w` mean ASCII.
//! - *fuzzy* (also `fuzzy_match: true` with the former two): besides, one to two edits away, or as similar
//!   as a percentage from 50 on says. Short keywords allow fewer edits. Phrases are compared with as many
//!   adjoining words.
//! - *bm25* and *ngram*: see those modules. N-gram keywords are also found literally.

mod bm25;
mod compile;
mod fuzzy;
mod memo;
mod ngram;
mod terms;

use std::sync::Arc;

use vsr_config::KeywordOperator;
use vsr_types::{AtomId, Evidence};

use self::{
    bm25::Bm25Index,
    fuzzy::{FuzzyHit, FuzzyIndex},
    memo::MemoOwner,
    ngram::{NgramHit, NgramIndex},
};
use crate::{
    lexicon::Slot,
    pattern::{PatternId, Patterns},
    text::TextIndex,
    words::{Readers, Words},
};

pub(crate) use compile::compile;

/// How many keywords an explanation names.
const MAX_NOTES: usize = 8;

/// Every keyword rule.
#[derive(Debug)]
pub(crate) struct KeywordFamily {
    memo: MemoOwner,
    rules: Vec<Rule>,
    fuzzy: FuzzyIndex,
    bm25: Bm25Index,
    ngrams: Vec<NgramIndex>,
    /// Whether only the first matching rule counts, as in the public v0.3 release.
    first_match_only: bool,
}

#[derive(Debug)]
struct Rule {
    atom: AtomId,
    operator: KeywordOperator,
    keywords: Vec<Arc<str>>,
    /// In which ways the keywords may be found, keyword after keyword.
    ways: Vec<Way>,
    /// Per keyword, where its ways end.
    ends: Vec<u32>,
}

/// A way in which a keyword may be found. Every request reads all of them, so they are small.
#[derive(Debug, Clone, Copy)]
enum Way {
    Literal(Slot),
    Pattern(PatternId),
    Fuzzy(u32),
    Bm25 { document: u32, threshold: f64 },
    Ngram { index: u32, keyword: u32 },
}

/// How a keyword was found.
enum Found<'n> {
    Literal,
    Pattern,
    Fuzzy(&'n FuzzyHit),
    Bm25(f64),
    Ngram(&'n NgramHit),
}

/// What the methods that look at single words found, for all rules at once.
#[derive(Default)]
struct NearHits {
    fuzzy: Vec<Option<FuzzyHit>>,
    bm25: Vec<f64>,
    ngrams: Vec<Vec<Option<NgramHit>>>,
}

// === impl KeywordFamily

impl KeywordFamily {
    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Evaluates every rule.
    pub(crate) fn evaluate(&self, text: &TextIndex<'_>, patterns: &Patterns, evidence: &mut Evidence) {
        let near = self.near_hits(text);
        let mut settled = false;
        for rule in &self.rules {
            if !settled && rule.matches(text, patterns, &near, evidence) {
                evidence.set_matched(rule.atom, 1.0);
                settled = self.first_match_only;
            } else {
                evidence.set_not_matched(rule.atom);
            }
        }
    }

    fn near_hits(&self, text: &TextIndex<'_>) -> NearHits {
        if self.fuzzy.is_empty() && self.bm25.is_empty() && self.ngrams.is_empty() {
            return NearHits::default();
        }
        let (written, folded) = (text.text(), text.folded());
        let words = self.words_of(folded);
        let exact = self.ngrams.iter().any(|index| index.case_sensitive).then(|| Words::of(written));
        let by_ngram = |index: &NgramIndex| match &exact {
            Some(exact) if index.case_sensitive => index.find(exact, written),
            _ => index.find(&words, folded),
        };
        NearHits {
            fuzzy: self.fuzzy.find(&words, folded),
            bm25: self.bm25.score(self.memo, &words, folded),
            ngrams: self.ngrams.iter().map(by_ngram).collect(),
        }
    }

    /// The words of a case-folded text, each for the methods that find it near a keyword.
    fn words_of(&self, folded: &str) -> Words {
        let indices = || self.ngrams.iter().filter(|index| !index.case_sensitive);
        let mut searches = None;
        let judge = |word: &str| {
            let searches =
                searches.get_or_insert_with(|| indices().map(NgramIndex::search).collect::<Vec<_>>());
            Readers::NONE
                .with(Readers::BM25, !self.bm25.is_far(word))
                .with(Readers::FUZZY, !self.fuzzy.is_far(word))
                .with(Readers::NGRAM, searches.iter_mut().any(|search| !search.is_far(word)))
        };
        memo::with_memo(self.memo, judge, |readers_of| Words::wanted(folded, readers_of))
    }
}

// === impl Rule

impl Rule {
    /// A rule over keywords and the ways in which each may be found, the plainest first.
    fn new(atom: AtomId, operator: KeywordOperator, found_by: Vec<(Arc<str>, Vec<Way>)>) -> Self {
        let (mut keywords, mut ways, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (keyword, by) in found_by {
            keywords.push(keyword);
            ways.extend(by);
            ends.push(ways.len() as u32);
        }
        Self { atom, operator, keywords, ways, ends }
    }

    /// Whether the rule matches; notes what was found if it does.
    fn matches(
        &self,
        text: &TextIndex<'_>,
        patterns: &Patterns,
        near: &NearHits,
        evidence: &mut Evidence,
    ) -> bool {
        let finds = |way: &Way| way.find(text, patterns, near).is_some();
        let matches = match self.operator {
            KeywordOperator::Nor => return !self.ways.iter().any(finds),
            KeywordOperator::And => self.ways_of_each().all(|ways| ways.iter().any(finds)),
            KeywordOperator::Or => self.ways.iter().any(finds),
        };
        if matches && evidence.keeps_notes() {
            let found = |(keyword, ways): (&Arc<str>, &[Way])| {
                let found = ways.iter().find_map(|way| way.find(text, patterns, near))?;
                Some(found.describe(keyword))
            };
            for note in self.keywords.iter().zip(self.ways_of_each()).filter_map(found).take(MAX_NOTES) {
                evidence.note(self.atom, || note);
            }
        }
        matches
    }

    fn ways_of_each(&self) -> impl Iterator<Item = &[Way]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| &self.ways[*start as usize..*end as usize])
    }
}

// === impl Way

impl Way {
    /// What was found in this way, if anything.
    fn find<'n>(self, text: &TextIndex<'_>, patterns: &Patterns, near: &'n NearHits) -> Option<Found<'n>> {
        match self {
            Way::Literal(slot) => (text.hits().count(slot) > 0).then_some(Found::Literal),
            Way::Pattern(pattern) => patterns.is_match(pattern, text).then_some(Found::Pattern),
            Way::Fuzzy(index) => near.fuzzy[index as usize].as_ref().map(Found::Fuzzy),
            Way::Bm25 { document, threshold } => {
                let score = near.bm25[document as usize];
                (score > 0.0 && score >= threshold).then_some(Found::Bm25(score))
            }
            Way::Ngram { index, keyword } => {
                near.ngrams[index as usize][keyword as usize].as_ref().map(Found::Ngram)
            }
        }
    }
}

// === impl Found

impl Found<'_> {
    /// In words.
    fn describe(&self, keyword: &Arc<str>) -> Arc<str> {
        match self {
            Found::Literal => Arc::clone(keyword),
            Found::Pattern => format!("regex {keyword}").into(),
            Found::Fuzzy(hit) => format!("{} ~ {keyword}", hit.matched).into(),
            Found::Bm25(score) => format!("{keyword} bm25 {score:.2}").into(),
            Found::Ngram(hit) => format!("{} ~ {keyword} n-gram {:.2}", hit.matched, hit.similarity).into(),
        }
    }
}
