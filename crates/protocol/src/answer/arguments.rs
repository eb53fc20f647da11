//! Arguments of tool calls on their way: whether they are whole, and what a wrapped text holds.

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
