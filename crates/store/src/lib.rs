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

    /// Removes what has expired by `now`; how many values that were.
    ///
    /// # Errors
    /// If the storage fails.
    fn sweep(&self, now: Timestamp) -> Result<usize, Error>;
}
