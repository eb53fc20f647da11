//! Changes to a configuration's text that leave its comments, and whatever is not changed, where they are.

use vsr_types::Path;

use crate::{
    comments::Comments,
    document::{Document, MAX_FILE_BYTES},
    mask::{Masks, has_mask, unmask},
    migrate::tree::text_node,
    node::{Entry, Node, Span, SyntaxError, Value, parse},
    scalars::Opaque,
    write::Writer,
};

/// A change to a configuration. Masks in it stand for the credentials they were shown for.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Another text, which is taken as it is.
    Text(String),
    /// Another content. What it has in common with the old one keeps its comments.
    Content(serde_json::Value),
    /// A JSON merge patch (RFC 7396): `null` deletes a key, lists are replaced.
    Merge(serde_json::Value),
}

/// A changed configuration text, not checked: read it as a [`Document`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// Comments whose place is gone, with the lines they stood on.
    pub lost_comments: Vec<(u32, String)>,
}

/// A change that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The old text or the new one is no YAML mapping.
    #[error("{}", .0.iter().map(|error| format!("line {}: {error}", error.span.line)).collect::<Vec<_>>().join("; "))]
    Syntax(Vec<SyntaxError>),
    /// Masks whose credentials are not known.
    #[error(
        "no credential is known for the mask at {}; leave the key out of a patch, write the credential, or read the \
         configuration again and send what it shows",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Masks(Vec<Path>),
    /// The result would not say what it is meant to say.
    #[error("the change cannot be written as YAML; send the whole text instead")]
    Unwritable,
}

/// Reads a YAML text as the JSON it means.
///
/// # Errors
/// If it is no YAML.
pub fn yaml_to_json(text: &str) -> Result<serde_json::Value, EditError> {
    Ok(Opaque::of(&parse(text).map_err(EditError::Syntax)?))
}

/// The JSON as YAML text.
pub fn json_to_yaml(value: &serde_json::Value) -> String {
    crate::emit::as_it_is(value)
}

/// Makes a change to `text`, of which `old` was read.
///
/// # Errors
/// See [`EditError`].
pub fn edit(text: &str, old: &Document, change: &Edit, masks: &Masks) -> Result<Edited, EditError> {
    let root = match change {
        Edit::Text(new) => {
            let mut root = mapping(new)?;
            if !has_mask(&root) {
                return Ok(Edited { text: new.clone(), lost_comments: Vec::new() });
            }
            unmask(&mut root, Some(old), masks).map_err(EditError::Masks)?;
            return written(new, &root);
        }
        Edit::Content(value) => {
            let mut root = mapping(text)?;
            become_value(&mut root, &unmasked(value, old, masks)?);
            root
        }
        Edit::Merge(patch) => {
            let mut root = mapping(text)?;
            merge(&mut root, &unmasked(patch, old, masks)?);
            root
        }
    };
    if root.entries().is_none() {
        return Err(not_a_mapping(&root));
    }
    // What stood there before is no mask either.
    if has_mask(&root) {
        return Err(EditError::Unwritable);
    }
    written(text, &root)
}

/// The value with credentials in the places of their masks.
fn unmasked(
    value: &serde_json::Value,
    old: &Document,
    masks: &Masks,
) -> Result<serde_json::Value, EditError> {
    let mut tree = made(value);
    if !has_mask(&tree) {
        return Ok(value.clone());
    }
    unmask(&mut tree, Some(old), masks).map_err(EditError::Masks)?;
    Ok(Opaque::of(&tree))
}

fn mapping(text: &str) -> Result<Node, EditError> {
    if text.len() as u64 > MAX_FILE_BYTES {
        let message = format!("larger than {MAX_FILE_BYTES} bytes, the most that is read");
        return Err(EditError::Syntax(vec![SyntaxError { span: Span { line: 1, column: 1 }, message }]));
    }
    let root = parse(text).map_err(EditError::Syntax)?;
    if root.entries().is_none() {
        return Err(not_a_mapping(&root));
    }
    Ok(root)
}

fn not_a_mapping(root: &Node) -> EditError {
    let message = format!("expected a mapping, found {}", root.describe());
    EditError::Syntax(vec![SyntaxError { span: root.span, message }])
}

