//! What is known of one backend's health: calls in flight, failures in a row, what checks say, and until when it is left
//! out.

use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
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
    check_state: AtomicU8,
    checks_in_row: AtomicU32,
    is_checked_out: AtomicBool,
    /// Whether it was ejected and did not answer since.
    is_doubtful: AtomicBool,
    /// Whether one call tries whether it is well again.
    is_on_trial: AtomicBool,
}

/// What health checks say of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// Nothing yet, or none are made.
    Unknown,
    /// It is well.
    Passing,
    /// It is not.
    Failing,
}

// === impl Health

impl Health {
    /// Whether it is neither ejected nor asked for a pause.
    pub fn is_available(&self, now: Timestamp) -> bool {
        !self.is_ejected(now) && !is_ahead(self.paused_until.load(Ordering::Relaxed), now)
    }

    /// Whether it is left out, after failures in a row or because its checks fail.
    pub fn is_ejected(&self, now: Timestamp) -> bool {
        self.is_checked_out() || is_ahead(self.ejected_until.load(Ordering::Relaxed), now)
    }

    /// Whether it is left out because its checks fail.
    pub fn is_checked_out(&self) -> bool {
        self.is_checked_out.load(Ordering::Relaxed)
    }

    /// What its checks say.
    pub fn check_state(&self) -> CheckState {
        match self.check_state.load(Ordering::Relaxed) {
            1 => CheckState::Passing,
            2 => CheckState::Failing,
            _ => CheckState::Unknown,
        }
    }

    /// The calls that are not over.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// A call begins. The first one after an ejection is a trial: while it lasts, but for no longer than `trial`, the
    /// others go elsewhere.
    pub(crate) fn begin(&self, now: impl FnOnce() -> Timestamp, trial: Duration) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if self.is_doubtful.load(Ordering::Relaxed) {
            let seen = self.ejected_until.load(Ordering::Relaxed);
            let until = now().0.saturating_add(millis(trial).min(LONGEST)).max(seen);
            let swapped =
                self.ejected_until.compare_exchange(seen, until, Ordering::Relaxed, Ordering::Relaxed);
            if swapped.is_ok() {
                self.is_on_trial.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// A call was answered. A backend that stayed well for `calm` since its last ejection begins to be trusted again.
    pub(crate) fn succeeded(&self, now: Timestamp, calm: Duration) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.is_on_trial.load(Ordering::Relaxed) && self.is_on_trial.swap(false, Ordering::Relaxed) {
            self.is_doubtful.store(false, Ordering::Relaxed);
            self.ejected_until.store(now.0, Ordering::Relaxed);
        }
        if self.ejections.load(Ordering::Relaxed) != 0 {
            let trusted_from = self.ejected_until.load(Ordering::Relaxed).saturating_add(millis(calm));
            if trusted_from <= now.0 {
                self.ejections.store(0, Ordering::Relaxed);
            }
        }
    }

    /// A call failed: how many did in a row. If it was a trial, so many that it is ejected again.
    pub(crate) fn failed(&self) -> u32 {
        if self.is_on_trial.swap(false, Ordering::Relaxed) {
            // Free to be ejected for longer than the trial.
            self.ejected_until.store(0, Ordering::Relaxed);
            return u32::MAX;
        }
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
            self.is_doubtful.store(true, Ordering::Relaxed);
            self.is_on_trial.store(false, Ordering::Relaxed);
        }
        swapped
    }

    /// It asked not to be called for so long.
    pub(crate) fn pause(&self, now: Timestamp, span: Duration) {
        self.paused_until.store(now.0.saturating_add(millis(span)), Ordering::Relaxed);
    }
}

/// What checks tell. They are told one after the other.
impl Health {
    /// A check said whether it is well; it takes `enough` in a row that say the same to change what is held of it, and one
    /// if nothing is held yet and it is well. Says what is held now, and whether that is news.
    pub(crate) fn checked(&self, is_well: bool, enough: u32) -> (CheckState, bool) {
        let said = if is_well { CheckState::Passing } else { CheckState::Failing };
        let held = self.check_state();
        if said == held {
            self.checks_in_row.store(0, Ordering::Relaxed);
            return (held, false);
        }
        let in_row = self.checks_in_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let is_first = held == CheckState::Unknown && is_well;
        if in_row < enough && !is_first {
            return (held, false);
        }
        self.checks_in_row.store(0, Ordering::Relaxed);
        self.check_state.store(said as u8, Ordering::Relaxed);
        (said, true)
    }

    /// Leaves it out, or not any more, because of its checks.
    pub(crate) fn check_out(&self, is_out: bool) {
        self.is_checked_out.store(is_out, Ordering::Relaxed);
    }

    /// It is checked no more: what checks said counts for nothing.
    pub fn forget_checks(&self) {
        self.check_out(false);
        self.checks_in_row.store(0, Ordering::Relaxed);
        self.check_state.store(CheckState::Unknown as u8, Ordering::Relaxed);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn is_ahead(until: u64, now: Timestamp) -> bool {
    until > now.0 && until - now.0 <= LONGEST
}
