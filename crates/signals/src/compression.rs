//! A shorter text for signals: the sentences that say most, in their order, within a number of tokens.
//! What models receive is left alone.
//!
//! ```
//! use vsr_config::PromptCompression;
//! use vsr_signals::compression::Compressor;
//!
//! let settings = PromptCompression { enabled: true, max_tokens: 9, ..PromptCompression::default() };
//! let compressor = Compressor::new(&settings, false).unwrap();
//! let short = compressor.compress("Rain fell. It rained. The dam is about to break! It rained on.");
//! assert_eq!(short.text, "Rain fell. It rained. It rained on.");
//! assert!(short.tokens <= 9);
//! ```

mod rank;
mod sentences;
mod terms;

use std::{borrow::Cow, ops::Range};

use vsr_config::{CompressionProfile, PromptCompression};

pub use sentences::sentences;
pub use terms::estimate_tokens;

/// The tokens up to which a sentence is never cut, if it fits at all.
const LONGEST_WHOLE: usize = 64;

/// How much each property of a sentence counts, and what is kept anyway.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompressionWeights {
    /// Connections to other sentences.
    pub textrank: f64,
    /// Nearness to the beginning or end.
    pub position: f64,
    /// Rare words.
    pub tfidf: f64,
    /// Distance from what the text says on the whole.
    pub novelty: f64,
    /// How much less the middle counts than the ends, 0..=1.
    pub position_depth: f64,
    /// The first sentences that are taken before all others.
    pub first: usize,
    /// The last sentences that are taken before all others.
    pub last: usize,
}

/// Shortens texts.
#[derive(Debug, Clone)]
pub struct Compressor {
    weights: CompressionWeights,
    max_tokens: usize,
    min_bytes: usize,
}

/// A shortened text.
#[derive(Debug, Clone, PartialEq)]
pub struct Compressed<'t> {
    /// The sentences kept, joined by one space; the text itself where nothing was left out.
    pub text: Cow<'t, str>,
    /// The sentences kept, in bytes of the original.
    pub kept: Vec<Range<usize>>,
    /// About how many tokens are left.
    pub tokens: usize,
    /// About how many tokens there were.
    pub tokens_before: usize,
}

// === impl CompressionWeights

impl CompressionWeights {
    /// The weights of a named profile.
    pub fn of(profile: CompressionProfile) -> Self {
        let (shares, position_depth, first, last) = match profile {
            CompressionProfile::Default => ([0.20, 0.40, 0.35, 0.05], 0.5, 3, 2),
            CompressionProfile::Coding => ([0.15, 0.30, 0.40, 0.15], 0.6, 2, 4),
            CompressionProfile::Medical => ([0.20, 0.35, 0.30, 0.15], 0.5, 3, 2),
            CompressionProfile::Security => ([0.15, 0.30, 0.25, 0.30], 0.6, 2, 3),
            CompressionProfile::MultiTurn => ([0.15, 0.25, 0.35, 0.10], 0.5, 2, 5),
        };
        let [textrank, position, tfidf, novelty] = shares;
        Self { textrank, position, tfidf, novelty, position_depth, first, last }
    }

    /// The weights that `settings` ask for, the four shares scaled to a sum of 1. `zero_is_unset` is how
    /// v0.3 read explicit zeros. Shares that are all 0 make all sentences equal.
    pub fn from_settings(settings: &PromptCompression, zero_is_unset: bool) -> Self {
        let profile = Self::of(settings.profile);
        let share = |own: Option<f64>, default: f64| {
            own.filter(|own| *own > 0.0 || !zero_is_unset).unwrap_or(default)
        };
        let count = |own: Option<u32>, default: usize| {
            own.filter(|own| *own > 0 || !zero_is_unset).map_or(default, |own| own as usize)
        };
        let mut weights = Self {
            textrank: share(settings.textrank_weight, profile.textrank),
            position: share(settings.position_weight, profile.position),
            tfidf: share(settings.tfidf_weight, profile.tfidf),
            novelty: share(settings.novelty_weight, profile.novelty),
            position_depth: share(settings.position_depth, profile.position_depth),
            first: count(settings.preserve_first_n, profile.first),
            last: count(settings.preserve_last_n, profile.last),
        };
        let sum = weights.textrank + weights.position + weights.tfidf + weights.novelty;
        if sum > 0.0 {
            for share in
                [&mut weights.textrank, &mut weights.position, &mut weights.tfidf, &mut weights.novelty]
            {
                *share /= sum;
            }
        }
        weights
    }
}

// === impl Compressor

impl Compressor {
    /// What `settings` ask for; `None` if compression is off.
    pub fn new(settings: &PromptCompression, zero_is_unset: bool) -> Option<Self> {
        (settings.enabled && settings.max_tokens > 0).then(|| Self {
            weights: CompressionWeights::from_settings(settings, zero_is_unset),
            max_tokens: settings.max_tokens as usize,
            min_bytes: settings.min_length as usize,
        })
    }

    /// `text` within the number of tokens. Sentences that would take most of it are cut into parts first, so that
    /// something is always left. The same text always gives the same.
    pub fn compress<'t>(&self, text: &'t str) -> Compressed<'t> {
        let tokens_before = estimate_tokens(text);
        if text.len() <= self.min_bytes || tokens_before <= self.max_tokens {
            let kept = std::iter::once(0..text.len()).collect();
            return Compressed { text: Cow::Borrowed(text), kept, tokens: tokens_before, tokens_before };
        }
        let longest = (self.max_tokens / 4).max(LONGEST_WHOLE).min(self.max_tokens);
        let parts = sentences::parts(text, longest);
        let scores = rank::scores(text, &parts, &self.weights);
        let kept = self.choose(text, &parts, &scores);
        let texts: Vec<&str> = kept.iter().map(|part| &text[part.clone()]).collect();
        let text = texts.join(" ");
        let tokens = estimate_tokens(&text);
        Compressed { text: Cow::Owned(text), kept, tokens, tokens_before }
    }

    /// Takes the first and the last sentences, then the others by score, as long as they fit.
    fn choose(&self, text: &str, parts: &[Range<usize>], scores: &[f64]) -> Vec<Range<usize>> {
        let count = parts.len();
        let is_pinned = |index: usize| index < self.weights.first || index + self.weights.last >= count;
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|left, right| {
            let pinned = is_pinned(*right).cmp(&is_pinned(*left));
            pinned.then_with(|| scores[*right].total_cmp(&scores[*left])).then_with(|| left.cmp(right))
        });
        let mut weight = terms::Weight::default();
        let mut chosen = vec![false; count];
        for index in order {
            let with = weight.plus(terms::Weight::of(&text[parts[index].clone()]));
            if with.tokens() <= self.max_tokens {
                weight = with;
                chosen[index] = true;
            }
        }
        let kept = parts.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
        kept.map(|(part, _)| part.clone()).collect()
    }
}
