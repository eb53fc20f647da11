//! One request to a backend, and the backend's answer to the client.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use vsr_protocol::{
    ApiError,
    openai_chat::{self, StreamOptions},
};
use vsr_router::{Backend, Exchange, Forward};
use vsr_upstream::{Body, Request, Response, Timeouts};

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

/// The part of a [`Forward`] that the answer is made with.
struct Pending {
    exchange: Exchange,
    backend: Arc<Backend>,
    options: StreamOptions,
}

/// Sends the request and makes the client's answer of what comes back.
pub(crate) async fn forward(call: &Call<'_>, client_headers: HeaderMap, forward: Forward) -> Answer {
    let Forward { exchange, backend, body, usage_injected, choices, .. } = forward;
    let request = Request {
        method: Method::POST,
        endpoint: Arc::clone(&backend.endpoint),
        path_and_query: backend.chat_path.clone(),
        headers: headers::to_backend(client_headers, &call.listener().door, &backend, call.id),
        body,
    };
    let left = call.listener().request_timeout.saturating_sub(exchange.elapsed());
    let total = backend.timeouts.total.map_or(left, |total| total.min(left));
    let timeouts = Timeouts { total: Some(total), ..backend.timeouts };
    let options =
        StreamOptions { drop_usage: usage_injected, whole_events: true, choices, ..StreamOptions::default() };
    let sent = call.upstream().send(request, &timeouts).await;
    let mut pending = Pending { exchange, backend, options };
    match sent {
        Ok(response) => {
            pending.exchange.upstream_head();
            pending.pass_on(call, response).await
        }
        Err(error) => pending.fail(&error),
    }
}

// === impl Pending ===

impl Pending {
    async fn pass_on(self, call: &Call<'_>, response: Response) -> Answer {
        let status = response.status;
        if status.is_success() && is_event_stream(&response.headers) {
            self.stream(call, response)
        } else if status.is_success() {
            self.whole(call, response).await
        } else if status.is_client_error() || status.is_server_error() {
            self.error(response).await
        } else {
            let what = "redirected or did not answer as a model does";
            self.refuse(Failure { what, ..Failure::of(vsr_upstream::ErrorKind::InvalidResponse) })
        }
    }

    fn stream(mut self, call: &Call<'_>, response: Response) -> Answer {
        let Response { status, headers, body, .. } = response;
        self.exchange.status(status.as_u16());
        let mut head = HeaderMap::with_capacity(32);
        self.add_routing_headers(call, &mut head);
        let mut answer = if is_encoded(&headers) {
            tracing::warn!(
                backend = %self.backend.name,
                "the backend encodes its stream although it was asked not to: it passes unread, usage is unknown"
            );
            answer::encoded(status, EncodedStream::new(body, self.exchange))
        } else {
            answer::events(status, EventStream::new(body, self.exchange, self.backend, self.options))
        };
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers::to_client(headers, &mut head);
        *answer.headers_mut() = head;
        answer
    }

    async fn whole(mut self, call: &Call<'_>, response: Response) -> Answer {
        let Response { status, headers, body, .. } = response;
        let body = match body.collect(MAX_ANSWER_BYTES).await {
            Ok(body) => body,
            Err(error) => return self.fail(&error),
        };
        if !is_encoded(&headers)
            && let Some(usage) = openai_chat::read_usage(&body)
        {
            self.exchange.usage(usage);
        }
        self.exchange.status(status.as_u16());
        self.exchange.first_byte();
        let mut answer = answer::whole(status, body);
        self.add_routing_headers(call, answer.headers_mut());
        headers::to_client(headers, answer.headers_mut());
        self.exchange.end(None);
        answer
    }

    /// An error of the backend: its own body if a client can read it, with the status as it is.
    async fn error(mut self, response: Response) -> Answer {
        let Response { status, mut headers, body, .. } = response;
        let body = readable(&headers, body).await;
        let mut answer = match body {
            Some(body) => answer::whole(status, body),
            None => {
                headers.remove(header::CONTENT_TYPE);
                headers.remove(header::CONTENT_ENCODING);
                let name = &self.backend.name;
                let message =
                    format!("backend `{name}` answered with status {} and nothing readable", status.as_u16());
                answer::refusal(&ApiError::new(status.as_u16(), message))
            }
        };
        headers::to_client(headers, answer.headers_mut());
        self.exchange.status(status.as_u16());
        self.exchange.first_byte();
        self.exchange.end(Some(if status.is_server_error() { "upstream_5xx" } else { "upstream_4xx" }));
        answer
    }

    fn fail(self, error: &vsr_upstream::Error) -> Answer {
        tracing::warn!(
            request_id = %self.exchange.trace().request_id, backend = %self.backend.name, %error, "a backend failed"
        );
        self.refuse(Failure::of(error.kind()))
    }

    fn refuse(mut self, failure: Failure) -> Answer {
        let error = failure.to_error(&self.exchange, &self.backend);
        self.exchange.status(error.status);
        self.exchange.end(Some(failure.reason));
        answer::refusal(&error)
    }

    fn add_routing_headers(&self, call: &Call<'_>, headers: &mut HeaderMap) {
        add_routing_headers(&self.exchange, call, headers);
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

/// The body of an error, if it is JSON.
async fn readable(headers: &HeaderMap, body: Body) -> Option<Bytes> {
    let body = body.collect(MAX_ERROR_BYTES).await.ok()?;
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
    (is_json || is_encoded(headers) && !body.is_empty()).then_some(body)
}
