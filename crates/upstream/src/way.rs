//! Owns how a server is reached where that is not the usual way: through a proxy, with other trust, over HTTP/2.

use crate::{Proxy, TlsRoots};

/// How an [`Endpoint`](crate::Endpoint) is reached. The default is what the client is configured with, and HTTP/1.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Way {
    /// Whether a proxy stands between.
    pub via: Via,
    /// Trust and identity in place of the client's.
    pub tls: Option<TlsRoots>,
    /// Whether HTTP/2 is spoken.
    pub http2: Http2,
}

/// Whether a proxy stands between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Via {
    /// As the client's [`Proxies`](crate::Proxies) say.
    #[default]
    Client,
    /// None.
    Direct,
    /// This one.
    Proxy(Proxy),
}

/// Whether HTTP/2 is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Http2 {
    /// No.
    #[default]
    Never,
    /// Over TLS if the server picks it in the handshake; in plain text not.
    Offered,
    /// Always: over TLS nothing else is offered, and in plain text the server is known to speak it.
    Only,
}
