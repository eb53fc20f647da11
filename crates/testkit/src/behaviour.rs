//! How a backend answers: the reply it gives, and what it does wrong on the way.

use std::time::Duration;

use crate::gate::Gate;

/// How a backend answers chat completions. The default is a well-behaved server.
#[derive(Clone, Debug)]
pub struct Behaviour {
    pub(crate) text: String,
    pub(crate) models: Vec<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) replies: Vec<Reply>,
}

/// What a backend answers to posts to one path, whatever they say.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) path: String,
    pub(crate) code: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// What goes wrong with one answer. In a stream, an *event* is one `data:` line with its blank line; the first is the
/// role chunk. Where a fault speaks of events and the answer is not a stream, half the body is sent instead.
#[derive(Clone, Debug, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// No byte, not even of the head, until the gate opens.
    HoldFirstByte(Gate),
    /// The body arrives in pieces, one HTTP chunk and one write each.
    Split(Split),
    /// After so many events, silence until the gate opens; then the rest.
    Stall {
        /// Events sent before the silence; 0 stalls right after the head.
        after_events: usize,
        /// Ends the silence.
        gate: Gate,
    },
    /// After so many events, a TCP reset; with a gate, the reset waits for it.
    Reset {
        /// Events sent before the reset; 0 resets right after the head.
        after_events: usize,
        /// Lets a test read the events before the reset happens.
        gate: Option<Gate>,
    },
    /// The connection is closed without a response.
    CloseBeforeHead,
    /// This status, headers and body instead of an answer.
    Status {
        /// Status code.
        code: u16,
        /// Headers beside `content-length`.
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
    /// Response headers of at least this many bytes, in lines of 8 KiB.
    HugeHeaders {
        /// Bytes of padding.
        bytes: usize,
    },
    /// The body is gzipped whatever `accept-encoding` asked.
    Gzip,
    /// A stream that ends, cleanly for HTTP, after the finish reason and without `[DONE]`.
    EndWithoutDone,
    /// A stream that ends, cleanly for HTTP, before any finish reason.
    EndWithoutFinish,
    /// A `content-length` longer than the body, then the connection is closed.
    Truncated,
    /// A stream without end, as fast as the client reads.
    Endless,
    /// One event per interval.
    Drip(Duration),
    /// An `error` event instead of the rest, as engines send when generation fails.
    ErrorEvent {
        /// Events sent before it.
        after_events: usize,
    },
    /// A `data:` line that is not JSON, between good events.
    BrokenEvent,
    /// CRLF line ends, comment lines and `event:` fields: legal, and rarely tested.
    OddFraming,
}

/// Where a body is cut.
#[derive(Clone, Debug)]
pub enum Split {
    /// After every byte.
    EveryByte,
    /// Inside every character of more than one byte.
    InsideCharacters,
    /// Inside every `data:`, after `da`.
    InsideDataField,
    /// At these offsets in the body.
    At(Vec<usize>),
}

// === impl Behaviour ===

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            text: "Grüße aus dem Testkit: 你好 🌍, all is well.".to_owned(),
            models: vec!["testkit-small".to_owned(), "testkit-large".to_owned()],
            headers: Vec::new(),
            faults: Vec::new(),
            replies: Vec::new(),
        }
    }
}

impl From<Fault> for Behaviour {
    fn from(fault: Fault) -> Self {
        Self::default().faults([fault])
    }
}

impl Behaviour {
    /// The text of every answer.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The names `GET /v1/models` lists.
    #[must_use]
    pub fn models(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.models = names.into_iter().map(Into::into).collect();
        self
    }

    /// What posts to `path` get, whatever they say: for protocols that this backend does not speak by itself; for `/health`
    /// what is got there. Several for one path are given in turn; the last one stays.
    #[must_use]
    pub fn reply(
        mut self,
        path: impl Into<String>,
        code: u16,
        content_type: impl Into<String>,
        body: impl Into<String>,
    ) -> Self {
        let (path, content_type, body) = (path.into(), content_type.into(), body.into());
        self.replies.push(Reply { path, code, content_type, body });
        self
    }

