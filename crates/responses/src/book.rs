//! The book of what is kept: sizes, ages and owners, so that bounds hold without asking the store.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use vsr_types::Timestamp;

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most stored values: responses, conversations, and turns of items alone.
    pub max_entries: usize,
    /// The most bytes of all values together.
    pub max_bytes: u64,
    /// The most bytes of one value.
    pub max_entry_bytes: u64,
    /// How long a value is kept after it was last written or continued.
    pub time_to_live: Duration,
}

/// What is kept. Keys are `owner/id`.
#[derive(Debug, Default)]
pub(crate) struct Book {
    entries: HashMap<String, Entry>,
    shelves: HashMap<String, Shelf>,
    /// Owners by the bytes they take, and by how much they have in number: who has most of what there is too much of
    /// gives way first, so that no one pushes out the others.
    by_weight: BTreeSet<(u64, String)>,
    by_number: BTreeSet<(usize, String)>,
    by_expiry: BTreeSet<(Timestamp, String)>,
    bytes: u64,
    next_turn: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    bytes: u64,
    last_use: u64,
    expires: Timestamp,
}

/// What one owner has.
#[derive(Debug, Default)]
struct Shelf {
    bytes: u64,
    by_use: BTreeMap<u64, String>,
}

// === impl Book

impl Book {
    /// A value was written.
    pub(crate) fn put(&mut self, key: &str, bytes: u64, expires: Timestamp) {
        self.remove(key);
        let last_use = self.turn();
        self.entries.insert(key.to_owned(), Entry { bytes, last_use, expires });
        self.by_expiry.insert((expires, key.to_owned()));
        self.bytes += bytes;
        self.shelve(key, |shelf| {
            shelf.bytes += bytes;
            shelf.by_use.insert(last_use, key.to_owned());
        });
    }

    /// A value was removed.
    pub(crate) fn remove(&mut self, key: &str) {
        let Some(entry) = self.entries.remove(key) else { return };
        self.by_expiry.remove(&(entry.expires, key.to_owned()));
        self.bytes -= entry.bytes;
        self.shelve(key, |shelf| {
            shelf.bytes -= entry.bytes;
            shelf.by_use.remove(&entry.last_use);
        });
    }

    /// A value was used.
    pub(crate) fn touch(&mut self, key: &str) {
        let turn = self.turn();
        let Some(entry) = self.entries.get_mut(key) else { return };
        let before = std::mem::replace(&mut entry.last_use, turn);
        self.shelve(key, |shelf| {
            shelf.by_use.remove(&before);
            shelf.by_use.insert(turn, key.to_owned());
        });
    }

    /// When a value expires.
    pub(crate) fn expiry(&self, key: &str) -> Option<Timestamp> {
        self.entries.get(key).map(|entry| entry.expires)
    }

    /// The keys of values that have expired by `now`, at most `limit`.
    pub(crate) fn expired(&self, now: Timestamp, limit: usize) -> Vec<String> {
        let due = self.by_expiry.iter().take_while(|(expires, _)| *expires <= now);
        due.take(limit).map(|(_, key)| key.clone()).collect()
    }

    /// The value that gives way while the book is beyond `bounds`: the one not used for longest, of the owner who has
    /// most. Those that `is_safe` stay.
    pub(crate) fn surplus(&self, bounds: &Bounds, is_safe: impl Fn(&str) -> bool) -> Option<String> {
        let owners: Box<dyn Iterator<Item = &String>> = if self.bytes > bounds.max_bytes {
            Box::new(self.by_weight.iter().rev().map(|(_, owner)| owner))
        } else if self.entries.len() > bounds.max_entries {
            Box::new(self.by_number.iter().rev().map(|(_, owner)| owner))
        } else {
            return None;
        };
        let shelves = owners.filter_map(|owner| self.shelves.get(owner));
        shelves.flat_map(|shelf| shelf.by_use.values()).find(|key| !is_safe(key)).cloned()
    }

    fn turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }

    /// Changes the shelf that `key` stands on.
    fn shelve(&mut self, key: &str, change: impl FnOnce(&mut Shelf)) {
        let owner = key.split('/').next().unwrap_or_default();
        let shelf = self.shelves.entry(owner.to_owned()).or_default();
        self.by_weight.remove(&(shelf.bytes, owner.to_owned()));
        self.by_number.remove(&(shelf.by_use.len(), owner.to_owned()));
        change(shelf);
        if shelf.by_use.is_empty() {
            self.shelves.remove(owner);
        } else {
            self.by_weight.insert((shelf.bytes, owner.to_owned()));
            self.by_number.insert((shelf.by_use.len(), owner.to_owned()));
        }
    }
}
