//! Owns the exchange: an idle connection or a new one, the request out, the response head in, the time limits over both.

use std::{
    error::Error as _, future::Future, net::SocketAddr, pin::pin, sync::Arc, task::Poll, time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::TrySendError};
use tokio::time::Instant;

use crate::{
    AddressPolicy, Body, Endpoint, Error, ErrorKind, Proxies, Request, Response, Timeouts, Timings, TlsRoots,
    body::{BodyLimits, Held},
    connect::Connector,
    message::{prepare_request_headers, remove_hop_by_hop, server_keeps_open},
    multiplex::Connections,
    pool::{Connection, Pool},
    resolve::parse_name_servers,
    timer::{Timer, after},
};

/// What a [`Client`] may keep, accept and trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Idle connections kept per endpoint; 0 keeps none.
    pub pool_max_idle_per_host: usize,
    /// Idle connections kept in all; the oldest gives way.
    pub pool_max_idle: usize,
    /// How long an idle connection is kept; less when the server announces less.
    pub pool_idle_timeout: Duration,
    /// The largest response head accepted, in bytes.
    pub max_response_head_bytes: usize,
    /// The most header fields accepted in a response. Up to 100 need no memory beyond the stack while parsing.
    pub max_response_headers: usize,
    /// The certificate authorities trusted.
    pub tls: TlsRoots,
    /// Name servers to ask instead of those in `/etc/resolv.conf`.
    pub dns: Option<Vec<SocketAddr>>,
    /// Which addresses may be connected to.
    pub address_policy: AddressPolicy,
    /// The proxies that servers are reached through, where their endpoints do not say otherwise.
    pub proxies: Option<Arc<Proxies>>,
}

/// An HTTP client with a connection pool of its own. Clones share the pool. It speaks HTTP/1.1, and HTTP/2 where an
/// endpoint's [`Way`](crate::Way) says so.
///
/// A connection is driven by the runtime that opened it, so give each runtime (each worker thread) its own client.
/// Redirects are not followed: a 3xx is a response like any other.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pool: Arc<Pool>,
    pub(crate) connector: Connector,
    pub(crate) multiplexed: Arc<Connections>,
}

/// The environment variable that holds name servers.
const NAME_SERVERS: &str = "VLLM_SR_DNS";

/// A connection idle for longer is checked once more before use; shorter than any server's idle limit.
const RESTED: Duration = Duration::from_millis(200);

pub(crate) type Outgoing = http::Request<Full<Bytes>>;

/// Why an exchange yielded no response head.
pub(crate) enum Failure {
    /// The connection was found dead and gave the request back untouched.
    Untouched(Box<Outgoing>, Error),
    /// The call has failed.
    Final(Error),
}

/// One call's limits, with durations turned into points in time.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) timeouts: Timeouts,
    pub(crate) deadline: Option<Instant>,
}

// === impl ClientConfig ===

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            pool_max_idle_per_host: 64,
            pool_max_idle: 1024,
            pool_idle_timeout: Duration::from_secs(90),
            max_response_head_bytes: 64 * 1024,
            max_response_headers: 100,
            tls: TlsRoots::default(),
            dns: None,
            address_policy: AddressPolicy::default(),
            proxies: None,
        }
    }
}

impl ClientConfig {
    /// The defaults, and what the environment says: name servers in `VLLM_SR_DNS` (see
    /// [`parse_name_servers`](crate::parse_name_servers)) and proxies (see [`Proxies::from_variables`]).
    ///
    /// # Errors
    /// If a variable holds something that cannot be used.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let written = variable(NAME_SERVERS).filter(|written| !written.trim().is_empty());
        let dns = written.map(|written| parse_name_servers(&written)).transpose();
        let dns = dns.map_err(|error| error.about(NAME_SERVERS))?;
        let proxies = Proxies::from_variables(variable)?;
        let proxies = (proxies != Proxies::default()).then(|| Arc::new(proxies));
        Ok(Self { dns, proxies, ..Self::default() })
    }
}

// === impl Client ===

