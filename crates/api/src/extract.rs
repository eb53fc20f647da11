//! JSON bodies, with the API's own errors.

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
};
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::ApiFailure;

/// The most bytes of a body that are read.
pub(crate) const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// A body of JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiFailure;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiFailure> {
        let read: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        match read {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(ApiFailure {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                code: "REQUEST_BODY_TOO_LARGE",
                message: format!("at most {MAX_BODY_BYTES} bytes are read"),
            }),
            Err(rejection) => Err(ApiFailure::invalid(rejection.body_text())),
        }
    }
}
