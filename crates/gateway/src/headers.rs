//! Which headers pass: to a backend by a list of those that do not, to a client by a list of those that do; and what
//! a listener's rules change in that.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use vsr_protocol::{ApiError, Protocol};
use vsr_router::Backend;

use crate::{
    header_rules::HeaderRules,
    listener::Rules,
    request_id::{Id, REQUEST_ID, X_REQUEST_ID},
    service::Call,
};

pub(crate) const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const X_UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// The headers of the request to `backend`: the client's, without what is not for the backend, and the router's own.
pub(crate) fn to_backend(
    client: &HeaderMap,
    rules: &Rules,
    backend: &Backend,
    (client_protocol, protocol): (Protocol, Protocol),
    id: &Id,
    user_key: Option<HeaderValue>,
) -> HeaderMap {
    let (door, rules) = (&rules.door, &rules.headers);
    let named_by_connection = named_by_connection(client);
    let keeps_credentials = !backend.has_credential && user_key.is_none() && !door.demands_key();
    let mut headers = HeaderMap::with_capacity(client.keys_len() + backend.headers.len() + 3);
    for name in client.keys() {
        let is_private = is_private(name.as_str())
            || !rules.passes_request(name.as_str(), !is_personal(name.as_str()))
            || !keeps_credentials && is_credential(name)
            || door.owns_header(name)
            || backend.withheld.contains(name)
            || client_protocol != protocol && is_of_vendor(name.as_str(), client_protocol)
            || named_by_connection.contains(name);
        if !is_private {
            for value in client.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    if client_protocol != protocol {
        translate_credential(&mut headers, protocol);
    }
    if protocol == Protocol::Messages && !headers.contains_key(ANTHROPIC_VERSION) {
        headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(X_REQUEST_ID, id.header.clone());
    for (name, value) in &backend.headers {
        headers.insert(name.clone(), value.clone());
    }
    if let (Some(key), Some(value)) = (&backend.user_key, user_key) {
        headers.insert(key.into.clone(), value);
    }
    headers
}

/// The key for `backend` of whoever asks, ready to be sent, if a trusted peer sent one.
///
/// # Errors
/// There is none and the configuration demands one, or it cannot be told which it is.
pub(crate) fn user_key(
    client: &HeaderMap,
    call: &Call<'_>,
    backend: &Backend,
) -> Result<Option<HeaderValue>, ApiError> {
    let door = &call.listener().door;
    if let Some(key) = &backend.user_key
        && client.contains_key(&key.from)
        && door.trusts(call.connection.peer.ip())
    {
        let mut values = client.get_all(&key.from).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let message = format!("the header `{}` was sent more than once", key.from);
            return Err(ApiError::new(400, message).with_code("ambiguous_identity"));
        };
        if let Some(value) = key.value(value) {
            return Ok(Some(value));
        }
    }
    if backend.demands_user_key {
        let message = format!("there is no key of yours for backend `{}`", backend.name);
        return Err(ApiError::new(401, message).with_code("provider_key_missing"));
    }
    Ok(None)
}

/// Adds the headers of a backend's response that the client gets.
pub(crate) fn to_client(backend: HeaderMap, rules: &HeaderRules, answer: &mut HeaderMap) {
    let mut passing = None;
    for (name, value) in backend {
        if let Some(name) = name {
            passing = if name == X_REQUEST_ID || name == REQUEST_ID {
                Some(X_UPSTREAM_REQUEST_ID)
            } else {
                let passes = !is_private(name.as_str())
                    && rules.passes_response(name.as_str(), is_for_client(name.as_str()));
                (passes || describes_body(name.as_str())).then_some(name)
            };
        }
        if let Some(name) = &passing {
            answer.append(name.clone(), value);
        }
    }
}

/// The session that a client states: its own header, or those of known agents. Echoed to the client.
pub(crate) fn session_id(headers: &HeaderMap) -> Option<HeaderValue> {
    const SOURCES: [&str; 4] = ["x-session-id", "x-claude-code-session-id", "session_id", "session-id"];
    const MAX_BYTES: usize = 256;
    let stated = SOURCES.iter().find_map(|name| headers.get(*name))?;
    (1..=MAX_BYTES).contains(&stated.len()).then(|| stated.clone())
}

/// Headers that say something about one vendor's protocol, and mean nothing in another.
fn is_of_vendor(name: &str, client: Protocol) -> bool {
    match client {
        Protocol::Messages => name.starts_with("anthropic-"),
        Protocol::Chat | Protocol::Responses => name.starts_with("openai-"),
    }
}

/// Puts the client's own key, where it passes at all, into the header that the backend's protocol has for it.
fn translate_credential(headers: &mut HeaderMap, upstream: Protocol) {
    if upstream == Protocol::Messages {
        let bearer = headers.remove(header::AUTHORIZATION);
        let key = bearer.as_ref().and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
        if let Some(Ok(value)) = key.map(|(_, key)| HeaderValue::from_str(key.trim())) {
            headers.insert(X_API_KEY, value);
        }
    } else if let Some(key) = headers.remove(X_API_KEY)
        && let Ok(key) = key.to_str()
        && let Ok(value) = HeaderValue::from_str(&format!("Bearer {key}"))
    {
        headers.insert(header::AUTHORIZATION, value);
    }
}

/// Headers about one connection, about the way here, or between the router and whoever stands in front of it.
fn is_private(name: &str) -> bool {
    match name {
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
        | "http2-settings" => true,
        "host" | "content-length" | "content-type" | "content-encoding" | "accept-encoding" | "expect" => {
            true
        }
        "x-request-id" | "x-selected-model" | "x-disable-router-memory" => true,
        _ => {
            ["proxy-", "x-vsr-", "x-authz-"].iter().any(|prefix| name.starts_with(prefix))
                || name.starts_with("x-user-") && name.ends_with("-key")
        }
    }
}

/// Headers that say where the client is or who its user is, for whoever stands in front. A listener's rules can let
/// them pass.
fn is_personal(name: &str) -> bool {
    matches!(name, "cookie" | "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
}

/// Headers without which the body cannot be read.
fn describes_body(name: &str) -> bool {
    matches!(name, "content-type" | "content-encoding")
}

/// Headers that prove who the client is to a provider, or say whose account is charged.
fn is_credential(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION
        || matches!(
            name.as_str(),
            "x-api-key"
                | "api-key"
                | "anthropic-api-key"
                | "x-goog-api-key"
                | "x-goog-user-project"
                | "x-amz-security-token"
                | "openai-organization"
                | "openai-project"
        )
}

fn is_for_client(name: &str) -> bool {
    name == "retry-after"
        || name.starts_with("openai-")
        || name.starts_with("anthropic-ratelimit-")
        || name.starts_with("x-ratelimit-")
}

/// The headers that `Connection` declares to be about one connection only. Mostly it names none.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.eq_ignore_ascii_case("keep-alive") && !token.eq_ignore_ascii_case("close"))
        .filter_map(|token| token.parse().ok())
        .collect()
}
