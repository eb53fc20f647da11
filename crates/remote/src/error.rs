//! Why a call yields no answer, and whether that is the model's fault.

use vsr_signals::external::{RemoteFailure, UnreadableAnswer};
use vsr_types::UnavailableReason;
use vsr_upstream::Error as TransportError;

/// A call without an answer. Its text never holds what was asked or answered.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallError {
    /// There was no answer in time.
    #[error("no answer in time")]
    Late,
    /// All calls that may run at once are running.
    #[error("too many calls at once")]
    Busy,
    /// The server cannot be reached, or breaks off.
    #[error("{0}")]
    Transport(String),
    /// The server answers with a status that is no success.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The server's answer is not what its protocol prescribes.
    #[error("{0}")]
    Protocol(&'static str),
    /// The server runs, and refuses this one request.
    #[error("{0}")]
    Refused(&'static str),
    /// The model answered, in no form that is understood.
    #[error(transparent)]
    Unreadable(#[from] UnreadableAnswer),
    /// The server failed a moment ago; it is tried again soon.
    #[error("failed a moment ago and is being started again")]
    Pausing,
}

// === impl CallError

impl CallError {
    /// Whether it counts against the model. What a text can provoke does not: nobody must be able to switch a guardrail
    /// off for others by what they write.
    pub(crate) fn counts(&self) -> bool {
        match self {
            Self::Late | Self::Transport(_) | Self::Protocol(_) => true,
            Self::Status(status) => !matches!(status, 400 | 413 | 422),
            Self::Busy | Self::Refused(_) | Self::Unreadable(_) | Self::Pausing => false,
        }
    }

    fn reason(&self) -> UnavailableReason {
        match self {
            Self::Late | Self::Busy => UnavailableReason::Overloaded,
            Self::Pausing => UnavailableReason::CircuitOpen,
            _ => UnavailableReason::Failed,
        }
    }

    pub(crate) fn into_failure(self, model: &str) -> RemoteFailure {
        RemoteFailure::new(self.reason(), format!("{model}: {self}"))
    }
}

impl From<TransportError> for CallError {
    fn from(error: TransportError) -> Self {
        if error.kind().is_timeout() { Self::Late } else { Self::Transport(error.to_string()) }
    }
}
