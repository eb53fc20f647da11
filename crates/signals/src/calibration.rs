//! How many tokens a request needs: an estimate that learns from what backends counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use vsr_types::RequestView;

/// Bytes per token as long as too little was observed.
const UNKNOWN_RATIO: f64 = 4.0;
/// How many observations it takes until the learned ratio is used.
const MIN_SAMPLES: u64 = 10;
/// The ratios that are believed; what is observed outside counts as the nearest of them.
const SANE_RATIOS: std::ops::RangeInclusive<f64> = 1.0..=8.0;
/// What the mean keeps of its former value at each observation.
const MEAN_DECAY: f64 = 0.995;
/// How far the conservative ratio moves toward an observation of more tokens than it predicts.
const TOWARD_LOWER: f64 = 0.90;
/// How far it moves toward an observation of fewer tokens.
const TOWARD_HIGHER: f64 = 0.10;

/// What chat templates add per message.
const TOKENS_PER_MESSAGE: u64 = 4;
/// What chat templates add per request.
const TOKENS_PER_REQUEST: u64 = 3;
/// What an image, audio or file part is taken for: near the most that common vision models spend on
/// an image of usual size.
const TOKENS_PER_MEDIA_PART: u64 = 1600;

/// Bytes per token, learned online. Shared by all threads without locks.
#[derive(Debug)]
pub struct TokenCalibration {
    samples: AtomicU64,
    /// Bits of an `f64`; 0 before the first observation.
    mean_ratio: AtomicU64,
    /// Bits of an `f64`; 0 before the first observation.
    conservative_ratio: AtomicU64,
}

/// What a [`TokenCalibration`] learned, to be kept over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CalibrationState {
    /// How many observations were made.
    pub samples: u64,
    /// Mean bytes per token; 0 before the first observation.
    pub mean_ratio: f64,
    /// Bytes per token on the side of more tokens; 0 before the first observation.
    pub conservative_ratio: f64,
}

// === impl TokenCalibration

impl Default for TokenCalibration {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenCalibration {
    /// A calibration that has observed nothing.
    pub const fn new() -> Self {
        Self {
            samples: AtomicU64::new(0),
            mean_ratio: AtomicU64::new(0),
            conservative_ratio: AtomicU64::new(0),
        }
    }

    /// The calibration that `state` describes. A state that cannot be true counts as none.
    pub fn restore(state: CalibrationState) -> Self {
        let sane = |ratio: f64| ratio.is_finite() && SANE_RATIOS.contains(&ratio);
        if state.samples == 0 || !sane(state.mean_ratio) || !sane(state.conservative_ratio) {
            return Self::new();
        }
        Self {
            samples: AtomicU64::new(state.samples),
            mean_ratio: AtomicU64::new(state.mean_ratio.to_bits()),
            conservative_ratio: AtomicU64::new(state.conservative_ratio.to_bits()),
        }
    }

    /// What was learned so far.
    pub fn snapshot(&self) -> CalibrationState {
        CalibrationState {
            samples: self.samples(),
            mean_ratio: f64::from_bits(self.mean_ratio.load(Relaxed)),
            conservative_ratio: f64::from_bits(self.conservative_ratio.load(Relaxed)),
        }
    }

    /// The bytes of a request that are taken for prompt text: what [`Self::estimate`] divides, and what
    /// [`Self::observe`] is to be told.
    pub fn prompt_bytes(view: &RequestView<'_>) -> u64 {
        view.text_bytes()
            .saturating_add(view.facts.tool_definition_bytes)
            .saturating_add(view.facts.assistant_tool_call_bytes)
    }

    /// How many tokens the request is likely to need, rather too many than too few: all texts, prior
    /// turns and tool results included, tool definitions and calls, media parts, and the framing.
    pub fn estimate(&self, view: &RequestView<'_>) -> u64 {
        let facts = &view.facts;
        let text = (Self::prompt_bytes(view) as f64 / self.ratio()).ceil() as u64;
        let media = u64::from(facts.images) + u64::from(facts.audios) + u64::from(facts.files);
        text.saturating_add(media * TOKENS_PER_MEDIA_PART)
            .saturating_add(u64::from(facts.roles.total()) * TOKENS_PER_MESSAGE)
            .saturating_add(TOKENS_PER_REQUEST)
    }

    /// Learns that a backend counted `prompt_tokens` tokens in a request of `prompt_bytes` bytes
    /// (see [`Self::prompt_bytes`]). Requests with media parts teach nothing and should not be told.
    pub fn observe(&self, prompt_bytes: u64, prompt_tokens: u64) {
        if prompt_bytes == 0 || prompt_tokens == 0 {
            return;
        }
        let observed =
            (prompt_bytes as f64 / prompt_tokens as f64).clamp(*SANE_RATIOS.start(), *SANE_RATIOS.end());
        update(&self.mean_ratio, |mean| mean * MEAN_DECAY + observed * (1.0 - MEAN_DECAY), observed);
        update(
            &self.conservative_ratio,
            |ratio| {
                let share = if observed < ratio { TOWARD_LOWER } else { TOWARD_HIGHER };
                ratio + share * (observed - ratio)
            },
            observed,
        );
        self.samples.fetch_add(1, Relaxed);
    }

    /// How many observations were made.
    pub fn samples(&self) -> u64 {
        self.samples.load(Relaxed)
    }

    /// The bytes per token that estimates use.
    pub fn ratio(&self) -> f64 {
        if self.samples() < MIN_SAMPLES {
            return UNKNOWN_RATIO;
        }
        f64::from_bits(self.conservative_ratio.load(Relaxed)).clamp(*SANE_RATIOS.start(), *SANE_RATIOS.end())
    }
}

fn update(cell: &AtomicU64, step: impl Fn(f64) -> f64, first: f64) {
    let next = |bits| Some(if bits == 0 { first } else { step(f64::from_bits(bits)) }.to_bits());
    // The closure never declines, so there is no failure to handle.
    let _ = cell.fetch_update(Relaxed, Relaxed, next);
}
