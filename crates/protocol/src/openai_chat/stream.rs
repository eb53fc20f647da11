//! Watches a stream on its way to the client.

use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use vsr_types::Usage;

use super::usage::usage_of;
use crate::error::own_event;
use crate::json::{JsonLimits, Kind, Mode, Tape, Value};
use crate::protocol::Protocol;
use crate::sse::{Decoder, EventTooLong, Frame};

/// Choices beyond this many, OpenAI's own limit, are not told apart.
const MAX_CHOICES: u64 = 128;

/// Names that an upstream states are kept up to this many characters.
const MAX_NAME_CHARS: usize = 128;

/// How a stream is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// Drop the chunk that only reports usage: the router asked for it, the client did not.
    pub drop_usage: bool,
    /// Hold back the bytes of an event until it is whole, so that a stream that breaks inside an
    /// event can still be ended by a readable error. Implied by `drop_usage`.
    pub whole_events: bool,
    /// How many answers the client asked for (`n`).
    pub choices: u32,
    /// The most bytes one event may have, and so the most that is held back.
    pub max_event_bytes: usize,
}

/// Watches a stream: takes each chunk of the upstream, yields the bytes to forward, and keeps
/// what routing wants to know.
///
/// Only events that can matter are read as JSON; the others are searched for the few keys that
/// make them matter.
#[derive(Debug)]
pub struct StreamObserver {
    options: StreamOptions,
    decoder: Decoder,
    tape: Tape,
    /// Bytes taken from the upstream so far.
    received: u64,
    is_broken: bool,
    usage: Option<Usage>,
    model: Option<String>,
    has_content: bool,
    is_done: bool,
    /// `[DONE]` came before the answer was finished.
    is_cut: bool,
    error: Option<Bytes>,
    finish_reasons: Vec<FinishReason>,
    /// Bit per choice index.
    started: u128,
    finished: u128,
}

/// Why one choice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishReason {
    /// Index of the choice.
    pub choice: u32,
    /// The upstream's word for it.
    pub reason: String,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The upstream closed it with `[DONE]` after every choice had its finish reason.
    Complete,
    /// Every choice has a finish reason, but `[DONE]` is missing.
    CompleteWithoutDone,
    /// It broke off before the answer was finished.
    Truncated,
    /// The upstream reported an error in it.
    UpstreamError,
    /// It holds something that cannot be translated without leaving out part of the answer.
    Malformed,
}

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The client gets it as it is.
    Passes,
    Goes,
    /// The client gets this instead.
    Becomes(Bytes),
}

/// Frames to forward that stand side by side in one chunk.
struct Run {
    chunk: Bytes,
    /// Stream offset of the chunk.
    chunk_start: u64,
    range: Range<usize>,
}

/// Searches for the keys, quotes included, that make an event matter.
struct Keys {
    finish_reason: Finder<'static>,
    usage: Finder<'static>,
    error: Finder<'static>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    finish_reason: Finder::new(b"\"finish_reason\""),
    usage: Finder::new(b"\"usage\""),
    error: Finder::new(b"\"error\""),
});

// === impl StreamOptions

impl Default for StreamOptions {
    fn default() -> Self {
        Self { drop_usage: false, whole_events: false, choices: 1, max_event_bytes: 4 << 20 }
    }
}

// === impl StreamObserver

impl StreamObserver {
    /// An observer for one stream.
    pub fn new(options: StreamOptions) -> Self {
        Self {
            options,
            decoder: Decoder::new(options.max_event_bytes),
            tape: Tape::default(),
            received: 0,
            is_broken: false,
            usage: None,
            model: None,
            has_content: false,
            is_done: false,
            is_cut: false,
            error: None,
            finish_reasons: Vec::new(),
            started: 0,
            finished: 0,
        }
    }

