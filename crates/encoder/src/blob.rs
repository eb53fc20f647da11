//! Bytes that stay where they are: embedded in the binary, mapped from a file, or owned.
#![expect(unsafe_code, reason = "a file is mapped")]

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use crate::error::Error;

/// A shared view of bytes; clones and slices copy nothing.
#[derive(Clone)]
pub struct Blob {
    storage: Arc<Storage>,
    range: Range<usize>,
}

enum Storage {
    Static(&'static [u8]),
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
}

impl Storage {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Blob {
    /// Maps a file, read-only. The file must not be changed while it is in use; replace it by renaming another over it.
    ///
    /// # Errors
    /// If it cannot be opened or mapped.
    pub fn map(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::read(path, source))?;
        // SAFETY: the map is private to this process and only read; that nobody truncates or rewrites the file in place is
        // the documented condition, the same as for a shared library.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|source| Error::read(path, source))?;
        Ok(Self::over(Storage::Mapped(map)))
    }

    fn over(storage: Storage) -> Self {
        let range = 0..storage.bytes().len();
        Self { storage: Arc::new(storage), range }
    }

    /// A part of these bytes.
    ///
    /// # Panics
    /// If `range` does not lie in them.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.range.len(), "a part of the bytes");
        let start = self.range.start;
        Self { storage: Arc::clone(&self.storage), range: start + range.start..start + range.end }
    }
}

impl From<&'static [u8]> for Blob {
    fn from(bytes: &'static [u8]) -> Self {
        Self::over(Storage::Static(bytes))
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self::over(Storage::Owned(bytes))
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.storage.bytes()[self.range.clone()]
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.range.len())
    }
}
