//! Requests that are no conversation: to the model they name, and its answer back as it is.

use http::{HeaderMap, HeaderValue, header};
use hyper::body::Incoming;
use vsr_protocol::NamedBody;
use vsr_router::{Passing, ResponsePath};
use vsr_types::Identity;

use crate::{
    answer::{self, Answer},
    chat, forward, headers,
    refusal::Refusal,
    service::Call,
};

/// What follows `/v1` in the paths of such requests.
const PATHS: [&str; 9] = [
    "/embeddings",
    "/completions",
    "/rerank",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/images/generations",
    "/images/edits",
    "/images/variations",
];

/// What follows `/v1` in `path`, if that is a path of such requests.
pub(crate) fn path(path: &str) -> Option<&'static str> {
    let below = path.strip_prefix("/v1")?;
    PATHS.into_iter().find(|known| *known == below)
}

/// Answers one request.
pub(crate) async fn serve(
    call: &Call<'_>,
    client_headers: HeaderMap,
    body: &mut Incoming,
    identity: Identity,
    path: &'static str,
) -> Answer {
    match pass(call, client_headers, body, identity, path).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.answer(call),
    }
}

async fn pass(
    call: &Call<'_>,
    client_headers: HeaderMap,
    body: &mut Incoming,
    identity: Identity,
    path: &'static str,
) -> Result<Answer, Refusal> {
    let body = chat::read(call, &client_headers, body).await?;
    let stated = client_headers.get(header::CONTENT_TYPE).cloned();
    let (is_large, looked_at) = (chat::is_large(&body), stated.clone());
    let find = move || Ok(NamedBody::parse(looked_at.as_ref().map(HeaderValue::as_bytes), body)?);
    let named = chat::step(is_large, call.id.text.clone(), find).await?;
    let content_type = match stated {
        Some(stated) if named.is_form() => stated,
        _ => HeaderValue::from_static("application/json"),
    };
    let session = headers::session_id(&client_headers);
    let passing = Passing {
        model: named.model(),
        path,
        identity,
        request_id: call.id.text.clone(),
        session: session.as_ref().map(HeaderValue::as_bytes),
        received: call.received,
    };
    let placed = call.router().pass_through(&call.router().snapshot(), passing);
    match placed.map_err(|error| Refusal::of(error, "parse_error"))? {
        Ok(placed) => {
            let unread = forward::Unread { named, content_type, path };
            Ok(forward::pass_through(call, client_headers, placed, unread).await)
        }
        Err(refused) => {
            let vsr_router::Refusal { mut exchange, error, reason } = *refused;
            exchange.status(error.status);
            let mut answer = answer::refusal(&error, call.protocol);
            forward::add_protocol_headers(&exchange, ResponsePath::Error, call, answer.headers_mut());
            exchange.end(Some(reason));
            Ok(answer)
        }
    }
}
