//! Waiting for a condition on shared state, with a deadline.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long every waiting function of this crate waits before it fails the test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A value whose every change wakes those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Condvar::new() }
    }

    pub(crate) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.lock())
    }

    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `probe` yields something; `None` when `timeout` passes first.
    pub(crate) fn wait_for<R>(&self, timeout: Duration, mut probe: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let end = Instant::now() + timeout;
        let mut guard = self.lock();
        loop {
            if let Some(found) = probe(&guard) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            guard = self.changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A panicking test must not turn into a second, unrelated panic in whoever looks at the state next.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
