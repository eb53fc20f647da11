//! A gate a test holds shut, behind which a backend waits.

use std::sync::Arc;

use tokio::sync::watch;

use crate::wait::{DEADLINE, Watched};

/// Holds whoever passes through it until the test opens it. Clones share one gate.
#[derive(Clone, Debug)]
pub struct Gate {
    open: watch::Sender<bool>,
    arrived: Arc<Watched<usize>>,
}

impl Gate {
    /// A shut gate.
    #[must_use]
    pub fn new() -> Self {
        Self { open: watch::Sender::new(false), arrived: Arc::default() }
    }

    /// Lets everybody through, now and from here on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Shuts the gate again for those who have not passed yet.
    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    /// How many have arrived at the gate so far, whether they passed or still wait.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.arrived.read(|count| *count)
    }

    /// Blocks until `count` have arrived at the gate.
    ///
    /// # Panics
    /// When the deadline passes first.
    pub fn wait_arrived(&self, count: usize) {
        if self.arrived.wait_for(DEADLINE, |arrived| (*arrived >= count).then_some(())).is_none() {
            panic!("{} of {count} arrived at the gate within {DEADLINE:?}", self.arrived());
        }
    }

    pub(crate) async fn pass(&self) {
        self.arrived.update(|count| *count += 1);
        // The sender lives in `self`, so waiting cannot fail.
        let mut state = self.open.subscribe();
        let _opened = state.wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
