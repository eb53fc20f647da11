//! Owns what callers hand in and get back: the request, its time limits, the response's head; and header hygiene.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::PathAndQuery};

use crate::{Body, Endpoint};

/// One request. Clones of the endpoint, path and body are cheap; build the endpoint and path once and keep them.
///
/// The client writes `Host`, `Content-Length` and everything that concerns the connection itself; such headers in
/// `headers` are replaced or dropped.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: Method,
    /// The server.
    pub endpoint: Arc<Endpoint>,
    /// What stands in the request line, such as `/v1/chat/completions`.
    pub path_and_query: PathAndQuery,
    /// The end-to-end headers.
    pub headers: HeaderMap,
    /// The whole body; empty for none.
    pub body: Bytes,
}

/// How long the parts of a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Resolving the name, connecting and the TLS handshake, together.
    pub connect: Duration,
    /// From the last byte of the request that the network took to the complete response head; informational responses do
    /// not extend it. An upload that stops making progress for as long fails the same way. Over HTTP/2, from the request
    /// handed to the connection.
    pub first_byte: Duration,
    /// How long a read of the body may wait for data. Time in which nobody reads does not count.
    pub stream_idle: Duration,
    /// The whole call, to the body's last byte; none is no limit.
    pub total: Option<Duration>,
}

/// A response whose head has arrived.
#[derive(Debug)]
pub struct Response {
    /// The status; never 1xx.
    pub status: StatusCode,
    /// The end-to-end headers: those that concern only the connection are removed.
    pub headers: HeaderMap,
    /// The body, still arriving.
    pub body: Body,
    /// How long the parts took.
    pub timings: Timings,
    /// True when the exchange was on a connection kept from an earlier one.
    pub reused: bool,
}

/// How long the parts of a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Resolving, connecting and the TLS handshake; none on a reused connection.
    pub connect: Option<Duration>,
    /// From handing the request to the connection to the complete response head.
    pub first_byte: Duration,
}

impl Default for Timeouts {
    /// Five seconds to connect, five minutes for a head, two minutes between frames, no limit in all: what a language
    /// model under load may need.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(300),
            stream_idle: Duration::from_secs(120),
            total: None,
        }
    }
}

/// Headers that concern one connection only (RFC 9110 §7.6.1), in either direction.
static HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Makes a caller's headers those of a request to `endpoint`. The body is always complete, so its length is known and
/// nothing a caller passes on can change how the request is framed.
pub(crate) fn prepare_request_headers(
    headers: &mut HeaderMap,
    endpoint: &Endpoint,
    method: &Method,
    body_is_empty: bool,
) {
    remove_hop_by_hop(headers);
    for name in [header::PROXY_AUTHORIZATION, header::EXPECT, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    if body_is_empty && matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    headers.insert(header::HOST, endpoint.host_header().clone());
}

/// Removes connection-only headers, and those that the message's `Connection` header names.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// How long the server says it keeps an idle connection open (`Keep-Alive: timeout=5`), less a margin for the way.
pub(crate) fn server_keeps_open(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let seconds: u64 = value
        .split(',')
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))
        .and_then(|(_, seconds)| seconds.trim().parse().ok())?;
    let promised = Duration::from_secs(seconds);
    Some(promised - (promised / 2).min(Duration::from_secs(1)))
}
