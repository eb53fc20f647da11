//! One request to a backend, and the backend's answer to the client.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use vsr_protocol::{
    ApiError,
    openai_chat::{self, StreamOptions},
};
use vsr_router::{Exchange, Forward};
use vsr_upstream::{Body, ErrorKind, Request, Response, Timeouts};

use crate::{
    answer::{self, Answer},
    events::{EncodedStream, EventStream},
    failure::Failure,
    headers,
    service::Call,
};

/// The largest answer that is held in memory.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The largest error that is passed on.
const MAX_ERROR_BYTES: usize = 1024 * 1024;

/// A request at its backend. The forward stays in its box: it is large, and moves with every step.
struct Pending(Box<Forward>);

/// Sends the request and makes the client's answer of what comes back.
pub(crate) async fn forward(call: &Call<'_>, client_headers: HeaderMap, mut forward: Box<Forward>) -> Answer {
    let backend = &forward.backend;
    let request = Request {
        method: Method::POST,
        endpoint: Arc::clone(&backend.endpoint),
        path_and_query: backend.chat_path.clone(),
        headers: headers::to_backend(client_headers, &call.listener().door, backend, call.id),
        body: std::mem::take(&mut forward.body),
    };
    let backend = &forward.backend;
    let left = call.listener().request_timeout.saturating_sub(forward.exchange.elapsed());
    let total = backend.timeouts.total.map_or(left, |total| total.min(left));
    let timeouts = Timeouts { total: Some(total), ..backend.timeouts };
    let sent = call.upstream().send(request, &timeouts).await;
    let mut pending = Pending(forward);
    match sent {
        Ok(response) => {
            pending.0.exchange.upstream_head();
            pending.pass_on(call, response).await
        }
        Err(error) => pending.fail(&error),
    }
}

// === impl Pending ===

impl Pending {
    async fn pass_on(self, call: &Call<'_>, response: Response) -> Answer {
        let Response { status, headers, body, .. } = response;
        if status.is_success() && is_event_stream(&headers) {
            return self.stream(call, status, headers, body);
        }
        if status.is_success() {
            return match body.collect(MAX_ANSWER_BYTES).await {
                Ok(body) => self.whole(call, status, headers, body),
                Err(error) => self.fail(&error),
            };
        }
        if status == StatusCode::UNAUTHORIZED && self.0.backend.has_credential {
            // The router's own key was refused: nothing the client sent is at fault, and what the
            // backend says about the key is not for the client.
            return self.refuse(Failure::CREDENTIAL_REFUSED);
        }
        if status.is_client_error() || status.is_server_error() {
            let body = body.collect(MAX_ERROR_BYTES).await.ok();
            return self.error(status, headers, body);
        }
        let what = "redirected or did not answer as a model does";
        self.refuse(Failure { what, ..Failure::of(ErrorKind::InvalidResponse) })
    }

    fn stream(self, call: &Call<'_>, status: StatusCode, headers: HeaderMap, body: Body) -> Answer {
        let Forward { mut exchange, backend, usage_injected, choices, .. } = *self.0;
        exchange.status(status.as_u16());
        let mut head = HeaderMap::with_capacity(32);
        add_routing_headers(&exchange, call, &mut head);
        let mut answer = if is_encoded(&headers) {
            tracing::warn!(
                backend = %backend.name,
                "the backend encodes its stream although it was asked not to: it passes unread, usage is unknown"
            );
            answer::encoded(status, EncodedStream::new(body, exchange))
        } else {
            let options = StreamOptions {
                drop_usage: usage_injected,
                whole_events: true,
                choices,
                ..StreamOptions::default()
            };
            answer::events(status, EventStream::new(body, exchange, backend, options))
        };
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers::to_client(headers, &mut head);
        *answer.headers_mut() = head;
        answer
    }

    fn whole(self, call: &Call<'_>, status: StatusCode, headers: HeaderMap, body: Bytes) -> Answer {
        let mut exchange = self.0.exchange;
        if !is_encoded(&headers)
            && let Some(usage) = openai_chat::read_usage(&body)
        {
            exchange.usage(usage);
        }
        exchange.status(status.as_u16());
        exchange.first_byte();
        let mut answer = answer::whole(status, body);
        *answer.headers_mut() = HeaderMap::with_capacity(32);
        add_routing_headers(&exchange, call, answer.headers_mut());
        headers::to_client(headers, answer.headers_mut());
        exchange.end(None);
        answer
    }

    /// An error of the backend: its own body if a client can read it, with the status as it is.
    fn error(self, status: StatusCode, mut headers: HeaderMap, body: Option<Bytes>) -> Answer {
        let Forward { mut exchange, backend, .. } = *self.0;
        let mut answer = match body.filter(|body| is_readable(&headers, body)) {
            Some(body) => answer::whole(status, body),
            None => {
                headers.remove(header::CONTENT_TYPE);
                headers.remove(header::CONTENT_ENCODING);
                let code = status.as_u16();
                let message =
                    format!("backend `{}` answered with status {code} and nothing readable", backend.name);
                answer::refusal(&ApiError::new(code, message))
            }
        };
        headers::to_client(headers, answer.headers_mut());
        exchange.status(status.as_u16());
        exchange.end(Some(if status.is_server_error() { "upstream_5xx" } else { "upstream_4xx" }));
        answer
    }

    fn fail(self, error: &vsr_upstream::Error) -> Answer {
        tracing::warn!(
            request_id = %self.0.exchange.trace().request_id,
            backend = %self.0.backend.name,
            %error,
            "a backend failed"
        );
        self.refuse(Failure::of(error.kind()))
    }

    fn refuse(self, failure: Failure) -> Answer {
        let Forward { mut exchange, backend, .. } = *self.0;
        let error = failure.to_error(&exchange, &backend);
        exchange.status(error.status);
        exchange.end(Some(failure.reason));
        answer::refusal(&error)
    }
}

/// Adds the headers that tell of the routing, as far as the listener tells it.
pub(crate) fn add_routing_headers(exchange: &Exchange, call: &Call<'_>, headers: &mut HeaderMap) {
    vsr_router::response_headers(exchange.trace(), call.listener().routing_headers, |name, value| {
        headers.insert(name, value);
    });
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    const EVENT_STREAM: &[u8] = b"text/event-stream";
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(EVENT_STREAM)
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether a client can read the body of an error: it is JSON, or encoded and beyond judging.
fn is_readable(headers: &HeaderMap, body: &Bytes) -> bool {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    is_json || is_encoded(headers) && !body.is_empty()
}