    /// Takes a chunk from the upstream and appends what to forward now.
    ///
    /// # Errors
    ///
    /// An event is longer than allowed. End the stream: call [`Self::finish`], then send an error.
    pub fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), EventTooLong> {
        if chunk.is_empty() {
            return Ok(());
        }
        let holds = self.holds();
        if !holds {
            out.push(chunk.clone());
        }
        let chunk_start = self.received;
        self.received += chunk.len() as u64;
        self.decoder.push(chunk.clone());
        let mut run = Run { chunk, chunk_start, range: 0..0 };
        let result = loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    let fate = self.observe(&frame);
                    if holds {
                        run.add(frame, fate, out);
                    }
                }
                Ok(None) => break Ok(()),
                Err(too_long) => {
                    self.is_broken = true;
                    break Err(too_long);
                }
            }
        };
        run.flush(out);
        result
    }

    /// Ends the stream: appends what is left to forward and says how it ended.
    ///
    /// What is appended leaves the stream between two events, so that the caller can add a last
    /// one: `[DONE]`, or an error.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> StreamEnd {
        let rest = if self.is_broken { None } else { self.decoder.finish() };
        let is_inside_event = self.is_broken || rest.as_ref().is_some_and(|rest| !rest.is_terminated);
        // Some servers leave out the last blank line, so an event that is whole but for it counts.
        let whole = rest.filter(|rest| rest.is_terminated || self.is_whole(rest));
        let kept = whole.map(|rest| (self.observe(&rest), rest.raw));
        let has_kept = matches!(kept, Some((Fate::Passes, _)));
        if self.holds() {
            out.extend(kept.and_then(|(fate, raw)| fate.apply(raw)));
        }
        if is_inside_event && (has_kept || !self.holds()) {
            out.push(Bytes::from_static(b"\n\n"));
        }
        self.end()
    }

    /// The usage reported last.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The model the upstream says it is.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether the answer has begun: text, reasoning, a refusal or a tool call was seen.
    pub fn has_content(&self) -> bool {
        self.has_content
    }

    /// Whether `[DONE]` was seen where it belongs.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether `[DONE]` came before the answer was finished. Where bytes are held back the client
    /// does not get it, nor what follows: end the stream.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The data of the first error event.
    pub fn error(&self) -> Option<&Bytes> {
        self.error.as_ref()
    }

    /// The finish reasons, in the order they came, one per choice.
    pub fn finish_reasons(&self) -> &[FinishReason] {
        &self.finish_reasons
    }

    fn holds(&self) -> bool {
        self.options.drop_usage || self.options.whole_events
    }

    fn end(&self) -> StreamEnd {
        match (self.error.is_some(), self.is_done) {
            (true, _) => StreamEnd::UpstreamError,
            (false, true) => StreamEnd::Complete,
            (false, false) if self.has_finished() => StreamEnd::CompleteWithoutDone,
            (false, false) => StreamEnd::Truncated,
        }
    }

    /// Whether every choice that began has a finish reason.
    fn has_finished(&self) -> bool {
        self.finished != 0 && self.started & !self.finished == 0
    }

    /// Reads a frame; says what the client gets of it.
    fn observe(&mut self, frame: &Frame) -> Fate {
        if self.is_cut {
            return Fate::Goes;
        }
        let event = frame.event();
        let Some(data) = event.data else { return Fate::Passes };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.is_done = self.error.is_some() || self.has_finished();
            self.is_cut = !self.is_done;
            return if self.is_done { Fate::Passes } else { Fate::Goes };
        }
        let mut is_error = event.name == Some(b"error");
        let mut is_kept = true;
        if is_error || self.can_matter(data) {
            let text = std::str::from_utf8(data).unwrap_or_default();
            // Taken out so that `self` can change while the tape is read; put back for its memory.
            let mut tape = std::mem::take(&mut self.tape);
            if tape.scan(text, &JsonLimits::default(), Mode::Tolerant).is_ok() {
                let chunk = tape.root(text);
                is_error |= tells_error(chunk);
                is_kept = self.read_chunk(chunk) || is_error;
            }
            self.tape = tape;
        }
        if is_error {
            let told = own_event(event.name, data, Protocol::Chat);
            self.error.get_or_insert_with(|| Bytes::copy_from_slice(data));
            return told.map_or(Fate::Passes, Fate::Becomes);
        }
        if is_kept { Fate::Passes } else { Fate::Goes }
    }

    /// Whether the data can hold anything that is not known yet. May say yes for a key inside
    /// something else; never says no for one that is there.
    fn can_matter(&self, data: &[u8]) -> bool {
        !self.has_content
            || self.options.choices > 1
            || states_key(&KEYS.finish_reason, data)
            || states_key(&KEYS.usage, data)
            || KEYS.error.find(data).is_some()
    }

    /// Reads a chunk; says whether the client gets it.
    fn read_chunk(&mut self, chunk: Value<'_>) -> bool {
        if chunk.kind() != Kind::Object {
            return true;
        }
        if self.model.is_none() {
            let model = chunk.get("model").and_then(Value::as_str);
            self.model = model.filter(|model| !model.is_empty()).map(|model| cut(&model));
        }
        let mut has_choices = false;
        for choice in chunk.get("choices").into_iter().flat_map(Value::items) {
            has_choices = true;
            self.read_choice(choice);
        }
        let usage = chunk.get("usage").and_then(usage_of);
        self.usage = usage.or(self.usage);
        let reports_usage_only = usage.is_some() && !has_choices;
        !(reports_usage_only && self.options.drop_usage)
    }

    fn read_choice(&mut self, choice: Value<'_>) {
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0).min(MAX_CHOICES - 1);
        let bit = 1_u128 << index;
        self.started |= bit;
        self.has_content |= has_content(choice);
        let reason = choice.get("finish_reason").and_then(Value::as_str);
        // Some servers write an empty word where others write null.
        let Some(reason) = reason.filter(|reason| !reason.is_empty()) else { return };
        if self.finished & bit == 0 {
            self.finished |= bit;
            self.finish_reasons.push(FinishReason { choice: index as u32, reason: cut(&reason) });
        }
    }

    /// Whether the unfinished last frame is an event but for its blank line.
    fn is_whole(&mut self, rest: &Frame) -> bool {
        let event = rest.event();
        let Some(data) = event.data else { return false };
        let data = data.trim_ascii();
        let Ok(text) = std::str::from_utf8(data) else { return false };
        data == b"[DONE]"
            || data.starts_with(b"{") && self.tape.scan(text, &JsonLimits::default(), Mode::Tolerant).is_ok()
    }
}

