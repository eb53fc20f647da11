//! The beginning of a turn: what it continues is looked up, and put before it.

use std::sync::Arc;

use vsr_protocol::{ApiError, RequestLimits, json::Value, openai_responses::ResponsesRequest};
use vsr_responses::{
    Error, History, HistoryError, HistoryLimits, Owner, Referenced, ResponseId, Responses, unnamed,
};
use vsr_types::Identity;

use super::{Turn, endpoints, fields, turn::Referring};
use crate::{chat, refusal::Refusal, service::Call};

/// A request with all that is said before it.
pub(crate) struct Opened {
    pub(crate) request: Box<ResponsesRequest>,
    /// The response's id, stored or not.
    pub(crate) id: ResponseId,
    /// Present where the service has to do with it.
    pub(crate) turn: Option<Box<Turn>>,
}

/// What a request asks of the service.
#[derive(Clone)]
struct Wish {
    previous: Option<String>,
    conversation: Option<String>,
    stores: bool,
    refers: bool,
    /// Whether items have ids of their own, by which a backend could find what is not this caller's.
    names: bool,
}

/// Looks up what the request continues. Routing reads what comes out, and so does the backend.
pub(crate) async fn open(
    call: &Call<'_>,
    request: Box<ResponsesRequest>,
    identity: &Identity,
) -> Result<Opened, Refusal> {
    let id = ResponseId::fresh().map_err(|error| endpoints::failed(&error))?;
    fields::check(&request)?;
    let mut wish = Wish::of(&request)?;
    let Some(responses) = &call.connection.worker.responses else {
        wish.refuse_state()?;
        let request = if wish.names {
            let items: Vec<String> = request.input_items().iter().map(|item| unnamed(item)).collect();
            Box::new(request.with_input(&items, &RequestLimits::default())?)
        } else {
            request
        };
        return Ok(Opened { request, id, turn: None });
    };
    if !wish.asks() && !wish.names {
        return Ok(Opened { request, id, turn: None });
    }
    let (responses, owner) = (Arc::clone(responses), Owner::of(identity));
    let limits = HistoryLimits { max_bytes: call.listener().max_body_bytes, truncates: request.truncates() };
    let is_turn = wish.asks();
    let is_slow = wish.looks_up() || chat::is_large(request.body());
    let look = {
        let (responses, owner, wish) = (Arc::clone(&responses), owner.clone(), wish.clone());
        move || {
            let history = history(&responses, &owner, &wish, &limits)?;
            let input = Input::of(&responses, &owner, &request, wish.refers)?;
            let request = if wish.looks_up() || wish.names {
                let own = input.items.iter().map(|item| unnamed(item));
                let all: Vec<String> = history.items.iter().cloned().chain(own).collect();
                Box::new(request.with_input(&all, &RequestLimits::default())?)
            } else {
                request
            };
            Ok((history, input, request))
        }
    };
    let (history, input, request) = chat::step(is_slow, call.id.text.clone(), look).await?;
    if !is_turn {
        return Ok(Opened { request, id, turn: None });
    }
    let turn = Turn {
        id: id.clone(),
        previous: wish.previous.take(),
        conversation: wish.conversation.take(),
        stores: wish.stores,
        input: Arc::new(input.items),
        // Where there are turns before it, they are what is referred to.
        referring: input.referring.filter(|_| history.chain.is_empty()),
        chain: history.chain,
        depth: history.turns,
        before: history.upstream,
        is_shortened: history.is_truncated,
        has_sealed_parts: history.has_sealed_parts || input.has_sealed_parts,
        native: None,
        created_seconds: responses.now_seconds(),
        responses,
        owner,
    };
    Ok(Opened { request, id, turn: Some(Box::new(turn)) })
}

// === impl Wish ===

impl Wish {
    fn of(request: &ResponsesRequest) -> Result<Self, Refusal> {
        if request.background() {
            let message = "background responses are not supported; ask for a stream instead";
            return Err(unsupported("background", message));
        }
        let is_reference =
            |item: Value<'_>| item.get("type").and_then(Value::as_str).as_deref() == Some(REFERENCE);
        let wish = Self {
            previous: request.previous_response_id().map(|id| id.into_owned()),
            conversation: request.conversation_id().map(|id| id.into_owned()),
            stores: request.store(),
            refers: request.root().get("input").is_some_and(|input| input.items().any(is_reference)),
            names: request
                .root()
                .get("input")
                .is_some_and(|input| input.items().any(|item| item.get("id").is_some())),
        };
        if wish.previous.is_some() && wish.conversation.is_some() {
            let message = "`previous_response_id` and `conversation` exclude each other; send one of them";
            let error = ApiError::new(400, message).with_param("conversation");
            return Err(Refusal::of(error.with_code("mutually_exclusive_parameters"), "invalid_state"));
        }
        Ok(wish)
    }

    fn asks(&self) -> bool {
        self.stores || self.looks_up()
    }

    fn looks_up(&self) -> bool {
        self.previous.is_some() || self.conversation.is_some() || self.refers
    }

