//! What happens to every request: its id, its path, the door, and a net under all of it.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header,
    request::Parts,
    uri::{Authority, PathAndQuery},
};
use http_body::Body as _;
use hyper::body::Incoming;
use vsr_protocol::{ApiError, Protocol};
use vsr_router::Router;
use vsr_types::{Identity, Via};
use vsr_upstream::Client;

use crate::{
    answer::{self, Answer},
    body, chat, compress,
    connection::Connection,
    count, guard, headers,
    listener::Rules,
    models, pass_through,
    refusal::Refusal,
    request_id::{Id, REQUEST_ID, X_REQUEST_ID},
    responses::{self, Place},
    status::{Phase, Status},
};

/// How clients of Messages ask for what is in beta, in the query.
const BETA: &str = "beta=true";

/// One request, as far as every step needs it.
pub(crate) struct Call<'c> {
    pub(crate) connection: &'c Connection,
    /// The listener's rules when the request began.
    rules: &'c Rules,
    pub(crate) id: &'c Id,
    pub(crate) received: Instant,
    pub(crate) version: Version,
    /// What the client speaks, by the path it asks.
    pub(crate) protocol: Protocol,
    /// Whether it asks with `beta=true`, as Anthropic's SDKs do for what is in beta.
    is_beta: bool,
}

