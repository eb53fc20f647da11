//! Writing JSON text piece by piece, without a tree in between.

use std::{borrow::Cow, fmt::Write as _};

use bytes::Bytes;

use super::text::quote_into;
use crate::conversation::Text;

/// A text under construction. The caller keeps containers balanced and puts a key before every
/// member's value; commas are placed here.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: String,
    /// Whether the next key or item needs a comma before it.
    needs_comma: bool,
}

// === impl Writer

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: String::with_capacity(bytes), needs_comma: false }
    }

    /// An object with what `content` writes into it.
    pub(crate) fn object(&mut self, content: impl FnOnce(&mut Self)) {
        self.open('{');
        content(self);
        self.close('}');
    }

    /// An array with what `content` writes into it.
    pub(crate) fn array(&mut self, content: impl FnOnce(&mut Self)) {
        self.open('[');
        content(self);
        self.close(']');
    }

    pub(crate) fn open(&mut self, bracket: char) {
        self.separate();
        self.out.push(bracket);
        self.needs_comma = false;
    }

    pub(crate) fn close(&mut self, bracket: char) {
        self.out.push(bracket);
        self.needs_comma = true;
    }

    /// The key of the value that is written next.
    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.separate();
        quote_into(key, &mut self.out);
        self.out.push(':');
        self.needs_comma = false;
        self
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.separate();
        quote_into(text, &mut self.out);
        self.needs_comma = true;
    }

    /// A text, as it was written where it comes from another document.
    pub(crate) fn text(&mut self, text: &Text) {
        self.texts(&[text], "");
    }

    /// One string made of `texts`, with a separator between them.
    pub(crate) fn texts(&mut self, texts: &[&Text], separator: &str) {
        self.separate();
        self.out.push('"');
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                super::text::escape_into(separator, &mut self.out);
            }
            match text.written() {
                Some(written) => self.out.push_str(written),
                None => super::text::escape_into(text, &mut self.out),
            }
        }
        self.out.push('"');
        self.needs_comma = true;
    }

    pub(crate) fn text_field(&mut self, key: &str, text: &Text) {
        self.key(key).text(text);
    }

    /// One string made of `pieces`.
    pub(crate) fn joined(&mut self, pieces: &[&str]) {
        self.separate();
        self.out.push('"');
        for piece in pieces {
            super::text::escape_into(piece, &mut self.out);
        }
        self.out.push('"');
        self.needs_comma = true;
    }

    /// A value that is JSON text already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.separate();
        self.out.push_str(json);
        self.needs_comma = true;
    }

    /// Members of an object, written elsewhere without its braces.
    pub(crate) fn members(&mut self, members: &str) {
        if !members.is_empty() {
            self.raw(members);
        }
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.separate();
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{number}");
        self.needs_comma = true;
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    pub(crate) fn null(&mut self) {
        self.raw("null");
    }

    pub(crate) fn string_field(&mut self, key: &str, text: &str) {
        self.key(key).string(text);
    }

    pub(crate) fn raw_field(&mut self, key: &str, json: &str) {
        self.key(key).raw(json);
    }

    pub(crate) fn number_field(&mut self, key: &str, number: u64) {
        self.key(key).number(number);
    }

    pub(crate) fn bool_field(&mut self, key: &str, value: bool) {
        self.key(key).bool(value);
    }

    /// The text, or null if there is none.
    pub(crate) fn nullable_field(&mut self, key: &str, text: Option<&str>) {
        self.key(key);
        match text {
            Some(text) => self.string(text),
            None => self.null(),
        }
    }

    pub(crate) fn object_field(&mut self, key: &str, content: impl FnOnce(&mut Self)) {
        self.key(key).object(content);
    }

    pub(crate) fn array_field(&mut self, key: &str, content: impl FnOnce(&mut Self)) {
        self.key(key).array(content);
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.out
    }

    pub(crate) fn finish(self) -> Bytes {
        Bytes::from(self.out)
    }

    pub(crate) fn into_string(self) -> String {
        self.out
    }

    fn separate(&mut self) {
        if self.needs_comma {
            self.out.push(',');
        }
    }
}

/// `json` as the data of an event.
pub(crate) fn event_data(json: &str) -> Bytes {
    Bytes::from(["data: ", &one_line(json), "\n\n"].concat())
}

/// An event with a name.
pub(crate) fn named_event(name: &str, json: &str) -> Bytes {
    Bytes::from(["event: ", name, "\ndata: ", &one_line(json), "\n\n"].concat())
}

/// `json` without the line breaks that values taken over from a client or an upstream have between
/// their tokens: they would end the field of the event.
fn one_line(json: &str) -> Cow<'_, str> {
    match memchr::memchr2(b'\n', b'\r', json.as_bytes()) {
        None => Cow::Borrowed(json),
        Some(_) => Cow::Owned(json.replace(['\n', '\r'], " ")),
    }
}
