//! Keywords a few edits away: every distinct word is compared with the keywords near its length.

use std::borrow::Cow;

use crate::{
    characters::fold,
    words::{Readers, Words, plain_word},
};

/// Keywords longer than this, in characters, are compared by the slower of two methods.
const BIT_PARALLEL_CHARS: usize = 64;

/// How near a word must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Closeness {
    /// At most so many insertions, deletions and substitutions.
    Edits(u32),
    /// At least so many percent of the longer of both must stay.
    Percent(u32),
}

/// Every fuzzy keyword of every rule.
#[derive(Debug, Default)]
pub(crate) struct FuzzyIndex {
    keywords: Vec<Keyword>,
    /// Per number of words, per length of the text in characters, the keywords to compare.
    by_words: Vec<Vec<Vec<u32>>>,
}

/// The nearest word or words to a keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FuzzyHit {
    /// How many edits away.
    pub edits: u32,
    /// What the text has.
    pub matched: String,
}

#[derive(Debug)]
struct Keyword {
    chars: Vec<char>,
    signature: u64,
    closeness: Closeness,
}

/// The characters of a word as a set of 64 bits, and its length.
#[derive(Debug, Clone, Copy, Default)]
struct Outline {
    signature: u64,
    chars: usize,
}

// === impl Closeness

impl Closeness {
    /// The most edits that a text of `text_chars` characters may be away from one of `keyword_chars`.
    fn most_edits(self, keyword_chars: usize, text_chars: usize) -> u32 {
        match self {
            Closeness::Edits(edits) => edits,
            Closeness::Percent(percent) => {
                let longest = keyword_chars.max(text_chars) as u32;
                longest * 100u32.saturating_sub(percent) / 100
            }
        }
    }

    /// The same, but never so many that more than half of a short keyword may change:
    /// words of two letters must be equal, words of three or four may have one edit.
    fn clamped(self, keyword_chars: usize) -> Self {
        match self {
            Closeness::Edits(edits) => {
                Closeness::Edits(edits.min(keyword_chars.saturating_sub(1) as u32 / 2))
            }
            percent @ Closeness::Percent(_) => percent,
        }
    }
}

// === impl FuzzyIndex

impl FuzzyIndex {
    /// Adds a keyword; `None` if it is so short, or so empty of words, that only the literal counts.
    pub(crate) fn add(&mut self, keyword: &str, closeness: Closeness) -> Option<usize> {
        let folded = fold(keyword);
        let words = Words::of(&folded);
        let parts: Vec<&str> = words.plain().iter().map(|place| plain_word(&folded, place)).collect();
        let chars: Vec<char> = parts.join(" ").chars().collect();
        let closeness = closeness.clamped(chars.len());
        let longest = longest_text(chars.len(), closeness);
        if parts.is_empty() || closeness.most_edits(chars.len(), longest) == 0 {
            return None;
        }
        let index = self.keywords.len();
        if self.by_words.len() < parts.len() {
            self.by_words.resize_with(parts.len(), Vec::new);
        }
        let by_length = &mut self.by_words[parts.len() - 1];
        if by_length.len() <= longest {
            by_length.resize_with(longest + 1, Vec::new);
        }
        for (length, keywords) in by_length.iter_mut().enumerate().take(longest + 1).skip(1) {
            if length.abs_diff(chars.len()) as u32 <= closeness.most_edits(chars.len(), length) {
                keywords.push(index as u32);
            }
        }
        let signature = Outline::of(&parts.join(" ")).signature;
        self.keywords.push(Keyword { chars, signature, closeness });
        Some(index)
    }

    /// Whether there is no keyword.
    pub(crate) fn is_empty(&self) -> bool {
        self.keywords.is_empty()
    }

    /// Whether the word is near no keyword of one word.
    pub(crate) fn is_far(&self, word: &str) -> bool {
        let outline = Outline::of(word);
        let nearby = self.by_words.first().and_then(|by_length| by_length.get(outline.chars));
        nearby.is_none_or(|keywords| {
            !keywords.iter().any(|index| self.keywords[*index as usize].is_near(outline, word))
        })
    }

    /// The nearest hit per keyword; the first of equally near ones. Of the distinct words only those need be
    /// given that are not far.
    pub(crate) fn find(&self, words: &Words, text: &str) -> Vec<Option<FuzzyHit>> {
        let mut hits = vec![None; self.keywords.len()];
        if hits.is_empty() {
            return hits;
        }
        if let Some(by_length) = self.by_words.first() {
            for word in words.unique(Readers::FUZZY).filter(|word| word.plain) {
                let word = word.of(text);
                self.compare(by_length, Outline::of(word), || Cow::Borrowed(word), &mut hits);
            }
        }
        if self.by_words.len() <= 1 {
            return hits;
        }
        let outlines: Vec<Outline> =
            words.plain().iter().map(|place| Outline::of(plain_word(text, place))).collect();
        for (index, by_length) in self.by_words.iter().enumerate().skip(1) {
            if by_length.is_empty() {
                continue;
            }
            let spaces = Outline { signature: signature_bit(' '), chars: index };
            for (window, outlines) in words.plain().windows(index + 1).zip(outlines.windows(index + 1)) {
                let outline = outlines.iter().fold(spaces, |whole, part| whole.and(*part));
                let joined = || {
                    let parts: Vec<&str> = window.iter().map(|place| plain_word(text, place)).collect();
                    Cow::Owned(parts.join(" "))
                };
                self.compare(by_length, outline, joined, &mut hits);
            }
        }
        hits
    }

