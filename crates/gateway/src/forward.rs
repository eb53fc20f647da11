//! One request to a backend, and the backend's answer to the client.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use vsr_config::RoutingHeaders;
use vsr_protocol::{
    AnswerContext, ApiError, Losses, NamedBody, Protocol, Reason, StreamTranslator, TranslatorOptions,
    answered_error,
    openai_chat::{StreamObserver, StreamOptions},
    own_error, replay_answer, translate_answer,
};
use vsr_router::{Again, Attempt, Exchange, Forward, ResponsePath};
use vsr_types::Usage;
use vsr_upstream::{Body, ErrorKind, Request, Response, Timeouts};

use crate::{
    answer::{self, Answer},
    events::{EncodedStream, EventStream},
    failure::Failure,
    headers,
    ping::Ping,
    relay::{Relay, Watched},
    responses::Earlier,
    service::Call,
};

const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const X_VSR_LOSSINESS_WARNINGS: HeaderName = HeaderName::from_static("x-vsr-lossiness-warnings");
const X_VSR_PROTOCOL_WARNINGS: HeaderName = HeaderName::from_static("x-vsr-protocol-warnings");

/// The largest answer that is held in memory.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The largest error that is passed on.
const MAX_ERROR_BYTES: usize = 1024 * 1024;

/// A request at its backend. The forward stays in its box: it is large, and moves with every step.
struct Pending(Box<Forward>, KeyOwner);

/// Whose key a backend got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyOwner {
    User,
    Router,
}

/// Why there is no answer of a backend.
enum Unsent {
    Failed(vsr_upstream::Error),
    /// Whoever asks has no key for the backend.
    NoKey(ApiError),
}

/// Sends the request and makes the client's answer of what comes back. Where the backend may still know the earlier
/// turns, it is first sent the body that only refers to them.
pub(crate) async fn forward(
    call: &Call<'_>,
    client_headers: HeaderMap,
    mut forward: Box<Forward>,
    earlier: Earlier,
) -> Answer {
    let protocols = (forward.context.client, forward.context.upstream);
    let Earlier { shorter, mut lost } = earlier;
    let is_beta_lost = protocols.0 == Protocol::Messages && protocols.1 != Protocol::Messages;
    if is_beta_lost && client_headers.contains_key(ANTHROPIC_BETA) {
        lost.add(Reason::Beta, "anthropic-beta");
    }
    if let Err(error) = forward.exchange.lost_in_request(&forward.context, &lost) {
        return turned_away(call, forward.exchange, &error, "lossy_translation");
    }
    forward.losses.extend(lost);
    let whole = std::mem::take(&mut forward.body);
    let sent = send(call, &client_headers, &mut forward, (shorter, whole), None).await;
    match sent {
        Ok((response, owner)) => {
            let mut pending = Pending(forward, owner);
            pending.0.exchange.upstream_head();
            pending.pass_on(call, response).await
        }
        Err(unsent) => unanswered(call, forward, unsent),
    }
}

fn unanswered(call: &Call<'_>, forward: Box<Forward>, unsent: Unsent) -> Answer {
    match unsent {
        Unsent::Failed(error) => Pending(forward, KeyOwner::Router).fail(call, &error),
        Unsent::NoKey(error) => turned_away(call, forward.exchange, &error, "provider_key_missing"),
    }
}

/// A body that is not looked into but for the model it names, and where it goes.
pub(crate) struct Unread {
    pub(crate) named: NamedBody,
    pub(crate) content_type: HeaderValue,
    /// What follows `/v1` in the path.
    pub(crate) path: &'static str,
}

/// Sends a request that is no conversation, and makes the client's answer of what comes back, as it is.
pub(crate) async fn pass_through(
    call: &Call<'_>,
    client_headers: HeaderMap,
    mut forward: Box<Forward>,
    unread: Unread,
) -> Answer {
    let body = unread.named.naming(forward.backend.upstream_model.as_str());
    let sent = send(call, &client_headers, &mut forward, (None, body), Some(&unread)).await;
    match sent {
        Ok((response, owner)) => {
            let mut pending = Pending(forward, owner);
            pending.0.exchange.upstream_head();
            if response.status.is_success() {
                pending.unread(call, response).await
            } else {
                pending.pass_on(call, response).await
            }
        }
        Err(unsent) => unanswered(call, forward, unsent),
    }
}

