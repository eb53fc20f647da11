//! The name of a model on a hub.

use std::{fmt, str::FromStr};

use crate::Error;

/// A model on a hub, at a revision: `hf://owner/model@revision`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HubModel {
    owner: String,
    name: String,
    revision: String,
}

const SCHEME: &str = "hf://";
/// The revision of a name that has none.
const DEFAULT_REVISION: &str = "main";
/// The longest owner or model name.
const NAME_BYTES: usize = 96;
/// The longest revision.
const REVISION_BYTES: usize = 128;

// === impl HubModel

impl HubModel {
    /// Whether `text` is meant as a name of this kind.
    pub fn is_named(text: &str) -> bool {
        text.trim_start().starts_with(SCHEME)
    }

    /// `owner/model`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The commit, if that is what the revision is.
    pub fn commit(&self) -> Option<&str> {
        is_commit(&self.revision).then_some(&*self.revision)
    }

    /// The same model at another revision.
    ///
    /// # Errors
    /// If it is no revision.
    pub fn at(&self, revision: &str) -> Result<Self, Error> {
        format!("{SCHEME}{}/{}@{revision}", self.owner, self.name).parse()
    }

    /// A directory name that no other repository has.
    pub(crate) fn folder(&self) -> String {
        format!("{}--{}", self.owner, self.name)
    }
}

impl FromStr for HubModel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Name { name: text.escape_debug().take(200).collect(), why };
        let rest = text.trim().strip_prefix(SCHEME).ok_or_else(|| wrong("it does not begin with hf://"))?;
        let (repository, revision) = rest.split_once('@').unwrap_or((rest, DEFAULT_REVISION));
        let (owner, name) = repository.split_once('/').ok_or_else(|| wrong("it has no owner"))?;
        if !is_name(owner) || !is_name(name) {
            return Err(wrong(
                "owner and model are letters, digits, `-`, `_` and `.`, and begin with a letter or digit",
            ));
        }
        if !is_revision(revision) {
            return Err(wrong("the revision is no branch, tag or commit"));
        }
        Ok(Self { owner: owner.to_owned(), name: name.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}@{}", self.owner, self.name, self.revision)
    }
}

/// Whether this is a whole commit id.
pub(crate) fn is_commit(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// A name can be a part of a path and of a URL as it is. Two hyphens stand between owner and name in the cache.
fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(is_word)
        && !text.contains("..")
        && !text.contains("--")
        && !text.ends_with('.')
}

/// Branches may have slashes between their words.
fn is_revision(text: &str) -> bool {
    (1..=REVISION_BYTES).contains(&text.len())
        && !text.contains("..")
        && text.split('/').all(|part| {
            part.bytes().all(is_word)
                && part.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        })
}
