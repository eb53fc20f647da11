//! The framing of HTTP/1.1 requests, followed as their bytes arrive: what somebody in front could read in another way
//! is noticed before the request is answered, whatever the parser behind makes of it.

use memchr::memchr;

/// Follows the requests of one connection.
#[derive(Default)]
pub(crate) struct Framing {
    at: At,
    head: Head,
    /// The beginning of a line that earlier reads brought, up to [`KEPT_BYTES`], and how long it is and ends so far.
    kept: Vec<u8>,
    line_bytes: usize,
    last: u8,
    is_ambiguous: bool,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// A line of a head, or an empty one before it.
    #[default]
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// The size of a chunk.
    Size,
    /// So many bytes of a chunk and its end.
    Chunk(u64),
    Trailer,
    /// Nothing: nothing that comes is answered any more.
    Nowhere,
}

/// What a head has said so far.
#[derive(Default)]
struct Head {
    has_begun: bool,
    lengths: usize,
    codings: usize,
    length: Option<u64>,
    is_chunked: bool,
}

const LENGTH: &[u8] = b"content-length:";
const CODING: &[u8] = b"transfer-encoding:";

/// More than any line takes that matters here.
const KEPT_BYTES: usize = 64;

/// No part of a message may hold it, so that whoever parses it refuses it.
const NEVER: u8 = 0;

// === impl Framing ===

impl Framing {
    /// Looks at bytes that were read. A trailer that ends in a bare line feed is made unreadable.
    pub(crate) fn follow(&mut self, bytes: &mut [u8]) {
        let mut from = 0;
        while from < bytes.len() {
            match self.at {
                At::Nowhere => return,
                At::Body(left) | At::Chunk(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - from);
                    from += taken;
                    self.skip(left - taken as u64);
                }
                At::Head | At::Size | At::Trailer => {
                    let Some(length) = memchr(b'\n', &bytes[from..]) else {
                        return self.keep(&bytes[from..]);
                    };
                    let end = from + length;
                    let is_bare = !self.end_line(&bytes[from..end]);
                    if is_bare && self.at == At::Trailer {
                        bytes[end] = NEVER;
                        self.at = At::Nowhere;
                    }
                    from = end + 1;
                }
            }
        }
    }

    /// Whether a request that has arrived could be read in two ways. It stays so: the connection has to end.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    fn skip(&mut self, left: u64) {
        self.at = match self.at {
            At::Body(_) if left == 0 => At::Head,
            At::Body(_) => At::Body(left),
            _ if left == 0 => At::Size,
            _ => At::Chunk(left),
        };
    }

    fn keep(&mut self, part: &[u8]) {
        let space = KEPT_BYTES.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&part[..part.len().min(space)]);
        self.line_bytes += part.len();
        self.last = part.last().copied().unwrap_or(self.last);
    }

    /// A line is complete, but for its line feed. Whether it ends in a carriage return.
    fn end_line(&mut self, part: &[u8]) -> bool {
        if self.line_bytes == 0 {
            return self.read_line(part, part.last() == Some(&b'\r'));
        }
        self.keep(part);
        let line = std::mem::take(&mut self.kept);
        let has_return = self.last == b'\r';
        (self.line_bytes, self.last) = (0, 0);
        let is_ended = self.read_line(&line, has_return);
        self.kept = line;
        self.kept.clear();
        is_ended
    }

    fn read_line(&mut self, line: &[u8], has_return: bool) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.at {
            At::Head if has_return => self.read_head_line(line),
            At::Head => self.is_in_doubt(),
            At::Size if has_return => self.at = size(line),
            // Whoever reads the body ends it here.
            At::Size => self.at = At::Nowhere,
            At::Trailer if line.is_empty() && has_return => self.at = At::Head,
            _ => {}
        }
        has_return
    }

    fn read_head_line(&mut self, line: &[u8]) {
        let Some(first) = line.first() else {
            if self.head.has_begun {
                self.end_head();
            }
            return;
        };
        self.head.has_begun = true;
        match first.to_ascii_lowercase() {
            b'c' => {
                if let Some(value) = value_of(line, LENGTH) {
                    self.head.lengths += 1;
                    self.head.length = length(value);
                }
            }
            b't' => {
                if let Some(value) = value_of(line, CODING) {
                    self.head.codings += 1;
                    self.head.is_chunked = value.eq_ignore_ascii_case(b"chunked");
                }
            }
            _ => {}
        }
    }

    fn end_head(&mut self) {
        let Head { lengths, codings, length, is_chunked, .. } = std::mem::take(&mut self.head);
        if lengths + codings > 1 {
            return self.is_in_doubt();
        }
        self.at = match length {
            _ if codings == 1 && is_chunked => At::Size,
            Some(0) => At::Head,
            Some(length) => At::Body(length),
            // No length and no coding, or one that is refused.
            None if lengths + codings == 0 => At::Head,
            None => At::Nowhere,
        };
    }

    fn is_in_doubt(&mut self) {
        self.is_ambiguous = true;
        self.at = At::Nowhere;
    }
}

fn value_of<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn length(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}

/// What follows the line with a chunk's size.
fn size(line: &[u8]) -> At {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let size = std::str::from_utf8(&line[..digits]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    match size {
        Some(0) => At::Trailer,
        // The data is followed by a line end.
        Some(size) => size.checked_add(2).map_or(At::Nowhere, At::Chunk),
        None => At::Nowhere,
    }
}
