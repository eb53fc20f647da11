//! Signs of life in a stream whose backend is silent, so that nothing on the way takes it for dead.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

/// A comment, which clients of every protocol skip.
const COMMENT: &[u8] = b": ping\n\n";

/// The event that clients of Anthropic know, once their stream has begun.
const EVENT: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

/// When a stream was last heard of, and when it is to be heard of again.
#[derive(Debug)]
pub(crate) struct Ping {
    interval: Option<Duration>,
    knows_event: bool,
    has_begun: bool,
    quiet_since: Instant,
    /// Set at the first silence. It is not set anew by every event: when it runs out it looks whether any came.
    timer: Option<Pin<Box<Sleep>>>,
}

// === impl Ping ===

impl Ping {
    /// A ping after each `interval` of silence; `knows_event` tells clients of Anthropic.
    pub(crate) fn new(interval: Option<Duration>, knows_event: bool) -> Self {
        Self { interval, knows_event, has_begun: false, quiet_since: Instant::now(), timer: None }
    }

    /// The client is sent something.
    pub(crate) fn heard(&mut self) {
        self.has_begun = true;
        if self.interval.is_some() {
            self.quiet_since = Instant::now();
        }
    }

    /// What to send now that it has been silent long enough; else the task is woken when it has.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Some(interval) = self.interval else { return Poll::Pending };
        loop {
            let due = self.quiet_since + interval;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if due > now {
                timer.as_mut().reset(due);
                continue;
            }
            self.quiet_since = now;
            timer.as_mut().reset(now + interval);
            let is_event = self.knows_event && self.has_begun;
            return Poll::Ready(Bytes::from_static(if is_event { EVENT } else { COMMENT }));
        }
    }
}
