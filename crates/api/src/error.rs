//! Errors in the management API's own envelope.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;
use vsr_types::{Clock, SystemClock};

/// A failed management request: `{"error": {"code", "message", "timestamp"}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiFailure {
    /// The HTTP status.
    pub status: StatusCode,
    /// What happened, for a program.
    pub code: &'static str,
    /// What happened, for a person.
    pub message: String,
}

// === impl ApiFailure

impl ApiFailure {
    /// The request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "INVALID_INPUT", message: message.into() }
    }

    /// The envelope.
    pub(crate) fn body(&self) -> serde_json::Value {
        json!({ "error": {
            "code": self.code,
            "message": self.message,
            "timestamp": SystemClock.now().rfc3339(),
        }})
    }

    /// The router failed.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, code: "INTERNAL_ERROR", message: message.into() }
    }
}

impl IntoResponse for ApiFailure {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