/// Sends the request to its backend, and again where that fails and is worth it, until there is an answer for the client.
/// A backend that may still know the earlier turns gets the `shorter` body first.
async fn send(
    call: &Call<'_>,
    client_headers: &HeaderMap,
    forward: &mut Forward,
    (mut shorter, mut whole): (Option<Bytes>, Bytes),
    unread: Option<&Unread>,
) -> Result<(Response, KeyOwner), Unsent> {
    let protocols = (forward.context.client, forward.context.upstream);
    loop {
        let Forward { backend, context, exchange, .. } = &*forward;
        let user_key = headers::user_key(client_headers, call, backend).map_err(Unsent::NoKey)?;
        let owner = if user_key.is_some() { KeyOwner::User } else { KeyOwner::Router };
        let mut headers =
            headers::to_backend(client_headers, call.listener(), backend, protocols, call.id, user_key);
        let beside = unread.and_then(|unread| backend.path_beside(unread.path));
        if let Some(Unread { content_type, .. }) = unread {
            headers.insert(header::CONTENT_TYPE, content_type.clone());
        }
        let left = call.listener().request_timeout.saturating_sub(exchange.elapsed());
        let total = backend.timeouts.total.map_or(left, |total| total.min(left));
        let timeouts = Timeouts { total: Some(total), ..backend.timeouts };
        let send = async |headers: HeaderMap, body: Bytes| {
            let endpoint = Arc::clone(&backend.endpoint);
            let path_and_query = match &beside {
                Some(path) => path.clone(),
                None => call.upstream_path(backend.path(context.upstream), context.upstream),
            };
            let mut request = Request { method: Method::POST, endpoint, path_and_query, headers, body };
            if owner == KeyOwner::Router {
                backend.sign(&mut request, || call.router().clock().now());
            }
            call.upstream().send(request, &timeouts).await
        };
        let body = if backend.may_repeat { whole.clone() } else { std::mem::take(&mut whole) };
        let sent = match shorter.take() {
            None => send(headers, body).await,
            Some(shorter) => match send(headers.clone(), shorter).await {
                Ok(response) if matches!(response.status.as_u16(), 400 | 404) => send(headers, body).await,
                sent => sent,
            },
        };
        let attempt = match &sent {
            Ok(Response { status, headers, .. }) => {
                let says_when = !status.is_success();
                let now = || call.router().clock().now().seconds();
                let retry_after = says_when.then(|| vsr_upstream::retry_after(headers, now())).flatten();
                Attempt::Answered { status: status.as_u16(), retry_after }
            }
            Err(error) => Attempt::Failed(error),
        };
        let left = call.listener().request_timeout.saturating_sub(forward.exchange.elapsed());
        let Some(Again { backend, wait }) = forward.exchange.attempted(&forward.backend, attempt, left)
        else {
            return sent.map(|response| (response, owner)).map_err(Unsent::Failed);
        };
        if unread.is_some_and(|unread| backend.path_beside(unread.path).is_none()) {
            return sent.map(|response| (response, owner)).map_err(Unsent::Failed);
        }
        tracing::debug!(
            request_id = %forward.exchange.trace().request_id,
            failed = %forward.backend.name,
            next = %backend.name,
            "a request is sent again"
        );
        // What is left of a refused answer goes away before the wait.
        drop(sent);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if !Arc::ptr_eq(&backend, &forward.backend) {
            whole = match unread {
                Some(unread) => unread.named.naming(backend.upstream_model.as_str()),
                None => backend.body_meant_for(&forward.backend, protocols.1, whole),
            };
            forward.context.upstream_model = backend.upstream_model.as_str().into();
            forward.backend = backend;
        }
    }
}

// === impl Pending ===

