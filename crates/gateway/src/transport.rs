//! The byte stream under a connection: tells what it does, and closes so that a refused client can read why.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{activity::Activity, framing::Framing};

/// A stream whose progress is noted.
pub(crate) struct Transport<S> {
    stream: S,
    activity: Arc<Activity>,
    framing: Framing,
    discarded_bytes: usize,
}

/// What a refused client may send before it is cut off.
const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;

// === impl Transport ===

impl<S> Transport<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, framing: Framing::default(), discarded_bytes: 0 }
    }
}

impl<S: AsyncRead + Unpin> Transport<S> {
    /// Reads what is still being sent: closing with unread bytes resets the connection, and takes the answer with it.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 8 * 1024];
        while self.discarded_bytes < MAX_DISCARDED_BYTES {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.discarded_bytes += buffer.filled().len(),
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Transport<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.activity.received_bytes();
            self.framing.follow(&mut buffer.filled_mut()[before..]);
            if self.framing.is_ambiguous() {
                self.activity.set_ambiguous();
            }
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.activity.sent_bytes();
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        self.activity.sent_bytes();
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.close();
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        if self.activity.has_unread_body() {
            ready!(self.poll_discard(cx));
        }
        Poll::Ready(Ok(()))
    }
}
