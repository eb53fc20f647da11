//! Owns the crate's one error: what went wrong, with which server, and whether the request may have reached it.

use std::fmt;

/// Why a call failed, or why a value was refused.
///
/// The text says `host:port`, what happened, and why. It never holds headers, credentials, bodies, paths or queries.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Details>);

#[derive(Debug, thiserror::Error)]
#[error("{target}: {kind}: {reason}")]
struct Details {
    kind: ErrorKind,
    target: String,
    reason: String,
    before_request_sent: bool,
    on_reused_connection: bool,
}

/// The kinds a caller can tell apart. [`ErrorKind::as_str`] is stable: use it for metrics and traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An endpoint could not be parsed.
    InvalidEndpoint,
    /// Certificates that should be trusted could not be read.
    InvalidCertificates,
    /// The host's addresses are all refused by the client's [`AddressPolicy`](crate::AddressPolicy).
    AddressRefused,
    /// The host name has no address, or no name server answered.
    Dns,
    /// No address of the host accepted a connection.
    Connect,
    /// Resolving, connecting and the TLS handshake together took longer than allowed.
    ConnectTimeout,
    /// The TLS handshake failed; most often the certificate is not trusted or names another host.
    Tls,
    /// The proxy did not open a tunnel.
    Proxy,
    /// The request was sent, or stopped making progress, and no response head came in time.
    FirstByteTimeout,
    /// The response body stopped arriving for too long.
    StreamIdleTimeout,
    /// The whole call took longer than allowed.
    TotalTimeout,
    /// The connection was closed or reset before a complete response head.
    Reset,
    /// The response body ended, or the connection broke, before the body's declared end.
    Truncated,
    /// The server answered with something that is not a valid HTTP/1.1 response.
    InvalidResponse,
    /// The response head has more bytes or more fields than allowed.
    HeadTooLarge,
    /// The response body has more bytes than the caller accepts.
    BodyTooLarge,
}

// === impl Error ===

impl Error {
    pub(crate) fn new(kind: ErrorKind, target: impl Into<String>, reason: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            target: target.into(),
            reason: reason.into(),
            before_request_sent: kind.is_always_before_request(),
            on_reused_connection: false,
        }))
    }

    /// The same, told of something else.
    pub(crate) fn about(mut self, target: &str) -> Self {
        self.0.target = target.to_owned();
        self
    }

    pub(crate) fn with_connection(mut self, reused: bool, request_untouched: bool) -> Self {
        self.0.on_reused_connection = reused;
        self.0.before_request_sent |= request_untouched;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// True when not one byte of the request can have reached the server, so that sending it again, there or elsewhere,
    /// cannot make it happen twice.
    pub fn is_before_request_sent(&self) -> bool {
        self.0.before_request_sent
    }

    /// True when the failed exchange was on a connection kept from an earlier request. A [`ErrorKind::Reset`] on such a
    /// connection most often means that the server closed it as idle at the same moment.
    pub fn is_on_reused_connection(&self) -> bool {
        self.0.on_reused_connection
    }
}

// === impl ErrorKind ===

impl ErrorKind {
    /// A short stable name, such as `connect_timeout`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidEndpoint => "invalid_endpoint",
            Self::InvalidCertificates => "invalid_certificates",
            Self::AddressRefused => "address_refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Proxy => "proxy",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::StreamIdleTimeout => "stream_idle_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::InvalidResponse => "invalid_response",
            Self::HeadTooLarge => "head_too_large",
            Self::BodyTooLarge => "body_too_large",
        }
    }

    /// True for the kinds that mean "too slow".
    pub fn is_timeout(self) -> bool {
        matches!(
            self,
            Self::ConnectTimeout | Self::FirstByteTimeout | Self::StreamIdleTimeout | Self::TotalTimeout
        )
    }

    fn is_always_before_request(self) -> bool {
        matches!(
            self,
            Self::InvalidEndpoint
                | Self::InvalidCertificates
                | Self::AddressRefused
                | Self::Dns
                | Self::Connect
                | Self::ConnectTimeout
                | Self::Tls
                | Self::Proxy
        )
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::InvalidEndpoint => "invalid endpoint",
            Self::InvalidCertificates => "invalid certificates",
            Self::AddressRefused => "address refused",
            Self::Dns => "host name not resolved",
            Self::Connect => "connection failed",
            Self::ConnectTimeout => "connection timed out",
            Self::Tls => "TLS handshake failed",
            Self::Proxy => "no tunnel",
            Self::FirstByteTimeout => "no response in time",
            Self::StreamIdleTimeout => "response body stalled",
            Self::TotalTimeout => "total time limit reached",
            Self::Reset => "connection closed before a response",
            Self::Truncated => "response body cut off",
            Self::InvalidResponse => "invalid response",
            Self::HeadTooLarge => "response head too large",
            Self::BodyTooLarge => "response body too large",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.phrase())
    }
}
