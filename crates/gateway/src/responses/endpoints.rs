//! The endpoints of stored responses. What belongs to another owner is answered as what does not exist.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use hyper::body::Incoming;
use vsr_protocol::{ApiError, ErrorType};
use vsr_responses::{Error, Owner, Page, PageQuery, Record, Responses, listed, page};
use vsr_types::Identity;

use super::{Place, conversations, copy};
use crate::{
    answer::{self, Answer},
    chat,
    refusal::Refusal,
    service::{Call, percent_decoded},
};

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'r> {
    pub(crate) place: Place<'r>,
    pub(crate) method: &'r Method,
    pub(crate) query: &'r str,
}

/// The service, as one caller sees it.
#[derive(Clone)]
pub(super) struct Shelf {
    pub(super) responses: Arc<Responses>,
    pub(super) owner: Owner,
}

/// Answers what is asked of stored responses and conversations. The path takes the method.
pub(crate) async fn serve(
    call: &Call<'_>,
    asked: Asked<'_>,
    headers: &HeaderMap,
    body: &mut Incoming,
    identity: &Identity,
) -> Answer {
    match answered(call, asked, headers, body, identity).await {
        Ok(json) => answer::json(StatusCode::OK, Bytes::from(json)),
        Err(refusal) => refusal.answer(call),
    }
}

async fn answered(
    call: &Call<'_>,
    asked: Asked<'_>,
    headers: &HeaderMap,
    body: &mut Incoming,
    identity: &Identity,
) -> Result<String, Refusal> {
    let Some(responses) = &call.connection.worker.responses else {
        let message = "stored responses are switched off here (`global.services.response_api.enabled`)";
        return Err(Refusal::new("not_found", 404, message));
    };
    let shelf = Shelf { responses: Arc::clone(responses), owner: Owner::of(identity) };
    match asked.place {
        Place::Response(id) if *asked.method == Method::DELETE => shelf.delete(call, headers, id).await,
        Place::Response(id) => {
            if parameter(asked.query, "stream").as_deref() == Some("true") {
                let message = "only background responses can be streamed again, and none are made here";
                let error =
                    ApiError::new(400, message).with_param("stream").with_code("unsupported_parameter");
                return Err(Refusal::of(error, "unsupported_state"));
            }
            let record = shelf.find(call, id).await?;
            record.body.ok_or_else(|| missing("Response", id))
        }
        Place::InputItems(id) => {
            let query = page_query(asked.query)?;
            let record = shelf.find(call, id).await?;
            let stem = id.trim_start_matches("resp_");
            let items = record.input.iter().enumerate().map(|(index, item)| listed(item, stem, index));
            told_page(items.collect(), &query)
        }
        Place::Cancel(id) => {
            shelf.find(call, id).await?;
            let error = ApiError::new(400, "Cannot cancel a synchronous response.");
            Err(Refusal::of(error, "unsupported_state"))
        }
        _ => conversations::answered(call, &shelf, asked, headers, body).await,
    }
}

/// A page of a list as the API tells it.
pub(super) fn told_page(items: Vec<(String, String)>, query: &PageQuery) -> Result<String, Refusal> {
    told(page(items, query), query)
}

/// The same for a page that is there already; none where the item that it is to begin after is not.
pub(super) fn told(page: Option<Page>, query: &PageQuery) -> Result<String, Refusal> {
    let Some(page) = page else {
        let after = shown(query.after.as_deref().unwrap_or_default());
        let error =
            ApiError::new(400, format!("there is no item '{after}' in this list")).with_param("after");
        return Err(Refusal::of(error, "invalid_query"));
    };
    Ok(page.to_body())
}

/// Which part of a list the query asks for.
pub(super) fn page_query(query: &str) -> Result<PageQuery, Refusal> {
    let refused = |param: &str, message: &str| {
        Err(Refusal::of(ApiError::new(400, message).with_param(param), "invalid_query"))
    };
    let mut wanted = PageQuery::default();
    if let Some(limit) = parameter(query, "limit") {
        match limit.parse() {
            Ok(limit @ 1..=100) => wanted.limit = limit,
            _ => return refused("limit", "`limit` must be a number from 1 to 100"),
        }
    }
    match parameter(query, "order").as_deref() {
        None | Some("desc") => {}
        Some("asc") => wanted.newest_first = false,
        Some(_) => return refused("order", "`order` must be `asc` or `desc`"),
    }
    wanted.after = parameter(query, "after");
    Ok(wanted)
}

/// The first value of a parameter; none if it is empty.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| percent_decoded(value)).next();
    value.filter(|value| !value.is_empty())
}

// === impl Shelf ===

impl Shelf {
    async fn find(&self, call: &Call<'_>, id: &str) -> Result<Record, Refusal> {
        let (shelf, wanted) = (self.clone(), id.to_owned());
        let found = blocking(call, move || shelf.responses.find(&shelf.owner, &wanted)).await?;
        found.ok_or_else(|| missing("Response", id))
    }

    /// Deletes a response, and the copy that its backend keeps.
    async fn delete(&self, call: &Call<'_>, headers: &HeaderMap, id: &str) -> Result<String, Refusal> {
        let record = self.find(call, id).await?;
        let deleted = self.responses.delete(self.owner.clone(), id.to_owned()).await;
        if !deleted.map_err(|error| failed(&error))? {
            return Err(missing("Response", id));
        }
        if let Some(upstream) = record.upstream
            && let Err(problem) = Box::pin(copy::delete(call, headers, &upstream)).await
        {
            tracing::warn!(
                id,
                backend = upstream.backend,
                problem,
                "a backend keeps its copy of a deleted response"
            );
        }
        Ok(serde_json::json!({"id": id, "object": "response.deleted", "deleted": true}).to_string())
    }
}

/// Reads from the store, off the thread that serves requests.
pub(super) async fn blocking<T: Send + 'static>(
    call: &Call<'_>,
    read: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Refusal> {
    chat::step(true, call.id.text.clone(), move || read().map_err(|error| failed(&error))).await
}

/// An id as errors show it: nobody needs more of one that is none.
pub(super) fn shown(id: &str) -> String {
    id.chars().take(128).collect()
}

pub(super) fn missing(what: &str, id: &str) -> Refusal {
    Refusal::of(not_found(what, id), "not_found")
}

/// What does not exist, or not for this caller, in the words and the shape of OpenAI's own service.
pub(super) fn not_found(what: &str, id: &str) -> ApiError {
    let error = ApiError::new(404, format!("{what} with id '{}' not found.", shown(id)));
    ApiError { error_type: ErrorType::InvalidRequest, ..error }
}

/// The store failed, or would not take it.
pub(super) fn failed(error: &Error) -> Refusal {
    match error {
        Error::TooLarge { .. } => Refusal::new("response_too_large", 413, error.to_string()),
        Error::TooDeep => Refusal::new("invalid_state", 400, format!("{error}; begin a new conversation")),
        Error::Closed => Refusal::new("shutdown", 503, "the router is shutting down"),
        error => {
            tracing::error!(%error, "stored responses cannot be read or written");
            let error = ApiError::new(500, "the router failed to read or write stored responses");
            Refusal::of(error.with_code("response_store_failed"), "response_store_failed")
        }
    }
}
