//! Answers by the content of what was asked, bounded in number and in age.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use vsr_signals::external::{RemoteOutcome, RemoteTask};

/// A text, who is asked, and what.
pub(crate) type Key = [u8; 32];

/// Two generations: what is used lives on in the young one; when that has half of the entries, the old one is dropped
/// and the young one takes its place. Only answers are kept, no texts and no failures.
#[derive(Debug)]
pub(crate) struct Cache {
    generations: Mutex<Generations>,
    entries: usize,
    lifetime: Duration,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Entry>,
    old: HashMap<Key, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    outcome: RemoteOutcome,
    at: Instant,
}

/// The key of a question. One set of models has one cache, so a task names the model.
pub(crate) fn key(task: RemoteTask, text: &str) -> Key {
    let mut hasher = Sha256::new();
    hasher.update(task.as_str());
    hasher.update([0]);
    hasher.update(text);
    hasher.finalize().into()
}

// === impl Cache

impl Cache {
    pub(crate) fn new(entries: usize, lifetime: Duration) -> Self {
        Self { generations: Mutex::default(), entries, lifetime }
    }

    pub(crate) fn get(&self, key: &Key, now: Instant) -> Option<RemoteOutcome> {
        let mut generations = self.generations();
        if let Some(entry) = generations.young.get(key) {
            return self.is_fresh(entry, now).then(|| entry.outcome.clone());
        }
        let entry = generations.old.remove(key).filter(|entry| self.is_fresh(entry, now))?;
        let outcome = entry.outcome.clone();
        self.add(&mut generations, *key, entry);
        Some(outcome)
    }

    pub(crate) fn insert(&self, key: Key, outcome: RemoteOutcome, now: Instant) {
        self.add(&mut self.generations(), key, Entry { outcome, at: now });
    }

    fn add(&self, generations: &mut Generations, key: Key, entry: Entry) {
        if generations.young.len() >= self.entries.div_ceil(2) {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, entry);
    }

    fn is_fresh(&self, entry: &Entry, now: Instant) -> bool {
        now.saturating_duration_since(entry.at) < self.lifetime
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        // A panic beside it leaves at most an entry less.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
