//! What an answer's stream passes through: watched only, or translated.

use bytes::Bytes;
use vsr_protocol::{
    AnswerContext, ApiError, Losses, Protocol, Reason, StreamTranslator,
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
    Watched(StreamObserver, Box<Watched>),
    /// Either side speaks something else.
    Translated(Box<StreamTranslator>, Protocol),
}

/// What is kept beside a stream that is only watched.
pub(crate) struct Watched {
    pub(crate) context: AnswerContext,
    losses: Losses,
}

// === impl Watched ===

impl Watched {
    pub(crate) fn new(context: AnswerContext) -> Box<Self> {
        Box::new(Self { context, losses: Losses::default() })
    }
}

// === impl Relay ===

impl Relay {
    pub(crate) fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), EventTooLong> {
        match self {
            Self::Watched(observer, _) => observer.feed(chunk, out),
            Self::Translated(translator, _) => translator.feed(chunk, out),
        }
    }

    /// Ends the stream. What is finished gets its closing event; what is not gets an error by [`Self::fail`].
    pub(crate) fn finish(&mut self, out: &mut Vec<Bytes>) -> StreamEnd {
        match self {
            Self::Watched(observer, watched) => {
                let end = observer.finish(out);
                if end == StreamEnd::CompleteWithoutDone {
                    watched.losses.add(Reason::ClosingEvent, "stream");
                    out.extend(watched.losses.comment());
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
            Self::Watched(..) => out.push(error.to_openai_event()),
            Self::Translated(translator, _) => translator.fail(error, out),
        }
    }

    /// The last event of a stream whose state cannot be trusted any more.
    pub(crate) fn bare_error(&self, error: &ApiError) -> Bytes {
        match self {
            Self::Watched(..) => error.to_openai_event(),
            Self::Translated(_, client) => error.to_event(*client),
        }
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        match self {
            Self::Watched(observer, _) => observer.usage(),
            Self::Translated(translator, _) => translator.usage(),
        }
    }

    /// Counts what the stream's translation lost.
    pub(crate) fn report(&self, exchange: &Exchange) {
        match self {
            Self::Watched(_, watched) => exchange.lost(&watched.context, &watched.losses),
            Self::Translated(translator, _) => exchange.lost(translator.context(), translator.losses()),
        }
    }

    /// Remembers which model signed what just passed.
    pub(crate) fn note_signatures(&mut self, exchange: &Exchange) {
        if let Self::Translated(translator, _) = self {
            let signatures = translator.take_signatures();
            exchange.signed(translator.context(), &signatures);
        }
    }

    /// What the backend did where its stream cannot be read.
    pub(crate) fn malformed(&self) -> Option<&'static str> {
        match self {
            Self::Watched(..) => None,
            Self::Translated(translator, _) => translator.malformed(),
        }
    }

    /// Whether the rest of the backend's stream is of no use.
    pub(crate) fn is_cut(&self) -> bool {
        match self {
            Self::Watched(observer, _) => observer.is_cut(),
            Self::Translated(translator, _) => translator.is_cut(),
        }
    }

    /// Whether the backend said in its stream that it failed.
    pub(crate) fn has_failed(&self) -> bool {
        match self {
            Self::Watched(observer, _) => observer.error().is_some(),
            Self::Translated(translator, _) => translator.error().is_some(),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Watched(observer, _) => observer.is_done(),
            Self::Translated(translator, _) => translator.is_done(),
        }
    }
}
