//! Results by content, bounded by bytes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::fingerprint::Fingerprint;
use crate::model::Encoded;

/// A text under a model: the hash of both.
pub(crate) type Key = Fingerprint;

/// Two generations of results: what is used lives on in the young one; when that has half of the bytes, the old one is
/// dropped and the young one takes its place.
#[derive(Debug)]
pub(crate) struct Cache {
    limit: usize,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    entries: HashMap<Key, Arc<Encoded>, foldhash::fast::RandomState>,
    bytes: usize,
}

impl Generation {
    fn insert(&mut self, key: Key, encoded: Arc<Encoded>) {
        let bytes = cost(&encoded);
        if let Some(before) = self.entries.insert(key, encoded) {
            self.bytes -= cost(&before);
        }
        self.bytes += bytes;
    }
}

fn cost(encoded: &Encoded) -> usize {
    // An entry of the map and the counters of the `Arc`s.
    encoded.bytes() + 96
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, young: Generation::default(), old: Generation::default() }
    }

    pub(crate) fn get(&mut self, key: &Key) -> Option<Arc<Encoded>> {
        if let Some(found) = self.young.entries.get(key) {
            return Some(Arc::clone(found));
        }
        let found = self.old.entries.remove(key)?;
        self.old.bytes -= cost(&found);
        self.insert(*key, Arc::clone(&found));
        Some(found)
    }

    pub(crate) fn insert(&mut self, key: Key, encoded: Arc<Encoded>) {
        if cost(&encoded) > self.limit / 2 {
            return;
        }
        if self.young.bytes + cost(&encoded) > self.limit / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, encoded);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }
}
