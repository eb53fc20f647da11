//! Labels of tokens, and the spans of text they make up.

use std::ops::Range;

/// Probabilities of every token's labels, with the bytes of the text each token covers.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLabels {
    labels: usize,
    ranges: Vec<Range<u32>>,
    probabilities: Vec<f32>,
}

/// A piece of text under one label.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The index of the label in [`span_types`].
    pub kind: usize,
    /// The bytes of the text.
    pub range: Range<usize>,
    /// The mean probability of its tokens.
    pub score: f32,
}

/// The types behind labels: `B-`, `I-`, `E-`, `S-` and `L-`, `U-` stripped, `O` left out, in order of appearance; for
/// every label the index of its type.
pub fn span_types(labels: &[String]) -> (Vec<String>, Vec<Option<usize>>) {
    let mut types: Vec<String> = Vec::new();
    let mut of_label = Vec::with_capacity(labels.len());
    for label in labels {
        if label == "O" {
            of_label.push(None);
            continue;
        }
        let stripped =
            label.split_once('-').filter(|(tag, _)| matches!(*tag, "B" | "I" | "E" | "S" | "L" | "U"));
        let name = stripped.map_or(label.as_str(), |(_, name)| name);
        let index = types.iter().position(|t| t == name).unwrap_or_else(|| {
            types.push(name.to_owned());
            types.len() - 1
        });
        of_label.push(Some(index));
    }
    (types, of_label)
}

impl TokenLabels {
    pub(crate) fn new(labels: usize) -> Self {
        Self { labels, ranges: Vec::new(), probabilities: Vec::new() }
    }

    /// Adds a token; its probabilities are to be appended to what is returned.
    pub(crate) fn push(&mut self, range: &Range<usize>) -> &mut Vec<f32> {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.ranges.push(narrow(range.start)..narrow(range.end));
        &mut self.probabilities
    }

    pub(crate) fn bytes(&self) -> usize {
        self.ranges.len() * size_of::<Range<u32>>() + self.probabilities.len() * size_of::<f32>()
    }

    /// Every token: the bytes it covers and the probabilities of its labels.
    pub fn iter(&self) -> impl Iterator<Item = (Range<usize>, &[f32])> {
        let ranges = self.ranges.iter().map(|r| r.start as usize..r.end as usize);
        ranges.zip(self.probabilities.chunks_exact(self.labels.max(1)))
    }

    /// The spans of `text`, which the labels are of. A word's probabilities are the mean of its tokens'; a type's are those
    /// of its labels added; a word has its likeliest type if that is likelier than `O`. Neighbouring words of one type
    /// are one span unless the later one begins anew: its `B-` label is likelier than its others.
    pub fn spans(&self, text: &str, labels: &[String]) -> Vec<Span> {
        let (types, of_label) = span_types(labels);
        let mut spans: Vec<(Span, usize)> = Vec::new();
        let mut open = false;
        for word in self.words(text) {
            let Some((kind, score, begins)) = self.judge(word.clone(), labels, &of_label, types.len()) else {
                open = false;
                continue;
            };
            let range = self.ranges[word.start].start as usize..self.ranges[word.end - 1].end as usize;
            match spans.last_mut().filter(|(last, _)| {
                let gap = text.get(last.range.end..range.start);
                let touches = range.start == last.range.end;
                let is_near =
                    gap.is_some_and(|gap| gap.chars().all(|c| matches!(c, ' ' | ',' | '.' | '\n' | '-')));
                open && last.kind == kind && is_near && (touches || !begins)
            }) {
                Some((last, words)) => {
                    last.range.end = range.end;
                    last.score += score;
                    *words += 1;
                }
                None => spans.push((Span { kind, range, score }, 1)),
            }
            open = true;
        }
        spans.into_iter().map(|(span, words)| Span { score: span.score / words as f32, ..span }).collect()
    }

    /// The tokens of each word: tokens without a gap that are all letters and digits, or one other token.
    fn words(&self, text: &str) -> Vec<Range<usize>> {
        let edge = |token: usize, last: bool| {
            let range = self.ranges[token].start as usize..self.ranges[token].end as usize;
            let mut characters = text.get(range).unwrap_or_default().chars();
            let edge = if last { characters.next_back() } else { characters.next() };
            edge.is_some_and(char::is_alphanumeric)
        };
        let mut words: Vec<Range<usize>> = Vec::new();
        for token in 0..self.ranges.len() {
            let goes_on = token > 0
                && self.ranges[token - 1].end == self.ranges[token].start
                && edge(token - 1, true)
                && edge(token, false);
            match words.last_mut().filter(|_| goes_on) {
                Some(word) => word.end = token + 1,
                None => words.push(token..token + 1),
            }
        }
        words
    }

    /// A word's type, its probability, and whether the word begins a span; none if `O` is likelier.
    fn judge(
        &self,
        word: Range<usize>,
        labels: &[String],
        of_label: &[Option<usize>],
        types: usize,
    ) -> Option<(usize, f32, bool)> {
        let (mut sums, mut begins) = (vec![0.0_f32; types], vec![0.0_f32; types]);
        let mut outside = 0.0;
        let rows = self.probabilities.chunks_exact(self.labels.max(1));
        let count = word.len() as f32;
        for row in rows.skip(word.start).take(word.len()) {
            for ((label, kind), p) in labels.iter().zip(of_label).zip(row) {
                match *kind {
                    Some(kind) => {
                        sums[kind] += p / count;
                        begins[kind] += if label.starts_with("B-") { p / count } else { 0.0 };
                    }
                    None => outside += p / count,
                }
            }
        }
        let (kind, &score) = sums.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        (score > outside).then_some((kind, score, begins[kind] * 2.0 > score))
    }
}
