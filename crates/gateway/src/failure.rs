//! What a failed call to a backend means: for the client, and for the record.

use vsr_protocol::ApiError;
use vsr_router::{Backend, Exchange};
use vsr_upstream::ErrorKind;

/// A failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The status for the client, if it has none yet.
    pub(crate) status: u16,
    /// The code for the client.
    pub(crate) code: &'static str,
    /// The reason code for the record.
    pub(crate) reason: &'static str,
    /// What the backend did, as the rest of a sentence.
    pub(crate) what: &'static str,
}

// === impl Failure ===

impl Failure {
    /// An event of a stream is longer than is kept.
    pub(crate) const EVENT_TOO_LONG: Self = Self::invalid("sent an event that is too long");

    /// The backend does not accept the router's own credential.
    pub(crate) const CREDENTIAL_REFUSED: Self = Self {
        status: 502,
        code: "upstream_unauthorized",
        reason: "upstream_4xx",
        what: "refused the router's credential",
    };

    /// This process failed, not the backend.
    pub(crate) const INTERNAL: Self = Self {
        status: 500,
        code: "internal_error",
        reason: "internal_error",
        what: "sent something that the router failed to handle",
    };

    /// A count of tokens is none.
    pub(crate) const NO_COUNT: Self = Self::invalid("answered a count of tokens with something else");

    /// The stream ended in an orderly way, but not the answer.
    pub(crate) const UNFINISHED: Self = Self {
        status: 502,
        code: "upstream_truncated",
        reason: "upstream_truncated",
        what: "broke off before the answer was finished",
    };

    pub(crate) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::ConnectTimeout => Self::timeout("did not accept a connection in time"),
            ErrorKind::FirstByteTimeout => Self::timeout("did not begin to answer in time"),
            ErrorKind::StreamIdleTimeout => Self::timeout("stopped sending before the answer was finished"),
            ErrorKind::TotalTimeout => Self::timeout("did not finish its answer in time"),
            ErrorKind::Reset => Self {
                status: 502,
                code: "upstream_reset",
                reason: "upstream_reset",
                what: "closed the connection without an answer",
            },
            ErrorKind::Truncated => Self::UNFINISHED,
            ErrorKind::InvalidResponse => Self::invalid("sent something that is not valid HTTP"),
            ErrorKind::HeadTooLarge => Self::invalid("sent headers that are too large"),
            ErrorKind::BodyTooLarge => Self::invalid("sent an answer that is too large"),
            _ => Self {
                status: 502,
                code: "upstream_unreachable",
                reason: "upstream_unreachable",
                what: "cannot be reached",
            },
        }
    }

    const fn timeout(what: &'static str) -> Self {
        Self { status: 504, code: "upstream_timeout", reason: "timeout", what }
    }

    /// The stream holds something that cannot be read.
    pub(crate) const fn malformed(what: &'static str) -> Self {
        Self::invalid(what)
    }

    const fn invalid(what: &'static str) -> Self {
        Self { status: 502, code: "upstream_invalid_response", reason: "parse_error", what }
    }

    /// The error for the client. It names the backend as the configuration does, never its address.
    pub(crate) fn to_error(self, exchange: &Exchange, backend: &Backend) -> ApiError {
        self.told_of(exchange.trace().choice.as_ref().map_or("-", |choice| choice.model.as_str()), backend)
    }

    /// The same for a call of `model`.
    pub(crate) fn told_of(self, model: &str, backend: &Backend) -> ApiError {
        let message = format!("backend `{}` of model `{model}` {}", backend.name, self.what);
        ApiError::new(self.status, message).with_code(self.code)
    }
}
