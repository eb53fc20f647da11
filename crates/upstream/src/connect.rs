//! Owns opening a connection: resolve, dial the addresses in a staggered race, a proxy's tunnel, TLS, the HTTP handshake.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::TlsConnector;

use crate::{
    AddressPolicy, ClientConfig, Endpoint, Error, ErrorKind, Http2, Proxies, Proxy, Scheme, TlsRoots, Via,
    Way,
    multiplex::{Allowed, MAX_STREAMS, Multiplexed},
    pool::Connection,
    resolve::Resolver,
    tls::Alpn,
    transport::Transport,
};

/// How long one address may take before the next is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// A silent peer is probed after this time, so that a vanished one is noticed while a slow model still thinks.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// The smallest read buffer the HTTP library accepts.
const MIN_BUFFER_BYTES: usize = 8 * 1024;
/// What a server may send of one answer before it is read. All requests of a connection together may have as much each, so
/// that none that is read slowly holds up another.
const STREAM_WINDOW: u32 = 128 * 1024;
/// What is buffered of one request before the network takes it.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// A silent server that has requests is asked for a sign of life after this time, and given up after the other.
const PING_AFTER: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests given up lately whose answers are still on the way, and passed over. More would count as the server's errors.
const MAX_RECENT_RESETS: usize = 10 * MAX_STREAMS;

/// Opens connections; one per client.
pub(crate) struct Connector {
    resolver: Resolver,
    tls: TlsRoots,
    http: http1::Builder,
    max_head_bytes: u32,
    proxies: Option<Arc<Proxies>>,
    address_policy: AddressPolicy,
}

/// A connection, of the protocol that was agreed on.
pub(crate) enum Opened {
    Http1(Connection),
    Http2(Multiplexed),
}

/// When to give up, and the kind of error that it means.
type Limit = (Option<Instant>, ErrorKind);

impl Connector {
    pub(crate) fn new(config: &ClientConfig) -> Self {
        let mut http = http1::Builder::new();
        http.max_headers(config.max_response_headers)
            .max_header_size(config.max_response_head_bytes)
            .max_buf_size(config.max_response_head_bytes.max(MIN_BUFFER_BYTES));
        Self {
            resolver: Resolver::new(config.dns.clone(), config.address_policy),
            tls: config.tls.clone(),
            http,
            max_head_bytes: u32::try_from(config.max_response_head_bytes).unwrap_or(u32::MAX),
            proxies: config.proxies.clone(),
            address_policy: config.address_policy,
        }
    }

    /// Opens an HTTP/1.1 connection and starts its driver on the calling runtime.
    pub(crate) async fn connect(&self, endpoint: &Arc<Endpoint>, limit: Limit) -> Result<Connection, Error> {
        let (transport, _) = self.open(endpoint, Alpn::Http1, limit).await?;
        self.speak_http(endpoint, transport).await
    }

    /// Opens a connection of the protocol that `endpoint` asks for, or that its server picks.
    pub(crate) async fn connect_any(&self, endpoint: &Arc<Endpoint>, limit: Limit) -> Result<Opened, Error> {
        let http2 = endpoint.way().map_or(Http2::Never, |way| way.http2);
        let alpn = match http2 {
            Http2::Never => Alpn::Http1,
            Http2::Offered => Alpn::Both,
            Http2::Only => Alpn::Http2,
        };
        let (transport, picked_http2) = self.open(endpoint, alpn, limit).await?;
        let is_known = http2 == Http2::Only && endpoint.scheme() == Scheme::Http;
        if picked_http2 || is_known {
            let opening = self.speak_http2(endpoint, transport);
            within(limit, endpoint, "in the HTTP/2 handshake", opening).await?.map(Opened::Http2)
        } else if http2 == Http2::Only {
            let reason = "the server does not speak HTTP/2, and nothing else may be spoken with it";
            Err(Error::new(ErrorKind::Tls, endpoint.authority(), reason))
        } else {
            self.speak_http(endpoint, transport).await.map(Opened::Http1)
        }
    }

    /// A stream to the server, and whether HTTP/2 was picked in the TLS handshake.
    async fn open(
        &self,
        endpoint: &Arc<Endpoint>,
        alpn: Alpn,
        limit: Limit,
    ) -> Result<(Transport, bool), Error> {
        let stream = match self.proxy(endpoint) {
            None => self.dial(endpoint, limit).await?,
            Some(proxy) => Box::pin(self.tunnel(proxy, endpoint, limit)).await?,
        };
        match endpoint.scheme() {
            Scheme::Http => Ok((Transport::plain(stream), false)),
            Scheme::Https => {
                let own = endpoint.way().and_then(|way| way.tls.as_ref());
                let connector = TlsConnector::from(own.unwrap_or(&self.tls).client_config(alpn));
                let handshake = connector.connect(endpoint.server_name().clone(), stream);
                let stream = within(limit, endpoint, "in the TLS handshake", handshake)
                    .await?
                    .map_err(|error| Error::new(ErrorKind::Tls, endpoint.authority(), error.to_string()))?;
                let picked_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                Ok((Transport::tls(stream), picked_http2))
            }
        }
    }

