//! Why a document was refused, and where.

use std::fmt;

/// A refused document: what is wrong, at which byte, inside which value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not acceptable JSON: {problem} (byte {offset}{})", Inside(pointer))]
pub struct JsonError {
    /// Byte offset in the document.
    pub offset: usize,
    /// JSON pointer (RFC 6901) of the innermost value known at that place; empty for the root.
    pub pointer: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The document starts with U+FEFF.
    #[error("it starts with a byte order mark; send plain UTF-8")]
    ByteOrderMark,
    /// The document is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// The document is larger than a span can address.
    #[error("it is larger than 4 GiB")]
    TooLarge,
    /// The document ends inside a value.
    #[error("it ends too early, expected {0}")]
    UnexpectedEnd(&'static str),
    /// Something else was expected.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Something follows the document.
    #[error("unexpected content after the document")]
    TrailingContent,
    /// A number that the grammar does not know.
    #[error("malformed number")]
    MalformedNumber,
    /// A number that no double can hold.
    #[error("number out of range")]
    NumberOutOfRange,
    /// A control character that is not escaped.
    #[error("control character in a string; escape it")]
    ControlCharacter,
    /// An escape that the grammar does not know.
    #[error("unknown escape in a string")]
    UnknownEscape,
    /// Half of a surrogate pair.
    #[error("escaped surrogate without its other half")]
    LoneSurrogate,
    /// The same key twice in one object.
    #[error("duplicate key {0}; send each key once")]
    DuplicateKey(String),
    /// More nesting than allowed.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// More values than allowed.
    #[error("more than {0} values")]
    TooManyValues(usize),
}

/// Renders the pointer as a suffix of the place.
struct Inside<'a>(&'a str);

impl fmt::Display for Inside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", in {}", self.0) }
    }
}

/// The error for bytes that are UTF-8 only up to `offset`.
pub(super) fn not_utf8(offset: usize) -> JsonError {
    JsonError { offset, pointer: String::new(), problem: Problem::NotUtf8 }
}