/// What a path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint<'p> {
    /// A request for an answer.
    Answer(Protocol),
    CountTokens,
    /// A request that is no conversation, by what follows `/v1`.
    Unread(&'static str),
    /// Stored responses and conversations.
    Stored(Place<'p>),
    Models,
    Model(&'p str),
    Health,
    Ready,
    StartupStatus,
    Unknown,
}

/// The most headers of one request; those of HTTP/1.1 are counted before they get here.
const MAX_HEADERS: usize = 100;

/// Answers one request. Whatever goes wrong in it stays in it.
pub(crate) async fn handle(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let received = Instant::now();
    let rules = connection.listener.rules();
    let busy = connection.activity.begin(received, rules.phase_limits);
    let (head, mut body) = request.into_parts();
    let version = head.version;
    connection.activity.set_unread_body(!body.is_end_stream());
    let id = connection.worker.ids.id_for(&head.headers);
    let has_promised_body = head.headers.contains_key(header::EXPECT);
    let protocol = Endpoint::of(head.uri.path()).protocol();
    let session = headers::session_id(&head.headers);
    let compress_from = rules.compress_from_bytes.filter(|_| compress::accepts_gzip(&head.headers));
    let is_beta = head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == BETA));
    let call = Call { connection: &connection, rules: &rules, id: &id, received, version, protocol, is_beta };
    let is_probe = Endpoint::of(head.uri.path()).is_open_to_all();
    let most = rules.max_requests(version).filter(|_| !is_probe);
    let seat = most.map(|most| connection.listener.seat(most));
    let answered = match seat {
        Some(None) => Ok(turn_away(&call)),
        _ => guard::contain(pin!(respond(&call, head, &mut body))).await,
    };
    let mut answer = answered.unwrap_or_else(|_panic| {
        // What it panicked with may hold text of the request. Its exchange, if it had one, is recorded.
        tracing::error!(request_id = %id.text, "the router panicked while it answered a request; others are not affected");
        let error = ApiError::new(500, "the router failed to handle the request").with_code("internal_error");
        answer::refusal(&error, protocol)
    });
    // What a stream does not read, its client is told not to send.
    if connection.activity.has_unread_body() && version < Version::HTTP_2 {
        // A client that waits for `100 Continue` sends nothing if the answer is final.
        if !has_promised_body && body::drain(&mut body).await {
            connection.activity.set_unread_body(false);
        } else {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
    if let Some(from_bytes) = compress_from {
        compress::compress(&mut answer, from_bytes);
    }
    if let Some(session) = session {
        answer.headers_mut().insert(headers::X_SESSION_ID, session);
    }
    if protocol == Protocol::Messages {
        answer.headers_mut().insert(REQUEST_ID, id.header.clone());
    }
    answer.headers_mut().insert(X_REQUEST_ID, id.header);
    answer.body_mut().hold(busy, seat.flatten());
    Ok(answer)
}

/// There are as many requests as the listener takes.
fn turn_away(call: &Call<'_>) -> Answer {
    let message = "the router has as many requests as it takes; try again";
    let mut answer = Refusal::new("too_many_requests_in_flight", 503, message).answer(call);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

async fn respond(call: &Call<'_>, head: Parts, body: &mut Incoming) -> Answer {
    let Parts { method, uri, headers, .. } = head;
    let endpoint = Endpoint::of(uri.path());
    let identity = match admit(call, endpoint, uri.authority(), &headers) {
        Ok(identity) => identity,
        Err(refusal) => return refusal.answer(call),
    };
    if endpoint == Endpoint::Unknown {
        let path: String = uri.path().chars().take(128).collect();
        return Refusal::new("not_found", 404, format!("there is no endpoint `{path}` here")).answer(call);
    }
    if !endpoint.takes(&method) {
        return wrong_method(call, endpoint);
    }
    match endpoint {
        Endpoint::Answer(_) => chat::complete(call, headers, body, identity).await,
        Endpoint::CountTokens => Box::pin(count::tokens(call, headers, body, identity)).await,
        Endpoint::Unread(path) => Box::pin(pass_through::serve(call, headers, body, identity, path)).await,
        Endpoint::Stored(place) => {
            let asked = responses::Asked { place, method: &method, query: uri.query().unwrap_or_default() };
            Box::pin(responses::serve(call, asked, &headers, body, &identity)).await
        }
        Endpoint::Models => {
            let shape = models::Shape::wanted_by(&headers);
            let list = models::list(&call.router().snapshot(), call.connection.worker.started_seconds, shape);
            answer::json(StatusCode::OK, list)
        }
        Endpoint::Model(name) => model(call, name, models::Shape::wanted_by(&headers)),
        Endpoint::Health => answer::json(StatusCode::OK, text(&Status::health(&[]))),
        Endpoint::Ready | Endpoint::StartupStatus | Endpoint::Unknown => readiness(call.status()),
    }
}

fn model(call: &Call<'_>, written: &str, shape: models::Shape) -> Answer {
    let name = percent_decoded(written);
    let snapshot = call.router().snapshot();
    match models::describe(&snapshot, &name, call.connection.worker.started_seconds, shape) {
        Some(description) => answer::json(StatusCode::OK, description),
        None => answer::refusal(&ApiError::model_not_found(&name), shape.protocol()),
    }
}

fn readiness(status: &Status) -> Answer {
    let code = if status.phase() == Phase::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::json(code, text(&status.to_json()))
}

/// Who asks, if they may.
fn admit(
    call: &Call<'_>,
    endpoint: Endpoint<'_>,
    authority: Option<&Authority>,
    headers: &HeaderMap,
) -> Result<Identity, Refusal> {
    check_host(call.version, authority, headers)?;
    if headers.len() > MAX_HEADERS {
        return Err(Refusal::new(
            "too_many_headers",
            431,
            format!("there are more than {MAX_HEADERS} headers"),
        ));
    }
    // Two ways to tell where a request ends are one too many: what stands in front may use the other.
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if call.connection.activity.is_ambiguous() || !codings.all(is_chunked) {
        return Err(Refusal::ambiguous(
            "invalid_framing",
            "it is ambiguous where the request ends: send lines that end in CRLF, and one content-length, or `transfer-encoding: chunked`",
        ));
    }
    if endpoint.is_open_to_all() {
        return Ok(Identity::default());
    }
    let door = &call.listener().door;
    door.admit(headers, door.trusts(call.connection.peer.ip()))
}

/// RFC 9112 §3.2, RFC 9113 §8.3.1. Whoever forwards a request by one of two hosts is not of one mind with us.
fn check_host(version: Version, authority: Option<&Authority>, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() || (host.is_none() && version == Version::HTTP_11) {
        return Err(Refusal::ambiguous("invalid_host", "the request needs exactly one `host` header"));
    }
    let written =
        host.map(HeaderValue::as_bytes).or(authority.map(|authority| authority.as_str().as_bytes()));
    if !written.unwrap_or_default().iter().all(|byte| is_of_a_host(*byte)) {
        return Err(Refusal::ambiguous("invalid_host", "the request names no host that could be one"));
    }
    match (authority, host) {
        (None, None) if version == Version::HTTP_2 => {
            Err(Refusal::ambiguous("invalid_host", "the request needs an `:authority`"))
        }
        (Some(authority), Some(host))
            if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(Refusal::ambiguous("invalid_host", "the request names two hosts"))
        }
        _ => Ok(()),
    }
}

/// RFC 3986 §3.2: what the name, the address and the port of a host are made of. No user is named beside it.
fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

fn wrong_method(call: &Call<'_>, endpoint: Endpoint<'_>) -> Answer {
    let allowed = endpoint.allowed();
    let refusal = Refusal::new("method_not_allowed", 405, format!("method not allowed; use {allowed}"));
    let mut answer = refusal.answer(call);
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn text(value: &serde_json::Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// Model ids may hold slashes, which some clients encode and others do not.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

// === impl Call ===

impl Call<'_> {
    /// The rules of the listener that it came by.
    pub(crate) fn listener(&self) -> &Rules {
        self.rules
    }

    /// How it came in.
    pub(crate) fn via(&self) -> Via {
        let http = match self.version {
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        Via { peer: Some(self.connection.peer.ip()), http: Some(http), tls: self.connection.tls }
    }

    pub(crate) fn router(&self) -> &Arc<Router> {
        &self.connection.worker.router
    }

    pub(crate) fn upstream(&self) -> &Client {
        &self.connection.worker.upstream
    }

    /// The path to ask a backend at that speaks `upstream`: with what the client asks for in beta, where it speaks the
    /// same protocol. Nothing else of a client's query reaches a backend.
    pub(crate) fn upstream_path(&self, path: &PathAndQuery, upstream: Protocol) -> PathAndQuery {
        let is_kept = self.is_beta && self.protocol == Protocol::Messages && upstream == Protocol::Messages;
        let with_beta = match path.query() {
            _ if !is_kept => None,
            Some(query) if query.split('&').any(|pair| pair == BETA) => None,
            Some(_) => format!("{path}&{BETA}").parse().ok(),
            None => format!("{path}?{BETA}").parse().ok(),
        };
        with_beta.unwrap_or_else(|| path.clone())
    }

    /// The request's body has been read to its end.
    pub(crate) fn note_body_read(&self) {
        self.connection.activity.set_unread_body(false);
    }

    fn status(&self) -> &Status {
        &self.connection.worker.status
    }
}

// === impl Endpoint ===

impl<'p> Endpoint<'p> {
    fn of(path: &'p str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        match path {
            "/v1/chat/completions" => Self::Answer(Protocol::Chat),
            "/v1/responses" => Self::Answer(Protocol::Responses),
            "/v1/messages" => Self::Answer(Protocol::Messages),
            "/v1/messages/count_tokens" => Self::CountTokens,
            "/v1/models" => Self::Models,
            "/health" => Self::Health,
            "/ready" => Self::Ready,
            "/startup-status" => Self::StartupStatus,
            _ => match path.strip_prefix("/v1/models/") {
                Some(name) => Self::Model(name),
                None => pass_through::path(path)
                    .map_or_else(|| Place::of(path).map_or(Self::Unknown, Self::Stored), Self::Unread),
            },
        }
    }

    /// The protocol whose shape errors have.
    fn protocol(self) -> Protocol {
        match self {
            Self::Answer(protocol) => protocol,
            Self::CountTokens => Protocol::Messages,
            Self::Stored(_) => Protocol::Responses,
            _ => Protocol::Chat,
        }
    }

    /// The methods it takes.
    fn allowed(self) -> &'static str {
        match self {
            Self::Answer(_) | Self::CountTokens | Self::Unread(_) => "POST",
            Self::Stored(place) => place.allowed(),
            _ => "GET, HEAD",
        }
    }

    /// Probes come without keys.
    fn is_open_to_all(self) -> bool {
        matches!(self, Self::Health | Self::Ready | Self::StartupStatus)
    }

    fn takes(self, method: &Method) -> bool {
        self.allowed().split(", ").any(|allowed| allowed == method.as_str())
    }
}
