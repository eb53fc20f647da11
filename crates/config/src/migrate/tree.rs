//! The tree on its way: entries are taken out, put in, and what becomes of those left out is written down.

use std::collections::{HashMap, HashSet};

use super::{Outcome, Step};
use crate::node::{Entry, Node, Span, Value};

/// A tree being changed, and what is known about the one it was.
pub(super) struct Tree {
    pub(super) root: Node,
    pub(super) source: Node,
    /// Why entries and items were left out.
    pub(super) notes: Notes,
    /// Steps that do not follow from where keys stand.
    pub(super) steps: Vec<Step>,
    /// The places that stand in for places used twice, with those they stand in for.
    pub(super) doubles: HashMap<Span, Span>,
}

/// Why entries and items were left out, by their places. The first key of an item may stand where the
/// item does, so that both are kept apart.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) keys: HashMap<Span, Reason>,
    pub(super) items: HashMap<Span, Reason>,
    /// Keys that became items, which have their places.
    pub(super) named: HashSet<Span>,
}

/// Why a key is left out.
pub(super) struct Reason {
    pub(super) outcome: Outcome,
    pub(super) note: String,
}

/// Lines from here on are no places but names for entries that aliases repeat.
const DOUBLES: u32 = 1 << 31;

// === impl Tree

impl Tree {
    pub(super) fn new(mut root: Node) -> Self {
        let mut doubles = HashMap::new();
        let mut seen = (HashMap::new(), HashMap::new());
        distinguish(&mut root, &mut seen, &mut doubles);
        Self { source: root.clone(), root, notes: Notes::default(), steps: Vec::new(), doubles }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.root != self.source
    }

    /// Takes the entry at the dotted `path` out.
    pub(super) fn take(&mut self, path: &str) -> Option<Entry> {
        let (parent, key) = match path.rsplit_once('.') {
            Some((parent, key)) => (self.root.at_mut(parent)?, key),
            None => (&mut self.root, path),
        };
        parent.take(key)
    }

    /// Puts an entry at the dotted `path`. What stands there wins, key by key.
    pub(super) fn put(&mut self, path: &str, mut entry: Entry) {
        let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
        entry.key = key.to_owned();
        let parent_steps = parent.split('.').filter(|step| !step.is_empty());
        let mut node = &mut self.root;
        for step in parent_steps {
            match node.child(step) {
                Some(child) => node = child,
                None => {
                    let note = format!("`{path}` has no room for it: its parent is no mapping");
                    self.notes.discard(entry.key_span, note);
                    return;
                }
            }
        }
        if let Value::Null = node.value {
            node.value = Value::Map(Vec::new());
        }
        merge(node, entry, path, &mut self.notes);
    }

    /// Moves the entry at `from` to `to`, if there is one.
    pub(super) fn shift(&mut self, from: &str, to: &str) {
        if let Some(entry) = self.take(from) {
            self.put(to, entry);
        }
    }

    /// Moves what stands in the mapping at `from` into the mapping at `to`.
    pub(super) fn spread(&mut self, from: &str, to: &str) {
        if self.root.at_mut(from).is_none_or(|node| node.entries().is_none()) {
            return;
        }
        let Some(Entry { key_span, value: Node { value: Value::Map(entries), .. }, .. }) = self.take(from)
        else {
            return;
        };
        if entries.is_empty() {
            self.notes.absorb(key_span, "it was empty");
        }
        for entry in entries {
            let key = entry.key.clone();
            let place = if to.is_empty() { key } else { format!("{to}.{key}") };
            // A key with a dot in it is no path.
            if entry.key.contains('.') {
                self.notes.discard(entry.key_span, "the canonical layout has no such key".into());
            } else {
                self.put(&place, entry);
            }
        }
    }

    /// Takes the entry at `path` out, for a reason.
    pub(super) fn leave_out(&mut self, path: &str, note: &str) {
        if let Some(entry) = self.take(path) {
            self.notes.discard(entry.key_span, note.to_owned());
        }
    }

