//! The breaker in front of a model: after failures in a row nobody asks for a while, then one call tries.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// The failures in a row that open it; at least 1.
    pub failures: u32,
    /// How long it is open at first; twice as long after each probe that fails.
    pub pause: Duration,
    /// The longest that it is open.
    pub longest_pause: Duration,
}

/// Counts the failures of one model. Shared by all threads; no lock is held while a call is made.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    Probing { pause: Duration },
}

/// The leave to make one call. Dropped without a verdict, it says nothing of the model, and the next call may be the
/// probe.
#[derive(Debug)]
pub struct Permit<'b> {
    breaker: &'b Breaker,
    admitted: Instant,
    is_probe: bool,
    is_settled: bool,
}

// === impl BreakerSettings

impl Default for BreakerSettings {
    /// Five failures, one second, one minute.
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(1), longest_pause: Duration::from_secs(60) }
    }
}

// === impl Breaker

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Leave to call; none while the breaker is open, or another call probes.
    pub fn admit(&self, now: Instant) -> Option<Permit<'_>> {
        let mut state = self.state();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until, pause } if now >= until => {
                *state = State::Probing { pause };
                true
            }
            State::Open { .. } | State::Probing { .. } => return None,
        };
        Some(Permit { breaker: self, admitted: now, is_probe, is_settled: false })
    }

    /// Whether calls are made.
    pub fn is_closed(&self) -> bool {
        matches!(*self.state(), State::Closed { .. })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every state is a valid one, whatever panicked beside it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Permit

impl Permit<'_> {
    /// The model answered.
    pub fn succeed(mut self) {
        self.is_settled = true;
        let mut state = self.breaker.state();
        // A call from before the breaker opened does not close it.
        if self.is_probe || matches!(*state, State::Closed { .. }) {
            *state = State::Closed { failures: 0 };
        }
    }

    /// The model failed.
    pub fn fail(mut self, now: Instant) {
        self.is_settled = true;
        let settings = self.breaker.settings;
        let mut state = self.breaker.state();
        let open = |pause: Duration| State::Open { until: now + pause, pause };
        match *state {
            State::Closed { failures } if failures + 1 >= settings.failures => *state = open(settings.pause),
            State::Closed { failures } => *state = State::Closed { failures: failures + 1 },
            State::Probing { pause } if self.is_probe => {
                *state = open((pause * 2).min(settings.longest_pause));
            }
            State::Probing { .. } | State::Open { .. } => {}
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_settled || !self.is_probe {
            return;
        }
        let mut state = self.breaker.state();
        if let State::Probing { pause } = *state {
            *state = State::Open { until: self.admitted, pause };
        }
    }
}