impl Client {
    /// A client with an empty pool. It reads nothing and starts nothing until the first request.
    pub fn new(config: &ClientConfig) -> Self {
        let (pool, connector) = (Arc::new(Pool::new(config)), Connector::new(config));
        let multiplexed = Arc::new(Connections::new(config.pool_idle_timeout));
        Self { shared: Arc::new(Shared { pool, connector, multiplexed }) }
    }

    /// Sends a request and waits for the response's head.
    ///
    /// A kept connection that turns out to be closed before the request touched it is replaced by a new one, once. Nothing
    /// else is retried; [`Error::is_before_request_sent`] tells when a caller may. Dropping the future closes the
    /// connection, which tells the server to stop.
    pub async fn send(&self, request: Request, timeouts: &Timeouts) -> Result<Response, Error> {
        let deadline = timeouts.total.and_then(|total| after(Instant::now(), total));
        let limits = Limits { timeouts: *timeouts, deadline };
        if request.endpoint.may_multiplex() {
            return Box::pin(self.send_multiplexed(request, limits)).await;
        }
        let endpoint = Arc::clone(&request.endpoint);
        let mut outgoing = outgoing(request);

        if let Some(connection) = self.kept_connection(&endpoint).await {
            match self.exchange(connection, outgoing, limits, None).await {
                Err(Failure::Untouched(returned, _)) => outgoing = *returned,
                Err(Failure::Final(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
        let started = Instant::now();
        let connection =
            Box::pin(self.shared.connector.connect(&endpoint, limits.connecting(started))).await?;
        match self.exchange(connection, outgoing, limits, Some(started.elapsed())).await {
            Err(Failure::Untouched(_, error) | Failure::Final(error)) => Err(error),
            Ok(response) => Ok(response),
        }
    }

    /// How many HTTP/2 connections are open.
    pub fn multiplexed_connections(&self) -> usize {
        self.shared.multiplexed.count()
    }

    /// How many HTTP/1.1 connections wait for reuse, those included that their server has closed and no sweep has dropped yet.
    pub fn idle_connections(&self) -> usize {
        self.shared.pool.idle_count()
    }

    /// An idle connection that is open as far as can be known. One that rested for a while is looked at again after the
    /// runtime has heard from the network: servers close idle connections, and that news may be waiting.
    pub(crate) async fn kept_connection(&self, endpoint: &Arc<Endpoint>) -> Option<Connection> {
        loop {
            let (connection, idle_for) = self.shared.pool.check_out(endpoint)?;
            if idle_for < RESTED {
                return Some(connection);
            }
            tokio::task::yield_now().await;
            if connection.sender.is_ready() {
                return Some(connection);
            }
        }
    }

    /// One request on one connection. `connect` is the time that opening it took; none for a reused one.
    pub(crate) async fn exchange(
        &self,
        mut connection: Connection,
        outgoing: Outgoing,
        limits: Limits,
        connect: Option<Duration>,
    ) -> Result<Response, Failure> {
        let started = Instant::now();
        let written_before = connection.begin_request(outgoing.body().size_hint().lower());
        let mut timer = Timer::default();
        let outcome = {
            let mut response = pin!(connection.sender.try_send_request(outgoing));
            std::future::poll_fn(|cx| {
                if let Poll::Ready(outcome) = response.as_mut().poll(cx) {
                    return Poll::Ready(Ok(outcome));
                }
                let Some((limit, kind)) = limits.waiting(started.max(connection.meter.last_write())) else {
                    return Poll::Pending;
                };
                timer.poll_passed(cx, limit).map(|()| Err(kind))
            })
            .await
        };
        let reused = connect.is_none();
        let failed = |kind, reason: String| {
            let untouched = connection.meter.written_bytes() == written_before;
            Error::new(kind, connection.endpoint.authority(), reason).with_connection(reused, untouched)
        };
        match outcome {
            Err(kind) => Err(Failure::Final(failed(kind, limits.reason(kind)))),
            Ok(Err(mut error)) => {
                let returned = error.take_message();
                let (kind, reason) = describe(&error);
                let error = failed(kind, reason);
                Err(match returned {
                    Some(returned) => Failure::Untouched(Box::new(returned), error),
                    None => Failure::Final(error),
                })
            }
            Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => Err(Failure::Final(
                failed(ErrorKind::InvalidResponse, "switched protocols unasked".to_owned()),
            )),
            Ok(Ok(response)) => {
                let timings = Timings { connect, first_byte: started.elapsed() };
                Ok(self.receive(connection, response, timer, limits, timings))
            }
        }
    }

    fn receive(
        &self,
        mut connection: Connection,
        response: http::Response<Incoming>,
        timer: Timer,
        limits: Limits,
        timings: Timings,
    ) -> Response {
        let (mut head, incoming) = response.into_parts();
        connection.server_keeps_open = server_keeps_open(&head.headers);
        let reusable = !is_framed_twice(&head.headers);
        remove_hop_by_hop(&mut head.headers);
        let limits = BodyLimits { stream_idle: limits.timeouts.stream_idle, deadline: limits.deadline };
        let held = Held::Own { connection, pool: Arc::clone(&self.shared.pool), reusable };
        let body = Body::new(incoming, held, timer, limits);
        Response {
            status: head.status,
            headers: head.headers,
            body,
            timings,
            reused: timings.connect.is_none(),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("idle_connections", &self.idle_connections()).finish_non_exhaustive()
    }
}

// === impl Limits ===

impl Limits {
    /// When connecting has to end, and what it means if it has not.
    pub(crate) fn connecting(&self, started: Instant) -> (Option<Instant>, ErrorKind) {
        match self.earlier(after(started, self.timeouts.connect), ErrorKind::ConnectTimeout) {
            Some((limit, kind)) => (Some(limit), kind),
            None => (None, ErrorKind::ConnectTimeout),
        }
    }

    /// When waiting for the head has to end, and what it means if it has not.
    pub(crate) fn waiting(&self, last_progress: Instant) -> Option<(Instant, ErrorKind)> {
        self.earlier(after(last_progress, self.timeouts.first_byte), ErrorKind::FirstByteTimeout)
    }

    fn earlier(&self, limit: Option<Instant>, kind: ErrorKind) -> Option<(Instant, ErrorKind)> {
        match (limit, self.deadline) {
            (Some(limit), Some(total)) if total <= limit => Some((total, ErrorKind::TotalTimeout)),
            (Some(limit), _) => Some((limit, kind)),
            (None, total) => total.map(|total| (total, ErrorKind::TotalTimeout)),
        }
    }

    pub(crate) fn reason(&self, kind: ErrorKind) -> String {
        match kind {
            ErrorKind::TotalTimeout => "no response head yet".to_owned(),
            _ => format!("no response head within {:?} of the request", self.timeouts.first_byte),
        }
    }
}

pub(crate) fn outgoing(request: Request) -> Outgoing {
    let Request { method, endpoint, path_and_query, mut headers, body } = request;
    prepare_request_headers(&mut headers, &endpoint, &method, body.is_empty());
    let mut outgoing = http::Request::new(Full::new(body));
    *outgoing.method_mut() = method;
    *outgoing.uri_mut() = Uri::from(path_and_query);
    *outgoing.headers_mut() = headers;
    outgoing
}

/// A response with both framings is how responses are smuggled; what follows it on the connection cannot be trusted.
fn is_framed_twice(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH)
}

/// Sorts a failure before the response head by who is to blame.
pub(crate) fn describe(error: &TrySendError<Outgoing>) -> (ErrorKind, String) {
    let error = error.error();
    let cause = error.source().map(ToString::to_string);
    if error.is_parse_too_large() {
        (ErrorKind::HeadTooLarge, "the head has more bytes or fields than accepted".to_owned())
    } else if error.is_parse() {
        (ErrorKind::InvalidResponse, error.to_string())
    } else if error.is_incomplete_message() {
        (ErrorKind::Reset, "the server closed the connection".to_owned())
    } else {
        (ErrorKind::Reset, cause.unwrap_or_else(|| error.to_string()))
    }
}
