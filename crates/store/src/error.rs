//! What can go wrong in a store.

/// A store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's file could not be opened.
    #[error("cannot open the store {path}: {reason}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Another process has the store's file open.
    #[error(
        "the store {path} is in use by another process; stop it or set another `global.router.state_dir`"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// Reading or writing failed.
    #[error("the store failed: {0}")]
    Storage(String),
    /// The store holds as many values as it may.
    #[error("the store is full: {entries} values")]
    Full {
        /// How many values it holds.
        entries: usize,
    },
}
