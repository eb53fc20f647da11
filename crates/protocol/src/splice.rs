//! Edits of a request body that leave every other byte as the client sent it.

use std::ops::Range;

use bytes::Bytes;

use crate::envelope::ChatRequest;
use crate::json::{Document, Kind, Member, Value, quote};

/// Changes to a body, collected first and applied in one copy.
///
/// Later calls for the same field win. An edit that would write what is already there changes
/// nothing, and if nothing changes the client's own bytes are returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    fields: Vec<(String, Edit)>,
}

/// What happens to one member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Edit {
    /// The member gets this value, given as JSON text.
    Set(String),
    /// The member goes away.
    Remove,
    /// The member, an object, keeps its members except for these.
    Merge(Vec<(String, Edit)>),
}

/// Replacements of byte ranges, in ascending order.
#[derive(Default)]
struct Patches {
    list: Vec<(Range<usize>, String)>,
}

// === impl Edits

impl Edits {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Sets the model name.
    pub fn set_model(&mut self, model: &str) {
        self.put(&["model"], Edit::Set(quote(model)));
    }

    /// Sets the top-level `reasoning_effort`.
    pub fn set_reasoning_effort(&mut self, effort: &str) {
        self.put(&["reasoning_effort"], Edit::Set(quote(effort)));
    }

    /// Removes the top-level `reasoning_effort`.
    pub fn remove_reasoning_effort(&mut self) {
        self.put(&["reasoning_effort"], Edit::Remove);
    }

    /// Sets one key of `chat_template_kwargs`; the others stay.
    pub fn set_template_kwarg(&mut self, key: &str, value: &serde_json::Value) {
        self.set(&["chat_template_kwargs", key], value);
    }

    /// Asks the upstream to report usage in the stream.
    pub fn include_usage(&mut self) {
        self.put(&["stream_options", "include_usage"], Edit::Set("true".to_owned()));
    }

    /// Sets the member at `path`, a list of object keys from the root. Objects on the way that
    /// are missing, or are no objects, are made.
    pub fn set(&mut self, path: &[&str], value: &serde_json::Value) {
        self.put(path, Edit::Set(value.to_string()));
    }

    /// Sets the member at `path` to a value given as JSON text.
    pub fn set_json(&mut self, path: &[&str], json: String) {
        self.put(path, Edit::Set(json));
    }

    /// Removes the member at `path`, if it is there.
    pub fn remove(&mut self, path: &[&str]) {
        self.put(path, Edit::Remove);
    }

    /// The request's body with all changes made.
    pub fn apply(&self, request: &ChatRequest) -> Bytes {
        self.apply_to(request.root(), request.body())
    }

    /// Any JSON object with all changes made; every other byte stays.
    pub fn apply_to_document(&self, document: &Document) -> Bytes {
        self.apply_to(document.root(), document.bytes())
    }

    /// `body`, whose outermost value is `root`, with all changes made.
    pub(crate) fn apply_to(&self, root: Value<'_>, body: &Bytes) -> Bytes {
        let mut patches = Patches::default();
        edit_object(root, &self.fields, &mut patches);
        patches.apply(body)
    }

    /// The edits but for the model's name.
    pub(crate) fn without_model(&self) -> Self {
        let fields = self.fields.iter().filter(|(name, _)| name != "model");
        Self { fields: fields.cloned().collect() }
    }

    /// Sets a top-level member to JSON text.
    pub(crate) fn set_raw(&mut self, name: &str, json: String) {
        self.put(&[name], Edit::Set(json));
    }

    fn put(&mut self, path: &[&str], edit: Edit) {
        let Some((last, parents)) = path.split_last() else { return };
        let mut fields = &mut self.fields;
        for parent in parents {
            let edit = field_mut(fields, parent, || Edit::Merge(Vec::new()));
            if !matches!(edit, Edit::Merge(_)) {
                *edit = Edit::Merge(Vec::new());
            }
            let Edit::Merge(inner) = edit else { return };
            fields = inner;
        }
        *field_mut(fields, last, || Edit::Remove) = edit;
    }
}

