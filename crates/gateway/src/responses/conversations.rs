//! The endpoints of conversations: a name for the newest turn of a chain.

use bytes::Bytes;
use http::{HeaderMap, Method};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use vsr_protocol::{
    ApiError,
    json::{Document, Value},
};
use vsr_responses::{Conversation, PageQuery, listed};

use super::{
    Place,
    endpoints::{self, Asked, Shelf, failed, missing},
    fields, turn,
};
use crate::{chat, refusal::Refusal, service::Call};

/// The most items that one request adds.
const MAX_ITEMS: usize = 20;

/// What a client sends of a conversation.
#[derive(Deserialize, Default)]
struct Sent {
    #[serde(default)]
    metadata: Option<Box<RawValue>>,
    #[serde(default)]
    items: Option<Vec<Box<RawValue>>>,
}

/// Answers what is asked of conversations.
pub(super) async fn answered(
    call: &Call<'_>,
    shelf: &Shelf,
    asked: Asked<'_>,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<String, Refusal> {
    let is = |method: Method| *asked.method == method;
    match asked.place {
        Place::Conversation(id) if is(Method::GET) => Ok(told(&shelf.conversation(call, id).await?)),
        Place::Conversation(id) if is(Method::DELETE) => {
            let deleted = shelf.responses.delete_conversation(shelf.owner.clone(), id.to_owned()).await;
            match deleted.map_err(|error| failed(&error))? {
                true => Ok(json!({"id": id, "object": "conversation.deleted", "deleted": true}).to_string()),
                false => Err(missing("Conversation", id)),
            }
        }
        Place::Conversation(id) => {
            let metadata = Sent::read(call, headers, body).await?.metadata()?;
            let owner = shelf.owner.clone();
            let changed = shelf.responses.set_metadata(owner, id.to_owned(), metadata).await;
            match changed.map_err(|error| failed(&error))? {
                true => Ok(told(&shelf.conversation(call, id).await?)),
                false => Err(missing("Conversation", id)),
            }
        }
        Place::ConversationItems(id) if is(Method::GET) => {
            let query = endpoints::page_query(asked.query)?;
            let conversation = shelf.conversation(call, id).await?;
            let (shelf, wanted) = (shelf.clone(), query.clone());
            let page = move || shelf.responses.conversation_page(&shelf.owner, &conversation, &wanted);
            endpoints::told(endpoints::blocking(call, page).await?, &query)
        }
        Place::ConversationItems(id) => {
            let items = Sent::read(call, headers, body).await?.items()?;
            let owner = shelf.owner.clone();
            let added = shelf.responses.add_items(owner, id.to_owned(), items.clone()).await;
            let Some(stem) = added.map_err(|error| failed(&error))? else {
                return Err(missing("Conversation", id));
            };
            let told = items.iter().enumerate().map(|(index, item)| listed(item, &stem, index));
            let query = PageQuery { limit: MAX_ITEMS, newest_first: false, ..PageQuery::default() };
            endpoints::told_page(told.collect(), &query)
        }
        Place::ConversationItem(id, item) => {
            let conversation = shelf.conversation(call, id).await?;
            let (shelf, name) = (shelf.clone(), item.to_owned());
            let found = move || shelf.responses.conversation_item(&shelf.owner, &conversation, &name);
            endpoints::blocking(call, found).await?.ok_or_else(|| missing("Item", item))
        }
        _ => {
            let sent = Sent::read(call, headers, body).await?;
            let (metadata, items) = (sent.metadata()?, sent.items()?);
            let made = shelf.responses.make_conversation(shelf.owner.clone(), metadata, items).await;
            Ok(told(&made.map_err(|error| failed(&error))?))
        }
    }
}

fn told(conversation: &Conversation) -> String {
    let Conversation { id, created_seconds, metadata, .. } = conversation;
    format!(r#"{{"id":"{id}","object":"conversation","created_at":{created_seconds},"metadata":{metadata}}}"#)
}

// === impl Shelf ===

impl Shelf {
    async fn conversation(&self, call: &Call<'_>, id: &str) -> Result<Conversation, Refusal> {
        let (shelf, wanted) = (self.clone(), id.to_owned());
        let found = endpoints::blocking(call, move || shelf.responses.conversation(&shelf.owner, &wanted));
        found.await?.ok_or_else(|| missing("Conversation", id))
    }
}

// === impl Sent ===

impl Sent {
    async fn read(call: &Call<'_>, headers: &HeaderMap, body: &mut Incoming) -> Result<Self, Refusal> {
        let body = chat::read(call, headers, body).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        // A list would be read as the fields in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::of(ApiError::new(400, "the body must be an object"), "parse_error"));
        }
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("the body is not what this endpoint takes: {error}");
            Refusal::of(ApiError::new(400, message), "parse_error")
        })
    }

    /// The metadata as a JSON object.
    fn metadata(&self) -> Result<String, Refusal> {
        let stated = self.metadata.as_ref().map_or("{}", |metadata| metadata.get());
        let stated = if stated == "null" { "{}" } else { stated };
        fields::check_metadata(stated)?;
        Ok(stated.to_owned())
    }

    fn items(&self) -> Result<Vec<String>, Refusal> {
        let items: Vec<String> = self.items.iter().flatten().map(|item| item.get().to_owned()).collect();
        if items.len() > MAX_ITEMS || items.iter().any(|item| !item.starts_with('{')) {
            return Err(fields::refused("items", &format!("a list of at most {MAX_ITEMS} objects")));
        }
        let refers = |item: &String| {
            let item = Document::parse_tolerant(Bytes::from(item.clone()));
            item.is_some_and(|item| {
                item.root().get("type").and_then(Value::as_str).as_deref() == Some("item_reference")
            })
        };
        if items.iter().any(refers) {
            return Err(fields::refused("items", "items themselves, not references to others"));
        }
        turn::check_items(&items)?;
        Ok(items)
    }
}
