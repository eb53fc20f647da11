//! Arguments of tool calls on their way: whether they are whole, whether all readers understand them alike, and what a
//! wrapped text holds.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::json::{JsonLimits, Mode, Tape, Value};

/// Follows a JSON value as it arrives, and knows when it is whole. Only containers are: the
/// arguments of a call are an object.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Completeness {
    depth: u32,
    is_in_string: bool,
    is_escaped: bool,
    is_whole: bool,
}

// === impl Completeness

impl Completeness {
    /// Reads on.
    pub(crate) fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.is_in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.is_in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.is_in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.is_whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether the value is whole.
    pub(crate) fn is_whole(self) -> bool {
        self.is_whole
    }

    /// Whether something was begun that is not whole. An empty text is not, and neither is a bare
    /// word such as `null`, which some servers send for a call without arguments.
    pub(crate) fn is_half(self) -> bool {
        self.depth > 0 || self.is_in_string
    }

    /// Whether `text` alone is half of a value.
    pub(crate) fn is_half_of(text: &str) -> bool {
        let mut read = Self::default();
        read.push(text);
        read.is_half()
    }
}

/// Follows the arguments of a call as they arrive, and knows whether an object in them states a key twice. Of very many
/// keys, or very deep ones, only the first are looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct RepeatedKeys {
    /// Of each open object the keys so far, as hashes; none for a list.
    open: Vec<Option<HashSet<u64>>>,
    kept: usize,
    /// The key that is being read, as written.
    key: Vec<u8>,
    is_at_key: bool,
    is_in_string: bool,
    is_escaped: bool,
    is_over: bool,
    is_found: bool,
}

/// Keys of one call that are kept, bytes of one, and levels.
const MAX_KEYS: usize = 256;
const MAX_KEY_BYTES: usize = 256;
const MAX_LEVELS: usize = 32;

// === impl RepeatedKeys

impl RepeatedKeys {
    /// Whether an object in `text` states a key twice.
    pub(crate) fn are_in(text: &str) -> bool {
        let mut read = Self::default();
        read.push(text);
        read.is_found
    }

    /// Reads on; says whether a key came for the second time so far.
    pub(crate) fn push(&mut self, text: &str) -> bool {
        let mut rest = text.as_bytes();
        while let Some(&first) = rest.first().filter(|_| !self.is_over) {
            if self.is_in_string && !self.is_at_key && !self.is_escaped {
                let skipped = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                rest = &rest[skipped..];
                if skipped > 0 {
                    continue;
                }
            }
            self.byte(first);
            rest = &rest[1..];
        }
        self.is_found
    }

    fn byte(&mut self, byte: u8) {
        if self.is_in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.is_in_string = false;
                    self.end_key();
                    return;
                }
                _ => {}
            }
            if self.is_at_key && self.key.len() <= MAX_KEY_BYTES {
                self.key.push(byte);
            }
            return;
        }
        match byte {
            b'"' => self.is_in_string = true,
            b'{' | b'[' => {
                self.is_at_key = byte == b'{';
                self.open.push((byte == b'{').then(HashSet::new));
                self.is_over = self.open.len() > MAX_LEVELS;
            }
            b'}' | b']' => {
                let closed = self.open.pop().flatten();
                self.kept -= closed.map_or(0, |keys| keys.len());
                self.is_at_key = false;
            }
            b',' => self.is_at_key = matches!(self.open.last(), Some(Some(_))),
            b':' => self.is_at_key = false,
            _ => {}
        }
    }

    fn end_key(&mut self) {
        let key = std::mem::take(&mut self.key);
        let Some(Some(keys)) = self.open.last_mut().filter(|_| self.is_at_key) else { return };
        self.is_at_key = false;
        if key.len() > MAX_KEY_BYTES {
            return;
        }
        let mut hasher = DefaultHasher::new();
        unescaped(&key).hash(&mut hasher);
        if !keys.insert(hasher.finish()) {
            (self.is_found, self.is_over) = (true, true);
            return;
        }
        self.kept += 1;
        self.is_over = self.kept >= MAX_KEYS;
    }
}

/// What is written between the quotes of a key.
fn unescaped(key: &[u8]) -> String {
    let written = String::from_utf8_lossy(key);
    if !written.contains('\\') {
        return written.into_owned();
    }
    let quoted = format!("\"{written}\"");
    let mut tape = Tape::default();
    if tape.scan(&quoted, &JsonLimits::default(), Mode::Tolerant).is_err() {
        return written.into_owned();
    }
    tape.root(&quoted).as_str().map_or_else(|| written.into_owned(), |text| text.into_owned())
}

/// The text in the arguments of a free-form tool that was declared as a function: the member
/// `input`, or the arguments as they are if there is none.
pub(crate) fn unwrap_custom(arguments: &str) -> String {
    let mut tape = Tape::default();
    if tape.scan(arguments, &JsonLimits::default(), Mode::Tolerant).is_err() {
        return arguments.to_owned();
    }
    let input = tape.root(arguments).get("input").and_then(Value::as_str);
    input.map_or_else(|| arguments.to_owned(), |text| text.into_owned())
}