    /// Adds a header to every response.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The fault of the first chat request, the second, and so on; the last one stays.
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults = faults.into_iter().collect();
        self
    }

    /// A reply for `path` is being given; the next one takes its place, if there is one.
    pub(crate) fn note_reply(&mut self, path: &str) {
        let mut same = (0..self.replies.len()).filter(|&index| self.replies[index].path == path);
        if let (Some(first), Some(_)) = (same.next(), same.next()) {
            self.replies.remove(first);
        }
    }

    /// The fault of the chat request with this index.
    pub(crate) fn fault(&self, index: usize) -> Fault {
        self.faults.get(index).or(self.faults.last()).cloned().unwrap_or_default()
    }
}

// === impl Fault ===

impl Fault {
    /// 429 in OpenAI's shape, with `retry-after`.
    #[must_use]
    pub fn rate_limited(retry_after_seconds: u32) -> Self {
        Self::Status {
            code: 429,
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("retry-after".to_owned(), retry_after_seconds.to_string()),
            ],
            body: error_body("the engine is overloaded", "rate_limit_error", "rate_limit_exceeded"),
        }
    }

    /// 500 in OpenAI's shape.
    #[must_use]
    pub fn server_error() -> Self {
        Self::Status {
            code: 500,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: error_body("the engine failed", "server_error", "internal_error"),
        }
    }

    /// The fault with this name, as `testkit-backend --behaviour` takes it; those that hold or stall wait at `gate`.
    #[must_use]
    pub fn named(name: &str, gate: &Gate) -> Option<Self> {
        let gate = gate.clone();
        Some(match name {
            "normal" => Self::None,
            "hold-first-byte" => Self::HoldFirstByte(gate),
            "split-bytes" => Self::Split(Split::EveryByte),
            "split-characters" => Self::Split(Split::InsideCharacters),
            "split-data-field" => Self::Split(Split::InsideDataField),
            "stall" => Self::Stall { after_events: 2, gate },
            "reset" => Self::Reset { after_events: 2, gate: None },
            "close" => Self::CloseBeforeHead,
            "rate-limited" => Self::rate_limited(7),
            "server-error" => Self::server_error(),
            "huge-headers" => Self::HugeHeaders { bytes: 80 * 1024 },
            "gzip" => Self::Gzip,
            "end-without-done" => Self::EndWithoutDone,
            "end-without-finish" => Self::EndWithoutFinish,
            "truncated" => Self::Truncated,
            "endless" => Self::Endless,
            "drip" => Self::Drip(Duration::from_millis(50)),
            "error-event" => Self::ErrorEvent { after_events: 2 },
            "broken-event" => Self::BrokenEvent,
            "odd-framing" => Self::OddFraming,
            _ => return None,
        })
    }

    /// Every name [`Fault::named`] knows.
    pub const NAMES: [&str; 20] = [
        "normal",
        "hold-first-byte",
        "split-bytes",
        "split-characters",
        "split-data-field",
        "stall",
        "reset",
        "close",
        "rate-limited",
        "server-error",
        "huge-headers",
        "gzip",
        "end-without-done",
        "end-without-finish",
        "truncated",
        "endless",
        "drip",
        "error-event",
        "broken-event",
        "odd-framing",
    ];
}

pub(crate) fn error_body(message: &str, kind: &str, code: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": kind, "param": null, "code": code}}).to_string()
}

// === impl Split ===

impl Split {
    /// The pieces of `body`, none of them empty.
    pub(crate) fn pieces<'b>(&self, body: &'b [u8]) -> Vec<&'b [u8]> {
        let cuts: Vec<usize> = match self {
            Self::EveryByte => (1..body.len()).collect(),
            Self::InsideCharacters => (1..body.len()).filter(|&at| is_continuation(body[at])).collect(),
            Self::InsideDataField => {
                (2..body.len()).filter(|&at| body[at - 2..].starts_with(b"data:")).collect()
            }
            Self::At(offsets) => offsets.clone(),
        };
        let mut pieces = Vec::with_capacity(cuts.len() + 1);
        let mut from = 0;
        for cut in cuts.into_iter().chain([body.len()]) {
            if cut > from && cut <= body.len() {
                pieces.push(&body[from..cut]);
                from = cut;
            }
        }
        pieces
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}