/// The tree as text, with the comments of the text it came from.
fn written(source: &str, root: &Node) -> Result<Edited, EditError> {
    let mut comments = Comments::read(source);
    let head: String = comments.take_head().into_iter().map(|line| format!("{line}\n")).collect();
    let text = Writer::write(&head, root, &mut comments);
    let reread = parse(&text).map_err(EditError::Syntax)?;
    if !means_same(&reread, root) {
        return Err(EditError::Unwritable);
    }
    let lost_comments =
        comments.left().into_iter().map(|(line, comment)| (line, comment.to_owned())).collect();
    Ok(Edited { text, lost_comments })
}

fn means_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Null, Value::Null) => true,
        (Value::Scalar { text: one, .. }, Value::Scalar { text: other, .. }) => one == other,
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| means_same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| one.key == other.key && means_same(&one.value, &other.value))
        }
        _ => false,
    }
}

/// Applies a merge patch.
fn merge(node: &mut Node, patch: &serde_json::Value) {
    let serde_json::Value::Object(changes) = patch else { return become_value(node, patch) };
    if node.entries().is_none() {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    for (key, change) in changes {
        let position = entries.iter().position(|entry| entry.key == *key);
        match (position, change) {
            (Some(position), serde_json::Value::Null) => {
                entries.remove(position);
            }
            (None, serde_json::Value::Null) => {}
            (Some(position), change) => merge(&mut entries[position].value, change),
            (None, change) => {
                let mut value = Node { span: Span::default(), value: Value::Null };
                merge(&mut value, change);
                entries.push(Entry::made(key, value));
            }
        }
    }
}

/// Makes a node say `value`; what says it already stays as it is written.
fn become_value(node: &mut Node, value: &serde_json::Value) {
    if Opaque::of(node) == *value {
        return;
    }
    match (&mut node.value, value) {
        (Value::Map(entries), serde_json::Value::Object(new)) => {
            entries.retain(|entry| new.contains_key(&entry.key));
            for (key, value) in new {
                match entries.iter_mut().find(|entry| entry.key == *key) {
                    Some(entry) => become_value(&mut entry.value, value),
                    None => entries.push(Entry::made(key, made(value))),
                }
            }
        }
        (Value::List(items), serde_json::Value::Array(new)) => {
            *items = changed_items(std::mem::take(items), new);
        }
        (_, value) => *node = Node { span: node.span, value: made(value).value },
    }
}

/// Items that say `new`. Each is made of the old one that says the same, or has the same name, or else stood in its
/// place.
fn changed_items(old: Vec<Node>, new: &[serde_json::Value]) -> Vec<Node> {
    let mut old: Vec<Option<Node>> = old.into_iter().map(Some).collect();
    let mut items: Vec<Option<Node>> = new.iter().map(|_| None).collect();
    let is_same = |node: &Node, value: &serde_json::Value| Opaque::of(node) == *value;
    let has_name = |node: &Node, value: &serde_json::Value| {
        let name = value.get("name").and_then(serde_json::Value::as_str);
        name.is_some() && node.get("name").and_then(Node::text) == name
    };
    for is_it in [&is_same as &dyn Fn(&Node, &serde_json::Value) -> bool, &has_name] {
        for (item, value) in items.iter_mut().zip(new).filter(|(item, _)| item.is_none()) {
            let found = old.iter_mut().find(|node| node.as_ref().is_some_and(|node| is_it(node, value)));
            *item = found.and_then(Option::take);
        }
    }
    let of_place = items.into_iter().enumerate().map(|(index, item)| {
        let in_place = || old.get_mut(index).and_then(Option::take);
        item.or_else(in_place).unwrap_or(Node { span: Span::default(), value: Value::Null })
    });
    of_place
        .zip(new)
        .map(|(mut node, value)| {
            become_value(&mut node, value);
            node
        })
        .collect()
}

/// A value that no text has.
fn made(value: &serde_json::Value) -> Node {
    let plain = |text: String| Value::Scalar { text, plain: true };
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => plain(flag.to_string()),
        serde_json::Value::Number(number) => plain(number.to_string()),
        serde_json::Value::String(text) => text_node(text).value,
        serde_json::Value::Array(items) => Value::List(items.iter().map(made).collect()),
        serde_json::Value::Object(entries) => {
            Value::Map(entries.iter().map(|(key, value)| Entry::made(key, made(value))).collect())
        }
    };
    Node { span: Span::default(), value }
}
