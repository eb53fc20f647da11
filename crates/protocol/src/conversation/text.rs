//! Texts of a conversation, as they stand in the client's document until somebody reads them.
//!
//! A string's escapes mean the same in every JSON document, so a text that is only passed on is
//! copied as it was written and never unescaped.

use std::ops::Deref;
use std::sync::OnceLock;

use bytestring::ByteString;

use crate::json::unescaped;

/// A text. It derefs to what it says, which is worked out once.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// The inside of the JSON string that it was read from, which has been scanned.
    written: Option<ByteString>,
    plain: OnceLock<ByteString>,
}

// === impl Text

impl Text {
    /// The text that `written`, the inside of a scanned JSON string, stands for.
    pub(crate) fn as_written(written: ByteString) -> Self {
        Self { written: Some(written), plain: OnceLock::new() }
    }

    /// The inside of the JSON string that it was read from, if it was.
    pub(crate) fn written(&self) -> Option<&str> {
        self.written.as_deref()
    }

    /// What it says; shares the document's memory where nothing in it was escaped.
    pub fn plain(&self) -> &ByteString {
        self.plain.get_or_init(|| {
            let written = self.written.clone().unwrap_or_default();
            unescaped(&written).map_or(written, ByteString::from)
        })
    }

    /// Whether it says nothing at all. No escape stands for nothing.
    pub fn is_empty(&self) -> bool {
        self.written.as_ref().unwrap_or_else(|| self.plain()).is_empty()
    }

    /// Whether it says nothing but white space.
    pub fn is_blank(&self) -> bool {
        let start = self.written.as_ref().unwrap_or_else(|| self.plain()).trim_start();
        match start.as_bytes().first() {
            None => true,
            Some(b'\\') => self.trim().is_empty(),
            Some(_) => false,
        }
    }

    /// The same without white space at its end.
    pub(crate) fn trimmed_end(&self) -> Self {
        let trimmed = self.trim_end();
        if trimmed.len() == self.len() { self.clone() } else { Self::from(self.plain().slice_ref(trimmed)) }
    }
}

impl From<ByteString> for Text {
    fn from(plain: ByteString) -> Self {
        Self { written: None, plain: OnceLock::from(plain) }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.plain()
    }
}
