//! A listener's transport security: the handshake, and how new certificates take the place of old ones.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use vsr_config::ListenerTls;
use vsr_router::{TlsError, TlsFiles};

use crate::BindError;

/// Certificate, key and client authorities of one listener.
pub(crate) struct Tls {
    names: ListenerTls,
    current: ArcSwap<ServerConfig>,
    /// What the files held when they were last looked at, or why they could not be read.
    seen: Mutex<Result<[u8; 32], TlsError>>,
}

/// Counts handshakes of a worker that are not over.
#[derive(Default)]
pub(crate) struct Handshakes(AtomicUsize);

struct Handshake<'h>(&'h Handshakes);

/// Protocols that are offered, the preferred first.
const PROTOCOLS: [&[u8]; 2] = [HTTP_2, b"http/1.1"];

/// HTTP/2 as the handshake names it.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// Handshakes of one worker at one time. Who has not shown a finished one yet holds up to 64 KiB and much of a
/// processor, so there may be fewer of them than there are connections.
const MAX_HANDSHAKES: usize = 512;

// === impl Tls ===

impl Tls {
    /// What the listener at `index` of the configuration asks for; `before` is kept if it is the same.
    pub(crate) fn new(
        index: usize,
        names: &ListenerTls,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, BindError> {
        let refused = |error: TlsError| BindError::Tls { index, error };
        let files = TlsFiles::read(names).map_err(refused)?;
        let print = files.fingerprint();
        if let Some(before) = before
            && before.names == *names
            && before.holds(&print)
        {
            return Ok(Arc::clone(before));
        }
        let config = files.server_config(&PROTOCOLS).map_err(refused)?;
        Ok(Arc::new(Self {
            names: names.clone(),
            current: ArcSwap::from_pointee(config),
            seen: Mutex::new(Ok(print)),
        }))
    }

    /// The files, as the configuration names them.
    pub(crate) fn names(&self) -> &ListenerTls {
        &self.names
    }

    /// Whether clients have to show a certificate.
    pub(crate) fn knows_clients(&self) -> bool {
        self.names.client_ca_file.is_some()
    }

    fn holds(&self, print: &[u8; 32]) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Ok(print)
    }

    /// Looks at the files, and uses them for new connections if they changed and can be used. Connections that are
    /// open go on. Blocks.
    pub(crate) fn renew(&self) {
        let read = TlsFiles::read(&self.names);
        let print = read.as_ref().map(TlsFiles::fingerprint).map_err(TlsError::clone);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == print {
                return;
            }
            *seen = print;
        }
        let name = &*self.names.cert_file;
        match read.and_then(|files| files.server_config(&PROTOCOLS)) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(cert_file = name, "new connections are shown the renewed certificate");
            }
            Err(TlsError { key, message, help }) => tracing::error!(
                cert_file = name,
                key = format!("listeners[].tls.{key}"),
                help,
                "the certificate changed and cannot be used, the one before stays: {message}"
            ),
        }
    }

    /// The client's side of the connection in clear, unless the handshake fails, takes longer than `limit`, or is one
    /// too many.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        limit: Duration,
        handshakes: &Handshakes,
    ) -> Result<TlsStream<TcpStream>, &'static str> {
        let _counted = handshakes.begin().ok_or("there are too many handshakes")?;
        let acceptor = TlsAcceptor::from(self.current.load_full());
        match timeout(limit, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                Err("the TLS handshake failed")
            }
            Err(_) => Err("the TLS handshake took too long"),
        }
    }
}

// === impl Handshakes ===

impl Handshakes {
    fn begin(&self) -> Option<Handshake<'_>> {
        let running = self.0.fetch_add(1, Ordering::Relaxed);
        // Counted first and looked at after, so that one too many gives its place back.
        let handshake = Handshake(self);
        (running < MAX_HANDSHAKES).then_some(handshake)
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