    fn compare<'t>(
        &self,
        by_length: &[Vec<u32>],
        outline: Outline,
        matched: impl Fn() -> Cow<'t, str>,
        hits: &mut [Option<FuzzyHit>],
    ) {
        let Some(keywords) = by_length.get(outline.chars) else { return };
        for index in keywords.iter().map(|index| *index as usize) {
            let keyword = &self.keywords[index];
            let nearest = hits[index].as_ref().map_or(u32::MAX, |hit| hit.edits);
            let most_edits = keyword.most_edits(outline).min(nearest.saturating_sub(1));
            if nearest == 0 || !keyword.may_be_within(outline, most_edits) {
                continue;
            }
            let matched = matched();
            let edits = distance(&keyword.chars, &matched);
            if edits <= most_edits {
                hits[index] = Some(FuzzyHit { edits, matched: matched.into_owned() });
            }
        }
    }
}

// === impl Keyword

impl Keyword {
    fn most_edits(&self, text: Outline) -> u32 {
        self.closeness.most_edits(self.chars.len(), text.chars)
    }

    /// Whether the letters alone allow that a text is so few edits away.
    fn may_be_within(&self, text: Outline, most_edits: u32) -> bool {
        let missing = (self.signature & !text.signature).count_ones();
        let extra = (text.signature & !self.signature).count_ones();
        missing.max(extra) <= most_edits
    }

    /// Whether the text is near enough.
    fn is_near(&self, outline: Outline, text: &str) -> bool {
        let most_edits = self.most_edits(outline);
        self.may_be_within(outline, most_edits) && distance(&self.chars, text) <= most_edits
    }
}

/// The length of the longest text that can be near enough.
fn longest_text(keyword_chars: usize, closeness: Closeness) -> usize {
    match closeness {
        Closeness::Edits(edits) => keyword_chars + edits as usize,
        Closeness::Percent(percent) => keyword_chars * 100 / (percent.max(1) as usize),
    }
}

// === impl Outline

impl Outline {
    fn of(text: &str) -> Self {
        let add = |outline: Self, c| Self {
            signature: outline.signature | signature_bit(c),
            chars: outline.chars + 1,
        };
        if text.is_ascii() {
            return text.bytes().map(char::from).fold(Self::default(), add);
        }
        text.chars().fold(Self::default(), add)
    }

    fn and(self, other: Self) -> Self {
        Self { signature: self.signature | other.signature, chars: self.chars + other.chars }
    }
}

/// A bit for every ASCII letter and digit; all other characters share the rest. Two texts that are
/// `n` edits apart have at most `n` bits that only the one has, and `n` that only the other has.
fn signature_bit(c: char) -> u64 {
    1 << match c {
        'a'..='z' => c as u32 - 'a' as u32,
        '0'..='9' => 26 + c as u32 - '0' as u32,
        _ => 36 + c as u32 % 28,
    }
}

/// The Levenshtein distance in characters.
fn distance(keyword: &[char], text: &str) -> u32 {
    match keyword.len() {
        0 => text.chars().count() as u32,
        1..=BIT_PARALLEL_CHARS => distance_in_word(keyword, text),
        _ => distance_in_rows(keyword, text),
    }
}

/// Myers' bit-vector algorithm, in the form of Hyyrö (2003): a column of the matrix is one word.
fn distance_in_word(keyword: &[char], text: &str) -> u32 {
    let mut increases = u64::MAX;
    let mut decreases = 0;
    let last = 1u64 << (keyword.len() - 1);
    let mut distance = keyword.len() as u32;
    for c in text.chars() {
        let equal = keyword.iter().enumerate().fold(0, |bits, (at, own)| bits | (u64::from(*own == c) << at));
        let diagonal = (((equal & increases).wrapping_add(increases)) ^ increases) | equal | decreases;
        let mut right_increases = decreases | !(diagonal | increases);
        let right_decreases = increases & diagonal;
        if right_increases & last != 0 {
            distance += 1;
        }
        if right_decreases & last != 0 {
            distance -= 1;
        }
        right_increases = (right_increases << 1) | 1;
        increases = (right_decreases << 1) | !(diagonal | right_increases);
        decreases = right_increases & diagonal;
    }
    distance
}

fn distance_in_rows(keyword: &[char], text: &str) -> u32 {
    let mut row: Vec<u32> = (0..=keyword.len() as u32).collect();
    for (column, c) in text.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = column as u32 + 1;
        for (at, own) in keyword.iter().enumerate() {
            let substituted = diagonal + u32::from(*own != c);
            diagonal = row[at + 1];
            row[at + 1] = substituted.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[keyword.len()]
}
