//! Owns the address of a server as its operator writes it: scheme, host and port, with what every request needs precomputed.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

use http::HeaderValue;
use rustls_pki_types::ServerName;

use crate::{Error, ErrorKind, Http2, Way};

/// Whether a connection is plain TCP or TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP; default port 80.
    Http,
    /// HTTP over TLS; default port 443.
    Https,
}

/// Where requests go: `scheme://host:port`. Two endpoints that are equal share pooled connections.
///
/// ```
/// # fn main() -> Result<(), vsr_upstream::Error> {
/// use vsr_upstream::Endpoint;
/// let (endpoint, path) = Endpoint::parse_with_path("https://API.example.com/v1/")?;
/// assert_eq!(endpoint.to_string(), "https://api.example.com:443");
/// assert_eq!(endpoint.host_header(), "api.example.com");
/// assert_eq!(path, "/v1");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Endpoint {
    scheme: Scheme,
    host: Host,
    port: u16,
    authority: String,
    host_header: HeaderValue,
    server_name: ServerName<'static>,
    way: Option<Arc<Way>>,
}

/// The host part, already known to be a name or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// A lower-case DNS name; it ends with a dot if the operator wrote one, which stops the resolver's search list.
    Name(String),
    /// An address literal; needs no resolver.
    Ip(IpAddr),
}

// === impl Scheme ===

impl Scheme {
    /// The port that a URL of this scheme may leave out.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// Parses `http://host[:port]` or `https://host[:port]`; the path must be empty or `/`.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let (endpoint, path) = Self::parse_with_path(url)?;
        if path.is_empty() {
            Ok(endpoint)
        } else {
            Err(invalid(endpoint.authority, "has a path; give only scheme, host and port"))
        }
    }

    /// Parses a base URL, and returns its path without a trailing slash (empty when there is none).
    pub fn parse_with_path(url: &str) -> Result<(Self, String), Error> {
        let (scheme, rest) = split_scheme(url)?;
        let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
        // An unescaped slash in a password puts the rest of it, and the @, in the path: then nothing may be shown.
        let endpoint = Self::from_authority(scheme, authority)
            .map_err(|error| if path.contains('@') { holds_credentials() } else { error })?;
        let path = path.trim_end_matches('/');
        if path.contains(['?', '#']) {
            return Err(invalid(
                endpoint.authority,
                "has a query or fragment; give only scheme, host, port and path",
            ));
        }
        if !path.is_empty() && http::uri::PathAndQuery::from_str(path).is_err() {
            return Err(invalid(
                endpoint.authority,
                "has a path with characters that a URL path cannot hold",
            ));
        }
        Ok((endpoint, path.to_owned()))
    }

    /// Parses `host[:port]`; an IPv6 address stands in brackets.
    pub fn from_authority(scheme: Scheme, authority: &str) -> Result<Self, Error> {
        if authority.contains('@') {
            return Err(holds_credentials());
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => parse_port(host, digits)?,
        };
        let host = Host::parse(host)?;
        let server_name = host.server_name()?;
        let bare = host.bare();
        let host_header = if port == scheme.default_port() { bare.clone() } else { format!("{bare}:{port}") };
        let host_header = HeaderValue::from_str(&host_header)
            .map_err(|_| invalid(show(&bare), "cannot stand in a host header"))?;
        let authority = format!("{bare}:{port}");
        Ok(Self { scheme, host, port, authority, host_header, server_name, way: None })
    }

    /// The same server, reached in this way.
    #[must_use]
    pub fn by(self, way: Way) -> Self {
        Self { way: (way != Way::default()).then(|| Arc::new(way)), ..self }
    }

    /// Plain HTTP or TLS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, always with the port and without a name's trailing dot; an IPv6 address is in brackets.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The value of the `Host` header: without the port when it is the scheme's default.
    pub fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    pub(crate) fn way(&self) -> Option<&Way> {
        self.way.as_deref()
    }

    /// Whether HTTP/2 may be spoken with it.
    pub(crate) fn may_multiplex(&self) -> bool {
        self.way.as_ref().is_some_and(|way| match way.http2 {
            Http2::Never => false,
            Http2::Offered => self.scheme == Scheme::Https,
            Http2::Only => true,
        })
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.port == other.port
            && self.scheme == other.scheme
            && self.host == other.host
            && self.way == other.way
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.port.hash(state);
        self.host.hash(state);
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{}://{name}:{}", self.scheme.as_str(), self.port),
            Host::Ip(_) => write!(f, "{}://{}", self.scheme.as_str(), self.authority),
        }
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        Self::parse(url)
    }
}

// === impl Host ===

impl Host {
    fn parse(text: &str) -> Result<Self, Error> {
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Ipv6Addr::from_str(inner).map(|address| Self::Ip(address.into())).map_err(|_| {
                invalid(show(text), "is not an IPv6 address (zone identifiers are not accepted)")
            });
        }
        if let Ok(address) = IpAddr::from_str(text) {
            return Ok(Self::Ip(address));
        }
        if text.is_empty() {
            return Err(invalid("url", "has no host"));
        }
        if !text.is_ascii() {
            return Err(invalid(show(text), "is not ASCII; write the name in its xn-- form"));
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }

    /// The host as it stands in a URL, without a trailing dot.
    fn bare(&self) -> String {
        match self {
            Self::Name(name) => name.trim_end_matches('.').to_owned(),
            Self::Ip(IpAddr::V4(address)) => address.to_string(),
            Self::Ip(IpAddr::V6(address)) => format!("[{address}]"),
        }
    }

    /// The name that the server's certificate must hold. Its grammar is also the one every host name must meet.
    fn server_name(&self) -> Result<ServerName<'static>, Error> {
        match self {
            Self::Ip(address) => Ok(ServerName::IpAddress((*address).into())),
            Self::Name(name) => {
                let bare = name.strip_suffix('.').unwrap_or(name);
                ServerName::try_from(bare)
                    .map(|name| name.to_owned())
                    .map_err(|_| invalid(show(name), "is not a valid host name or IP address"))
            }
        }
    }
}

fn split_scheme(url: &str) -> Result<(Scheme, &str), Error> {
    for scheme in [Scheme::Http, Scheme::Https] {
        let prefix = scheme.as_str();
        if let (Some(head), Some(tail)) = (url.get(..prefix.len()), url.get(prefix.len()..))
            && head.eq_ignore_ascii_case(prefix)
            && let Some(rest) = tail.strip_prefix("://")
        {
            return Ok((scheme, rest));
        }
    }
    Err(invalid("url", "does not begin with http:// or https://"))
}

/// Splits at the port's colon. More than one colon outside brackets is an IPv6 address that lacks them.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), Error> {
    let after_bracket = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[after_bracket..].split_once(':') {
        None => Ok((authority, None)),
        Some((between, port)) if !port.contains(':') => {
            Ok((&authority[..after_bracket + between.len()], Some(port)))
        }
        Some(_) => Err(invalid(show(authority), "has several colons; put an IPv6 address in brackets")),
    }
}

fn parse_port(host: &str, digits: &str) -> Result<u16, Error> {
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        match digits.parse() {
            Ok(0) | Err(_) => {}
            Ok(port) => return Ok(port),
        }
    }
    Err(invalid(show(host), "needs a port between 1 and 65535 after the colon"))
}

fn holds_credentials() -> Error {
    invalid("url", "holds credentials; pass them in a header instead")
}

fn invalid(target: impl Into<String>, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidEndpoint, target, reason)
}

/// A refused host, shortened and escaped, for an error message.
fn show(host: &str) -> String {
    host.chars().take(64).flat_map(char::escape_default).collect()
}
