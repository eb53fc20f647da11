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
    words::Words,
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
    keywords: Vec<Keyword>,
}

/// A keyword, and the ways in which it may be found.
#[derive(Debug)]
struct Keyword {
    text: Arc<str>,
    literal: Option<Slot>,
    pattern: Option<PatternId>,
    fuzzy: Option<usize>,
    bm25: Option<(usize, f64)>,
    /// Which index, and which keyword of it.
    ngram: Option<(usize, usize)>,
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
            bm25: self.bm25.score(&words, folded),
            ngrams: self.ngrams.iter().map(by_ngram).collect(),
        }
    }

    /// The words of a case-folded text, where those that are near no keyword are left out.
    fn words_of(&self, folded: &str) -> Words {
        let indices = || self.ngrams.iter().filter(|index| !index.case_sensitive);
        let mut searches = None;
        let is_near = |word: &str| {
            let searches = searches.get_or_insert_with(|| indices().map(NgramIndex::search).collect::<Vec<_>>());
            !(self.bm25.is_far(word)
                && self.fuzzy.is_far(word)
                && searches.iter_mut().all(|search| search.is_far(word)))
        };
        memo::with_memo(self.memo, is_near, |is_near| Words::wanted(folded, is_near))
    }
}

// === impl Rule

impl Rule {
    /// Whether the rule matches; notes what was found if it does.
    fn matches(
        &self,
        text: &TextIndex<'_>,
        patterns: &Patterns,
        near: &NearHits,
        evidence: &mut Evidence,
    ) -> bool {
        let found = |keyword: &Keyword| keyword.find(text, patterns, near);
        match self.operator {
            KeywordOperator::Nor => !self.keywords.iter().any(|keyword| found(keyword).is_some()),
            KeywordOperator::And => {
                let notes: Option<Vec<Arc<str>>> = self.keywords.iter().map(found).collect();
                let matches = notes.is_some();
                self.note(notes.into_iter().flatten(), evidence);
                matches
            }
            KeywordOperator::Or => {
                let mut notes = self.keywords.iter().filter_map(found).peekable();
                let matches = notes.peek().is_some();
                self.note(notes, evidence);
                matches
            }
        }
    }

    fn note(&self, notes: impl Iterator<Item = Arc<str>>, evidence: &mut Evidence) {
        for note in notes.take(MAX_NOTES) {
            evidence.note(self.atom, note);
        }
    }
}

// === impl Keyword

impl Keyword {
    /// How the keyword was found, in words, if it was.
    fn find(&self, text: &TextIndex<'_>, patterns: &Patterns, near: &NearHits) -> Option<Arc<str>> {
        if self.literal.is_some_and(|slot| text.hits().count(slot) > 0) {
            return Some(Arc::clone(&self.text));
        }
        if self.pattern.is_some_and(|pattern| patterns.is_match(pattern, text)) {
            return Some(format!("regex {}", self.text).into());
        }
        if let Some(hit) = self.fuzzy.and_then(|index| near.fuzzy[index].as_ref()) {
            return Some(format!("{} ~ {}", hit.matched, self.text).into());
        }
        if let Some((document, threshold)) = self.bm25
            && near.bm25[document] > 0.0
            && near.bm25[document] >= threshold
        {
            return Some(format!("{} bm25 {:.2}", self.text, near.bm25[document]).into());
        }
        let (index, keyword) = self.ngram?;
        let hit = near.ngrams[index][keyword].as_ref()?;
        Some(format!("{} ~ {} n-gram {:.2}", hit.matched, self.text, hit.similarity).into())
    }
}
