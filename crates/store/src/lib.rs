//! Storage: traits, and the embedded backend that needs nothing but a directory.
//!
//! ```
//! use vsr_store::{KeyValue, MemoryStore};
//! use vsr_types::Timestamp;
//!
//! let store = MemoryStore::new(1024);
//! store.put("tokens", "default", b"4.0", None, Timestamp(0)).unwrap();
//! assert_eq!(store.get("tokens", "default", Timestamp(1)).unwrap(), Some(b"4.0".to_vec()));
//! ```

mod embedded;
mod entry;
mod error;
mod memory;

use std::time::Duration;

use vsr_types::Timestamp;

pub use embedded::EmbeddedStore;
pub use error::Error;
pub use memory::MemoryStore;

/// One change of several that are made together.
#[derive(Debug, Clone, Copy)]
pub enum Change<'c> {
    /// A value is stored.
    Put {
        /// Its key.
        key: &'c str,
        /// The value.
        value: &'c [u8],
        /// How long it lives; for ever if absent.
        time_to_live: Option<Duration>,
    },
    /// A value is removed, if it is there.
    Delete {
        /// Its key.
        key: &'c str,
    },
}

/// A value as a scan shows it.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'s> {
    /// Its key.
    pub key: &'s str,
    /// The value.
    pub value: &'s [u8],
    /// When it expires; never if absent.
    pub expires: Option<Timestamp>,
}

/// Values under keys, in named spaces, with an optional time to live.
///
/// Calls block; callers keep them off threads that serve requests.
pub trait KeyValue: Send + Sync {
    /// The value under `key`, unless it has expired by `now`.
    ///
    /// # Errors
    /// If the storage fails.
    fn get(&self, space: &str, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, Error>;

    /// Stores `value` under `key`, for `time_to_live` from `now` if given.
    ///
    /// # Errors
    /// If the storage fails or is full.
    fn put(
        &self,
        space: &str,
        key: &str,
        value: &[u8],
        time_to_live: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), Error>;

    /// Removes the value under `key`; whether there was one.
    ///
    /// # Errors
    /// If the storage fails.
    fn delete(&self, space: &str, key: &str) -> Result<bool, Error>;

    /// Makes all of `changes` in `space`, or none of them.
    ///
    /// # Errors
    /// If the storage fails or is full.
    fn write(&self, space: &str, changes: &[Change<'_>], now: Timestamp) -> Result<(), Error>;

    /// Shows every value in `space` that has not expired by `now`, in the order of their keys.
    ///
    /// # Errors
    /// If the storage fails.
    fn scan(&self, space: &str, now: Timestamp, show: &mut dyn FnMut(Stored<'_>)) -> Result<(), Error>;

    /// Removes what has expired by `now`; how many values that were.
    ///
    /// # Errors
    /// If the storage fails.
    fn sweep(&self, now: Timestamp) -> Result<usize, Error>;
}
