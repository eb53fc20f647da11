//! The packed form of a model: one file with weights, tokenizer, heads and metadata, used where it lies.
//!
//! Layout: the magic, the header's length (u64, little-endian), the header (JSON), then sections at offsets that are
//! multiples of 64 counted from the first multiple of 64 behind the header. Nothing depends on the file's alignment in
//! memory; a file embedded with [`embed!`](crate::embed) is aligned, which is fastest.

mod writer;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::head::{Pooling, SequenceHeadSpec, TokenHeadSpec};
use crate::native::{Architecture, Width};

pub(crate) use writer::{Description, Writer};

const MAGIC: &[u8; 8] = b"VSRENC\0\x01";
const ALIGNMENT: usize = 64;

/// Embeds a file in the binary, aligned for vectors: `embed!("path")` is a `&'static [u8]`; the path is relative to the
/// source file, as in `include_bytes!`.
#[macro_export]
macro_rules! embed {
    ($path:expr) => {{
        #[repr(C, align(64))]
        struct Aligned<B: ?Sized>(B);
        static EMBEDDED: &Aligned<[u8]> = &Aligned(*include_bytes!($path));
        &EMBEDDED.0
    }};
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    architecture: Architecture,
    fingerprint: Fingerprint,
    identity: Fingerprint,
    weights: Width,
    pooling: Pooling,
    max_tokens: usize,
    prefix: String,
    tokenizer: Section,
    matrices: BTreeMap<String, Matrix>,
    floats: BTreeMap<String, Section>,
    sequence: Vec<SequenceHeadSpec>,
    token: Option<TokenHeadSpec>,
    metadata: serde_json::Value,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Section {
    offset: usize,
    length: usize,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Matrix {
    width: Width,
    shape: [usize; 2],
    #[serde(flatten)]
    section: Section,
}

/// A packed model, opened: its header is read, everything else stays where it is.
#[derive(Debug)]
pub struct Package {
    header: Header,
    body: Blob,
    /// Where heads are that were fitted on this model later.
    fitted: Option<Box<Package>>,
}

impl Package {
    /// Maps a packed file.
    ///
    /// # Errors
    /// If it cannot be read or is not a packed model of this version.
    pub fn map(path: &Path) -> Result<Self, Error> {
        Self::open(&Blob::map(path)?)
    }

    /// Opens packed bytes.
    ///
    /// # Errors
    /// If they are not a packed model of this version.
    pub fn open(bytes: &Blob) -> Result<Self, Error> {
        let wrong = |why: &str| Error::format("a packed model", why);
        let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| wrong("it is too short"))?;
        if magic != MAGIC {
            return Err(wrong("it does not begin as one of this version; pack the checkpoint again"));
        }
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(|| wrong("it is too short"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let json = rest.get(..length).ok_or_else(|| wrong("its header is cut off"))?;
        let header: Header =
            serde_json::from_slice(json).map_err(|e| Error::format("a packed model's header", e))?;
        let body = (16 + length).next_multiple_of(ALIGNMENT);
        if body > bytes.len() {
            return Err(wrong("it ends behind its header"));
        }
        let package = Self { header, body: bytes.slice(body..bytes.len()), fitted: None };
        let sections =
            package.header.floats.values().chain(package.header.matrices.values().map(|m| &m.section));
        for section in sections.chain([&package.header.tokenizer]) {
            package.section(*section)?;
        }
        Ok(package)
    }

    /// The same model with heads that were fitted on it later, see [`pack_heads`](crate::pack_heads): they stand in for
    /// those of the same names, and what they say of themselves for what the model says of those.
    ///
    /// # Errors
    /// If they are none, or were fitted on another model.
    pub fn with_heads(mut self, bytes: &Blob) -> Result<Self, Error> {
        let fitted = Self::open(bytes)?;
        if fitted.fingerprint() != self.fingerprint() {
            let why = format!(
                "they were fitted on the model {}, and this one is {}; fit them on this one",
                fitted.fingerprint(),
                self.fingerprint()
            );
            return Err(Error::format("packed heads", why));
        }
        let Header { sequence, metadata, identity, .. } = &mut self.header;
        for head in fitted.sequence_heads() {
            match sequence.iter_mut().find(|own| own.name == head.name) {
                Some(own) => *own = head.clone(),
                None => sequence.push(head.clone()),
            }
        }
        overlay(metadata, fitted.metadata());
        *identity = Fingerprint::of([&identity.0[..], &fitted.identity().0]);
        self.fitted = Some(Box::new(fitted));
        Ok(self)
    }

    fn section(&self, section: Section) -> Result<Blob, Error> {
        let end = section.offset.checked_add(section.length).filter(|end| *end <= self.body.len());
        let end =
            end.ok_or_else(|| Error::format("a packed model", "a section is cut off; copy the file again"))?;
        Ok(self.body.slice(section.offset..end))
    }

    /// Tells this model's vectors from all others': weights, tokenizer, precision and pooling, but not heads.
    pub fn fingerprint(&self) -> Fingerprint {
        self.header.fingerprint
    }

    /// Tells this model's results from all others': [`Self::fingerprint`] and the heads.
    pub fn identity(&self) -> Fingerprint {
        self.header.identity
    }

    /// The model's shape.
    pub fn architecture(&self) -> &Architecture {
        &self.header.architecture
    }

    /// How the weights of its layers are held.
    pub fn weights(&self) -> Width {
        self.header.weights
    }

    /// How hidden states become one vector.
    pub fn pooling(&self) -> Pooling {
        self.header.pooling
    }

    /// The longest sequence, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.header.max_tokens
    }

    /// What stands before every text.
    pub fn prefix(&self) -> &str {
        &self.header.prefix
    }

    /// What whoever packed it wrote down.
    pub fn metadata(&self) -> &serde_json::Value {
        &self.header.metadata
    }

    /// Its sequence heads, as they were described when it was packed.
    pub fn sequence_heads(&self) -> &[SequenceHeadSpec] {
        &self.header.sequence
    }

    /// Its token head, likewise.
    pub fn token_head(&self) -> Option<&TokenHeadSpec> {
        self.header.token.as_ref()
    }

    /// The JSON of the tokenizer.
    pub(crate) fn tokenizer(&self) -> Result<Blob, Error> {
        self.section(self.header.tokenizer)
    }

    /// A matrix: how it is held, its shape, and its packed bytes.
    pub(crate) fn matrix(&self, name: &str) -> Result<(Width, [usize; 2], Blob), Error> {
        let missing = || Error::format("a packed model", format!("it has no {name}"));
        let matrix = self.header.matrices.get(name).ok_or_else(missing)?;
        Ok((matrix.width, matrix.shape, self.section(matrix.section)?))
    }

    /// A vector, if there is one of this name.
    pub(crate) fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, Error> {
        if let Some(fitted) = &self.fitted
            && let Some(floats) = fitted.floats(name)?
        {
            return Ok(Some(floats));
        }
        let Some(section) = self.header.floats.get(name) else { return Ok(None) };
        let bytes = self.section(*section)?;
        Ok(Some(bytes.as_chunks::<4>().0.iter().map(|w| f32::from_le_bytes(*w)).collect()))
    }

    /// A vector of `length` values.
    pub(crate) fn required_floats(&self, name: &str, length: usize) -> Result<Vec<f32>, Error> {
        let missing = || Error::format("a packed model", format!("it has no {name}"));
        let floats = self.floats(name)?.ok_or_else(missing)?;
        if floats.len() != length {
            return Err(Error::format(name, format!("it has {} values instead of {length}", floats.len())));
        }
        Ok(floats)
    }
}

/// Puts the members of the object `over` into that of `under`, those of objects likewise.
fn overlay(under: &mut serde_json::Value, over: &serde_json::Value) {
    match (under, over) {
        (serde_json::Value::Object(under), serde_json::Value::Object(over)) => {
            for (name, value) in over {
                overlay(under.entry(name.as_str()).or_insert(serde_json::Value::Null), value);
            }
        }
        (_, serde_json::Value::Null) => {}
        (under, over) => *under = over.clone(),
    }
}
