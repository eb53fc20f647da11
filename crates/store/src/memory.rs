//! A bounded store in memory, for tests and for processes without a writable directory.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use vsr_types::Timestamp;

use crate::{Error, KeyValue, entry};

/// Values in memory, lost when the process ends.
#[derive(Debug)]
pub struct MemoryStore {
    max_entries: usize,
    entries: Mutex<HashMap<(String, String), Vec<u8>>>,
}

// === impl MemoryStore

impl MemoryStore {
    /// A store of at most `max_entries` values.
    pub fn new(max_entries: usize) -> Self {
        Self { max_entries, entries: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<(String, String), Vec<u8>>> {
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

    fn sweep(&self, now: Timestamp) -> Result<usize, Error> {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|_, stored| !entry::is_expired(stored, now));
        Ok(before - entries.len())
    }
}
