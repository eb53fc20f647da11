//! What an answer's stream passes through: watched only, or translated.

use bytes::Bytes;
use vsr_protocol::{
    ApiError, Protocol, StreamTranslator,
    openai_chat::{DONE_EVENT, StreamEnd, StreamObserver},
    sse::EventTooLong,
};
use vsr_router::Exchange;
use vsr_types::Usage;

/// The way of a stream through the router.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives in a stream that is boxed, and the larger one is the usual one"
)]
pub(crate) enum Relay {
    /// Both sides speak Chat Completions.
    Watched(StreamObserver),
    /// Either side speaks something else.
    Translated(Box<StreamTranslator>, Protocol),
}

// === impl Relay ===

impl Relay {
    pub(crate) fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), EventTooLong> {
        match self {
            Self::Watched(observer) => observer.feed(chunk, out),
            Self::Translated(translator, _) => translator.feed(chunk, out),
        }
    }

    /// Ends the stream. What is finished gets its closing event; what is not gets an error by [`Self::fail`].
    pub(crate) fn finish(&mut self, out: &mut Vec<Bytes>) -> StreamEnd {
        match self {
            Self::Watched(observer) => {
                let end = observer.finish(out);
                if end == StreamEnd::CompleteWithoutDone {
                    out.push(Bytes::from_static(DONE_EVENT));
                }
                end
            }
            Self::Translated(translator, _) => translator.finish(out),
        }
    }

    /// The last event of a stream that failed.
    pub(crate) fn fail(&mut self, error: &ApiError, out: &mut Vec<Bytes>) {
        match self {
            Self::Watched(_) => out.push(error.to_openai_event()),
            Self::Translated(translator, _) => translator.fail(error, out),
        }
    }

    /// The last event of a stream whose state cannot be trusted any more.
    pub(crate) fn bare_error(&self, error: &ApiError) -> Bytes {
        match self {
            Self::Watched(_) => error.to_openai_event(),
            Self::Translated(_, client) => error.to_event(*client),
        }
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        match self {
            Self::Watched(observer) => observer.usage(),
            Self::Translated(translator, _) => translator.usage(),
        }
    }

    /// Counts what the stream's translation lost.
    pub(crate) fn report(&self, exchange: &Exchange) {
        if let Self::Translated(translator, _) = self {
            exchange.lost(translator.context(), translator.losses());
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Watched(observer) => observer.is_done(),
            Self::Translated(translator, _) => translator.is_done(),
        }
    }
}
