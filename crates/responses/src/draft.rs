//! A response while it is streamed: as much of it as must be kept if it breaks off.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use serde_json::json;
use vsr_protocol::{
    Edits,
    json::{Document, Value},
};

/// What an item or a part of one takes beside its text.
const ITEM_BYTES: usize = 128;

/// The response so far, put together from the stream's events.
#[derive(Debug)]
pub struct Draft {
    /// The response object as it was when it began.
    head: Option<String>,
    items: BTreeMap<u64, Item>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
enum Item {
    /// As its last event tells it.
    Done(String),
    /// A message that goes on: its id, and what was said.
    Message { id: String, parts: BTreeMap<u64, Part> },
    /// Anything else that goes on; half a call is of no use to anyone.
    Other,
}

#[derive(Debug, Default)]
struct Part {
    is_refusal: bool,
    text: String,
}

// === impl Draft

impl Draft {
    /// An empty one that holds at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self { head: None, items: BTreeMap::new(), bytes: 0, max_bytes }
    }

    /// Takes one event of the stream.
    pub fn note(&mut self, event: Value<'_>) {
        let number = |key: &str| event.get(key).and_then(Value::as_u64);
        let Some(kind) = text(event, "type") else { return };
        let index = number("output_index").unwrap_or(0);
        match &*kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                let head = event.get("response").map(|response| response.raw().to_owned());
                self.head = head.filter(|head| !self.is_full() && head.len() <= self.max_bytes);
            }
            "response.output_item.added" => {
                let Some(item) = event.get("item") else { return };
                let id = text(item, "id").unwrap_or_default();
                if !self.takes(ITEM_BYTES + id.len()) {
                    return;
                }
                let open = match text(item, "type").as_deref() {
                    Some("message") => Item::Message { id: id.into_owned(), parts: BTreeMap::new() },
                    _ => Item::Other,
                };
                self.items.insert(index, open);
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let delta = text(event, "delta").unwrap_or_default();
                let part_index = number("content_index").unwrap_or(0);
                let open = self.items.get(&index);
                let is_new =
                    matches!(open, Some(Item::Message { parts, .. }) if !parts.contains_key(&part_index));
                if !self.takes(delta.len() + if is_new { ITEM_BYTES } else { 0 }) {
                    return;
                }
                if let Some(Item::Message { parts, .. }) = self.items.get_mut(&index) {
                    let part = parts.entry(part_index).or_default();
                    part.is_refusal = kind == "response.refusal.delta";
                    part.text.push_str(&delta);
                }
            }
            "response.output_item.done" => {
                let Some(item) = event.get("item") else { return };
                if self.takes(ITEM_BYTES + item.raw().len()) {
                    self.items.insert(index, Item::Done(item.raw().to_owned()));
                }
            }
            _ => {}
        }
    }

    /// Makes room for so many bytes more; says whether there is some. Where there is none, all of it goes: half a draft
    /// is of no use.
    fn takes(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.is_full() {
            (self.head, self.items) = (None, BTreeMap::new());
        }
        !self.is_full()
    }

    /// Whether there is more than is held.
    pub fn is_full(&self) -> bool {
        self.bytes > self.max_bytes
    }

    /// The response as it stands, with `edits` made in it, as one that ended as `status`. None if it never began.
    pub fn ended(&self, status: &str, mut edits: Edits) -> Option<String> {
        let head = Document::parse_tolerant(Bytes::from(self.head.clone()?))?;
        let output: Vec<String> = self.items.values().filter_map(Item::told).collect();
        edits.set(&["status"], &json!(status));
        edits.set_json(&["output"], format!("[{}]", output.join(",")));
        let body = edits.apply_to_document(&head);
        String::from_utf8(body.to_vec()).ok()
    }
}

fn text<'v>(value: Value<'v>, key: &str) -> Option<Cow<'v, str>> {
    value.get(key).and_then(Value::as_str)
}

// === impl Item

impl Item {
    /// The item as it stands; none if it is of no use.
    fn told(&self) -> Option<String> {
        let (id, parts) = match self {
            Self::Done(item) => return Some(item.clone()),
            Self::Message { id, parts } if !parts.is_empty() => (id, parts),
            Self::Message { .. } | Self::Other => return None,
        };
        let told = parts.values().map(|part| match part.is_refusal {
            true => json!({"type": "refusal", "refusal": part.text}),
            false => json!({"type": "output_text", "annotations": [], "logprobs": [], "text": part.text}),
        });
        let content: Vec<_> = told.collect();
        let message = json!({
            "id": id, "type": "message", "status": "incomplete", "role": "assistant", "content": content,
        });
        Some(message.to_string())
    }
}
