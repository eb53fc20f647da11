//! What is known of one backend's health: calls in flight, failures in a row, and until when it is left out.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use vsr_types::Timestamp;

/// Longer than this nothing is left out: a clock that was set back must not keep a backend out.
const LONGEST: u64 = 24 * 60 * 60 * 1000;

/// The health of one backend; shared by the adapters that it serves, and carried over from snapshot to snapshot.
///
/// Every number stands for itself, so that none orders another.
#[derive(Debug, Default)]
pub struct Health {
    in_flight: AtomicU32,
    failures: AtomicU32,
    ejections: AtomicU32,
    ejected_until: AtomicU64,
    paused_until: AtomicU64,
}

// === impl Health

impl Health {
    /// Whether it is neither ejected nor asked for a pause.
    pub fn is_available(&self, now: Timestamp) -> bool {
        !self.is_ejected(now) && !is_ahead(self.paused_until.load(Ordering::Relaxed), now)
    }

    /// Whether it is left out after failures in a row.
    pub fn is_ejected(&self, now: Timestamp) -> bool {
        is_ahead(self.ejected_until.load(Ordering::Relaxed), now)
    }

    /// The calls that are not over.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// A call was answered. A backend that stayed well for `calm` since its last ejection begins to be trusted again.
    pub(crate) fn succeeded(&self, now: Timestamp, calm: Duration) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.ejections.load(Ordering::Relaxed) != 0 {
            let trusted_from = self.ejected_until.load(Ordering::Relaxed).saturating_add(millis(calm));
            if trusted_from <= now.0 {
                self.ejections.store(0, Ordering::Relaxed);
            }
        }
    }

    /// A call failed: how many did in a row.
    pub(crate) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Leaves it out: for `base` the first time, then twice as long each time, up to `longest`. False if it is already.
    pub(crate) fn eject(&self, now: Timestamp, base: Duration, longest: Duration) -> bool {
        let seen = self.ejected_until.load(Ordering::Relaxed);
        if is_ahead(seen, now) {
            return false;
        }
        let before = self.ejections.load(Ordering::Relaxed).min(20);
        let span = base.saturating_mul(1 << before).min(longest);
        let until = now.0.saturating_add(millis(span).min(LONGEST));
        let swapped =
            self.ejected_until.compare_exchange(seen, until, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if swapped {
            self.ejections.fetch_add(1, Ordering::Relaxed);
            self.failures.store(0, Ordering::Relaxed);
        }
        swapped
    }

    /// It asked not to be called for so long.
    pub(crate) fn pause(&self, now: Timestamp, span: Duration) {
        self.paused_until.store(now.0.saturating_add(millis(span)), Ordering::Relaxed);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn is_ahead(until: u64, now: Timestamp) -> bool {
    until > now.0 && until - now.0 <= LONGEST
}
