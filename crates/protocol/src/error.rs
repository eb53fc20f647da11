//! Errors: why a request was refused, and how a client is told.

mod upstream;

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use crate::json::{JsonError, Writer, named_event};
use crate::protocol::Protocol;

pub use upstream::own_error;
pub(crate) use upstream::own_event;

/// A request that cannot be routed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body is not a document that every reader understands alike.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or has a value that the protocol does not know.
    #[error("`{param}` {problem}")]
    Field {
        /// The field, as in `messages[0].content`.
        param: String,
        /// What is wrong and what is expected, as the rest of a sentence about the field.
        problem: String,
    },
    /// The body is JSON, but not an object.
    #[error("the body must be a JSON object, not {0}")]
    NotAnObject(&'static str),
    /// The model that a body names cannot be found, or not without doubt.
    #[error("{0}")]
    Unnamed(String),
    /// It builds on a conversation that a server would hold.
    #[error("`thread` is not supported: no conversation is held here; send all of its messages")]
    Thread,
}

/// The code for a request that is too long for the model.
const CONTEXT_LENGTH: &str = "context_length_exceeded";

/// By this code clients of Anthropic know that they have to send the whole conversation.
const UNSUPPORTED_THREAD: &str = "thread_unsupported_request";

/// How Anthropic's message for it begins.
const TOO_LONG: &str = "prompt is too long";

/// A client's own words are repeated to it up to this many characters.
const MAX_NAME_CHARS: usize = 256;

/// The kind of an error, as clients tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// The request is wrong.
    InvalidRequest,
    /// The caller is unknown.
    Authentication,
    /// The caller may not do this.
    Permission,
    /// What was asked for does not exist.
    NotFound,
    /// It took too long.
    Timeout,
    /// Too many requests.
    RateLimit,
    /// The router or its upstream failed.
    Api,
    /// The router or its upstream has no capacity now.
    Overloaded,
}

/// An error for a client, independent of the protocol it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The kind of the error.
    pub error_type: ErrorType,
    /// What happened, for a person.
    pub message: String,
    /// The request field at fault.
    pub param: Option<String>,
    /// What happened, for a program.
    pub code: Option<Cow<'static, str>>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

// === impl RequestError

impl RequestError {
    pub(crate) fn field(param: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { param: param.into(), problem: problem.into() }
    }

    pub(crate) fn unnamed(problem: impl Into<String>) -> Self {
        Self::Unnamed(problem.into())
    }

    /// The request field at fault, if the body could be read that far.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Field { param, .. } => Some(param),
            Self::Thread => Some("thread"),
            Self::Json(_) | Self::NotAnObject(_) | Self::Unnamed(_) => None,
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let param = error.param().map(str::to_owned);
        let code = (error == RequestError::Thread).then_some(Cow::Borrowed(UNSUPPORTED_THREAD));
        Self { param, code, ..Self::new(400, error.to_string()) }
    }
}

// === impl ErrorType

impl ErrorType {
    /// The kind that a status stands for.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            500.. => Self::Api,
            _ => Self::InvalidRequest,
        }
    }

    /// The kind of this name, in any of the protocols.
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "invalid_request_error" | "BadRequestError" | "request_too_large" => Self::InvalidRequest,
            "authentication_error" => Self::Authentication,
            "permission_error" | "billing_error" => Self::Permission,
            "not_found_error" | "NotFoundError" => Self::NotFound,
            "timeout_error" => Self::Timeout,
            "rate_limit_error" | "rate_limit_exceeded" => Self::RateLimit,
            "overloaded_error" => Self::Overloaded,
            "api_error" | "server_error" => Self::Api,
            _ => return None,
        })
    }

    /// The status that stands for the kind, for errors that come without one.
    fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Authentication => 401,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::Timeout => 504,
            Self::RateLimit => 429,
            Self::Api => 500,
            Self::Overloaded => 529,
        }
    }

    /// The kind's name in OpenAI's protocols.
    pub fn openai_name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Permission => "permission_error",
            Self::NotFound => "not_found_error",
            Self::Timeout => "timeout_error",
            Self::RateLimit => "rate_limit_error",
            Self::Api => "api_error",
            Self::Overloaded => "overloaded_error",
        }
    }
}

// === impl ApiError

