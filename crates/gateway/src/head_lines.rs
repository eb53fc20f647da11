//! Lines of request heads that end in a bare line feed: what stands in front may not take it for an end.

use memchr::memchr_iter;

/// Follows the lines of the head that is being read.
#[derive(Default)]
pub(crate) struct HeadLines {
    is_over: bool,
    /// The head has begun; empty lines before it are no end.
    has_begun: bool,
    /// The bytes of the line that is being read, and the last of them.
    line_bytes: usize,
    last: u8,
}

/// No head may hold it, so that whoever parses the head refuses it.
const NEVER: u8 = 0;

impl HeadLines {
    /// A new head begins with what is read next.
    pub(crate) fn begin(&mut self) {
        *self = Self::default();
    }

    /// Looks at bytes that were read, up to the head's end. Where a line ends in a bare line feed, that is replaced by a
    /// byte that makes the head unreadable: then the request is refused and the connection closed.
    pub(crate) fn check(&mut self, bytes: &mut [u8]) {
        if self.is_over {
            return;
        }
        let mut start = 0;
        let mut bare = None;
        for at in memchr_iter(b'\n', bytes) {
            let before = if at > start { bytes[at - 1] } else { self.last };
            let length = self.line_bytes + (at - start);
            if before != b'\r' || length == 0 {
                bare = Some(at);
                break;
            }
            if length > 1 {
                self.has_begun = true;
            } else if self.has_begun {
                self.is_over = true;
                return;
            }
            (start, self.line_bytes, self.last) = (at + 1, 0, b'\n');
        }
        if let Some(at) = bare {
            bytes[at] = NEVER;
            self.is_over = true;
            return;
        }
        if let Some(last) = bytes[start..].last() {
            self.last = *last;
            self.line_bytes += bytes.len() - start;
        }
    }
}