impl Pending {
    async fn pass_on(self, call: &Call<'_>, response: Response) -> Answer {
        let Response { status, headers, body, .. } = response;
        if status.is_success() && is_event_stream(&headers) {
            if !self.0.stream {
                let what = "answered with a stream that was not asked for";
                return self.refuse(call, Failure { what, ..Failure::of(ErrorKind::InvalidResponse) });
            }
            return self.stream(call, status, headers, body);
        }
        if status.is_success() {
            return match body.collect(MAX_ANSWER_BYTES).await {
                Ok(body) => self.whole(call, status, headers, body),
                Err(error) => self.fail(call, &error),
            };
        }
        if status == StatusCode::UNAUTHORIZED && self.0.backend.has_credential && self.1 == KeyOwner::Router {
            // The router's own key was refused: nothing the client sent is at fault, and what the
            // backend says about the key is not for the client.
            return self.refuse(call, Failure::CREDENTIAL_REFUSED);
        }
        if status.is_client_error() || status.is_server_error() {
            let body = body.collect(MAX_ERROR_BYTES).await.ok();
            return self.error(call, status, headers, body);
        }
        let what = "redirected or did not answer as a model does";
        self.refuse(call, Failure { what, ..Failure::of(ErrorKind::InvalidResponse) })
    }

