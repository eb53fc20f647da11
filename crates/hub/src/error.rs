//! What can go wrong between a name and a checkpoint on this machine.

use std::{io, path::PathBuf};

/// A model cannot be named, found, downloaded or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is none.
    #[error("`{name}` names no model of a hub: {why}; write hf://owner/model or hf://owner/model@revision")]
    Name {
        /// The name as written.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The settings cannot be used.
    #[error("the settings of the model hub cannot be used: {0}")]
    Settings(String),
    /// It is not in the cache, and nothing may be downloaded.
    #[error(
        "{model} is not in the cache and the router is offline; run `vllm-sr model download` where the hub can be reached"
    )]
    Offline {
        /// The model.
        model: String,
    },
    /// The hub does not let us read it.
    #[error("the hub does not give {model} ({status}): {advice}")]
    Unauthorized {
        /// The model.
        model: String,
        /// The hub's answer.
        status: u16,
        /// What to do.
        advice: &'static str,
    },
    /// The hub does not have it.
    #[error("the hub has no {what} of {model}; check the name and the revision")]
    NotFound {
        /// The model.
        model: String,
        /// What is missing.
        what: String,
    },
    /// What the hub gives is not what may be used.
    #[error("{model} cannot be used: {why}")]
    Refused {
        /// The model.
        model: String,
        /// What is wrong.
        why: String,
    },
    /// The content is not what the hub says it is.
    #[error(
        "{file} of {model} is damaged: its SHA-256 is {found} and the hub says {expected}; try again, and tell the hub if it happens again"
    )]
    Checksum {
        /// The model.
        model: String,
        /// The file.
        file: String,
        /// What the hub says.
        expected: String,
        /// What came.
        found: String,
    },
    /// It is larger than allowed.
    #[error(
        "{model} has more than {limit} bytes; raise `global.model_catalog.hub.max_model_bytes` if it is wanted"
    )]
    TooLarge {
        /// The model.
        model: String,
        /// The most bytes.
        limit: u64,
    },
    /// The hub cannot be reached, or fails.
    #[error("{model} cannot be downloaded now: {why}")]
    Network {
        /// The model.
        model: String,
        /// What happened.
        why: String,
    },
    /// The cache cannot be written.
    #[error("cannot write {}: {source}{}", path.display(), advice(source))]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

// === impl Error

impl Error {
    /// Whether the same may succeed later without any change to the name or the settings.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Network { .. } | Self::Disk { .. })
    }

    pub(crate) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { path, source }
    }
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room, or set `global.model_catalog.hub.cache_dir` to a larger disk"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; set `global.model_catalog.hub.cache_dir` to a directory that the router may write"
        }
        _ => "",
    }
}
