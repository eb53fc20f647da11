//! Requests that are refused before they are routed: told to the client, counted, written down.

use vsr_protocol::{ApiError, RequestError};

use crate::{
    answer::{self, Answer},
    service::Call,
};

/// Why a request is not routed.
#[derive(Debug)]
pub(crate) struct Refusal {
    error: ApiError,
    /// The reason code for the record.
    reason: &'static str,
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn new(reason: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { error: ApiError::new(status, message), reason }
    }

    /// A refusal with an error of one's own.
    pub(crate) fn of(error: ApiError, reason: &'static str) -> Self {
        Self { error, reason }
    }

    /// This process failed.
    pub(crate) fn internal() -> Self {
        let error = ApiError::new(500, "the router failed to handle the request").with_code("internal_error");
        Self { error, reason: "internal_error" }
    }

    /// The answer to the client. A request that was routed is recorded by its exchange instead.
    pub(crate) fn answer(&self, call: &Call<'_>) -> Answer {
        call.router().metrics().refused(self.reason);
        tracing::info!(
            target: "access",
            request_id = %call.id.text,
            status = self.error.status,
            total_ms = call.received.elapsed().as_secs_f64() * 1e3,
            error = self.reason,
            "request",
        );
        answer::refusal(&self.error, call.protocol)
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Self { error: error.into(), reason: "parse_error" }
    }
}
