//! Requests that are refused before they are routed: told to the client, counted, written down.

use http::{HeaderValue, Version, header};
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
    /// Nothing more is read from a connection of HTTP/1.1 that carried it.
    closes: bool,
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn new(reason: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self::of(ApiError::new(status, message), reason)
    }

    /// A refusal with an error of one's own.
    pub(crate) fn of(error: ApiError, reason: &'static str) -> Self {
        Self { error, reason, closes: false }
    }

    /// The request can be read in two ways, and what comes after it in more.
    pub(crate) fn ambiguous(reason: &'static str, message: &'static str) -> Self {
        Self { closes: true, ..Self::new(reason, 400, message) }
    }

    /// This process failed.
    pub(crate) fn internal() -> Self {
        let error = ApiError::new(500, "the router failed to handle the request").with_code("internal_error");
        Self::of(error, "internal_error")
    }

    /// The answer to the client. A request that was routed is recorded by its exchange instead.
    pub(crate) fn answer(&self, call: &Call<'_>) -> Answer {
        call.router().metrics().refused(self.reason);
        let via = call.via();
        tracing::info!(
            target: "access",
            request_id = %call.id.text,
            peer = via.peer.map(tracing::field::display),
            http = via.http,
            tls = via.tls,
            status = self.error.status,
            total_ms = call.received.elapsed().as_secs_f64() * 1e3,
            error = self.reason,
            "request",
        );
        let mut answer = answer::refusal(&self.error, call.protocol);
        if self.closes && call.version < Version::HTTP_2 {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Self::of(error.into(), "parse_error")
    }
}
