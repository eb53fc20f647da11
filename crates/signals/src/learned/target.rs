//! A rule's atom, and what becomes of it.

use vsr_types::{AtomId, Evidence, OnError, UnavailableReason};

use crate::external::RemoteFailure;

/// Where a rule's evidence goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) atom: AtomId,
    on_error: OnError,
}

// === impl Target

impl Target {
    pub(super) fn new(atom: AtomId, on_error: impl Into<OnError>) -> Self {
        Self { atom, on_error: on_error.into() }
    }

    /// The rule matched with `confidence`, or did not match.
    pub(super) fn settle(self, confidence: Option<f64>, evidence: &mut Evidence) {
        match confidence {
            Some(confidence) => evidence.set_matched(self.atom, confidence),
            None => evidence.set_not_matched(self.atom),
        }
    }

    /// The rule could not be evaluated.
    pub(super) fn fail(self, reason: UnavailableReason, evidence: &mut Evidence) {
        evidence.set_unavailable(self.atom, reason, self.on_error);
    }

    /// The rule could not be evaluated for want of a model served elsewhere.
    pub(super) fn fail_remotely(self, failure: &RemoteFailure, evidence: &mut Evidence) {
        self.fail(failure.reason, evidence);
        if !failure.detail.is_empty() {
            evidence.note(self.atom, || failure.detail.clone());
        }
    }
}

/// An example as notes show it.
pub(super) fn excerpt(text: &str) -> &str {
    const MOST: usize = 80;
    text.char_indices().nth(MOST).map_or(text, |(end, _)| &text[..end])
}
