//! Owns opening a connection: resolve, dial the addresses in a staggered race, TLS, and the HTTP handshake.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::TlsConnector;

use crate::{
    ClientConfig, Endpoint, Error, ErrorKind, Scheme, TlsRoots, pool::Connection, resolve::Resolver,
    transport::Transport,
};

/// How long one address may take before the next is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// A silent peer is probed after this time, so that a vanished one is noticed while a slow model still thinks.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// The smallest read buffer the HTTP library accepts.
const MIN_BUFFER_BYTES: usize = 8 * 1024;

/// Opens connections; one per client.
pub(crate) struct Connector {
    resolver: Resolver,
    tls: TlsRoots,
    http: http1::Builder,
}

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
        }
    }

    /// Opens a connection and starts its driver on the calling runtime. `limit` is the time at which to give up, with the
    /// kind of error that it means.
    pub(crate) async fn connect(
        &self,
        endpoint: &Arc<Endpoint>,
        limit: (Option<Instant>, ErrorKind),
    ) -> Result<Connection, Error> {
        let addresses =
            within(limit, endpoint, "resolving the name", self.resolver.resolve(endpoint)).await??;
        let stream = within(limit, endpoint, "connecting", dial_any(&addresses)).await?.map_err(|error| {
            Error::new(ErrorKind::Connect, endpoint.authority(), connect_reason(&error, &addresses))
        })?;
        let transport = match endpoint.scheme() {
            Scheme::Http => Transport::plain(stream),
            Scheme::Https => {
                let connector = TlsConnector::from(self.tls.client_config());
                let handshake = connector.connect(endpoint.server_name().clone(), stream);
                let stream = within(limit, endpoint, "in the TLS handshake", handshake)
                    .await?
                    .map_err(|error| Error::new(ErrorKind::Tls, endpoint.authority(), error.to_string()))?;
                Transport::tls(stream)
            }
        };
        self.speak_http(endpoint, transport).await
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
}

async fn within<F: Future>(
    (deadline, kind): (Option<Instant>, ErrorKind),
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
