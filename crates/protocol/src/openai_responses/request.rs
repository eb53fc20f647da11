//! A client's Responses request: its bytes, and the conversation in it.

use std::borrow::Cow;

use bytes::Bytes;
use vsr_types::RequestView;

use super::read;
use crate::conversation::{Conversation, marked_signature, read_mark};
use crate::envelope::RequestLimits;
use crate::error::RequestError;
use crate::json::{Document, Kind, Value, Writer};
use crate::splice::Edits;

/// An OpenAI Responses request.
///
/// The bytes are kept as a [`ChatRequest`](crate::ChatRequest) keeps them. What belongs to the
/// stateful service (`store`, `previous_response_id`, ...) is read on demand.
#[derive(Debug, Clone)]
pub struct ResponsesRequest {
    document: Document,
    conversation: Conversation,
}

// === impl ResponsesRequest

impl ResponsesRequest {
    /// Reads a request body.
    ///
    /// # Errors
    ///
    /// Every error is the client's: the body is not acceptable JSON, or a field that routing
    /// reads is missing or of a wrong type.
    pub fn parse(body: Bytes, limits: &RequestLimits) -> Result<Self, RequestError> {
        let document = Document::parse(body, &limits.json)?.with_plain_keys(&limits.json)?;
        let conversation = read::conversation(&document, limits.max_items)?;
        Ok(Self { document, conversation })
    }

    /// The body to send if nothing is edited.
    pub fn body(&self) -> &Bytes {
        self.document.bytes()
    }

    /// The body as a document.
    pub fn root(&self) -> Value<'_> {
        self.document.root()
    }

    /// What it says.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// What signals read of it.
    pub fn view(&self) -> RequestView<'_> {
        self.conversation.view()
    }

    /// The response that this one continues.
    pub fn previous_response_id(&self) -> Option<Cow<'_, str>> {
        self.text("previous_response_id")
    }

    /// The conversation that this belongs to: `conversation`, an id or an object that has one, or
    /// the older `conversation_id`.
    pub fn conversation_id(&self) -> Option<Cow<'_, str>> {
        let conversation = self.root().get("conversation");
        let id = conversation.and_then(|value| value.get("id").or(Some(value))).and_then(Value::as_str);
        id.or_else(|| self.text("conversation_id"))
    }

    /// Whether the answer is to be kept; yes unless the client says no.
    pub fn store(&self) -> bool {
        self.root().get("store").and_then(Value::as_bool).unwrap_or(true)
    }

    /// Whether the client wants to come back for the answer later.
    pub fn background(&self) -> bool {
        self.root().get("background").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether `include` names `what`.
    pub fn includes(&self, what: &str) -> bool {
        let include = self.root().get("include");
        include.is_some_and(|list| list.items().any(|item| item.as_str().is_some_and(|name| name == what)))
    }

    /// The items of `input` as JSON texts; a string is one user message.
    pub fn input_items(&self) -> Vec<String> {
        match self.root().get("input") {
            Some(input) if input.kind() == Kind::Array => {
                input.items().map(|item| item.raw().to_owned()).collect()
            }
            Some(input) if input.kind() == Kind::String => {
                let mut item = Writer::default();
                item.object(|item| {
                    item.string_field("type", "message");
                    item.string_field("role", "user");
                    item.array_field("content", |content| {
                        content.object(|part| {
                            part.string_field("type", "input_text");
                            part.raw_field("text", input.raw());
                        });
                    });
                });
                vec![item.into_string()]
            }
            _ => Vec::new(),
        }
    }

    /// The same request with `history`, items as JSON texts, before its own input, and without a
    /// reference to an earlier response. `instructions` are not inherited: each turn states its
    /// own.
    ///
    /// # Errors
    ///
    /// The items are no items of the protocol, or all together are beyond `limits`.
    pub fn after(&self, history: &[String], limits: &RequestLimits) -> Result<Self, RequestError> {
        let mut items = history.to_vec();
        items.append(&mut self.input_items());
        self.with_input(&items, limits)
    }

    /// The same request with these items, JSON texts, as its whole input, and without a reference to
    /// an earlier response.
    ///
    /// # Errors
    ///
    /// As of [`Self::after`].
    pub fn with_input(&self, items: &[String], limits: &RequestLimits) -> Result<Self, RequestError> {
        let bytes = items.iter().map(|item| item.len() + 1).sum::<usize>();
        let mut body = Writer::with_capacity(self.body().len() + bytes);
        body.object(|body| {
            for member in self.root().members() {
                match &*member.key {
                    "previous_response_id" | "conversation" | "conversation_id" | "input" => {}
                    key => body.raw_field(key, member.value.raw()),
                }
            }
            body.array_field("input", |input| items.iter().for_each(|item| input.raw(item)));
        });
        Self::parse(body.finish(), limits)
    }

    /// Whether the router may leave out the oldest turns where there are too many.
    pub fn truncates(&self) -> bool {
        self.text("truncation").as_deref() == Some("auto")
    }

    fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.root().get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// An item of a backend that speaks Responses itself, with what it holds encrypted marked as `model`'s, so that it goes
/// back to that model alone. None if there is nothing to mark.
pub fn marked_reasoning(item: &str, model: &str) -> Option<String> {
    let document = Document::parse_tolerant(Bytes::from(item.to_owned()))?;
    let sealed = document.root().get("encrypted_content").and_then(Value::as_str)?;
    if sealed.is_empty() || read_mark(&sealed).is_some() {
        return None;
    }
    let mut edits = Edits::default();
    edits.set(&["encrypted_content"], &marked_signature(model, true, &sealed).into());
    String::from_utf8(edits.apply_to_document(&document).to_vec()).ok()
}