/// Whether `data` holds the key that `quoted_key` finds with a value other than null.
///
/// Inside a string the key's quotes are escaped, so a match followed by a colon is the end of a
/// key. `"finish_reason":null`, which most servers send in every chunk, does not count.
fn states_key(quoted_key: &Finder<'_>, data: &[u8]) -> bool {
    quoted_key.find_iter(data).any(|at| {
        let rest = data[at + quoted_key.needle().len()..].trim_ascii_start();
        let Some(value) = rest.strip_prefix(b":") else { return false };
        !value.trim_ascii_start().starts_with(b"null")
    })
}

fn tells_error(chunk: Value<'_>) -> bool {
    chunk.get("error").is_some_and(|error| !error.is_null())
        || chunk.get("object").and_then(Value::as_str).is_some_and(|object| object == "error")
}

fn has_content(choice: Value<'_>) -> bool {
    let delta = choice.get("delta").or_else(|| choice.get("message"));
    let mut members = delta.into_iter().flat_map(Value::members);
    members.any(|member| match &*member.key {
        "role" => false,
        _ => match member.value.kind() {
            Kind::String => member.value.raw() != "\"\"",
            Kind::Array => member.value.items().next().is_some(),
            Kind::Object => true,
            _ => false,
        },
    })
}

// === impl Fate

impl Fate {
    /// What the client gets of a frame with the bytes `raw`.
    fn apply(self, raw: Bytes) -> Option<Bytes> {
        match self {
            Self::Passes => Some(raw),
            Self::Goes => None,
            Self::Becomes(other) => Some(other),
        }
    }
}

// === impl Run

impl Run {
    /// Adds a frame that ends in the chunk; it may have begun before.
    fn add(&mut self, frame: Frame, fate: Fate, out: &mut Vec<Bytes>) {
        let end = (frame.offset + frame.raw.len() as u64 - self.chunk_start) as usize;
        if fate == Fate::Passes && frame.offset >= self.chunk_start {
            self.range.end = end;
            return;
        }
        self.flush(out);
        out.extend(fate.apply(frame.raw));
        self.range = end..end;
    }

    fn flush(&mut self, out: &mut Vec<Bytes>) {
        if !self.range.is_empty() {
            out.push(self.chunk.slice(self.range.clone()));
        }
    }
}

fn cut(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}