impl ApiError {
    /// An error of the kind and with the code that `status` stands for.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        let code = match status {
            401 => Some("invalid_api_key"),
            413 => Some("request_too_large"),
            429 => Some("rate_limit_exceeded"),
            _ => None,
        };
        Self {
            status,
            error_type: ErrorType::of_status(status),
            message: message.into(),
            param: None,
            code: code.map(Cow::Borrowed),
        }
    }

    /// 404 for a model that is not served here.
    pub fn model_not_found(model: &str) -> Self {
        let name: String = model.chars().take(MAX_NAME_CHARS).collect();
        let message = format!("the model {} does not exist or is not served here", crate::json::quote(&name));
        Self::new(404, message).with_param("model").with_code("model_not_found")
    }

    /// Names the request field at fault.
    #[must_use]
    pub fn with_param(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// Sets the code.
    #[must_use]
    pub fn with_code(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// The status that a client of `protocol` gets: each vendor has its own for a lack of capacity.
    pub fn status_for(&self, protocol: Protocol) -> u16 {
        match (self.status, protocol) {
            (529, Protocol::Chat | Protocol::Responses) => 503,
            (503, Protocol::Messages) => 529,
            (status, _) => status,
        }
    }

    /// The response body in the shape of `protocol`.
    pub fn to_body(&self, protocol: Protocol) -> Bytes {
        match protocol {
            Protocol::Chat | Protocol::Responses => self.to_openai_body(),
            Protocol::Messages => Bytes::from(self.anthropic_json()),
        }
    }

    /// The error as the last event of a stream of `protocol`. For Responses this is the event for
    /// a stream that has no response in it; see [`crate::StreamTranslator::fail`].
    pub fn to_event(&self, protocol: Protocol) -> Bytes {
        match protocol {
            Protocol::Chat => self.to_openai_event(),
            Protocol::Messages => named_event("error", &self.anthropic_json()),
            Protocol::Responses => self.to_response_event(0),
        }
    }

    /// The error as an event of Responses with this number.
    pub(crate) fn to_response_event(&self, sequence: u64) -> Bytes {
        let mut out = Writer::default();
        out.object(|out| {
            out.string_field("type", "error");
            out.nullable_field("code", self.code.as_deref().or(Some(self.response_code())));
            out.string_field("message", &self.message);
            out.nullable_field("param", self.param.as_deref());
            out.number_field("sequence_number", sequence);
        });
        named_event("error", out.as_str())
    }

    /// The code in a failed response of the Responses protocol.
    pub(crate) fn response_code(&self) -> &str {
        match (self.error_type, self.code.as_deref()) {
            (_, Some(CONTEXT_LENGTH)) => CONTEXT_LENGTH,
            (ErrorType::RateLimit, _) => "rate_limit_exceeded",
            (ErrorType::InvalidRequest, _) => "invalid_prompt",
            _ => "server_error",
        }
    }

    fn anthropic_json(&self) -> String {
        let name = match self.status {
            413 => "request_too_large",
            402 => "billing_error",
            _ => self.error_type.openai_name(),
        };
        let mut out = Writer::default();
        out.object(|out| {
            out.string_field("type", "error");
            out.object_field("error", |error| {
                error.string_field("type", name);
                // By these words clients of Anthropic know that they have to shorten.
                if self.code.as_deref() == Some(CONTEXT_LENGTH) && !self.message.starts_with(TOO_LONG) {
                    error.key("message").joined(&[TOO_LONG, ": ", &self.message]);
                } else {
                    error.string_field("message", &self.message);
                }
                if self.code.as_deref() == Some(UNSUPPORTED_THREAD) {
                    error.object_field("details", |details| {
                        details.string_field("error_code", UNSUPPORTED_THREAD);
                    });
                }
            });
        });
        out.into_string()
    }

    /// The response body in the shape of OpenAI's protocols.
    pub fn to_openai_body(&self) -> Bytes {
        let body = Body {
            message: &self.message,
            r#type: self.error_type.openai_name(),
            param: self.param.as_deref(),
            code: self.code.as_deref(),
        };
        crate::models::to_json(&Envelope { error: body })
    }

    /// The error as an event of an OpenAI stream.
    pub fn to_openai_event(&self) -> Bytes {
        let body = self.to_openai_body();
        Bytes::from([b"data: ".as_slice(), &body, b"\n\n"].concat())
    }
}
