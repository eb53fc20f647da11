//! Tells of the fields of a request that no reader looks at, so that nothing is dropped in silence.
//!
//! Readers pick what a conversation has a place for. Here is the other side of it: for every object
//! of a client's protocol the fields that are read, or whose absence changes nothing; whatever else a
//! document holds is a loss. Top-level fields are not told here but by
//! [`report_extras`](super::report_extras), and objects of unknown types by whoever writes them.

mod shapes;

use std::fmt;

use crate::json::{Kind, Value};
use crate::loss::{Losses, Reason};
use crate::protocol::Protocol;

/// What is known of an object's fields. Where a list of such objects may stand, all of them are meant.
enum Shape {
    /// An object with these fields.
    Fields(&'static [(&'static str, Use)]),
    /// Its fields depend on its `type`.
    ByType {
        /// The type of an object that states none.
        default: &'static str,
        shapes: &'static [(&'static str, &'static Self)],
        /// What an object of another type is, where its writer does not tell.
        other: Option<Reason>,
    },
}

/// What becomes of a field.
#[derive(Clone, Copy)]
enum Use {
    /// It is read, or told by whoever reads it, or says nothing to a model.
    Read,
    /// What stands in it is looked at one by one.
    Within(&'static Shape),
    /// It is left out for this reason.
    Lost(Reason),
    /// A list of words, all of which are lost but these.
    Words(&'static [&'static str]),
}

/// The way to a field from the outermost object.
#[derive(Clone, Copy)]
struct Path<'p> {
    before: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Field(&'p str),
    Item(usize),
}

/// Adds the fields of `root`, a request of `client`, that mean nothing to its translation.
pub(super) fn report_unread(root: Value<'_>, client: Protocol, losses: &mut Losses) {
    let fields = shapes::request(client);
    for member in root.members() {
        // Other fields of a request are the readers' to tell.
        if let Some(used) = used_of(fields, &member.key) {
            field(member.value, used, Path { before: None, step: Step::Field(&member.key) }, losses);
        }
    }
}

fn used_of(fields: &[(&str, Use)], key: &str) -> Option<Use> {
    fields.iter().find(|(name, _)| *name == key).map(|(_, used)| *used)
}

fn field(value: Value<'_>, used: Use, path: Path<'_>, losses: &mut Losses) {
    match used {
        Use::Read => {}
        Use::Within(shape) => walk(value, shape, path, losses),
        Use::Lost(reason) if !says_nothing(value) => losses.add(reason, path.to_string()),
        Use::Lost(_) => {}
        Use::Words(known) => {
            for (index, word) in value.items().enumerate() {
                if word.as_str().is_some_and(|word| !known.contains(&&*word)) {
                    let path = Path { before: Some(&path), step: Step::Item(index) };
                    losses.add(Reason::UnsupportedField, path.to_string());
                }
            }
        }
    }
}

fn walk(value: Value<'_>, shape: &'static Shape, path: Path<'_>, losses: &mut Losses) {
    match value.kind() {
        Kind::Array => {
            for (index, item) in value.items().enumerate() {
                if item.kind() == Kind::Object {
                    walk(item, shape, Path { before: Some(&path), step: Step::Item(index) }, losses);
                }
            }
        }
        Kind::Object => match shape {
            Shape::Fields(fields) => {
                for member in value.members() {
                    let used = used_of(fields, &member.key).unwrap_or(Use::Lost(Reason::UnsupportedField));
                    let path = Path { before: Some(&path), step: Step::Field(&member.key) };
                    field(member.value, used, path, losses);
                }
            }
            Shape::ByType { default, shapes, other } => {
                let kind = value.get("type").and_then(Value::as_str);
                let kind = kind.as_deref().unwrap_or(default);
                match (shapes.iter().find(|(name, _)| *name == kind), other) {
                    (Some((_, shape)), _) => walk(value, shape, path, losses),
                    (None, Some(reason)) => losses.add(*reason, path.to_string()),
                    (None, None) => {}
                }
            }
        },
        _ => {}
    }
}

/// Whether a value says no more than the field's absence: nothing, an empty text or container, no, or
/// that a call or a tool is the model's own.
fn says_nothing(value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Null => true,
        Kind::Bool => value.as_bool() == Some(false),
        Kind::String => value.raw() == "\"\"",
        Kind::Array => value.items().all(|item| item.raw() == "\"direct\""),
        Kind::Object => {
            value.members().all(|member| member.key == "type" && member.value.raw() == "\"direct\"")
        }
        Kind::Number => false,
    }
}

// === impl Path

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            before.fmt(f)?;
        }
        match self.step {
            Step::Field(name) if self.before.is_none() => f.write_str(name),
            Step::Field(name) => write!(f, ".{name}"),
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}