    fn stream(self, call: &Call<'_>, status: StatusCode, headers: HeaderMap, body: Body) -> Answer {
        let Forward { mut exchange, backend, usage_injected, choices, context, losses, .. } = *self.0;
        let translates = context.client != context.upstream;
        if translates && is_encoded(&headers) {
            let what = "encoded its stream although it was asked not to, so that it cannot be translated";
            let failure = Failure { what, ..Failure::of(ErrorKind::InvalidResponse) };
            return refused(call, exchange, &backend, failure);
        }
        exchange.status(status.as_u16());
        let mut head = HeaderMap::with_capacity(32);
        add_protocol_headers(&exchange, ResponsePath::Upstream, call, &mut head);
        add_routing_headers(&exchange, call, &mut head);
        add_warnings(&losses, call, &mut head);
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
            let relay = if context.client == Protocol::Chat && !translates {
                Relay::Watched(StreamObserver::new(options), Watched::new(context))
            } else {
                let client = context.client;
                let translator = StreamTranslator::new(context, TranslatorOptions::default());
                Relay::Translated(Box::new(translator), client)
            };
            let ping =
                Ping::new(call.listener().ping_interval, exchange.trace().client_protocol == "anthropic");
            answer::events(status, EventStream::new(body, exchange, backend, relay, ping))
        };
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers::to_client(headers, &call.listener().headers, &mut head);
        *answer.headers_mut() = head;
        answer
    }

    /// An answer that is passed as it is; of JSON its usage is recorded.
    async fn unread(self, call: &Call<'_>, response: Response) -> Answer {
        let Response { status, headers, body, .. } = response;
        let is_json = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        let mut answer = if is_json {
            let body = match body.collect(MAX_ANSWER_BYTES).await {
                Ok(body) => body,
                Err(error) => return self.fail(call, &error),
            };
            let Forward { mut exchange, .. } = *self.0;
            exchange.status(status.as_u16());
            exchange.first_byte();
            if let Some(usage) = usage(&body) {
                exchange.usage(usage);
            }
            let mut answer = answer::whole(status, body);
            add_protocol_headers(&exchange, ResponsePath::Upstream, call, answer.headers_mut());
            add_routing_headers(&exchange, call, answer.headers_mut());
            exchange.end(None);
            answer
        } else {
            let Forward { mut exchange, .. } = *self.0;
            exchange.status(status.as_u16());
            let mut head = HeaderMap::with_capacity(16);
            add_protocol_headers(&exchange, ResponsePath::Upstream, call, &mut head);
            add_routing_headers(&exchange, call, &mut head);
            let mut answer = answer::encoded(status, EncodedStream::new(body, exchange));
            *answer.headers_mut() = head;
            answer
        };
        headers::to_client(headers, &call.listener().headers, answer.headers_mut());
        answer
    }

    /// A whole answer. Where the client asked for a stream of a backend that does not stream, it is made one.
    fn whole(self, call: &Call<'_>, status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Answer {
        let owner = self.1;
        let Forward { mut exchange, backend, context, mut losses, stream, .. } = *self.0;
        let is_unread = context.client == context.upstream && is_encoded(&headers);
        let body = if is_unread {
            body
        } else {
            match read_answer(&body, &context, stream, &mut exchange, &mut losses) {
                Ok(body) => body,
                Err(NoAnswer::Error(error)) => {
                    if error.status == 401 && backend.has_credential && owner == KeyOwner::Router {
                        return refused(call, exchange, &backend, Failure::CREDENTIAL_REFUSED);
                    }
                    headers.remove(header::CONTENT_TYPE);
                    let mut answer = answer::refusal(&error, call.protocol);
                    conceal(&mut answer, &backend);
                    headers::to_client(headers, &call.listener().headers, answer.headers_mut());
                    add_protocol_headers(&exchange, ResponsePath::Upstream, call, answer.headers_mut());
                    add_warnings(&losses, call, answer.headers_mut());
                    exchange.status(answer.status().as_u16());
                    exchange.end(Some("upstream_error"));
                    return answer;
                }
                Err(NoAnswer::Nothing) => {
                    let what = "did not answer as its protocol demands";
                    let failure = Failure { what, ..Failure::of(ErrorKind::InvalidResponse) };
                    return refused(call, exchange, &backend, failure);
                }
            }
        };
        if stream && !is_unread {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        }
        exchange.status(status.as_u16());
        exchange.first_byte();
        let mut answer = answer::whole(status, body);
        *answer.headers_mut() = HeaderMap::with_capacity(32);
        add_protocol_headers(&exchange, ResponsePath::Upstream, call, answer.headers_mut());
        add_routing_headers(&exchange, call, answer.headers_mut());
        add_warnings(&losses, call, answer.headers_mut());
        headers::to_client(headers, &call.listener().headers, answer.headers_mut());
        exchange.end(None);
        answer
    }

    /// An error of the backend: its own body if that has the shape that the client's protocol demands, else its words in
    /// that shape.
    fn error(
        self,
        call: &Call<'_>,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Answer {
        let Forward { mut exchange, backend, context, losses, .. } = *self.0;
        let translates = context.client != context.upstream;
        let code = status.as_u16();
        let is_encoded = is_encoded(&headers);
        let body = body.filter(|body| !body.is_empty());
        let own = match &body {
            _ if translates => None,
            Some(body) if is_encoded => Some(body.clone()),
            body => body.as_ref().and_then(|body| own_error(code, body, context.client)),
        };
        if !is_encoded || own.is_none() {
            headers.remove(header::CONTENT_TYPE);
            headers.remove(header::CONTENT_ENCODING);
        }
        let mut answer = match own {
            Some(body) => {
                let told = ApiError::new(code, "").status_for(context.client);
                let status = StatusCode::from_u16(told).unwrap_or(status);
                if is_encoded { answer::whole(status, body) } else { answer::json(status, body) }
            }
            None => {
                let stated =
                    body.filter(|_| !is_encoded).and_then(|body| ApiError::from_upstream(code, &body));
                let error = stated.unwrap_or_else(|| {
                    let name = &backend.name;
                    ApiError::new(
                        code,
                        format!("backend `{name}` answered with status {code} and nothing readable"),
                    )
                });
                answer::refusal(&error, call.protocol)
            }
        };
        conceal(&mut answer, &backend);
        headers::to_client(headers, &call.listener().headers, answer.headers_mut());
        add_protocol_headers(&exchange, ResponsePath::Upstream, call, answer.headers_mut());
        add_warnings(&losses, call, answer.headers_mut());
        exchange.status(answer.status().as_u16());
        exchange.end(Some(if status.is_server_error() { "upstream_5xx" } else { "upstream_4xx" }));
        answer
    }

    fn fail(self, call: &Call<'_>, error: &vsr_upstream::Error) -> Answer {
        tracing::warn!(
            request_id = %self.0.exchange.trace().request_id,
            backend = %self.0.backend.name,
            %error,
            "a backend failed"
        );
        self.refuse(call, Failure::of(error.kind()))
    }

    fn refuse(self, call: &Call<'_>, failure: Failure) -> Answer {
        let Forward { exchange, backend, .. } = *self.0;
        refused(call, exchange, &backend, failure)
    }
}

