//! A borrowed view of one value on the tape.

use std::borrow::Cow;
use std::ops::Range;

use super::scan::Entry;
use super::text::unescape;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, kept as written.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One value of a document.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    text: &'a str,
    entries: &'a [Entry],
    at: usize,
}

/// One member of an object.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The key, unescaped.
    pub key: Cow<'a, str>,
    /// Where the member starts: the byte of its key's opening quote.
    pub start: usize,
    /// The member's value.
    pub value: Value<'a>,
}

/// The members of an object, in order.
#[derive(Clone)]
pub struct Members<'a> {
    object: Value<'a>,
    at: usize,
}

/// The items of an array, in order.
#[derive(Clone)]
pub struct Items<'a> {
    array: Value<'a>,
    at: usize,
}

// === impl Kind

impl Kind {
    /// The kind with its article, as error messages name it.
    pub fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

// === impl Value

impl<'a> Value<'a> {
    pub(super) fn new(text: &'a str, entries: &'a [Entry], at: usize) -> Self {
        Self { text, entries, at }
    }

    fn entry(self) -> &'a Entry {
        &self.entries[self.at]
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        self.entry().kind
    }

    /// The value's byte range in the document.
    pub fn span(self) -> Range<usize> {
        self.entry().span()
    }

    /// The value as written.
    pub fn raw(self) -> &'a str {
        &self.text[self.span()]
    }

    /// Whether the value is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The value, if it is a boolean.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// The value, if it is a non-negative integer written without fraction or exponent.
    pub fn as_u64(self) -> Option<u64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    /// The inside of the string as written, if it is one.
    pub(crate) fn written_str(self) -> Option<&'a str> {
        (self.kind() == Kind::String).then(|| &self.text[self.span().start + 1..self.span().end - 1])
    }

    /// The text of the value, if it is a string; borrowed unless it holds escapes.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        (self.kind() == Kind::String).then(|| self.entry().content(self.text))
    }

    /// The members, if the value is an object; else none.
    pub fn members(self) -> Members<'a> {
        let at = if self.kind() == Kind::Object { self.at + 1 } else { usize::MAX };
        Members { object: self, at }
    }

    /// The items, if the value is an array; else none.
    pub fn items(self) -> Items<'a> {
        let at = if self.kind() == Kind::Array { self.at + 1 } else { usize::MAX };
        Items { array: self, at }
    }

    /// The value of the member named `key`, if the value is an object that has it. Where a
    /// tolerant scan let a key through twice, the last one counts.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.members().filter(|member| member.key == key).last().map(|member| member.value)
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Value").field("kind", &self.kind()).field("span", &self.span()).finish()
    }
}

impl Entry {
    /// The text of a string or key entry.
    pub(super) fn content<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let span = self.span();
        let inside = &text[span.start + 1..span.end - 1];
        if self.escaped { unescape(inside) } else { Cow::Borrowed(inside) }
    }
}

// === impl Member

impl Member<'_> {
    /// Where the member ends: the byte after its value.
    pub fn end(&self) -> usize {
        self.value.span().end
    }
}

// === impl Members

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let Value { text, entries, at: object } = self.object;
        if self.at >= entries[object].next as usize {
            return None;
        }
        let key = &entries[self.at];
        let value = Value { text, entries, at: self.at + 1 };
        self.at = value.entry().next as usize;
        Some(Member { key: key.content(text), start: key.span().start, value })
    }
}

// === impl Items

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let Value { text, entries, at: array } = self.array;
        if self.at >= entries[array].next as usize {
            return None;
        }
        let item = Value { text, entries, at: self.at };
        self.at = item.entry().next as usize;
        Some(item)
    }
}
