//! Items one by one: their ids, how a list shows them, and pages of lists.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::json;
use vsr_protocol::{
    Edits,
    json::{Document, Kind, Value},
};

use crate::ids;

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// The most items.
    pub limit: usize,
    /// The item that the page begins after.
    pub after: Option<String>,
    /// Whether the newest comes first.
    pub newest_first: bool,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The items with their ids.
    pub items: Vec<(String, String)>,
    /// Whether the list goes on.
    pub has_more: bool,
}

// === impl PageQuery

impl Default for PageQuery {
    fn default() -> Self {
        Self { limit: 20, after: None, newest_first: true }
    }
}

// === impl Page

impl Page {
    /// The list as the API tells it.
    pub fn to_body(&self) -> String {
        let data: Vec<&str> = self.items.iter().map(|(_, item)| item.as_str()).collect();
        let id = |entry: Option<&(String, String)>| json!(entry.map(|(id, _)| id)).to_string();
        format!(
            r#"{{"object":"list","data":[{}],"first_id":{},"last_id":{},"has_more":{}}}"#,
            data.join(","),
            id(self.items.first()),
            id(self.items.last()),
            self.has_more
        )
    }
}

/// The part of `items`, which are in order with their ids, that is asked for. None if `after` is none of them.
pub fn page(mut items: Vec<(String, String)>, query: &PageQuery) -> Option<Page> {
    if query.newest_first {
        items.reverse();
    }
    let mut pager = Pager::new(query);
    items.into_iter().all(|item| pager.take(item));
    pager.page()
}

/// An item with its id, as lists show it.
pub(crate) type Listed = (String, String);

/// A page that fills while the items pass by in its order.
#[derive(Debug)]
pub(crate) struct Pager<'q> {
    query: &'q PageQuery,
    has_begun: bool,
    page: Page,
}

// === impl Pager

impl<'q> Pager<'q> {
    pub(crate) fn new(query: &'q PageQuery) -> Self {
        Self { query, has_begun: query.after.is_none(), page: Page::default() }
    }

    /// Takes the next item; says whether more are wanted.
    pub(crate) fn take(&mut self, item: Listed) -> bool {
        if !self.has_begun {
            self.has_begun = self.query.after.as_ref() == Some(&item.0);
        } else if self.page.items.len() < self.query.limit {
            self.page.items.push(item);
        } else {
            self.page.has_more = true;
        }
        !self.page.has_more
    }

    /// The page; none if the item that it begins after did not pass.
    pub(crate) fn page(self) -> Option<Page> {
        self.has_begun.then_some(self.page)
    }
}

/// An item as lists show it, with its id: its own, or one made of `stem` and `index`, the same at every call. A text
/// becomes the one part of a message.
pub fn listed(item: &str, stem: &str, index: usize) -> (String, String) {
    let Some(document) = Document::parse_tolerant(Bytes::from(item.to_owned())) else {
        return (String::new(), item.to_owned());
    };
    let root = document.root();
    let text = |key: &str| root.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("type").unwrap_or(Cow::Borrowed("message"));
    let id = text("id").map_or_else(|| format!("{}_{stem}_in{index}", prefix(&kind)), Cow::into_owned);
    let mut edits = Edits::default();
    edits.set(&["id"], &json!(id));
    edits.set(&["type"], &json!(kind));
    if text("status").is_none() && kind == "message" {
        edits.set(&["status"], &json!("completed"));
    }
    if kind == "message"
        && let Some(content) = root.get("content").filter(|content| content.kind() == Kind::String)
    {
        let (kind, extra) = match text("role").as_deref() {
            Some("assistant") => ("output_text", r#","annotations":[]"#),
            _ => ("input_text", ""),
        };
        let parts = format!(r#"[{{"type":"{kind}","text":{}{extra}}}]"#, content.raw());
        edits.set_json(&["content"], parts);
    }
    let shown = edits.apply_to_document(&document);
    (id, String::from_utf8_lossy(&shown).into_owned())
}

/// What an item that is only named stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referenced {
    /// This item, as it can be said again.
    Item(String),
    /// One of which a backend keeps a part to itself, and the only one that can be told of it.
    Kept {
        /// The backend's name in the configuration.
        backend: String,
        /// The model as that backend knows it.
        model: String,
    },
}

/// The item without what only says where it was stored.
pub(crate) fn without_id(item: &str) -> String {
    let Some(document) = Document::parse_tolerant(Bytes::from(item.to_owned())) else {
        return item.to_owned();
    };
    let mut edits = Edits::default();
    edits.remove(&["id"]);
    edits.remove(&["status"]);
    String::from_utf8_lossy(&edits.apply_to_document(&document)).into_owned()
}

/// The item without its id, by which a backend might find what it keeps for another. A call that has no other name keeps
/// it.
pub fn unnamed(item: &str) -> String {
    let Some(document) = Document::parse_tolerant(Bytes::from(item.to_owned())) else {
        return item.to_owned();
    };
    let root = document.root();
    let is_call = root
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|kind| matches!(&*kind, "function_call" | "custom_tool_call"));
    if root.get("id").is_none() || is_call && root.get("call_id").is_none() {
        return item.to_owned();
    }
    let mut edits = Edits::default();
    edits.remove(&["id"]);
    String::from_utf8_lossy(&edits.apply_to_document(&document)).into_owned()
}

/// The response that an item's id was made in; none if the id is not of the router's making.
pub fn referenced_response(item_id: &str) -> Option<String> {
    let (_, rest) = item_id.split_once('_')?;
    let (stem, _) = rest.split_once('_')?;
    ids::is_stem(stem).then(|| format!("resp_{stem}"))
}

fn prefix(kind: &str) -> &'static str {
    match kind {
        "message" => "msg",
        "reasoning" => "rs",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "custom_tool_call" => "ctc",
        "custom_tool_call_output" => "ctco",
        _ => "item",
    }
}