    /// Writes down that the value at `path` is another.
    pub(super) fn changed_at(&mut self, path: &str, note: String) {
        let span = self.root.entry_span(path).unwrap_or_default();
        self.step(span, path.to_owned(), Outcome::Changed, note);
    }

    /// Writes down that there is something new at `path`.
    pub(super) fn added(&mut self, path: &str, note: String) {
        self.step(Span::default(), path.to_owned(), Outcome::Added, note);
    }

    /// Takes lists and mappings of named things as a list; reports anything else.
    pub(super) fn take_named(&mut self, path: &str) -> Vec<Node> {
        let Some(entry) = self.take(path) else { return Vec::new() };
        match entry.value.value {
            Value::List(items) => items,
            Value::Map(entries) => entries.into_iter().map(|entry| named(entry, &mut self.notes)).collect(),
            Value::Null => Vec::new(),
            Value::Scalar { .. } => {
                self.notes.discard(entry.key_span, "expected a list or a mapping".into());
                Vec::new()
            }
        }
    }

    fn step(&mut self, span: Span, path: String, outcome: Outcome, note: String) {
        let Span { line, column } = span;
        self.steps.push(Step { line, column, path, outcome, to: None, note: Some(note) });
    }
}

/// Puts an entry into a mapping. What stands there wins; mappings merge, and lists take in what has
/// another name.
pub(super) fn merge(parent: &mut Node, entry: Entry, path: &str, notes: &mut Notes) {
    let Value::Map(entries) = &mut parent.value else {
        notes.discard(entry.key_span, format!("`{path}` has no room for it: its parent is no mapping"));
        return;
    };
    let Some(known) = entries.iter_mut().find(|known| known.key == entry.key) else {
        entries.push(entry);
        return;
    };
    if known.value.is_null() {
        notes.absorb(known.key_span, &format!("it had no value; what stood elsewhere is now `{path}`"));
        *known = entry;
        return;
    }
    match (&mut known.value.value, entry.value.value) {
        (Value::Map(_), Value::Map(inner)) if inner.is_empty() => {
            notes.absorb(entry.key_span, "it was empty");
        }
        (Value::List(_), Value::List(more)) if more.is_empty() => {
            notes.absorb(entry.key_span, "it was empty");
        }
        (Value::Map(_), Value::Map(inner)) => {
            for entry in inner {
                let place = format!("{path}.{}", entry.key);
                merge(&mut known.value, entry, &place, notes);
            }
        }
        (Value::List(items), Value::List(more)) => {
            for item in more {
                let name = item.get("name").and_then(Node::text);
                let has = |known: &Node| name.is_some() && known.get("name").and_then(Node::text) == name;
                if items.iter().any(has) {
                    let note = format!("`{path}` has an entry of that name already, which wins");
                    notes.discard_item(item.span, note);
                } else {
                    items.push(item);
                }
            }
        }
        (_, Value::Null) => notes.absorb(entry.key_span, &format!("it had no value; `{path}` has one")),
        (known, other) if same(known, &other) => {
            notes.absorb(entry.key_span, &format!("the same as `{path}`"));
        }
        _ => notes.discard(entry.key_span, format!("`{path}` is set already, and wins")),
    }
}

/// An entry of a mapping of named things as an item of a list.
pub(super) fn named(entry: Entry, notes: &mut Notes) -> Node {
    notes.named.insert(entry.key_span);
    let name = Entry::made("name", text_node(&entry.key));
    let entries = match entry.value.value {
        Value::Map(entries) if entries.iter().any(|inner| inner.key == "name") => entries,
        Value::Map(entries) => std::iter::once(name).chain(entries).collect(),
        Value::Null => vec![name],
        other => vec![
            name,
            Entry {
                key: "value".into(),
                key_span: entry.key_span,
                value: Node { span: entry.value.span, value: other },
            },
        ],
    };
    Node { span: entry.key_span, value: Value::Map(entries) }
}

pub(crate) fn text_node(text: &str) -> Node {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    let reserved = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let plain = plain && !reserved.contains(&text.to_ascii_lowercase().as_str());
    Node { span: Span::default(), value: Value::Scalar { text: text.to_owned(), plain } }
}

