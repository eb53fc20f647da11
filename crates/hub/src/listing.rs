//! What a hub says that a repository holds. Nothing in it is believed before it is checked.

use serde::Deserialize;

use crate::model::is_commit;

/// A repository at one commit.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) commit: String,
    pub(crate) files: Vec<RemoteFile>,
}

/// One file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    pub(crate) name: String,
    /// In bytes, if the hub says so.
    pub(crate) size: Option<u64>,
    /// In lower-case hexadecimal, if the hub says so.
    pub(crate) sha256: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    #[serde(alias = "oid")]
    sha256: String,
    #[serde(default)]
    size: Option<u64>,
}

// === impl Listing

impl Listing {
    /// Reads the answer of `GET /api/models/{repository}/revision/{revision}`.
    ///
    /// # Errors
    /// In words, if it is none.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let answer: Answer = serde_json::from_slice(bytes)
            .map_err(|error| format!("the hub's answer is no listing: {error}"))?;
        if !is_commit(&answer.sha) {
            return Err("the hub's listing names no commit".to_owned());
        }
        let files = answer.siblings.into_iter().map(|sibling| {
            let size = sibling.lfs.as_ref().and_then(|large| large.size).or(sibling.size);
            let sha256 = sibling.lfs.map(|large| checksum(&large.sha256)).transpose()?;
            Ok(RemoteFile { name: sibling.rfilename, size, sha256 })
        });
        Ok(Self { commit: answer.sha, files: files.collect::<Result<_, String>>()? })
    }

    pub(crate) fn find(&self, name: &str) -> Option<&RemoteFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// A SHA-256 in hexadecimal, with or without the prefix of an LFS pointer.
pub(crate) fn checksum(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    let is_one = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(digits).ok_or_else(|| "the hub gives a checksum that is no SHA-256".to_owned())
}
