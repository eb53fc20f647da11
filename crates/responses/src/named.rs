//! Items that have names of their own, a native backend's or the client's: in which response each of them is.

use std::collections::HashMap;

use bytes::Bytes;
use vsr_protocol::json::{Document, Value};

use crate::{Owner, Record, referenced_response};

/// Items of one response that can be found by a name of their own, and bytes of a name.
const MAX_NAMES: usize = 128;
const MAX_NAME_BYTES: usize = 128;

/// The index. It is made anew from what is stored, and bounded by it.
#[derive(Debug, Default)]
pub(crate) struct NamedItems {
    /// By `owner/name`, the response that the item was last seen in.
    places: HashMap<String, String>,
    /// By `owner/id`, the keys above that it is the place of.
    names: HashMap<String, Vec<String>>,
}

// === impl NamedItems

impl NamedItems {
    /// A response was written under `key`, which is `owner/id`.
    pub(crate) fn put(&mut self, key: &str, record: &Record) {
        self.remove(key);
        let Some((owner, id)) = key.split_once('/').filter(|_| record.body.is_some()) else { return };
        let output = record.output().unwrap_or_default();
        let named = record.input.iter().chain(&output).filter_map(|item| name_of(item)).take(MAX_NAMES);
        let names: Vec<String> = named.map(|name| format!("{owner}/{name}")).collect();
        if names.is_empty() {
            return;
        }
        for name in &names {
            self.places.insert(name.clone(), id.to_owned());
        }
        self.names.insert(key.to_owned(), names);
    }

    /// What was written under `key` was removed.
    pub(crate) fn remove(&mut self, key: &str) {
        let Some(names) = self.names.remove(key) else { return };
        let id = key.split_once('/').map_or(key, |(_, id)| id);
        for name in names {
            if self.places.get(&name).is_some_and(|place| place == id) {
                self.places.remove(&name);
            }
        }
    }

    /// The response of `owner` that an item of this name is in.
    pub(crate) fn place(&self, owner: &Owner, name: &str) -> Option<String> {
        self.places.get(&owner.key(name)).cloned()
    }
}

/// The name of an item, unless it is of the router's making.
fn name_of(item: &str) -> Option<String> {
    let document = Document::parse_tolerant(Bytes::from(item.to_owned()))?;
    let name = document.root().get("id").and_then(Value::as_str)?;
    let is_own = referenced_response(&name).is_some();
    (!is_own && !name.is_empty() && name.len() <= MAX_NAME_BYTES).then(|| name.into_owned())
}
