//! Owns a response's body: frames as they arrive, read only when asked for, under the call's time limits.

use std::{
    error::Error as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::{
    Endpoint, Error, ErrorKind,
    multiplex::Lease,
    pool::{Connection, Pool},
    timer::{Timer, after},
};

/// An announced length makes us reserve this much, at most, before the bytes are there.
const MAX_TRUSTED_LENGTH: usize = 1 << 20;

/// The body of a [`Response`](crate::Response).
///
/// Nothing is read from the server beyond one buffer until the body is polled, so a slow reader slows the server. When the
/// body has been read to its end the connection goes back to the pool; dropping it earlier closes the connection (of HTTP/2,
/// the stream), which tells the server to stop. Trailers are read and ignored. After an error the body yields nothing more.
pub struct Body {
    open: Option<Open>,
    endpoint: Arc<Endpoint>,
    timer: Timer,
    limits: BodyLimits,
    waiting_since: Option<Instant>,
}

/// What is held until the body's end.
struct Open {
    incoming: Incoming,
    held: Held,
}

/// What the body arrives on.
pub(crate) enum Held {
    /// A connection of its own, and where it goes at the end if it may serve again.
    Own { connection: Connection, pool: Arc<Pool>, reusable: bool },
    /// A place on a connection that others use too. Boxed, as it is the rare one.
    Shared(Box<Lease>),
}

/// The time limits that still apply once the head has come.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimits {
    pub(crate) stream_idle: Duration,
    pub(crate) deadline: Option<Instant>,
}

// === impl Body ===

impl Body {
    pub(crate) fn new(incoming: Incoming, held: Held, timer: Timer, limits: BodyLimits) -> Self {
        let endpoint = Arc::clone(match &held {
            Held::Own { connection, .. } => &connection.endpoint,
            Held::Shared(lease) => &lease.endpoint,
        });
        let ended = incoming.is_end_stream();
        let open = Some(Open { incoming, held });
        let mut body = Self { open, endpoint, timer, limits, waiting_since: None };
        if ended {
            body.finish();
        }
        body
    }

    /// The next piece of the body, as it arrived; none at the end.
    pub async fn frame(&mut self) -> Option<Result<Bytes, Error>> {
        std::future::poll_fn(|cx| self.poll_data(cx)).await
    }

    /// Reads the body to its end into one buffer of at most `max_bytes`.
    pub async fn collect(mut self, max_bytes: usize) -> Result<Bytes, Error> {
        let too_large = |body: &Self| {
            let reason = format!("more than the {max_bytes} bytes accepted");
            Error::new(ErrorKind::BodyTooLarge, body.endpoint.authority(), reason)
        };
        let announced = self.size_hint().lower();
        if announced > max_bytes as u64 {
            return Err(too_large(&self));
        }
        let Some(first) = self.frame().await.transpose()? else { return Ok(Bytes::new()) };
        if first.len() > max_bytes {
            return Err(too_large(&self));
        }
        if self.is_end_stream() {
            return Ok(first);
        }
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let mut collected = BytesMut::with_capacity(announced.min(MAX_TRUSTED_LENGTH).max(first.len()));
        collected.extend_from_slice(&first);
        while let Some(data) = self.frame().await.transpose()? {
            if collected.len() + data.len() > max_bytes {
                return Err(too_large(&self));
            }
            collected.extend_from_slice(&data);
        }
        Ok(collected.freeze())
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let Some(open) = &mut self.open else { return Poll::Ready(None) };
            match Pin::new(&mut open.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting_since = None;
                    if open.incoming.is_end_stream() {
                        self.finish();
                    } else if self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return self.fail(ErrorKind::TotalTimeout, "the body had not ended");
                    }
                    match frame.into_data() {
                        Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                        Ok(_) | Err(_) => {}
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let (kind, reason) = describe(&error);
                    return self.fail(kind, &reason);
                }
                Poll::Ready(None) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Poll::Pending => return self.poll_limits(cx),
            }
        }
    }

    /// Called when no data is there: the idle clock runs only while someone waits for data.
    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let waiting_since = *self.waiting_since.get_or_insert_with(Instant::now);
        let idle = after(waiting_since, self.limits.stream_idle);
        let total_first = match (self.limits.deadline, idle) {
            (Some(total), Some(idle)) => total <= idle,
            (total, _) => total.is_some(),
        };
        let Some(limit) = (if total_first { self.limits.deadline } else { idle }) else {
            return Poll::Pending;
        };
        if self.timer.poll_passed(cx, limit).is_pending() {
            Poll::Pending
        } else if total_first {
            self.fail(ErrorKind::TotalTimeout, "the body had not ended")
        } else {
            let reason = format!("no data for {:?}", self.limits.stream_idle);
            self.fail(ErrorKind::StreamIdleTimeout, &reason)
        }
    }

    fn finish(&mut self) {
        if let Some(Open { held: Held::Own { connection, pool, reusable: true }, .. }) = self.open.take()
            && connection.is_request_out()
        {
            pool.check_in(connection);
        }
    }

    fn fail(&mut self, kind: ErrorKind, reason: &str) -> Poll<Option<Result<Bytes, Error>>> {
        self.open = None;
        Poll::Ready(Some(Err(Error::new(kind, self.endpoint.authority(), reason))))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.poll_data(cx).map(|data| data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.open.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.open.as_ref().map_or_else(|| SizeHint::with_exact(0), |open| open.incoming.size_hint())
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("endpoint", &self.endpoint.authority())
            .field("ended", &self.open.is_none())
            .finish()
    }
}

/// A broken chunk is the server's fault and would break again; everything else is a connection that ended early.
fn describe(error: &hyper::Error) -> (ErrorKind, String) {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match cause {
        Some(cause) if matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
            (ErrorKind::InvalidResponse, format!("the body is not valid: {cause}"))
        }
        Some(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
            (ErrorKind::Truncated, "the connection was closed before the body's end".to_owned())
        }
        Some(cause) => (ErrorKind::Truncated, cause.to_string()),
        None if error.source().is_some_and(|source| source.is::<h2::Error>()) => {
            (ErrorKind::Truncated, "the stream was broken off before the body's end".to_owned())
        }
        None => (ErrorKind::Truncated, "the connection broke before the body's end".to_owned()),
    }
}
