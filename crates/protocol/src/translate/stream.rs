//! Streams for whatever protocol the client speaks, event by event.

use bytes::Bytes;
use vsr_types::Usage;

use crate::answer::{AnswerContext, Broken, Completeness, Event, RepeatedKeys, StopReason, TokenUsage};
use crate::anthropic::{MessagesReader, MessagesWriter};
use crate::error::{ApiError, own_event};
use crate::json::{JsonLimits, Kind, Mode, Tape};
use crate::loss::{Losses, Reason};
use crate::openai_chat::{ChatReader, ChatWriter, StreamEnd};
use crate::openai_responses::{ResponsesReader, ResponsesWriter};
use crate::protocol::Protocol;
use crate::signatures::fingerprint;
use crate::sse::{Decoder, EventTooLong, Frame};

/// What a translated stream may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TranslatorOptions {
    /// The most bytes one event of the upstream may have.
    pub max_event_bytes: usize,
    /// The most bytes of the answer that are held where the client's protocol demands it: the whole
    /// answer for Responses, overlapping calls for Messages.
    pub max_held_bytes: usize,
}

/// Takes the chunks of an upstream's stream and yields the events of the client's.
///
/// Where both speak the same protocol the upstream's events pass as they are, and are only read.
/// What comes out does not depend on how the stream was cut into chunks.
#[derive(Debug)]
pub struct StreamTranslator {
    context: AnswerContext,
    options: TranslatorOptions,
    decoder: Decoder,
    tape: Tape,
    reader: Reader,
    writer: Writer,
    losses: Losses,
    seen: Seen,
    is_broken: bool,
    end: Option<StreamEnd>,
    error: Option<ApiError>,
    malformed: Option<&'static str>,
}

/// What was seen of the answer.
#[derive(Debug, Default)]
struct Seen {
    usage: Option<TokenUsage>,
    model: Option<String>,
    has_content: bool,
    stop: Option<StopReason>,
    /// The arguments of calls so far; none for free-form tools, whose text may end anywhere.
    calls: Vec<Option<Arguments>>,
    /// Whether an object in them states a key twice. Only looked for where they are translated.
    repeats_key: bool,
    is_verbatim: bool,
    /// Fingerprints of signatures that nobody has taken yet.
    signatures: Vec<u64>,
}

/// What is known of the arguments of a call.
#[derive(Debug, Clone, Default)]
struct Arguments {
    read: Completeness,
    keys: RepeatedKeys,
}

#[derive(Debug)]
enum Reader {
    Chat(ChatReader),
    Messages(MessagesReader),
    Responses(ResponsesReader),
}

#[derive(Debug)]
enum Writer {
    /// The upstream's own events.
    Verbatim,
    Chat(ChatWriter),
    Messages(MessagesWriter),
    Responses(Box<ResponsesWriter>),
}

/// What an event of the upstream led to.
enum Step {
    Goes,
    Done,
    Failed(ApiError),
    Malformed(&'static str),
}

/// Signatures beyond this many are not remembered.
const MAX_SIGNATURES: usize = 256;

const HALF_CALL: &str = "finished its answer inside the arguments of a tool call";

const MESSAGE_STOP: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

// === impl TranslatorOptions

impl Default for TranslatorOptions {
    fn default() -> Self {
        Self { max_event_bytes: 4 << 20, max_held_bytes: 16 << 20 }
    }
}

// === impl StreamTranslator

impl StreamTranslator {
    /// A translator for one stream.
    pub fn new(context: AnswerContext, options: TranslatorOptions) -> Self {
        let reader = match context.upstream {
            Protocol::Chat => Reader::Chat(ChatReader::default()),
            Protocol::Messages => Reader::Messages(MessagesReader::default()),
            Protocol::Responses => Reader::Responses(ResponsesReader::default()),
        };
        let writer = match (context.client, &context.response) {
            (client, _) if client == context.upstream => Writer::Verbatim,
            (Protocol::Chat, _) => Writer::Chat(ChatWriter::default()),
            (Protocol::Messages, _) => Writer::Messages(MessagesWriter::default()),
            (Protocol::Responses, Some(frame)) => {
                Writer::Responses(Box::new(ResponsesWriter::new(frame.clone())))
            }
            (Protocol::Responses, None) => Writer::Verbatim,
        };
        Self {
            decoder: Decoder::new(options.max_event_bytes),
            context,
            options,
            tape: Tape::default(),
            reader,
            losses: Losses::default(),
            seen: Seen { is_verbatim: matches!(writer, Writer::Verbatim), ..Seen::default() },
            writer,
            is_broken: false,
            end: None,
            error: None,
            malformed: None,
        }
    }