    /// Where nothing is kept, what builds on it cannot be answered as it is meant.
    fn refuse_state(&self) -> Result<(), Refusal> {
        const MESSAGE: &str = "stored responses are switched off here; send the earlier turns in `input`";
        match (&self.previous, &self.conversation) {
            (Some(_), _) => Err(unsupported("previous_response_id", MESSAGE)),
            (None, Some(_)) => Err(unsupported("conversation", MESSAGE)),
            (None, None) if self.refers => Err(unsupported("input", MESSAGE)),
            (None, None) => Ok(()),
        }
    }
}

/// The type of an item that names another.
const REFERENCE: &str = "item_reference";

fn unsupported(param: &str, message: &str) -> Refusal {
    let error = ApiError::new(400, message).with_param(param).with_code("unsupported_parameter");
    Refusal::of(error, "unsupported_state")
}

fn history(
    responses: &Responses,
    owner: &Owner,
    wish: &Wish,
    limits: &HistoryLimits,
) -> Result<History, Refusal> {
    if let Some(id) = &wish.conversation {
        let found = responses.conversation(owner, id).map_err(|error| endpoints::failed(&error))?;
        let Some(conversation) = found else {
            let error = endpoints::not_found("Conversation", id).with_param("conversation");
            return Err(Refusal::of(error, "not_found"));
        };
        return responses
            .history_of(owner, &conversation, limits)
            .map_err(|error| chain_refused(&error, "conversation", id));
    }
    let Some(id) = &wish.previous else { return Ok(History::default()) };
    responses.history(owner, id, limits).map_err(|error| chain_refused(&error, "previous_response_id", id))
}

/// Why a chain cannot be continued.
fn chain_refused(error: &HistoryError, param: &str, id: &str) -> Refusal {
    let id = endpoints::shown(id);
    let refused = match error {
        HistoryError::NotFound => ApiError::new(400, format!("Previous response with id '{id}' not found."))
            .with_code("previous_response_not_found"),
        HistoryError::InProgress => {
            let message = format!("Previous response with id '{id}' is still in progress; wait for its end.");
            ApiError::new(400, message).with_code("previous_response_not_found")
        }
        HistoryError::Broken | HistoryError::Store(Error::Damaged(_)) => {
            let message = format!(
                "a response before '{id}' was deleted or has expired, so that the chain cannot be continued; send the \
                 earlier turns in `input`"
            );
            ApiError::new(400, message).with_code("previous_response_not_found")
        }
        HistoryError::TooDeep => {
            ApiError::new(400, format!("{error}; begin a new one")).with_code("chain_too_deep")
        }
        HistoryError::TooLong { .. } => {
            let message = format!(
                "{error}; set `truncation` to `auto` to leave out the oldest turns, or begin a new conversation"
            );
            ApiError::new(413, message)
        }
        HistoryError::Store(error) => return endpoints::failed(error),
    };
    Refusal::of(refused.with_param(param), "invalid_state")
}

/// The client's own items.
struct Input {
    /// With those that it only names put in their place.
    items: Vec<String>,
    /// Whether some are left out, because only their backend can read them.
    has_sealed_parts: bool,
    /// The same for the one backend that can.
    referring: Option<Referring>,
}

// === impl Input ===

impl Input {
    /// Puts the items that are only named in their place, where they are known to be this caller's. A backend is never
    /// asked for others.
    fn of(
        responses: &Responses,
        owner: &Owner,
        request: &ResponsesRequest,
        refers: bool,
    ) -> Result<Self, Refusal> {
        let items = request.input_items();
        if !refers {
            return Ok(Self { items, has_sealed_parts: false, referring: None });
        }
        let mut input =
            Self { items: Vec::with_capacity(items.len()), has_sealed_parts: false, referring: None };
        let (mut whole, mut keepers) = (Vec::with_capacity(items.len()), Vec::new());
        let values = request.root().get("input").into_iter().flat_map(Value::items);
        for (item, value) in items.into_iter().zip(values) {
            let text = |key: &str| value.get(key).and_then(Value::as_str);
            if text("type").as_deref() != Some(REFERENCE) {
                whole.push(unnamed(&item));
                input.items.push(item);
                continue;
            }
            let name = text("id").unwrap_or_default();
            match responses.item(owner, &name).map_err(|error| endpoints::failed(&error))? {
                Some(Referenced::Item(found)) => {
                    whole.push(found.clone());
                    input.items.push(found);
                }
                Some(Referenced::Kept { backend, model }) => {
                    whole.push(serde_json::json!({"type": REFERENCE, "id": name}).to_string());
                    keepers.push((backend, model));
                    input.has_sealed_parts = true;
                }
                None => {
                    let message = format!("Item with id '{}' not found.", endpoints::shown(&name));
                    let error = ApiError::new(400, message).with_param("input");
                    return Err(Refusal::of(error, "invalid_state"));
                }
            }
        }
        keepers.dedup();
        if let [(backend, model)] = &keepers[..] {
            let (backend, model) = (backend.clone(), model.clone());
            input.referring = Some(Referring { backend, model, items: whole });
        }
        Ok(input)
    }
}
