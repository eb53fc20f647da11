//! What can go wrong.

use vsr_types::UnavailableReason;

/// A model cannot be used, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The model's file cannot be used.
    #[error("the {model} model cannot be loaded: {source}")]
    Load {
        /// `trunk` or `tagger`.
        model: &'static str,
        /// Why.
        source: vsr_encoder::Error,
    },
    /// There is no such model or head.
    #[error("this router has no {0}")]
    Absent(&'static str),
    /// The models are busy; try again later.
    #[error("the router's models are busy")]
    Overloaded,
    /// The model failed.
    #[error("the model failed: {0}")]
    Failed(String),
}

// === impl ReaderError

impl ReaderError {
    /// An answer that was not given.
    pub(crate) fn of(error: vsr_encoder::Error) -> Self {
        match error {
            vsr_encoder::Error::Overloaded(_) => Self::Overloaded,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// The reason that evidence carries for a failure of the encoder.
pub(crate) fn reason(error: &vsr_encoder::Error) -> UnavailableReason {
    match error {
        vsr_encoder::Error::Overloaded(_) => UnavailableReason::Overloaded,
        _ => UnavailableReason::Failed,
    }
}
