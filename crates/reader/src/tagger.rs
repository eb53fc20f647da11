//! The tagger model: entities in windows.

use std::{ops::Range, sync::Arc};

use vsr_encoder::{Encoded, Error, Package, span_types};
use vsr_signals::TaggedSpan;

use crate::{checkpoint::Checkpoint, weights::Weights};

/// The tagger model.
#[derive(Debug)]
pub(crate) struct Tagger {
    pub(crate) weights: Weights,
    labels: Vec<String>,
    types: Vec<Arc<str>>,
}

// === impl Tagger

impl Tagger {
    pub(crate) fn new(package: Package) -> Result<Self, Error> {
        let labels = package.token_head().map(|head| head.labels.clone()).ok_or_else(|| {
            let (what, why) = ("the tagger".to_owned(), "the model has no token head".to_owned());
            Error::Format { what, why }
        })?;
        Ok(Self::of(Weights::packed(package)?, labels))
    }

    /// A checkpoint of the user's own.
    pub(crate) fn of_checkpoint(checkpoint: &Checkpoint) -> Self {
        let labels = checkpoint.labels.iter().map(ToString::to_string).collect();
        Self::of(Weights::directory(checkpoint), labels)
    }

    fn of(weights: Weights, labels: Vec<String>) -> Self {
        let types = span_types(&labels).0.into_iter().map(Into::into).collect();
        Self { weights, labels, types }
    }

    /// The types it tells apart.
    pub(crate) fn types(&self) -> &[Arc<str>] {
        &self.types
    }

    /// The entities of the window `bytes` of `text`, placed in the text.
    pub(crate) fn spans(&self, text: &str, bytes: &Range<usize>, encoded: &Encoded) -> Vec<TaggedSpan> {
        let (Some(window), Some(tokens)) = (text.get(bytes.clone()), &encoded.tokens) else {
            return Vec::new();
        };
        let place = |span: vsr_encoder::Span| TaggedSpan {
            bytes: bytes.start + span.range.start..bytes.start + span.range.end,
            kind: Arc::clone(&self.types[span.kind]),
            probability: span.score,
        };
        tokens.spans(window, &self.labels).into_iter().map(place).collect()
    }
}
