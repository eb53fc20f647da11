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

    /// Spans of tokens whose most likely type has at least the probability `minimum`.
    ///
    /// A type's probability is the sum of its labels'. Neighbouring tokens of one type are one span, unless the later one
    /// begins a new word and its `B-` label is likelier than its others.
    pub fn spans(&self, labels: &[String], minimum: f32) -> Vec<Span> {
        let (types, of_label) = span_types(labels);
        let mut spans: Vec<Span> = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        let mut open = false;
        for (range, probabilities) in self.iter() {
            let mut sums = vec![0.0_f32; types.len()];
            let mut begins = vec![0.0_f32; types.len()];
            for ((label, kind), p) in labels.iter().zip(&of_label).zip(probabilities) {
                if let Some(kind) = *kind {
                    sums[kind] += p;
                    begins[kind] += if label.starts_with("B-") { *p } else { 0.0 };
                }
            }
            let best =
                sums.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).filter(|(_, p)| **p >= minimum);
            let Some((kind, &score)) = best else {
                open = false;
                continue;
            };
            let starts_anew = |last: &Span| range.start > last.range.end && begins[kind] * 2.0 > score;
            match (spans.last_mut(), counts.last_mut()) {
                (Some(last), Some(count)) if open && last.kind == kind && !starts_anew(last) => {
                    last.range.end = last.range.end.max(range.end);
                    last.score += score;
                    *count += 1;
                }
                _ => {
                    spans.push(Span { kind, range, score });
                    counts.push(1);
                }
            }
            open = true;
        }
        for (span, count) in spans.iter_mut().zip(counts) {
            span.score /= count as f32;
        }
        spans
    }
}
