//! Streams of responses on their way to a client: told in the router's own ids, and stored before their last event.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use serde_json::json;
use vsr_protocol::{
    ApiError, Edits, Protocol,
    json::{Document, Kind, Value},
    sse::{Decoder, Frame},
};
use vsr_responses::{Draft, Error, Progress};

use super::{Turn, turn};
use crate::{events::EventStream, guard};

/// Where the events come from.
pub(crate) enum Source {
    /// All of them at once; none once taken.
    Whole(Option<Bytes>),
    /// As they arrive from a backend.
    Stream(Box<EventStream>),
}

/// A stream that is stored on its way.
pub(crate) struct Recorder {
    source: Source,
    decoder: Decoder,
    turn: Box<Turn>,
    draft: Draft,
    /// The id that the backend gave the response, if it keeps it.
    upstream_id: Option<String>,
    /// Where it can be read while it is made.
    progress: Option<Progress>,
    /// The number of the last event that had one.
    sequence: Option<u64>,
    /// What the client gets next.
    pending: Vec<Bytes>,
    /// The response on its way into the store.
    saving: Option<Saving>,
    /// Whether the response is as it will stay.
    is_settled: bool,
    /// Whether nothing more comes.
    is_over: bool,
}

/// A response that is being stored, and what waits for it.
struct Saving {
    stored: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
    /// The event that tells the response, and how it is told if it could not be stored.
    told: Option<(Bytes, Bytes)>,
    after: Vec<Bytes>,
}

/// The longest event: the last one repeats the whole answer. What comes in is bounded before it comes here.
const MAX_EVENT_BYTES: usize = 256 * 1024 * 1024;

// === impl Recorder ===

impl Recorder {
    pub(crate) fn new(source: Source, turn: Box<Turn>) -> Self {
        let max_bytes = usize::try_from(turn.responses.bounds().max_entry_bytes).unwrap_or(usize::MAX);
        Self {
            source,
            decoder: Decoder::new(MAX_EVENT_BYTES),
            turn,
            draft: Draft::new(max_bytes),
            upstream_id: None,
            progress: None,
            sequence: None,
            pending: Vec::new(),
            saving: None,
            is_settled: false,
            is_over: false,
        }
    }

    /// Whether the client has all it will get.
    pub(crate) fn is_over(&self) -> bool {
        let source_is_over = match &self.source {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Stream(stream) => stream.is_over(),
        };
        source_is_over && self.is_settled && self.saving.is_none() && self.pending.is_empty()
    }

    /// The next piece for the client.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(saving) = &mut self.saving {
                // What was before it need not wait.
                match saving.stored.as_mut().poll(cx) {
                    Poll::Ready(stored) => self.saved(&stored),
                    Poll::Pending if self.pending.is_empty() => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
            if !self.pending.is_empty() {
                let joined = match self.pending.len() {
                    1 => self.pending.pop(),
                    _ => Some(Bytes::from(std::mem::take(&mut self.pending).concat())),
                };
                return Poll::Ready(joined);
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            let piece = match &mut self.source {
                Source::Whole(bytes) => bytes.take(),
                Source::Stream(stream) => ready!(stream.poll_data(cx)),
            };
            match piece {
                Some(piece) => self.receive(piece),
                None => self.finish(),
            }
        }
    }

