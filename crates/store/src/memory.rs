//! A bounded store in memory, for tests and for processes without a writable directory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use vsr_types::Timestamp;

use crate::{Change, Error, KeyValue, Stored, entry};

type Entries = BTreeMap<(String, String), Vec<u8>>;

/// Values in memory, lost when the process ends.
#[derive(Debug)]
pub struct MemoryStore {
    max_entries: usize,
    entries: Mutex<Entries>,
}

// === impl MemoryStore

impl MemoryStore {
    /// A store of at most `max_entries` values.
    pub fn new(max_entries: usize) -> Self {
        Self { max_entries, entries: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyValue for MemoryStore {
    fn get(&self, space: &str, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        let stored = self.entries().get(&(space.to_owned(), key.to_owned())).cloned();
        Ok(stored.and_then(|stored| entry::decode(&stored, now)))
    }

    fn put(
        &self,
        space: &str,
        key: &str,
        value: &[u8],
        time_to_live: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut entries = self.entries();
        let key = (space.to_owned(), key.to_owned());
        if !entries.contains_key(&key) && entries.len() >= self.max_entries {
            entries.retain(|_, stored| !entry::is_expired(stored, now));
            if entries.len() >= self.max_entries {
                return Err(Error::Full { entries: entries.len() });
            }
        }
        entries.insert(key, entry::encode(value, time_to_live, now));
        Ok(())
    }

    fn delete(&self, space: &str, key: &str) -> Result<bool, Error> {
        Ok(self.entries().remove(&(space.to_owned(), key.to_owned())).is_some())
    }

    fn write(&self, space: &str, changes: &[Change<'_>], now: Timestamp) -> Result<(), Error> {
        let mut entries = self.entries();
        let key_of = |key: &str| (space.to_owned(), key.to_owned());
        let fresh = |entries: &Entries| {
            let is_fresh = |change: &&Change<'_>| match change {
                Change::Put { key, .. } => !entries.contains_key(&key_of(key)),
                Change::Delete { .. } => false,
            };
            let is_gone = |change: &&Change<'_>| match change {
                Change::Put { .. } => false,
                Change::Delete { key } => entries.contains_key(&key_of(key)),
            };
            (changes.iter().filter(is_fresh).count() + entries.len())
                .saturating_sub(changes.iter().filter(is_gone).count())
        };
        if fresh(&entries) > self.max_entries {
            entries.retain(|_, stored| !entry::is_expired(stored, now));
            if fresh(&entries) > self.max_entries {
                return Err(Error::Full { entries: entries.len() });
            }
        }
        for change in changes {
            match change {
                Change::Put { key, value, time_to_live } => {
                    entries.insert(key_of(key), entry::encode(value, *time_to_live, now));
                }
                Change::Delete { key } => {
                    entries.remove(&key_of(key));
                }
            }
        }
        Ok(())
    }

    fn scan(&self, space: &str, now: Timestamp, show: &mut dyn FnMut(Stored<'_>)) -> Result<(), Error> {
        let entries = self.entries();
        let from = (space.to_owned(), String::new());
        for ((_, key), stored) in entries.range(from..).take_while(|((other, _), _)| other == space) {
            if let Some((value, expires)) = entry::open(stored, now) {
                show(Stored { key, value, expires });
            }
        }
        Ok(())
    }

    fn sweep(&self, now: Timestamp) -> Result<usize, Error> {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|_, stored| !entry::is_expired(stored, now));
        Ok(before - entries.len())
    }
}
