//! Who may use the management surfaces.

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwapOption;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, StatusCode, Uri, header};
use vsr_types::Secret;

use crate::ApiFailure;

/// The rule for one server.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    /// The token every request must carry.
    pub(crate) token: Arc<ArcSwapOption<Secret>>,
    /// Whether only requests addressed to this machine are served.
    pub(crate) local_only: bool,
}

/// Paths that need no token: probes must work without secrets, and what the API is, is no secret.
pub(crate) const OPEN_PATHS: [&str; 6] =
    ["/health", "/ready", "/startup-status", "/api/v1", "/openapi.json", "/docs"];

/// Lets a request pass, or says why not.
pub(crate) async fn check(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, ApiFailure> {
    guard.admit(request.uri(), request.headers())?;
    Ok(next.run(request).await)
}

// === impl Guard

impl Guard {
    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiFailure> {
        if self.local_only {
            self.check_addressee(uri, headers)?;
        }
        match self.token.load().as_deref() {
            Some(token) if !OPEN_PATHS.contains(&uri.path()) => check_token(token, headers),
            _ => Ok(()),
        }
    }

    /// A browser tricked into talking to loopback still names the foreign site in `Host` or `Origin`.
    fn check_addressee(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiFailure> {
        let mut hosts = headers
            .get_all(header::HOST)
            .iter()
            .map(|host| host.to_str().unwrap_or_default())
            .chain(uri.authority().map(|authority| authority.as_str()))
            .peekable();
        if hosts.peek().is_none() || !hosts.all(is_local_authority) {
            return Err(forbidden("the `Host` header does not name this machine"));
        }
        for origin in headers.get_all(header::ORIGIN) {
            let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            if !authority.is_some_and(|(_, authority)| is_local_authority(authority)) {
                return Err(forbidden("requests from other origins are refused"));
            }
        }
        Ok(())
    }
}

fn forbidden(message: &str) -> ApiFailure {
    ApiFailure { status: StatusCode::FORBIDDEN, code: "FORBIDDEN", message: message.into() }
}

fn check_token(token: &Secret, headers: &HeaderMap) -> Result<(), ApiFailure> {
    let presented = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, presented)| presented.trim());
    match presented {
        Some(presented) if token.matches(presented) => Ok(()),
        _ => Err(ApiFailure {
            status: StatusCode::UNAUTHORIZED,
            code: "UNAUTHORIZED",
            message: "a bearer token is required in the `Authorization` header".into(),
        }),
    }
}

/// Whether `host[:port]` is `localhost` or a loopback address.
fn is_local_authority(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