    fn receive(&mut self, piece: Bytes) {
        let read = guard::contain_step(|| {
            self.decoder.push(piece);
            // Longer events do not come here.
            while let Ok(Some(frame)) = self.decoder.next_frame() {
                self.frame(&frame);
            }
        });
        if read.is_err() {
            // What was read cannot be trusted any more; the client sees a stream that ends in an error.
            tracing::error!(
                id = self.turn.id.id(),
                "the router panicked while it read a response to store it"
            );
            (self.is_settled, self.is_over, self.saving) = (true, true, None);
            let error =
                ApiError::new(500, "the router failed to handle the answer").with_code("internal_error");
            self.pending = vec![error.to_event(Protocol::Responses)];
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let was_saving = self.saving.is_some();
        let told = self.read(frame).unwrap_or_else(|| frame.raw.clone());
        match &mut self.saving {
            // The event that is waited for.
            Some(_) if !was_saving => {}
            Some(saving) => saving.after.push(told),
            None => self.pending.push(told),
        }
    }

    /// Reads an event; what comes back is told in its place. The last one starts the saving, and waits for it.
    fn read(&mut self, frame: &Frame) -> Option<Bytes> {
        let event = frame.event();
        let data = Bytes::from(event.data?.into_owned());
        let document = Document::parse_tolerant(data)?;
        let root = document.root();
        if self.turn.keeps() && !self.is_settled {
            self.draft.note(root);
        }
        let number = root.get("sequence_number").and_then(Value::as_u64);
        if root.get("type").and_then(Value::as_str).as_deref() == Some("error") {
            // What broke off is told after what came before it.
            let next = self.sequence?.saturating_add(1);
            let mut edits = Edits::default();
            edits.set(&["sequence_number"], &json!(number.unwrap_or(0).max(next)));
            return Some(event_of("error", &edits.apply_to_document(&document)));
        }
        self.sequence = number.max(self.sequence);
        let response = root.get("response").filter(|response| response.kind() == Kind::Object)?;
        let kind = root.get("type").and_then(Value::as_str).unwrap_or_default();
        if self.turn.native.is_some() && self.upstream_id.is_none() {
            self.upstream_id = turn::upstream_id(response);
        }
        let is_last = matches!(&*kind, "response.completed" | "response.incomplete" | "response.failed");
        if self.turn.stores && self.progress.is_none() && !self.is_settled && !is_last {
            self.progress = self.turn.begin(response);
        }
        let told = |is_stored| {
            let json = self.turn.edits(&["response"], is_stored).apply_to_document(&document);
            event_of(&kind, &json)
        };
        if is_last && !self.is_settled && !self.turn.can_go_on_from(response.get("output")) {
            tracing::warn!(id = self.turn.id.id(), "a response whose output cannot be read was not stored");
            (self.is_settled, self.progress) = (true, None);
            return Some(told(false));
        }
        if !is_last || self.is_settled || !self.turn.keeps() {
            self.is_settled |= is_last;
            return Some(told(self.turn.stores));
        }
        let (stored, unstored) = (told(self.turn.stores && !self.is_deleted()), told(false));
        let body = Document::parse_tolerant(Bytes::from(response.raw().to_owned()))
            .map(|response| self.turn.edits(&[], self.turn.stores).apply_to_document(&response))?;
        self.save(String::from_utf8_lossy(&body).into_owned(), Some((stored, unstored)));
        None
    }

    fn save(&mut self, body: String, told: Option<(Bytes, Bytes)>) {
        self.is_settled = true;
        if self.is_deleted() && self.upstream_id.is_some() {
            tracing::warn!(
                id = self.turn.id.id(),
                "a backend keeps its copy of a response that was deleted while it was made"
            );
        }
        let kept = self.turn.kept(body, self.upstream_id.take(), self.progress.take());
        let responses = Arc::clone(&self.turn.responses);
        let stored = Box::pin(async move { responses.keep(kept).await });
        self.saving = Some(Saving { stored, told, after: Vec::new() });
    }

    /// Whether it was deleted while it was made.
    fn is_deleted(&self) -> bool {
        self.progress.as_ref().is_some_and(Progress::is_deleted)
    }

    fn saved(&mut self, stored: &Result<(), Error>) {
        let Some(saving) = self.saving.take() else { return };
        if let Err(error) = stored {
            tracing::warn!(id = self.turn.id.id(), %error, "a response was not stored; its client is told so");
        }
        self.pending.extend(saving.told.map(|(well, ill)| if stored.is_ok() { well } else { ill }));
        self.pending.extend(saving.after);
    }

    /// Nothing more comes. A response that nobody finished has failed.
    fn finish(&mut self) {
        self.is_over = true;
        if let Some(rest) = self.decoder.finish() {
            self.pending.push(rest.raw);
        }
        if !self.is_settled {
            let error = json!({"code": "server_error", "message": "the answer broke off"});
            if let Some(body) = self.broken_off("failed", "error", &error) {
                self.save(body, None);
            }
            self.is_settled = true;
        }
    }

    /// The response so far, as one that ended before its time; none if nothing of it is kept.
    fn broken_off(&self, status: &str, key: &str, why: &serde_json::Value) -> Option<String> {
        if !self.turn.keeps() || self.draft.is_full() {
            return None;
        }
        let mut edits: Edits = self.turn.edits(&[], self.turn.stores);
        edits.set(&[key], why);
        self.draft.ended(status, edits)
    }
}

impl Drop for Recorder {
    /// A client that leaves before the end leaves what it has seen.
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let why = json!({"reason": "client_disconnected"});
        if let Some(body) = self.broken_off("incomplete", "incomplete_details", &why) {
            let kept = self.turn.kept(body, None, self.progress.take());
            self.turn.responses.keep_later(kept);
        }
    }
}

/// An event. Its name is the backend's, and must be no more than a name.
fn event_of(kind: &str, json: &[u8]) -> Bytes {
    if !kind.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Bytes::from([b"data: ", json, b"\n\n"].concat());
    }
    Bytes::from([b"event: ", kind.as_bytes(), b"\ndata: ", json, b"\n\n"].concat())
}
