//! Which model signed the reasoning that passed through under its provider's own signature.
//!
//! Where both sides speak Messages an answer passes as it is, so its signatures bear no mark. They
//! are remembered instead, as hashes, so that they do not go to another model in a later turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::conversation::origin_of;

/// A bounded memory of signatures; the oldest are forgotten first. Shared by all threads.
#[derive(Debug)]
pub struct SignatureMemory {
    known: Mutex<Known>,
    capacity: usize,
}

/// Fingerprints of signatures with those of the models that made them.
#[derive(Debug, Default)]
struct Known {
    models: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

// === impl SignatureMemory

impl SignatureMemory {
    /// A memory of at most `capacity` signatures, of about 50 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self { known: Mutex::default(), capacity: capacity.max(1) }
    }

    /// Notes that `model` made the signatures with these fingerprints.
    pub fn note(&self, model: &str, fingerprints: &[u64]) {
        let origin = origin_of(model);
        let mut known = self.known();
        for &fingerprint in fingerprints {
            if known.models.insert(fingerprint, origin).is_some() {
                continue;
            }
            known.order.push_back(fingerprint);
            if known.order.len() > self.capacity
                && let Some(oldest) = known.order.pop_front()
            {
                known.models.remove(&oldest);
            }
        }
    }

    /// Whether `model` made `signature`; none if that is not known.
    pub fn is_of(&self, model: &str, signature: &str) -> Option<bool> {
        let origin = self.known().models.get(&fingerprint(signature)).copied();
        origin.map(|origin| origin == origin_of(model))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is remembered of a signature.
pub(crate) fn fingerprint(signature: &str) -> u64 {
    origin_of(signature)
}