fn field_mut<'a>(
    fields: &'a mut Vec<(String, Edit)>,
    key: &str,
    missing: impl FnOnce() -> Edit,
) -> &'a mut Edit {
    let index = match fields.iter().position(|(name, _)| name == key) {
        Some(index) => index,
        None => {
            fields.push((key.to_owned(), missing()));
            fields.len() - 1
        }
    };
    &mut fields[index].1
}

/// Collects the patches that make `edits` in `object`.
fn edit_object(object: Value<'_>, edits: &[(String, Edit)], patches: &mut Patches) {
    let members: Vec<Member<'_>> = object.members().collect();
    let edit_of =
        |member: &Member<'_>| edits.iter().find(|(name, _)| *name == member.key).map(|(_, edit)| edit);
    let is_kept = |member: &Member<'_>| edit_of(member) != Some(&Edit::Remove);
    let first_kept = members.iter().position(is_kept);
    for (index, member) in members.iter().enumerate() {
        if is_kept(member) {
            edit_value(member.value, edit_of(member), patches);
            continue;
        }
        // A removed member takes one comma along: the one after it while nothing before it
        // stays, else the one before it.
        let range = match first_kept {
            Some(kept) if kept < index => members[index - 1].end()..member.end(),
            Some(_) => member.start..members[index + 1].start,
            None if index == 0 => member.start..member.end(),
            None => members[index - 1].end()..member.end(),
        };
        patches.push(range, String::new());
    }

    let is_missing = |name: &str| members.iter().all(|member| member.key != name);
    let mut inserted = String::new();
    for (name, edit) in edits {
        let Some(value) = edit.fresh_value().filter(|_| is_missing(name)) else { continue };
        if first_kept.is_some() || !inserted.is_empty() {
            inserted.push(',');
        }
        inserted.push_str(&quote(name));
        inserted.push(':');
        inserted.push_str(&value);
    }
    if !inserted.is_empty() {
        let at = members.last().map_or(object.span().start + 1, Member::end);
        patches.push(at..at, inserted);
    }
}

fn edit_value(value: Value<'_>, edit: Option<&Edit>, patches: &mut Patches) {
    match edit {
        Some(Edit::Merge(inner)) if value.kind() == Kind::Object => edit_object(value, inner, patches),
        Some(edit) => {
            if let Some(fresh) = edit.fresh_value().filter(|fresh| fresh != value.raw()) {
                patches.push(value.span(), fresh);
            }
        }
        None => {}
    }
}

// === impl Edit

impl Edit {
    /// The JSON text of a member that this edit makes where there is none, or none to keep.
    fn fresh_value(&self) -> Option<String> {
        match self {
            Self::Set(json) => Some(json.clone()),
            Self::Remove => None,
            Self::Merge(inner) => {
                let members: Vec<String> = inner
                    .iter()
                    .filter_map(|(name, edit)| Some(format!("{}:{}", quote(name), edit.fresh_value()?)))
                    .collect();
                (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
            }
        }
    }
}

// === impl Patches

impl Patches {
    fn push(&mut self, range: Range<usize>, text: String) {
        self.list.push((range, text));
    }

    fn apply(self, body: &Bytes) -> Bytes {
        if self.list.is_empty() {
            return body.clone();
        }
        let growth: usize = self.list.iter().map(|(_, text)| text.len()).sum();
        let mut edited = Vec::with_capacity(body.len() + growth);
        let mut copied = 0;
        for (range, text) in self.list {
            edited.extend_from_slice(&body[copied..range.start]);
            edited.extend_from_slice(text.as_bytes());
            copied = range.end;
        }
        edited.extend_from_slice(&body[copied..]);
        Bytes::from(edited)
    }
}
