//! `POST /v1/messages/count_tokens`: an estimate, by the bytes of the texts, that says what it is.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::body::Incoming;
use vsr_protocol::{RequestLimits, anthropic};

use crate::{
    answer::{self, Answer},
    chat,
    refusal::Refusal,
    service::Call,
};

const X_VSR_TOKEN_COUNT: HeaderName = HeaderName::from_static("x-vsr-token-count");

/// Estimates the tokens of one request.
pub(crate) async fn tokens(call: &Call<'_>, client_headers: &HeaderMap, body: &mut Incoming) -> Answer {
    let body = match chat::read(call, client_headers, body).await {
        Ok(body) => body,
        Err(refusal) => return refusal.answer(call),
    };
    match anthropic::MessagesRequest::parse(body, &RequestLimits::default()) {
        Ok(request) => {
            let tokens = call.router().calibration().estimate(&request.view());
            let mut answer = answer::json(StatusCode::OK, anthropic::token_count(tokens));
            answer.headers_mut().insert(X_VSR_TOKEN_COUNT, HeaderValue::from_static("estimated"));
            answer
        }
        Err(error) => Refusal::from(error).answer(call),
    }
}
