//! What can go wrong with a model or a request to one.

use std::path::{Path, PathBuf};

/// Why a model could not be loaded or a text not encoded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or a part of it is not what it should be.
    #[error("{what}: {why}")]
    Format {
        /// Which part.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A model that this engine does not run.
    #[error("{what} is not supported: {help}")]
    Unsupported {
        /// What the model asks for.
        what: String,
        /// What would work.
        help: String,
    },
    /// The input does not suit the model.
    #[error("the input does not suit the model: {0}")]
    Input(String),
    /// The queue is full, or the deadline passed before a worker was free.
    #[error("the encoder is overloaded: {0}")]
    Overloaded(&'static str),
    /// The computation failed; later ones are not affected.
    #[error("encoding failed: {0}")]
    Failed(String),
}

impl Error {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_path_buf(), source }
    }

    /// The same error for another who waits for the same result.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Input(why) => Self::Input(why.clone()),
            Self::Overloaded(why) => Self::Overloaded(why),
            Self::Failed(why) => Self::Failed(why.clone()),
            other => Self::Failed(other.to_string()),
        }
    }

    pub(crate) fn format(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Format { what: what.into(), why: format!("{why}") }
    }

    pub(crate) fn unsupported(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), help: help.into() }
    }
}
