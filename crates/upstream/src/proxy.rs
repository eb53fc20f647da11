//! Owns proxies: how one is written, for whom it is, and the tunnel that it opens (`CONNECT`, RFC 9110 §9.3.6).

use std::{fmt, io, net::IpAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use ipnet::IpNet;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Endpoint, Error, ErrorKind, Scheme, endpoint::Host};

/// The longest head of an answer to `CONNECT`.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// An HTTP proxy that opens tunnels.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    endpoint: Arc<Endpoint>,
    authorization: Option<HeaderValue>,
}

/// Which proxy is for which server, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    except: Vec<Exception>,
}

/// Servers that are reached without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    All,
    /// The name and those below it, at one port or at all.
    Name(String, Option<u16>),
    Network(IpNet),
    Address(IpAddr, Option<u16>),
}

// === impl Proxy ===

impl Proxy {
    /// Parses `http://[user:password@]host[:port]`; without a scheme, `http` is meant. User and password may be
    /// percent-encoded.
    ///
    /// # Errors
    /// If it is none. No message shows the credentials.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::new(ErrorKind::InvalidEndpoint, "proxy", reason);
        let url = url.trim();
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(refuse("has a scheme other than http; only HTTP proxies are spoken to")),
            None => url,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials), authority),
            None => (None, rest),
        };
        if authority.contains(['/', '?', '#']) {
            return Err(refuse("has a path; give only scheme, credentials, host and port"));
        }
        let authorization = credentials.map(|credentials| {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            let (user, password) = (percent_decoded(user), percent_decoded(password));
            let pair = [user.as_slice(), b":", password.as_slice()].concat();
            let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
                .map_err(|_| refuse("has credentials that no header can hold"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let endpoint = Endpoint::from_authority(Scheme::Http, authority)?;
        Ok(Self { endpoint: Arc::new(endpoint), authorization: authorization.transpose()? })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Has the proxy connect `stream`, which leads to it, to `target` (`host:port`). Not one byte of what comes after the
    /// proxy's answer is read.
    pub(crate) async fn open_tunnel(&self, stream: &mut TcpStream, target: &str) -> Result<(), Error> {
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"proxy-authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        let failed = |reason: String| {
            let reason = format!("{reason} (through the proxy {})", self.endpoint.authority());
            Error::new(ErrorKind::Proxy, target, reason)
        };
        stream.write_all(&request).await.map_err(|error| failed(error.to_string()))?;
        let head = read_head(stream).await.map_err(|error| failed(error.to_string()))?;
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        match answer.parse(&head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) | Err(_) => {
                return Err(failed("its answer is not valid HTTP".to_owned()));
            }
        }
        match answer.code.unwrap_or_default() {
            200..=299 => Ok(()),
            407 if self.authorization.is_some() => {
                Err(failed("it does not accept the credentials in its URL (407)".to_owned()))
            }
            407 => Err(failed("it asks for credentials (407); write them into its URL".to_owned())),
            status => Err(failed(format!("it opens no tunnel (status {status})"))),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("endpoint", &self.endpoint.authority())
            .field("has_credentials", &self.authorization.is_some())
            .finish()
    }
}

/// Reads to the end of a head and no further.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut seen = [0; 1024];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"));
        }
        let before = head.len();
        head.extend_from_slice(&seen[..count]);
        let begin = before.saturating_sub(3);
        let end = head[begin..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| begin + at + 4);
        head.truncate(end.unwrap_or(head.len()));
        let taken = head.len() - before;
        stream.read_exact(&mut seen[..taken]).await?;
        if end.is_some() {
            return Ok(head);
        }
        if head.len() > MAX_HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of its answer has no end"));
        }
    }
}

// === impl Proxies ===

impl Proxies {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, of which the lower-case spelling goes first. An empty one counts as
    /// none.
    ///
    /// # Errors
    /// If a proxy is written in a way that cannot be used: to go without it would not be what was asked for.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let find = |name: &str| {
            let written = [name.to_ascii_lowercase(), name.to_owned()].into_iter();
            written.filter_map(|name| variable(&name)).find(|value| !value.trim().is_empty())
        };
        let proxy = |name: &str| {
            let parsed = find(name).map(|url| Proxy::parse(&url)).transpose();
            parsed.map_err(|error| error.about(name))
        };
        let except = find("NO_PROXY").unwrap_or_default();
        Ok(Self {
            https: proxy("HTTPS_PROXY")?,
            http: proxy("HTTP_PROXY")?,
            except: except.split([',', ' ']).filter_map(Exception::parse).collect(),
        })
    }

    /// The proxy for a server. This machine is reached without one, whatever is configured.
    pub fn find(&self, endpoint: &Endpoint) -> Option<&Proxy> {
        let proxy = match endpoint.scheme() {
            Scheme::Https => self.https.as_ref(),
            Scheme::Http => self.http.as_ref(),
        }?;
        let is_here = match endpoint.host() {
            Host::Ip(address) => address.is_loopback(),
            Host::Name(name) => crate::resolve::is_localhost(name),
        };
        (!is_here && !self.except.iter().any(|except| except.covers(endpoint))).then_some(proxy)
    }
}

// === impl Exception ===

impl Exception {
    fn parse(written: &str) -> Option<Self> {
        let written = written.trim();
        if written.is_empty() {
            return None;
        }
        if written == "*" {
            return Some(Self::All);
        }
        if let Ok(network) = written.parse::<IpNet>() {
            return Some(Self::Network(network));
        }
        let bare = written.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Address(address, None));
        }
        let (host, port) = match written.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) => (host, Some(port)),
            _ => (written, None),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Address(address, port));
        }
        let name = host.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
        (!name.is_empty()).then_some(Self::Name(name, port))
    }

    fn covers(&self, endpoint: &Endpoint) -> bool {
        let at = |port: &Option<u16>| port.is_none_or(|port| port == endpoint.port());
        match (self, endpoint.host()) {
            (Self::All, _) => true,
            (Self::Name(name, port), Host::Name(host)) => {
                let host = host.strip_suffix('.').unwrap_or(host);
                let below = host.strip_suffix(name.as_str());
                at(port) && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(network), Host::Ip(address)) => network.contains(address),
            (Self::Address(except, port), Host::Ip(address)) => at(port) && except == address,
            _ => false,
        }
    }
}

/// `%41` is `A`; a percent sign that begins no such thing stands for itself.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digit = |offset: usize| char::from(*bytes.get(at + offset)?).to_digit(16);
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}
