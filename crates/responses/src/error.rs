//! What can go wrong with stored responses.

use crate::MAX_DEPTH;

/// Something could not be kept or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error("the store of responses failed: {0}")]
    Store(String),
    /// A stored value cannot be read.
    #[error("a stored response cannot be read: {0}")]
    Damaged(String),
    /// It is larger than one stored value may be.
    #[error("{bytes} bytes are more than the {max_bytes} that one stored response may have")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most there may be.
        max_bytes: u64,
    },
    /// The conversation is not there.
    #[error("there is no such conversation")]
    NoConversation,
    /// A chain has as many turns as it may.
    #[error("a chain of responses has at most {MAX_DEPTH} turns")]
    TooDeep,
    /// The system has no randomness to make ids of.
    #[error("the system has no randomness: {0}")]
    Randomness(String),
    /// Nothing is kept any more: the process is ending.
    #[error("stored responses are closed")]
    Closed,
}

/// A chain could not be followed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HistoryError {
    /// The response that is to be continued is not there.
    #[error("there is no such response")]
    NotFound,
    /// It is still being made.
    #[error("the response is still in progress")]
    InProgress,
    /// A turn before it was deleted, or has expired.
    #[error("an earlier turn was deleted or has expired")]
    Broken,
    /// The chain has as many turns as it may.
    #[error("a chain of responses has at most {MAX_DEPTH} turns")]
    TooDeep,
    /// All turns together are larger than a request may be.
    #[error("the turns before this one are larger than {max_bytes} bytes")]
    TooLong {
        /// The most there may be.
        max_bytes: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<vsr_store::Error> for Error {
    fn from(error: vsr_store::Error) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
