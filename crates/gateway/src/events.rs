//! Streams on their way from a backend to a client, polled by the client's connection: no task, no queue.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Body as _;
use vsr_protocol::{ApiError, openai_chat::StreamEnd};
use vsr_router::{Backend, Exchange};
use vsr_upstream::Body;

use crate::{failure::Failure, guard, ping::Ping, relay::Relay, turn::Turn};

/// Pieces are joined until they have so many bytes.
const JOINED_BYTES: usize = 32 * 1024;

/// A stream of events. It is read from the backend only as fast as the client takes it, and dropping it closes the
/// connection to the backend.
pub(crate) struct EventStream {
    upstream: Option<Body>,
    relay: Relay,
    /// What the client gets next.
    pending: Vec<Bytes>,
    pending_bytes: usize,
    /// Since when the tasks that may have more to read have had their turn.
    yielded: Option<Turn>,
    exchange: Option<Exchange>,
    backend: Arc<Backend>,
    ping: Ping,
}

/// A stream that the backend encoded although it was told not to: it cannot be looked into.
pub(crate) struct EncodedStream {
    upstream: Body,
    exchange: Option<Exchange>,
}

// === impl EventStream ===

impl EventStream {
    pub(crate) fn new(
        upstream: Body,
        exchange: Exchange,
        backend: Arc<Backend>,
        relay: Relay,
        ping: Ping,
    ) -> Self {
        Self {
            upstream: Some(upstream),
            relay,
            pending: Vec::new(),
            pending_bytes: 0,
            yielded: None,
            exchange: Some(exchange),
            backend,
            ping,
        }
    }

    /// Whether the client has all it will get.
    pub(crate) fn is_over(&self) -> bool {
        self.upstream.is_none() && self.pending.is_empty()
    }

    /// The next piece for the client: all that has arrived by now, as one.
    ///
    /// The backend's connection is read by a task of its own, which hands over one chunk at a time. Where it may have
    /// more, it is given one turn before the client's connection writes: a system call for each piece that arrived
    /// together costs more than all the rest.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while let Some(upstream) = &mut self.upstream {
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.yielded = None;
                    if let Ok(data) = frame.into_data() {
                        self.pending_bytes += data.len();
                        self.receive(data);
                    }
                    if self.pending_bytes >= JOINED_BYTES && !self.pending.is_empty() {
                        break;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::warn!(backend = %self.backend.name, %error, "a stream broke off");
                    self.finish(Some(Failure::of(error.kind())));
                }
                Poll::Ready(None) => self.finish(None),
                Poll::Pending if self.pending.is_empty() => return self.ping.poll(cx).map(Some),
                Poll::Pending if self.yielded.is_some_and(|turn| turn != Turn::current()) => break,
                Poll::Pending => {
                    if self.yielded.is_none() {
                        self.yielded = Some(Turn::current());
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
            }
        }
        self.yielded = None;
        self.pending_bytes = 0;
        self.ping.heard();
        Poll::Ready(self.take_pending())
    }

    /// What is pending, in one piece.
    fn take_pending(&mut self) -> Option<Bytes> {
        if self.pending.len() > 1 {
            let joined = Bytes::from(self.pending.concat());
            self.pending.clear();
            return Some(joined);
        }
        self.pending.pop()
    }

    fn receive(&mut self, data: Bytes) {
        let Self { relay, pending, .. } = self;
        match guard::contain_step(|| relay.feed(data, pending)) {
            Ok(Ok(())) => {
                if self.relay.has_failed() {
                    for piece in &mut self.pending {
                        *piece = self.backend.conceal(std::mem::take(piece));
                    }
                }
                if let Some(exchange) = self.exchange.as_mut().filter(|_| !self.pending.is_empty()) {
                    exchange.first_byte();
                    self.relay.note_signatures(exchange);
                }
                // Known now, so that the last event and the end of the body go out together.
                if self.relay.is_cut() || self.upstream.as_ref().is_some_and(Body::is_end_stream) {
                    self.finish(None);
                }
            }
            Ok(Err(_too_long)) => self.finish(Some(Failure::EVENT_TOO_LONG)),
            Err(_panic) => self.abandon(),
        }
    }

    /// Nothing more comes from the backend. An answer that is finished stays finished, however the connection ended;
    /// one that is not never looks so.
    fn finish(&mut self, failure: Option<Failure>) {
        self.upstream = None;
        let end = self.relay.finish(&mut self.pending);
        let Some(mut exchange) = self.exchange.take() else { return };
        self.relay.report(&exchange);
        if let Some(usage) = self.relay.usage() {
            exchange.usage(usage);
        }
        let error = match end {
            StreamEnd::Complete | StreamEnd::CompleteWithoutDone => None,
            StreamEnd::UpstreamError => Some("upstream_error"),
            StreamEnd::Truncated | StreamEnd::Malformed => {
                let failure = match self.relay.malformed() {
                    Some(what) => Failure::malformed(what),
                    None => failure.unwrap_or(Failure::UNFINISHED),
                };
                let error = failure.to_error(&exchange, &self.backend);
                self.relay.fail(&error, &mut self.pending);
                Some(failure.reason)
            }
        };
        exchange.end(error);
    }

    /// The router itself failed: what the relay holds cannot be used any more.
    fn abandon(&mut self) {
        self.upstream = None;
        self.pending.clear();
        if let Some(exchange) = self.exchange.take() {
            tracing::error!(request_id = %exchange.trace().request_id, "the router panicked while it read a stream");
            let error: ApiError = Failure::INTERNAL.to_error(&exchange, &self.backend);
            self.pending.push(self.relay.bare_error(&error));
            exchange.end(Some(Failure::INTERNAL.reason));
        }
    }
}

impl Drop for EventStream {
    /// Many clients leave at `[DONE]`, before the body's end: they have their answer. The others gave up.
    fn drop(&mut self) {
        let Some(mut exchange) = self.exchange.take() else { return };
        self.relay.report(&exchange);
        if let Some(usage) = self.relay.usage() {
            exchange.usage(usage);
        }
        exchange.end((!self.relay.is_done()).then_some("client_gone"));
    }
}

// === impl EncodedStream ===

impl EncodedStream {
    pub(crate) fn new(upstream: Body, exchange: Exchange) -> Self {
        Self { upstream, exchange: Some(exchange) }
    }

    /// The next piece for the client. An error breaks the client's connection: no event can be added to what is encoded.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, vsr_upstream::Error>>> {
        loop {
            let result = match ready!(Pin::new(&mut self.upstream).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if let Some(exchange) = &mut self.exchange {
                        exchange.first_byte();
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
                Some(Err(error)) => Some(Err(error)),
                None => None,
            };
            let failure = result.as_ref().and_then(|result| result.as_ref().err());
            if let Some(exchange) = self.exchange.take() {
                exchange.end(failure.map(|error| Failure::of(error.kind()).reason));
            }
            return Poll::Ready(result);
        }
    }
}
