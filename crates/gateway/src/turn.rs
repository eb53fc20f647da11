//! Tells the turns apart in which a worker's connections run.
//!
//! HTTP's state machine polls a body again within one turn, before any other task could run.

use std::cell::Cell;

thread_local! {
    static TURN: Cell<u64> = const { Cell::new(0) };
}

/// A turn of this thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn(u64);

impl Turn {
    /// The turn that runs now.
    pub(crate) fn current() -> Self {
        Self(TURN.get())
    }

    /// Begins the next turn.
    pub(crate) fn begin() {
        TURN.set(TURN.get().wrapping_add(1));
    }
}
