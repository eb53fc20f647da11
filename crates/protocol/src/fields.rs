//! Reading the fields of a client's document: texts as slices of it, and errors that name the field.

use std::borrow::Cow;
use std::cell::Cell;

use bytestring::ByteString;

use crate::conversation::Text;
use crate::error::RequestError;
use crate::json::{Document, Kind, Value};
use crate::scalars::Scalars;

pub(crate) type Result<T> = std::result::Result<T, RequestError>;

/// Reads texts as slices of the document's own memory.
pub(crate) struct Reader<'d> {
    text: &'d ByteString,
    max_items: usize,
    /// Messages, parts, calls and tools read so far.
    items: Cell<usize>,
    /// Scalars that only a translation needs to be right.
    pub(crate) scalars: Scalars<'d>,
}

// === impl Reader

impl<'d> Reader<'d> {
    pub(crate) fn new(document: &'d Document, max_items: usize) -> Self {
        let text = document.text();
        Self { text, max_items, items: Cell::new(0), scalars: Scalars::new(text) }
    }

    pub(crate) fn share(&self, text: Cow<'d, str>) -> ByteString {
        match text {
            Cow::Borrowed(slice) => self.text.slice_ref(slice),
            Cow::Owned(unescaped) => ByteString::from(unescaped),
        }
    }

    /// Counts one more message, part, call or tool, which must be an object.
    pub(crate) fn item(&self, value: Value<'d>) -> Result<()> {
        self.items.set(self.items.get() + 1);
        if self.items.get() > self.max_items {
            let problem =
                format!("is beyond the {} messages, parts, calls and tools allowed", self.max_items);
            return Err(RequestError::field("", problem));
        }
        if value.kind() == Kind::Object { Ok(()) } else { Err(wrong_type(value, "", "an object")) }
    }

    /// The text of a string; none for values of other types, which the upstream may judge.
    pub(crate) fn string(&self, value: Value<'d>) -> Option<ByteString> {
        value.as_str().map(|text| self.share(text))
    }

    /// The same, for a part of the conversation.
    pub(crate) fn text(&self, value: Value<'d>) -> Option<Text> {
        value.written_str().map(|written| Text::as_written(self.text.slice_ref(written)))
    }

    /// A value's own text.
    pub(crate) fn raw(&self, value: Value<'_>) -> ByteString {
        self.text.slice_ref(&self.text[value.span()])
    }

    pub(crate) fn model(&self, value: Option<Value<'d>>) -> Result<ByteString> {
        let Some(value) = value else {
            return Err(RequestError::field("model", "is missing; name a model, or `auto`"));
        };
        match self.string(value) {
            Some(model) if !model.trim().is_empty() => Ok(model),
            Some(_) => Err(RequestError::field("model", "is empty; name a model, or `auto`")),
            None => Err(wrong_type(value, "model", "a string")),
        }
    }
}

pub(crate) fn optional_bool(value: Value<'_>, param: &str) -> Result<Option<bool>> {
    match value.as_bool() {
        None if !value.is_null() => Err(wrong_type(value, param, "a boolean")),
        read => Ok(read),
    }
}

/// Refuses a value that is neither of `kind` nor null.
pub(crate) fn expect_kind(value: Value<'_>, kind: Kind, param: &str) -> Result<()> {
    if value.kind() == kind || value.is_null() {
        Ok(())
    } else {
        Err(wrong_type(value, param, kind.described()))
    }
}

/// Refuses a key that differs from a known one only by case.
pub(crate) fn refuse_lookalike(key: &str, known: &[&str], parent: &str) -> Result<()> {
    if known.contains(&key) {
        return Ok(());
    }
    // U+017F and U+212A fold to the ASCII letters s and k.
    let folded = key.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    let Some(meant) = known.iter().find(|known| folded.clone().eq(known.chars())) else {
        return Ok(());
    };
    let param = if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") };
    Err(RequestError::field(param, format!("differs from `{meant}` only by case; send `{meant}`")))
}

pub(crate) fn wrong_type(value: Value<'_>, param: &str, expected: &str) -> RequestError {
    RequestError::field(param, format!("must be {expected}, not {}", value.kind().described()))
}

/// Puts `outer` before the field that an error names.
pub(crate) fn within(error: RequestError, outer: &str) -> RequestError {
    match error {
        RequestError::Field { param, problem } if param.is_empty() => RequestError::field(outer, problem),
        RequestError::Field { param, problem } => RequestError::field(format!("{outer}.{param}"), problem),
        other => other,
    }
}
