//! Requests for an answer, in whatever protocol: read, route, and do what the router says.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use vsr_config::RoutingHeaders;
use vsr_protocol::{ClientRequest, RequestLimits, ViewedRequest};
use vsr_router::{Reading, ResponsePath, RouteInput, Routed, Shortcut, Snapshot};
use vsr_types::{Identity, RequestId, Via};

use crate::{
    answer::{self, Answer},
    body::{self, BodyError},
    forward, guard, headers,
    refusal::Refusal,
    responses::{self, Turn},
    service::Call,
};

const X_VSR_FAST_RESPONSE: HeaderName = HeaderName::from_static("x-vsr-fast-response");

/// Bodies above this are read and routed on a thread of their own, so that the connections of this one go on.
const MAX_INLINE_BYTES: usize = 256 * 1024;

/// What is routed, apart from the body.
struct Question {
    identity: Identity,
    via: Via,
    request_id: RequestId,
    received: Instant,
    answer_id: RequestId,
}

/// A request on its way to a route.
struct Opened {
    question: Question,
    snapshot: Arc<Snapshot>,
    request: ViewedRequest,
    parse: Duration,
    /// What the router's own models must read first.
    reading: Option<Reading>,
}

/// Answers one request.
pub(crate) async fn complete(
    call: &Call<'_>,
    client_headers: HeaderMap,
    body: &mut Incoming,
    identity: Identity,
) -> Answer {
    let body = match read(call, &client_headers, body).await {
        Ok(body) => body,
        Err(refusal) => return refusal.answer(call),
    };
    let (routed, mut turn) = match route(call, &client_headers, body, identity).await {
        Ok(routed) => routed,
        Err(refusal) => return refusal.answer(call),
    };
    let answer = match routed {
        Routed::Forward(forward) => {
            let sent = turn.as_mut().map(|turn| turn.sent_to(&forward)).unwrap_or_default();
            forward::forward(call, client_headers, forward, sent).await
        }
        Routed::Shortcut(shortcut) => shortcut_answer(call, *shortcut),
        Routed::Refusal(refused) => {
            let vsr_router::Refusal { mut exchange, error, reason } = *refused;
            exchange.status(error.status);
            let mut answer = answer::refusal(&error, call.protocol);
            forward::add_protocol_headers(&exchange, ResponsePath::Error, call, answer.headers_mut());
            exchange.end(Some(reason));
            return answer;
        }
    };
    match turn {
        Some(turn) => responses::keep(answer, turn).await,
        None => answer,
    }
}

pub(crate) async fn read(
    call: &Call<'_>,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Bytes, Refusal> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let message = "the body must not be compressed; send it without `content-encoding`";
        return Err(Refusal::new("compressed_body", 415, message));
    }
    let listener = call.listener();
    let deadline = call.received.checked_add(listener.request_timeout);
    let max_bytes = listener.max_body_bytes;
    let stall_limit = listener.phase_limits.idle;
    let body = body::read(body, max_bytes, deadline, stall_limit).await.map_err(|error| match error {
        BodyError::TooLarge => Refusal::new(
            "body_too_large",
            413,
            format!("the body is larger than the {max_bytes} bytes accepted"),
        ),
        BodyError::TooSlow => Refusal::new("slow_body", 408, "the body did not arrive in time"),
        BodyError::Broken => {
            call.connection.activity.set_broken_body();
            Refusal::new("broken_body", 400, "the body ended early or its framing is broken")
        }
    })?;
    call.note_body_read();
    Ok(body)
}

/// Whether a body is read and routed on a thread of its own.
pub(crate) fn is_large(body: &Bytes) -> bool {
    body.len() > MAX_INLINE_BYTES
}

/// Reads and routes a request; with it goes what is stored of the turn, if anything is.
async fn route(
    call: &Call<'_>,
    client_headers: &HeaderMap,
    body: Bytes,
    identity: Identity,
) -> Result<(Routed, Option<Box<Turn>>), Refusal> {
    let (mut is_slow, protocol) = (is_large(&body), call.protocol);
    let id = call.id.text.clone();
    let parse = move || {
        let started = Instant::now();
        let request = ClientRequest::parse(protocol, body, &RequestLimits::default())?;
        Ok((request, started.elapsed()))
    };
    let (mut request, parse) = step(is_slow, id.clone(), parse).await?;
    let (mut turn, mut answer_id) = (None, None);
    if let ClientRequest::Responses(asked) = request {
        let opened = Box::pin(responses::open(call, asked, &identity)).await?;
        answer_id = Some(RequestId::from(opened.id.stem()));
        (request, turn) = (ClientRequest::Responses(opened.request), opened.turn);
        is_slow = is_slow || is_large(request.body());
    }
    let question = Question {
        identity,
        via: call.via(),
        request_id: id.clone(),
        received: call.received,
        answer_id: answer_id.unwrap_or_else(|| call.connection.worker.ids.fresh().text),
    };
    let router = Arc::clone(call.router());
    let mut opened = step(is_slow, id.clone(), move || {
        let (snapshot, request) = (router.snapshot(), ViewedRequest::new(request));
        let reading = snapshot.reading(&request, &question.identity);
        Ok(Box::new(Opened { question, snapshot, request, parse, reading }))
    })
    .await?;
    let read = match opened.reading.take() {
        // A panic in it reaches the call's own guard.
        Some(reading) => Some(Box::pin(reading.run(call.upstream())).await),
        None => None,
    };
    let by_caller = opened.snapshot.models().balances_by_caller();
    let session = if by_caller { headers::session_id(client_headers) } else { None };
    let router = Arc::clone(call.router());
    let routed = step(is_slow, id, move || {
        let Opened { question, snapshot, request, parse, .. } = *opened;
        let Question { identity, via, request_id, received, answer_id } = question;
        let input = RouteInput {
            request: &request,
            identity,
            via,
            request_id,
            answer_id: answer_id.as_str(),
            received,
            parse,
            session: session.as_ref().map(HeaderValue::as_bytes),
            read,
        };
        Ok(router.route(&snapshot, input))
    })
    .await?;
    Ok((routed, turn))
}

/// Takes a step for a request, for a large one on a thread of its own. A panic in it is this request's alone.
pub(crate) async fn step<T: Send + 'static>(
    is_large: bool,
    id: RequestId,
    step: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let contained = move || {
        guard::contain_step(step).unwrap_or_else(|_panic| {
            // What it panicked with may hold text of the request.
            tracing::error!(request_id = %id, "the router panicked while it routed a request; others are not affected");
            Err(Refusal::internal())
        })
    };
    if !is_large {
        return contained();
    }
    // Fails only where the runtime is going away, and this connection with it.
    let stepped = tokio::task::spawn_blocking(contained).await;
    stepped.unwrap_or_else(|_| Err(Refusal::new("shutdown", 503, "the router is shutting down")))
}

fn shortcut_answer(call: &Call<'_>, shortcut: Shortcut) -> Answer {
    let Shortcut { mut exchange, body, stream } = shortcut;
    let mut answer = answer::whole(StatusCode::OK, body);
    let headers = answer.headers_mut();
    let content_type = if stream { "text/event-stream; charset=utf-8" } else { "application/json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if stream {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    if call.listener().routing_headers != RoutingHeaders::Off {
        headers.insert(X_VSR_FAST_RESPONSE, HeaderValue::from_static("true"));
    }
    forward::add_protocol_headers(&exchange, ResponsePath::FastResponse, call, headers);
    forward::add_routing_headers(&exchange, call, headers);
    exchange.status(StatusCode::OK.as_u16());
    exchange.first_byte();
    exchange.end(None);
    answer
}
