//! `POST /v1/messages/count_tokens`: counted by the backend that would answer, if it speaks Messages; else an estimate,
//! by the bytes of the texts, that says what it is.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use hyper::body::Incoming;
use vsr_protocol::{ApiError, ClientRequest, Protocol, RequestLimits, ViewedRequest, anthropic};
use vsr_router::Counting;
use vsr_types::Identity;
use vsr_upstream::{Request, Response, Timeouts};

use crate::{
    answer::{self, Answer},
    chat,
    failure::Failure,
    headers,
    refusal::Refusal,
    service::Call,
};

const X_VSR_TOKEN_COUNT: HeaderName = HeaderName::from_static("x-vsr-token-count");

/// The largest answer of a backend that counts.
const MAX_COUNT_BYTES: usize = 64 * 1024;

/// Counts the tokens of one request.
pub(crate) async fn tokens(
    call: &Call<'_>,
    client_headers: HeaderMap,
    body: &mut Incoming,
    identity: Identity,
) -> Answer {
    match count(call, client_headers, body, identity).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.answer(call),
    }
}

async fn count(
    call: &Call<'_>,
    client_headers: HeaderMap,
    body: &mut Incoming,
    identity: Identity,
) -> Result<Answer, Refusal> {
    let body = chat::read(call, &client_headers, body).await?;
    let is_large = chat::is_large(&body);
    let id = || call.id.text.clone();
    let snapshot = call.router().snapshot();
    let asks_backends = snapshot.counts_tokens();
    let planning = (snapshot.clone(), identity.clone());
    let (request, reading) = chat::step(is_large, id(), move || {
        let request = ClientRequest::parse(Protocol::Messages, body, &RequestLimits::default())?;
        let request = ViewedRequest::new(request);
        let reading = if asks_backends { planning.0.reading(&request, &planning.1) } else { None };
        Ok((request, reading))
    })
    .await?;
    let read = match reading {
        Some(reading) => Some(Box::pin(reading.run(call.upstream())).await),
        None => None,
    };
    let router = std::sync::Arc::clone(call.router());
    let (request, counting) = chat::step(is_large, id(), move || {
        let counting = if asks_backends {
            let counting = router.counting(&snapshot, &request, identity, read.as_ref());
            counting.map_err(|error| Refusal::of(error, "count_refused"))?
        } else {
            None
        };
        Ok((request, counting))
    })
    .await?;
    if let Some(counting) = counting
        && let Some(answer) = ask(call, client_headers, counting).await?
    {
        return Ok(answer);
    }
    let tokens = call.router().calibration().estimate(request.view());
    Ok(counted("estimated", anthropic::token_count(tokens)))
}

fn counted(how: &'static str, body: Bytes) -> Answer {
    let mut answer = answer::json(StatusCode::OK, body);
    answer.headers_mut().insert(X_VSR_TOKEN_COUNT, HeaderValue::from_static(how));
    answer
}

/// Asks the backend; none if it does not count.
async fn ask(
    call: &Call<'_>,
    client_headers: HeaderMap,
    counting: Counting,
) -> Result<Option<Answer>, Refusal> {
    let Counting { backend, model, path, body } = counting;
    let protocols = (Protocol::Messages, Protocol::Messages);
    let user_key = headers::user_key(&client_headers, call, &backend)
        .map_err(|error| Refusal::of(error, "provider_key_missing"))?;
    let is_users = user_key.is_some();
    let mut request = Request {
        method: Method::POST,
        endpoint: backend.endpoint.clone(),
        path_and_query: call.upstream_path(&path, Protocol::Messages),
        headers: headers::to_backend(
            &client_headers,
            call.listener(),
            &backend,
            protocols,
            call.id,
            user_key,
        ),
        body,
    };
    if !is_users {
        backend.sign(&mut request, || call.router().clock().now());
    }
    let left = call.listener().request_timeout.saturating_sub(call.received.elapsed());
    let total = backend.timeouts.total.map_or(left, |total| total.min(left));
    let timeouts = Timeouts { total: Some(total), ..backend.timeouts };
    let failed = |failure: Failure| {
        let error = failure.told_of(model.as_str(), &backend);
        tracing::warn!(request_id = %call.id.text, backend = %backend.name, error = failure.reason, "a count of tokens failed");
        Refusal::of(error, failure.reason)
    };
    let sent = call.upstream().send(request, &timeouts).await;
    let Response { status, headers, body, .. } = sent.map_err(|error| failed(Failure::of(error.kind())))?;
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
    {
        return Ok(None);
    }
    if status == StatusCode::UNAUTHORIZED && backend.has_credential && !is_users {
        return Err(failed(Failure::CREDENTIAL_REFUSED));
    }
    let body = body.collect(MAX_COUNT_BYTES).await.map_err(|error| failed(Failure::of(error.kind())))?;
    if status.is_success() {
        let value = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
        let is_count = value["input_tokens"].is_u64();
        return if is_count { Ok(Some(counted("counted", body))) } else { Err(failed(Failure::NO_COUNT)) };
    }
    let code = status.as_u16();
    let error = ApiError::from_upstream(code, &body).unwrap_or_else(|| {
        let message = format!("backend `{}` answered with status {code} and nothing readable", backend.name);
        ApiError::new(code, message)
    });
    let mut answer = answer::refusal(&error, call.protocol);
    headers::to_client(headers, &call.listener().headers, answer.headers_mut());
    Ok(Some(answer))
}
