//! One server that is asked over HTTP: its address, its headers, and a call with a cap on the answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header, uri::PathAndQuery};
use vsr_config::{ExternalModel, ExternalProtocol};
use vsr_types::{Diagnostic, Path};
use vsr_upstream::{Client, Endpoint, Request, Response, Timeouts};

use crate::error::CallError;

/// The most bytes of an answer.
pub(crate) const ANSWER_BYTES: usize = 256 * 1024;
/// How long connecting may take; less where the whole call may take less.
const CONNECT: Duration = Duration::from_secs(5);

/// A server and what every request to it has.
#[derive(Debug)]
pub(crate) struct Server {
    endpoint: Arc<Endpoint>,
    path: PathAndQuery,
    headers: HeaderMap,
}

// === impl Server

impl Server {
    /// The server at `url`, whose path is that of the requests.
    pub(crate) fn at_url(url: &str, accept: &'static str) -> Result<Self, String> {
        let (endpoint, path) = Endpoint::parse_with_path(url).map_err(|error| error.to_string())?;
        let path = if path.is_empty() { "/" } else { &path };
        Self::new(endpoint, path, accept)
    }

    /// The server of an entry of `global.model_catalog.external`, with `suffix` after the path of its address.
    pub(crate) fn of(model: &ExternalModel, suffix: &str, place: &Path) -> Result<Self, Diagnostic> {
        let endpoint = &model.llm_endpoint;
        let place_of = |key: &str| place.key("llm_endpoint").key(key);
        let address = endpoint.address.trim().trim_end_matches('/');
        let problem = |message: String| {
            Diagnostic::error(place_of("address"), message).help("write a host, `host:port`, or a URL")
        };
        if address.is_empty() {
            return Err(problem("the address is empty".to_owned()));
        }
        let is_bare_v6 = address.parse::<std::net::Ipv6Addr>().is_ok();
        let (scheme, rest) = match (address.split_once("://"), endpoint.protocol) {
            (Some((scheme, rest)), _) => (scheme.to_ascii_lowercase(), rest.to_owned()),
            (None, Some(ExternalProtocol::Https)) => ("https".to_owned(), address.to_owned()),
            (None, _) if is_bare_v6 => ("http".to_owned(), format!("[{address}]")),
            (None, _) => ("http".to_owned(), address.to_owned()),
        };
        let (authority, base) = rest.find('/').map_or((rest.as_str(), ""), |at| rest.split_at(at));
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = endpoint.port.filter(|port| *port != 0);
        let url = match port {
            Some(_) if has_port => {
                let message = "the port stands in `address` too; keep one";
                return Err(Diagnostic::error(place_of("port"), message));
            }
            Some(port) => format!("{scheme}://{authority}:{port}{base}"),
            None => format!("{scheme}://{authority}{base}"),
        };
        let (parsed, base) = Endpoint::parse_with_path(&url).map_err(|error| problem(error.to_string()))?;
        // A base path that already names the version stands for the one in the suffix.
        let suffix = if base.is_empty() { suffix } else { suffix.strip_prefix("/v1").unwrap_or(suffix) };
        let mut server =
            Self::new(parsed, &format!("{base}{suffix}"), "application/json").map_err(problem)?;
        if let Some(key) = model.access_key.as_ref().filter(|key| !key.is_empty()) {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| {
                Diagnostic::error(place.key("access_key"), "the key holds characters that no header can")
            })?;
            value.set_sensitive(true);
            server.headers.insert(header::AUTHORIZATION, value);
        }
        Ok(server)
    }

    fn new(endpoint: Endpoint, path: &str, accept: &'static str) -> Result<Self, String> {
        let path = path.parse().map_err(|_| format!("`{path}` is no path that can be requested"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Ok(Self { endpoint: Arc::new(endpoint), path, headers })
    }

    /// Whether requests pass the network in the clear.
    pub(crate) fn is_plain(&self) -> bool {
        self.endpoint.scheme() == vsr_upstream::Scheme::Http
    }

    /// Posts `body`; a response that is no success is an error, a redirect too.
    pub(crate) async fn post(
        &self,
        client: &Client,
        more_headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Response, CallError> {
        let mut headers = self.headers.clone();
        headers.extend(more_headers);
        let request = Request {
            method: Method::POST,
            endpoint: Arc::clone(&self.endpoint),
            path_and_query: self.path.clone(),
            headers,
            body,
        };
        let timeouts = Timeouts {
            connect: CONNECT.min(limit),
            first_byte: limit,
            stream_idle: limit,
            total: Some(limit),
        };
        let response = Box::pin(client.send(request, &timeouts)).await?;
        match response.status {
            status if status.is_success() => Ok(response),
            status => Err(CallError::Status(status.as_u16())),
        }
    }

    /// Posts `body` and reads the whole answer as text.
    pub(crate) async fn ask(
        &self,
        client: &Client,
        body: &serde_json::Value,
        limit: Duration,
    ) -> Result<String, CallError> {
        let body = Bytes::from(body.to_string());
        let response = self.post(client, HeaderMap::new(), body, limit).await?;
        let answer = response.body.collect(ANSWER_BYTES).await?;
        String::from_utf8(answer.into()).map_err(|_| CallError::Protocol("the answer is not UTF-8"))
    }
}
