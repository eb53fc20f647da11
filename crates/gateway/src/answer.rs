//! Answers on their way to a client: the kinds of bodies, and errors in the protocol's shape.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use vsr_protocol::{ApiError, Protocol};

use crate::{
    activity::Busy,
    events::{EncodedStream, EventStream},
    listener::Seat,
    responses::Recorder,
};

/// The body of an answer. While it lives its connection is busy.
pub(crate) struct AnswerBody {
    kind: Kind,
    busy: Option<Busy>,
    seat: Option<Seat>,
}

pub(crate) enum Kind {
    /// All of it; empty once sent.
    Whole(Bytes),
    /// Events as they arrive from a backend.
    Events(Box<EventStream>),
    /// A stream that the backend encoded unasked, as it arrives.
    Encoded(Box<EncodedStream>),
    /// Events of a response that is stored on its way.
    Recorded(Box<Recorder>),
}

pub(crate) type Answer = Response<AnswerBody>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = whole(status, body);
    answer.headers_mut().insert(header::CONTENT_TYPE, JSON);
    answer
}

/// An answer with a body that is all there.
pub(crate) fn whole(status: StatusCode, body: Bytes) -> Answer {
    with_body(status, Kind::Whole(body))
}

/// An answer whose body is a stream of events.
pub(crate) fn events(status: StatusCode, stream: EventStream) -> Answer {
    with_body(status, Kind::Events(Box::new(stream)))
}

/// An answer whose body passes untouched.
pub(crate) fn encoded(status: StatusCode, stream: EncodedStream) -> Answer {
    with_body(status, Kind::Encoded(Box::new(stream)))
}

/// An error in the shape of `protocol`.
pub(crate) fn refusal(error: &ApiError, protocol: Protocol) -> Answer {
    let status =
        StatusCode::from_u16(error.status_for(protocol)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json(status, error.to_body(protocol));
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

fn with_body(status: StatusCode, kind: Kind) -> Answer {
    let mut answer = Response::new(AnswerBody::of(kind));
    *answer.status_mut() = status;
    answer
}

// === impl AnswerBody ===

impl AnswerBody {
    /// The body, if it is all there.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Whole(bytes) => Some(bytes),
            Kind::Events(_) | Kind::Encoded(_) | Kind::Recorded(_) => None,
        }
    }

    /// Puts another body in the place of one that is all there.
    pub(crate) fn replace_whole(&mut self, body: Bytes) {
        self.kind = Kind::Whole(body);
    }

    /// Takes the body apart.
    pub(crate) fn into_kind(self) -> Kind {
        self.kind
    }

    /// A body of this kind.
    pub(crate) fn of(kind: Kind) -> Self {
        Self { kind, busy: None, seat: None }
    }

    /// Keeps the connection busy, and the request's seat, until this body is gone.
    pub(crate) fn hold(&mut self, busy: Busy, seat: Option<Seat>) {
        self.busy = Some(busy);
        self.seat = seat;
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = vsr_upstream::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, vsr_upstream::Error>>> {
        match &mut self.kind {
            Kind::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Kind::Events(stream) => stream.poll_data(cx).map(|data| data.map(|data| Ok(Frame::data(data)))),
            Kind::Encoded(stream) => stream.poll_data(cx).map(|data| data.map(|data| data.map(Frame::data))),
            Kind::Recorded(stream) => stream.poll_data(cx).map(|data| data.map(|data| Ok(Frame::data(data)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Events(stream) => stream.is_over(),
            Kind::Encoded(_) => false,
            Kind::Recorded(stream) => stream.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Events(_) | Kind::Encoded(_) | Kind::Recorded(_) => SizeHint::default(),
        }
    }
}