fn refused(call: &Call<'_>, exchange: Exchange, backend: &vsr_router::Backend, failure: Failure) -> Answer {
    let error = failure.to_error(&exchange, backend);
    turned_away(call, exchange, &error, failure.reason)
}

/// The router's own error in place of an answer.
fn turned_away(call: &Call<'_>, mut exchange: Exchange, error: &ApiError, reason: &'static str) -> Answer {
    exchange.status(error.status_for(call.protocol));
    let mut answer = answer::refusal(error, call.protocol);
    add_protocol_headers(&exchange, ResponsePath::Error, call, answer.headers_mut());
    exchange.end(Some(reason));
    answer
}

/// Why the body of a successful status is no answer.
enum NoAnswer {
    /// It tells of an error.
    Error(ApiError),
    /// It is nothing that its protocol knows.
    Nothing,
}

/// A whole answer as the client gets it; its usage is recorded.
fn read_answer(
    body: &Bytes,
    context: &AnswerContext,
    is_streamed: bool,
    exchange: &mut Exchange,
    losses: &mut Losses,
) -> Result<Bytes, NoAnswer> {
    let read = if is_streamed { replay_answer(body, context) } else { translate_answer(body, context) };
    let Some(translated) = read else {
        return Err(answered_error(body).map_or(NoAnswer::Nothing, NoAnswer::Error));
    };
    if let Some(usage) = translated.usage {
        exchange.usage(usage);
    }
    exchange.signed(context, &translated.signatures);
    exchange.lost(context, &translated.losses);
    losses.extend(translated.losses);
    Ok(translated.body)
}

/// Takes the router's key out of an error, should the backend have repeated it.
fn conceal(answer: &mut Answer, backend: &vsr_router::Backend) {
    if let Some(body) = answer.body().whole().cloned() {
        answer.body_mut().replace_whole(backend.conceal(body));
    }
}

/// Tells what translation lost.
fn add_warnings(losses: &Losses, call: &Call<'_>, headers: &mut HeaderMap) {
    if call.listener().routing_headers == RoutingHeaders::Off {
        return;
    }
    let Some(value) = losses.header_value().and_then(|value| HeaderValue::try_from(value).ok()) else {
        return;
    };
    headers.insert(X_VSR_LOSSINESS_WARNINGS, value.clone());
    headers.insert(X_VSR_PROTOCOL_WARNINGS, value);
}

/// Adds the headers that tell what both sides speak and where the answer comes from.
pub(crate) fn add_protocol_headers(
    exchange: &Exchange,
    path: ResponsePath,
    call: &Call<'_>,
    headers: &mut HeaderMap,
) {
    vsr_router::protocol_headers(exchange.trace(), path, call.listener().routing_headers, |name, value| {
        headers.insert(name, value);
    });
}

/// Adds the headers that tell of the routing, as far as the listener tells it.
pub(crate) fn add_routing_headers(exchange: &Exchange, call: &Call<'_>, headers: &mut HeaderMap) {
    vsr_router::response_headers(exchange.trace(), call.listener().routing_headers, |name, value| {
        headers.insert(name, value);
    });
}

/// The usage that an answer reports.
fn usage(body: &Bytes) -> Option<Usage> {
    #[derive(serde::Deserialize)]
    struct Answer {
        usage: Option<Reported>,
    }
    #[derive(serde::Deserialize)]
    struct Reported {
        prompt_tokens: Option<u64>,
        completion_tokens: Option<u64>,
    }
    let reported = serde_json::from_slice::<Answer>(body).ok()?.usage?;
    let prompt_tokens = reported.prompt_tokens?;
    let completion_tokens = reported.completion_tokens.unwrap_or_default();
    Some(Usage { prompt_tokens, completion_tokens, ..Usage::default() })
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