pub(crate) fn map_node(entries: Vec<Entry>) -> Node {
    Node { span: Span::default(), value: Value::Map(entries) }
}

pub(crate) fn list_node(items: Vec<Node>) -> Node {
    Node { span: Span::default(), value: Value::List(items) }
}

/// Whether values are the same, wherever they stand.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| same(&one.value, &other.value))
        }
        (Value::Map(one), Value::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| one.key == other.key && same(&one.value.value, &other.value.value))
        }
        (one, other) => one == other,
    }
}

type Seen = (HashMap<Span, ()>, HashMap<Span, ()>);

/// Gives entries and items that stand in one place, because aliases repeat them, places of their own.
fn distinguish(node: &mut Node, seen: &mut Seen, doubles: &mut HashMap<Span, Span>) {
    let mut double = |span: &mut Span, is_new: bool| {
        if !is_new {
            let name = Span { line: DOUBLES + doubles.len() as u32, column: 1 };
            doubles.insert(name, *span);
            *span = name;
        }
    };
    match &mut node.value {
        Value::Map(entries) => {
            for entry in entries.iter_mut() {
                let is_new = seen.0.insert(entry.key_span, ()).is_none();
                double(&mut entry.key_span, is_new);
            }
            for entry in entries {
                distinguish(&mut entry.value, seen, doubles);
            }
        }
        Value::List(items) => {
            for item in items.iter_mut() {
                let is_new = seen.1.insert(item.span, ()).is_none();
                double(&mut item.span, is_new);
            }
            for item in items {
                distinguish(item, seen, doubles);
            }
        }
        Value::Null | Value::Scalar { .. } => {}
    }
}

// === impl Notes

impl Notes {
    /// The key at `span` has no place.
    pub(super) fn discard(&mut self, span: Span, note: String) {
        self.keys.insert(span, Reason { outcome: Outcome::NotCarried, note });
    }

    /// The list item at `span` has no place.
    pub(super) fn discard_item(&mut self, span: Span, note: String) {
        self.items.insert(span, Reason { outcome: Outcome::NotCarried, note });
    }

    /// The meaning of the key at `span` stands elsewhere.
    pub(super) fn absorb(&mut self, span: Span, note: &str) {
        self.keys.insert(span, Reason { outcome: Outcome::Changed, note: note.to_owned() });
    }

    /// The meaning of the list item at `span` stands elsewhere.
    pub(super) fn absorb_item(&mut self, span: Span, note: &str) {
        self.items.insert(span, Reason { outcome: Outcome::Changed, note: note.to_owned() });
    }

    /// Why the key at `span` was left out.
    pub(super) fn of_key(&self, span: Span) -> Option<&Reason> {
        let as_item = || self.items.get(&span).filter(|_| self.named.contains(&span));
        self.keys.get(&span).or_else(as_item)
    }
}

// === impl Node

impl Node {
    /// The value at the dotted `path`.
    pub(super) fn at_mut(&mut self, path: &str) -> Option<&mut Node> {
        path.split('.').try_fold(self, |node, key| node.get_mut(key))
    }

    /// Where the key at the dotted `path` stands.
    pub(super) fn entry_span(&self, path: &str) -> Option<Span> {
        let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
        let parent = parent.split('.').filter(|step| !step.is_empty());
        let node = parent.into_iter().try_fold(self, |node, key| node.get(key))?;
        node.entries()?.iter().find(|entry| entry.key == key).map(|entry| entry.key_span)
    }

    /// Takes an entry out of a mapping.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        let Value::Map(entries) = &mut self.value else { return None };
        let position = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(position))
    }

    /// The mapping under `key`, made if there is none. `None` if something else stands there.
    pub(crate) fn child(&mut self, key: &str) -> Option<&mut Node> {
        if self.is_null() {
            self.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut self.value else { return None };
        let position = match entries.iter().position(|entry| entry.key == key) {
            Some(position) => position,
            None => {
                entries.push(Entry::made(key, map_node(Vec::new())));
                entries.len() - 1
            }
        };
        let child = &mut entries.get_mut(position)?.value;
        matches!(child.value, Value::Map(_) | Value::Null).then_some(child)
    }
}