    fn proxy<'s>(&'s self, endpoint: &'s Endpoint) -> Option<&'s Proxy> {
        match endpoint.way() {
            Some(Way { via: Via::Direct, .. }) => None,
            Some(Way { via: Via::Proxy(proxy), .. }) => Some(proxy),
            Some(Way { via: Via::Client, .. }) | None => self.proxies.as_ref()?.find(endpoint),
        }
    }

    async fn dial(&self, endpoint: &Endpoint, limit: Limit) -> Result<TcpStream, Error> {
        let addresses =
            within(limit, endpoint, "resolving the name", self.resolver.resolve(endpoint)).await??;
        within(limit, endpoint, "connecting", dial_any(&addresses)).await?.map_err(|error| {
            Error::new(ErrorKind::Connect, endpoint.authority(), connect_reason(&error, &addresses))
        })
    }

    /// A TCP connection to `endpoint` through a proxy. The proxy resolves the name, unless only some addresses are
    /// permitted: then it is told an address.
    async fn tunnel(&self, proxy: &Proxy, endpoint: &Endpoint, limit: Limit) -> Result<TcpStream, Error> {
        let target = match self.address_policy {
            AddressPolicy::Any => endpoint.authority().to_owned(),
            AddressPolicy::PublicOnly => {
                let resolving = self.resolver.resolve(endpoint);
                let permitted = within(limit, endpoint, "resolving the name", resolving).await??;
                permitted.first().map(ToString::to_string).unwrap_or_default()
            }
        };
        let at = within(
            limit,
            endpoint,
            "resolving the proxy's name",
            self.resolver.resolve_any(proxy.endpoint()),
        );
        let addresses = at.await??;
        let dialled = within(limit, endpoint, "connecting to the proxy", dial_any(&addresses)).await?;
        let mut stream = dialled.map_err(|error| {
            let proxy = proxy.endpoint().authority();
            let reason =
                format!("the proxy {proxy} cannot be reached: {}", connect_reason(&error, &addresses));
            Error::new(ErrorKind::Proxy, endpoint.authority(), reason)
        })?;
        let opening = proxy.open_tunnel(&mut stream, &target);
        within(limit, endpoint, "waiting for the proxy's tunnel", opening).await??;
        Ok(stream)
    }

    async fn speak_http(&self, endpoint: &Arc<Endpoint>, transport: Transport) -> Result<Connection, Error> {
        let meter = transport.meter();
        let (sender, driver) = self
            .http
            .handshake::<_, Full<Bytes>>(TokioIo::new(transport))
            .await
            .map_err(|error| Error::new(ErrorKind::Connect, endpoint.authority(), error.to_string()))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        Ok(Connection::new(Arc::clone(endpoint), sender, meter, driver.abort_handle()))
    }

    async fn speak_http2(
        &self,
        endpoint: &Arc<Endpoint>,
        transport: Transport,
    ) -> Result<Multiplexed, Error> {
        let (sender, mut driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(STREAM_WINDOW * MAX_STREAMS as u32)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_header_list_size(self.max_head_bytes)
            .max_concurrent_reset_streams(MAX_RECENT_RESETS)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake::<_, Full<Bytes>>(TokioIo::new(transport))
            .await
            .map_err(|error| Error::new(ErrorKind::Connect, endpoint.authority(), error.to_string()))?;
        let streams = AtomicUsize::new(driver.current_max_send_streams());
        let allowed = Arc::new(Allowed { streams, look: Notify::new() });
        let said = Arc::clone(&allowed);
        let driver = tokio::spawn(async move {
            let ended = loop {
                tokio::select! {
                    ended = &mut driver => break ended,
                    () = said.look.notified() => {}
                }
                said.streams.store(driver.current_max_send_streams(), Ordering::Relaxed);
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        Ok(Multiplexed::new(Arc::clone(endpoint), sender, allowed, driver.abort_handle()))
    }
}

pub(crate) async fn within<F: Future>(
    (deadline, kind): Limit,
    endpoint: &Endpoint,
    phase: &str,
    work: F,
) -> Result<F::Output, Error> {
    match deadline {
        None => Ok(work.await),
        Some(deadline) => timeout_at(deadline, work)
            .await
            .map_err(|_| Error::new(kind, endpoint.authority(), format!("gave up while {phase}"))),
    }
}

/// Dials the addresses in order, the next one as soon as one fails or after [`STAGGER`]; the first to connect wins.
async fn dial_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().copied();
    let mut attempts = FuturesUnordered::new();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(dial(address));
        } else if attempts.is_empty() {
            return Err(last_error);
        }
        let outcome = tokio::select! {
            outcome = attempts.next() => outcome,
            () = sleep(STAGGER), if waiting.len() > 0 => None,
        };
        match outcome {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last_error = error,
            None => {}
        }
    }
}

async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_AFTER / 3);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

fn connect_reason(error: &io::Error, addresses: &[SocketAddr]) -> String {
    match addresses.len() {
        1 => error.to_string(),
        tried => format!("{error} ({tried} addresses tried)"),
    }
}
