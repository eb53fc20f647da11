//! What a connection is doing, and until when it may: one deadline for every way in which a client can be slow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a connection may stay in each phase.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PhaseLimits {
    /// From a request head's first byte to its last.
    pub(crate) header: Duration,
    /// Between two requests; also without progress while the rest of an answer is written.
    pub(crate) idle: Duration,
    /// From a request's head to the end of its answer.
    pub(crate) request: Duration,
}

/// The phase of one connection. The socket, the service and the timer share it; it orders nothing.
pub(crate) struct Activity {
    opened: Instant,
    limits: LimitCells,
    /// The phase in the two lowest bits; above them, when it began, in nanoseconds since the connection was opened.
    state: AtomicU64,
    has_unread_body: AtomicBool,
    is_ambiguous: AtomicBool,
    has_broken_body: AtomicBool,
}

/// Limits that change with the rules of the listener, in nanoseconds.
#[derive(Default)]
struct LimitCells {
    header: AtomicU64,
    idle: AtomicU64,
    request: AtomicU64,
}

/// Marks the connection as busy with a request until it is dropped.
pub(crate) struct Busy(Arc<Activity>);

const IDLE: u64 = 0;
const HEAD: u64 = 1;
const BUSY: u64 = 2;
const CLOSING: u64 = 3;

/// A request ends itself at its limit; a client that does not even take the answer is cut off this much later.
pub(crate) const REQUEST_GRACE: Duration = Duration::from_secs(5);

/// How long a refused client may go on sending, so that it gets to read why.
const CLOSING_LIMIT: Duration = Duration::from_secs(2);

// === impl Activity ===

impl Activity {
    /// A connection just opened: it owes a request head.
    pub(crate) fn new(limits: PhaseLimits) -> Arc<Self> {
        let cells = LimitCells::default();
        cells.set(limits);
        Arc::new(Self {
            opened: Instant::now(),
            limits: cells,
            state: AtomicU64::new(HEAD),
            has_unread_body: AtomicBool::new(false),
            is_ambiguous: AtomicBool::new(false),
            has_broken_body: AtomicBool::new(false),
        })
    }

    /// Bytes came from the client.
    pub(crate) fn received_bytes(&self) {
        if self.phase() == IDLE {
            self.enter(HEAD, Instant::now());
        }
    }

    /// Whether the client sent a request that could be read in two ways.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ambiguous(&self) {
        self.is_ambiguous.store(true, Ordering::Relaxed);
    }

    /// Bytes went to the client.
    pub(crate) fn sent_bytes(&self) {
        if self.phase() == IDLE {
            self.enter(IDLE, Instant::now());
        }
    }

    /// A request's head is complete. From now on the connection has these limits.
    pub(crate) fn begin(self: &Arc<Self>, received: Instant, limits: PhaseLimits) -> Busy {
        self.limits.set(limits);
        self.enter(BUSY, received);
        Busy(Arc::clone(self))
    }

    /// The connection is being closed from this side.
    pub(crate) fn close(&self) {
        if self.phase() != CLOSING {
            self.enter(CLOSING, Instant::now());
        }
    }

    /// Whether the client may still be sending a body that nobody reads.
    pub(crate) fn has_unread_body(&self) -> bool {
        self.has_unread_body.load(Ordering::Relaxed)
    }

    pub(crate) fn set_unread_body(&self, is_unread: bool) {
        self.has_unread_body.store(is_unread, Ordering::Relaxed);
    }

    /// Whether the client took back a request within its body.
    pub(crate) fn has_broken_body(&self) -> bool {
        self.has_broken_body.load(Ordering::Relaxed)
    }

    pub(crate) fn set_broken_body(&self) {
        self.has_broken_body.store(true, Ordering::Relaxed);
    }

    /// When the present phase has to end; none where the limit is beyond what the clock can hold.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let state = self.state.load(Ordering::Relaxed);
        let limit = match state & 3 {
            IDLE => LimitCells::get(&self.limits.idle),
            HEAD => LimitCells::get(&self.limits.header),
            BUSY => LimitCells::get(&self.limits.request).saturating_add(REQUEST_GRACE),
            _ => CLOSING_LIMIT,
        };
        (self.opened + Duration::from_nanos(state >> 2)).checked_add(limit)
    }

    fn phase(&self) -> u64 {
        self.state.load(Ordering::Relaxed) & 3
    }

    fn enter(&self, phase: u64, since: Instant) {
        let nanos =
            u64::try_from(since.saturating_duration_since(self.opened).as_nanos()).unwrap_or(u64::MAX >> 2);
        self.state.store(nanos << 2 | phase, Ordering::Relaxed);
    }
}

// === impl LimitCells ===

impl LimitCells {
    fn set(&self, limits: PhaseLimits) {
        for (cell, limit) in
            [(&self.header, limits.header), (&self.idle, limits.idle), (&self.request, limits.request)]
        {
            cell.store(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    fn get(cell: &AtomicU64) -> Duration {
        Duration::from_nanos(cell.load(Ordering::Relaxed))
    }
}

// === impl Busy ===

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(IDLE, Instant::now());
    }
}
