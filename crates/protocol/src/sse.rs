//! Server-sent events: cuts a byte stream into frames wherever its chunks were split.
//!
//! A frame is an event with its closing blank line, as the original bytes, so that it can be
//! forwarded without being encoded again. The decoder copies only frames that span chunks.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An event longer than the decoder may buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream event is longer than {max_bytes} bytes")]
pub struct EventTooLong {
    /// The most bytes an event may have.
    pub max_bytes: usize,
}

/// Cuts a stream into frames.
///
/// Give it chunks with [`Decoder::push`] and take frames with [`Decoder::next_frame`] until there
/// are none. The frames do not depend on how the stream was cut into chunks.
#[derive(Debug)]
pub struct Decoder {
    /// The start of a frame whose end is not here yet.
    carry: BytesMut,
    /// What is left of the current chunk.
    chunk: Bytes,
    /// How much of `chunk` was looked at.
    scanned: usize,
    state: State,
    /// Stream offset of the next frame's first byte.
    offset: u64,
    max_event_bytes: usize,
}

/// Where the scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Inside a line.
    Line { is_blank: bool },
    /// After a carriage return, which a line feed may complete.
    CarriageReturn { ended_blank_line: bool },
}

/// One event as it came: its lines and the blank line that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The bytes.
    pub raw: Bytes,
    /// Where the frame starts in the stream.
    pub offset: u64,
    /// Whether its closing blank line is there; only the rest of a stream can lack it.
    pub is_terminated: bool,
}

/// The fields of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event<'a> {
    /// The last `event` field.
    pub name: Option<&'a [u8]>,
    /// The `data` fields, joined by line feeds; none if the frame has no such field (a comment).
    pub data: Option<Cow<'a, [u8]>>,
    /// The last `id` field.
    pub id: Option<&'a [u8]>,
}

// === impl Decoder

impl Decoder {
    /// A decoder for events of at most `max_event_bytes`.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            carry: BytesMut::new(),
            chunk: Bytes::new(),
            scanned: 0,
            state: State::Line { is_blank: true },
            offset: 0,
            max_event_bytes,
        }
    }

    /// Adds the next chunk of the stream. Take all frames of the one before first.
    pub fn push(&mut self, chunk: Bytes) {
        self.keep_rest();
        self.chunk = chunk;
        self.scanned = 0;
    }

    /// The next whole frame, if its end is here.
    ///
    /// # Errors
    ///
    /// The frame is longer than allowed. The stream cannot be read on after that.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, EventTooLong> {
        let is_whole = self.scan();
        if self.carry.len() + self.scanned > self.max_event_bytes {
            return Err(EventTooLong { max_bytes: self.max_event_bytes });
        }
        Ok(is_whole.then(|| self.take_frame(true)))
    }

    /// What follows the last whole frame, at the end of the stream. By the standard it is no
    /// event, but some servers leave out the last blank line.
    pub fn finish(&mut self) -> Option<Frame> {
        self.scan();
        let is_terminated = self.state == State::CarriageReturn { ended_blank_line: true };
        (self.pending_bytes() > 0).then(|| self.take_frame(is_terminated))
    }

    /// Bytes of the frame whose end is not here yet.
    pub fn pending_bytes(&self) -> usize {
        self.carry.len() + self.chunk.len()
    }

    /// Scans for the end of the frame; says whether `scanned` is there.
    fn scan(&mut self) -> bool {
        loop {
            let rest = &self.chunk[self.scanned..];
            let Some(&first) = rest.first() else { return false };
            match self.state {
                State::CarriageReturn { ended_blank_line } => {
                    // A blank line's end is sure only now, so that the line feed of a split
                    // pair stays in its frame.
                    self.scanned += usize::from(first == b'\n');
                    self.state = State::Line { is_blank: true };
                    if ended_blank_line {
                        return true;
                    }
                }
                State::Line { is_blank } => {
                    let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
                        self.state = State::Line { is_blank: false };
                        self.scanned = self.chunk.len();
                        return false;
                    };
                    let is_blank = is_blank && length == 0;
                    let is_line_feed = rest[length] == b'\n';
                    self.scanned += length + 1;
                    if !is_line_feed {
                        self.state = State::CarriageReturn { ended_blank_line: is_blank };
                        continue;
                    }
                    self.state = State::Line { is_blank: true };
                    if is_blank {
                        return true;
                    }
                }
            }
        }
    }

    /// Takes what was scanned as a frame, without a copy unless it began in an earlier chunk.
    fn take_frame(&mut self, is_terminated: bool) -> Frame {
        let end = self.chunk.split_to(self.scanned);
        self.scanned = 0;
        let raw = if self.carry.is_empty() {
            end
        } else {
            self.carry.extend_from_slice(&end);
            self.carry.split().freeze()
        };
        let offset = self.offset;
        self.offset += raw.len() as u64;
        Frame { raw, offset, is_terminated }
    }

    fn keep_rest(&mut self) {
        if self.chunk.has_remaining() {
            self.carry.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
        }
    }
}

// === impl Frame

impl Frame {
    /// Reads the frame's fields.
    pub fn event(&self) -> Event<'_> {
        let mut bytes = &self.raw[..];
        if self.offset == 0 {
            bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        }
        let mut event = Event::default();
        while !bytes.is_empty() {
            let length = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
            let line = &bytes[..length];
            bytes = bytes.get(length + 1..).unwrap_or_default();
            event.add(line);
        }
        event
    }
}

// === impl Event

impl<'a> Event<'a> {
    /// Adds a line. The empty line between the two halves of a CRLF adds nothing.
    fn add(&mut self, line: &'a [u8]) {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => match &mut self.data {
                None => self.data = Some(Cow::Borrowed(value)),
                Some(data) => {
                    let data = data.to_mut();
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            },
            b"event" => self.name = Some(value),
            b"id" => self.id = Some(value),
            _ => {}
        }
    }
}
