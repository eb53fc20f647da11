//! Strict JSON: one pass over the bytes into a flat tape of spans, and a borrowed view of it.
//!
//! The scanner accepts RFC 8259 and nothing else, and refuses what two readers could understand
//! differently: duplicate keys (compared after unescaping), byte order marks, lone surrogates,
//! numbers outside the range of a double. Nothing is copied; every value knows its byte range,
//! so an edit can replace exactly that range.

mod error;
mod plain;
mod scan;
mod text;
mod value;
mod write;

use bytes::Bytes;
use bytestring::ByteString;

pub use error::{JsonError, Problem};
pub use value::{Items, Kind, Member, Members, Value};

pub(crate) use plain::plain_json;
pub(crate) use scan::{Mode, Tape};
pub(crate) use text::{quote, unescaped};
pub(crate) use write::{Writer, event_data, named_event};

/// What a document may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Arrays and objects inside each other.
    pub max_depth: usize,
    /// Values and keys in the whole document.
    pub max_values: usize,
}

/// A scanned document together with its bytes.
#[derive(Debug, Clone)]
pub struct Document {
    text: ByteString,
    tape: Tape,
}

// === impl JsonLimits

impl Default for JsonLimits {
    fn default() -> Self {
        Self { max_depth: 64, max_values: 1_000_000 }
    }
}

// === impl Document

impl Document {
    /// Scans `bytes`, which must be one JSON value in UTF-8 without a byte order mark.
    pub fn parse(bytes: Bytes, limits: &JsonLimits) -> Result<Self, JsonError> {
        let text = ByteString::try_from(bytes).map_err(|error| error::not_utf8(error.valid_up_to()))?;
        let mut tape = Tape::default();
        tape.scan(&text, limits, Mode::Strict)?;
        Ok(Self { text, tape })
    }

    /// Scans what an upstream sent, which may be looser than what is taken from clients: where a key
    /// comes twice, the last one counts. None if it cannot be read.
    pub fn parse_tolerant(bytes: Bytes) -> Option<Self> {
        let text = ByteString::try_from(bytes).ok()?;
        let mut tape = Tape::default();
        tape.scan(&text, &JsonLimits::default(), Mode::Tolerant).ok()?;
        Some(Self { text, tape })
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        self.tape.root(&self.text)
    }

    /// The document's text; slices of it share its memory.
    pub fn text(&self) -> &ByteString {
        &self.text
    }

    /// The document's bytes.
    pub fn bytes(&self) -> &Bytes {
        self.text.as_bytes()
    }

    /// The same document with every escaped key written in its shortest plain form, so that a
    /// reader that compares raw key bytes sees the names that were read here.
    pub fn with_plain_keys(self, limits: &JsonLimits) -> Result<Self, JsonError> {
        if !self.tape.has_escaped_keys() {
            return Ok(self);
        }
        let mut plain = String::with_capacity(self.text.len());
        let mut copied = 0;
        for (span, key) in self.tape.escaped_keys(&self.text) {
            plain.push_str(&self.text[copied..span.start]);
            text::quote_into(&key, &mut plain);
            copied = span.end;
        }
        plain.push_str(&self.text[copied..]);
        Self::parse(Bytes::from(plain), limits)
    }
}
