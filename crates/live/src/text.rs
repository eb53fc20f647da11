//! The text of a configuration file, as it was read at one time.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use vsr_config::{Document, MAX_FILE_BYTES, Variables};

/// A configuration file's content.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigText {
    file: PathBuf,
    bytes: Vec<u8>,
    hash: String,
}

// === impl ConfigText

impl ConfigText {
    /// Reads a file. One that is too large is cut, which its document reports.
    ///
    /// # Errors
    /// If it cannot be read, or is something else: opening a pipe would wait for its other end.
    pub fn read(file: &Path) -> io::Result<Self> {
        if !fs::metadata(file)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        File::open(file)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(Self::new(file, bytes))
    }

    /// What a file is going to hold.
    pub fn new(file: &Path, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { file: file.to_owned(), bytes, hash }
    }

    /// The SHA-256 of the content in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The content, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// Whether nothing stands in it: a file that is just being written.
    pub fn is_blank(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }

    /// The document.
    pub fn document(&self, variables: Variables<'_>) -> Document {
        let document = Document::parse_bytes(&self.file.display().to_string(), &self.bytes, variables);
        match self.file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            Some(directory) => document.in_directory(directory),
            None => document,
        }
    }
}

impl std::fmt::Debug for ConfigText {
    /// Leaves the content out, which holds credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigText")
            .field("file", &self.file)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