    /// Takes a chunk from the upstream and appends what the client gets now. After the closing
    /// event nothing is read any more.
    ///
    /// # Errors
    ///
    /// An event is longer than allowed. End the stream: call [`Self::finish`], then [`Self::fail`].
    pub fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), EventTooLong> {
        if self.is_broken {
            return Ok(());
        }
        self.decoder.push(chunk);
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => self.frame(&frame, out),
                Ok(None) => return Ok(()),
                Err(too_long) => {
                    self.is_broken = true;
                    return Err(too_long);
                }
            }
        }
    }

    /// Ends the stream and says how it ended. An answer that was finished but for its closing event
    /// gets it; one that broke off or cannot be read does not look finished: call [`Self::fail`] then.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> StreamEnd {
        if !self.is_broken
            && let Some(rest) = self.decoder.finish()
            && (rest.is_terminated || self.is_whole(&rest))
        {
            let closed = Frame { raw: Bytes::from([&rest.raw[..], b"\n\n"].concat()), ..rest };
            self.frame(&closed, out);
        }
        if let Some(end) = self.end {
            return end;
        }
        let end = self.end_of_answer();
        if end == StreamEnd::Complete {
            self.losses.add(Reason::ClosingEvent, "stream");
            self.close(out);
        }
        let end = if end == StreamEnd::Complete { StreamEnd::CompleteWithoutDone } else { end };
        self.end = Some(end);
        end
    }

    /// How the answer ended, by what was read of it.
    fn end_of_answer(&mut self) -> StreamEnd {
        let Some(stop) = self.seen.stop else { return StreamEnd::Truncated };
        let half_by_reader = match &self.reader {
            Reader::Messages(reader) => reader.has_half_call(),
            Reader::Chat(_) | Reader::Responses(_) => false,
        };
        let has_half_call =
            half_by_reader || self.seen.calls.iter().flatten().any(|call| call.read.is_half());
        if has_half_call && !stop.may_cut_calls() && !self.is_verbatim() {
            self.malformed = Some(HALF_CALL);
            return StreamEnd::Malformed;
        }
        StreamEnd::Complete
    }

    /// Whether the upstream's events pass as they are.
    fn is_verbatim(&self) -> bool {
        matches!(self.writer, Writer::Verbatim)
    }

    /// Appends an error as the client's protocol tells it in a stream. It is the last event.
    pub fn fail(&mut self, error: &ApiError, out: &mut Vec<Bytes>) {
        match &mut self.writer {
            Writer::Verbatim | Writer::Chat(_) => out.push(match &self.reader {
                Reader::Responses(reader) => error.to_response_event(reader.next_sequence()),
                Reader::Chat(_) | Reader::Messages(_) => error.to_event(self.context.client),
            }),
            Writer::Messages(writer) => writer.fail(error, out),
            Writer::Responses(writer) => writer.fail(error, out),
        }
    }

    /// The usage reported last.
    pub fn usage(&self) -> Option<Usage> {
        self.seen.usage.map(TokenUsage::to_usage)
    }

    /// The model the upstream says it is.
    pub fn model(&self) -> Option<&str> {
        self.seen.model.as_deref()
    }

    /// Whether the answer has begun: text, reasoning, a refusal or a tool call was seen.
    pub fn has_content(&self) -> bool {
        self.seen.has_content
    }

    /// Whether the upstream's closing event was seen.
    pub fn is_done(&self) -> bool {
        self.end == Some(StreamEnd::Complete)
    }

    /// The error that the upstream reported in the stream.
    pub fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }

    /// What the upstream did where the stream cannot be read, as the rest of a sentence about it.
    pub fn malformed(&self) -> Option<&'static str> {
        self.malformed
    }

    /// Whether nothing of the upstream is read any more although it has not closed the answer: call
    /// [`Self::finish`] then.
    pub fn is_cut(&self) -> bool {
        matches!(self.end, Some(StreamEnd::Truncated | StreamEnd::Malformed))
    }

    /// Takes the fingerprints of signatures that passed to the client without a mark: for
    /// [`SignatureMemory::note`](crate::SignatureMemory::note).
    pub fn take_signatures(&mut self) -> Vec<u64> {
        let signatures = std::mem::take(&mut self.seen.signatures);
        if self.is_verbatim() { signatures } else { Vec::new() }
    }

    /// What was to be known of the request.
    pub fn context(&self) -> &AnswerContext {
        &self.context
    }

    /// What could not be said in the client's protocol. The client is told in a comment before the
    /// closing event.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Bytes held: of an event whose end is not here, and of the answer.
    pub fn held_bytes(&self) -> usize {
        self.decoder.pending_bytes() + self.held_answer_bytes()
    }

    /// Bytes of the answer that are held; the same however the stream was cut.
    fn held_answer_bytes(&self) -> usize {
        let by_writer = match &self.writer {
            Writer::Verbatim | Writer::Chat(_) => 0,
            Writer::Messages(writer) => writer.held_bytes(),
            Writer::Responses(writer) => writer.held_bytes(),
        };
        let by_reader = match &self.reader {
            Reader::Messages(reader) => reader.held_bytes(),
            Reader::Chat(reader) => reader.held_bytes(),
            Reader::Responses(_) => 0,
        };
        by_writer + by_reader
    }

    fn frame(&mut self, frame: &Frame, out: &mut Vec<Bytes>) {
        if self.end.is_some() {
            return;
        }
        let is_verbatim = self.is_verbatim();
        let step = self.read(frame, out);
        if let Step::Done = step {
            let end = self.end_of_answer();
            let closes = self.context.client != Protocol::Messages
                || frame.event().data.is_some_and(|data| data.trim_ascii() != b"[DONE]");
            if end == StreamEnd::Complete && is_verbatim && closes {
                out.push(frame.raw.clone());
            } else if end == StreamEnd::Complete {
                self.close(out);
            }
            // A closing event without an end of the answer closes nothing, and does not pass.
            self.end = Some(end);
            return;
        }
        if is_verbatim {
            let told = match &step {
                Step::Failed(_) => {
                    let event = frame.event();
                    let data = event.data.as_deref().unwrap_or_default();
                    own_event(event.name, data.trim_ascii(), self.context.client)
                }
                _ => None,
            };
            out.push(told.unwrap_or_else(|| frame.raw.clone()));
        }
        match step {
            Step::Goes if self.held_answer_bytes() > self.options.max_held_bytes => {
                let message = format!(
                    "the answer is longer than the {} bytes that a stream may hold",
                    self.options.max_held_bytes
                );
                let error = ApiError::new(502, message).with_code("answer_too_long");
                self.fail(&error, out);
                self.end_with(error);
            }
            Step::Goes | Step::Done => {}
            // Whoever speaks the upstream's own protocol sees for itself what it sent.
            Step::Malformed(_) if is_verbatim => {}
            Step::Malformed(what) => {
                self.malformed = Some(what);
                self.end = Some(StreamEnd::Malformed);
            }
            Step::Failed(error) => {
                if !is_verbatim {
                    self.fail(&error, out);
                }
                self.end_with(error);
            }
        }
    }

    fn end_with(&mut self, error: ApiError) {
        self.error = Some(error);
        self.end = Some(StreamEnd::UpstreamError);
    }

    /// Reads an event, and writes what it becomes.
    fn read(&mut self, frame: &Frame, out: &mut Vec<Bytes>) -> Step {
        let event = frame.event();
        let Some(data) = event.data else { return Step::Goes };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            return Step::Done;
        }
        // Some servers keep the connection alive by an event with nothing in it.
        if data.is_empty() {
            return Step::Goes;
        }
        let Ok(text) = std::str::from_utf8(data) else {
            return Step::Malformed("sent an event that is not UTF-8");
        };
        let Self { context, tape, reader, writer, losses, seen, .. } = self;
        let is_verbatim = matches!(writer, Writer::Verbatim);
        if tape.scan(text, &JsonLimits::default(), Mode::Tolerant).is_err() {
            if event.name == Some(b"error".as_slice()) {
                return Step::Failed(ApiError::of_words(text));
            }
            // What begins like a document is a torn one, and part of the answer was in it.
            if data.starts_with(b"{") {
                return Step::Malformed("sent an event that is not whole JSON");
            }
            if !is_verbatim {
                losses.add_once(Reason::UnreadableEvent, "stream");
            }
            return Step::Goes;
        }
        let root = tape.root(text);
        if root.kind() != Kind::Object {
            if !is_verbatim {
                losses.add_once(Reason::UnreadableEvent, "stream");
            }
            return Step::Goes;
        }
        // What the writer loses is told apart from what the reader loses, and added after. Where
        // events pass as they are, nothing is lost.
        let (mut lost_in_writing, mut lost_in_passing) = (Losses::default(), Losses::default());
        let losses = if is_verbatim { &mut lost_in_passing } else { losses };
        let mut sink = |event: Event<'_>| {
            seen.note(event);
            match writer {
                Writer::Verbatim => {}
                Writer::Chat(writer) => writer.event(event, context, &mut lost_in_writing, out),
                Writer::Messages(writer) => writer.event(event, context, &mut lost_in_writing, out),
                Writer::Responses(writer) => writer.event(event, context, &mut lost_in_writing, out),
            }
        };
        let read = match reader {
            Reader::Chat(reader) => reader.read(root, context, losses, &mut sink).map(|()| false),
            Reader::Messages(reader) => reader.read(root, context, losses, &mut sink),
            Reader::Responses(reader) => reader.read(root, &mut sink),
        };
        if seen.repeats_key {
            losses.add_once(Reason::RepeatedKeys, "arguments");
        }
        for loss in lost_in_writing.iter() {
            losses.add_once(loss.reason, &loss.field);
        }
        match read {
            Ok(true) => Step::Done,
            Ok(false) => Step::Goes,
            Err(Broken::Upstream(error)) => Step::Failed(error),
            Err(Broken::Malformed(what)) => Step::Malformed(what),
        }
    }

    /// Writes what closes the client's stream.
    fn close(&mut self, out: &mut Vec<Bytes>) {
        let Self { context, writer, losses, .. } = self;
        match writer {
            Writer::Verbatim => {
                out.extend(losses.comment());
                match context.client {
                    Protocol::Messages => out.push(Bytes::from_static(MESSAGE_STOP)),
                    Protocol::Chat => out.push(Bytes::from_static(crate::openai_chat::DONE_EVENT)),
                    Protocol::Responses => {}
                }
            }
            Writer::Chat(writer) => writer.finish(context, losses.comment(), out),
            Writer::Messages(writer) => writer.finish(context, losses, out),
            Writer::Responses(writer) => writer.finish(context, losses.comment(), out),
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

// === impl Seen

impl Seen {
    fn note(&mut self, event: Event<'_>) {
        if let Event::Signature(sealed) | Event::Redacted(sealed) = event
            && self.signatures.len() < MAX_SIGNATURES
        {
            self.signatures.push(fingerprint(sealed));
        }
        match event {
            Event::Start { model, .. } if !model.is_empty() => {
                self.model.get_or_insert_with(|| model.chars().take(128).collect());
            }
            Event::Text { .. } | Event::Refusal(_) | Event::Thinking(_) | Event::Redacted(_) => {
                self.has_content = true;
            }
            Event::ToolStart { index, is_custom, .. } => {
                self.has_content = true;
                self.calls.resize(self.calls.len().max(index + 1), None);
                self.calls[index] = (!is_custom).then(Arguments::default);
            }
            Event::ToolInput { index, text } => {
                if let Some(Some(call)) = self.calls.get_mut(index) {
                    call.read.push(text);
                    self.repeats_key |= !self.is_verbatim && call.keys.push(text);
                }
            }
            Event::Stop { reason, .. } => self.stop = Some(reason),
            Event::Usage(usage) => self.usage = Some(usage),
            _ => {}
        }
    }
}
