//! Writes packed models.

use std::collections::BTreeMap;

use super::{ALIGNMENT, Header, MAGIC, Matrix, Section};
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::head::{Pooling, SequenceHeadSpec, TokenHeadSpec};
use crate::native::{Architecture, Width};

/// Collects a model's parts, then writes them as one file.
#[derive(Default)]
pub(crate) struct Writer {
    body: Vec<u8>,
    matrices: BTreeMap<String, Matrix>,
    floats: BTreeMap<String, Section>,
}

/// What a packed model has beside its tensors.
pub(crate) struct Description {
    pub(crate) architecture: Architecture,
    pub(crate) weights: Width,
    pub(crate) pooling: Pooling,
    pub(crate) max_tokens: usize,
    pub(crate) prefix: String,
    pub(crate) sequence: Vec<SequenceHeadSpec>,
    pub(crate) token: Option<TokenHeadSpec>,
    pub(crate) metadata: serde_json::Value,
}

impl Writer {
    fn append(&mut self, bytes: &[u8]) -> Section {
        self.body.resize(self.body.len().next_multiple_of(ALIGNMENT), 0);
        let section = Section { offset: self.body.len(), length: bytes.len() };
        self.body.extend_from_slice(bytes);
        section
    }

    /// Adds a packed matrix.
    pub(crate) fn matrix(&mut self, name: &str, width: Width, shape: [usize; 2], packed: &[u8]) {
        let section = self.append(packed);
        self.matrices.insert(name.to_owned(), Matrix { width, shape, section });
    }

    /// Adds a vector.
    pub(crate) fn floats(&mut self, name: &str, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let section = self.append(&bytes);
        self.floats.insert(name.to_owned(), section);
    }

    /// The fingerprint of what has been added so far, with the tokenizer and all that shapes a vector.
    pub(crate) fn fingerprint(
        &self,
        description: &Description,
        tokenizer: &[u8],
    ) -> Result<Fingerprint, Error> {
        let shaping = (
            &description.architecture,
            description.weights,
            description.pooling,
            description.max_tokens,
            &description.prefix,
            &self.matrices,
        );
        let shaping = serde_json::to_vec(&shaping).map_err(|e| Error::format("the model's shape", e))?;
        Ok(Fingerprint::of([shaping.as_slice(), tokenizer, &self.body]))
    }

    /// The whole file. `fingerprint` was taken before the heads were added.
    pub(crate) fn finish(
        mut self,
        description: Description,
        tokenizer: &[u8],
        fingerprint: Fingerprint,
    ) -> Result<Vec<u8>, Error> {
        let wrong = |e: serde_json::Error| Error::format("the packed model's header", e);
        let heads = serde_json::to_vec(&(&description.sequence, &description.token)).map_err(wrong)?;
        let identity = Fingerprint::of([&fingerprint.0[..], &heads, &self.body]);
        let tokenizer = self.append(tokenizer);
        let header = Header {
            architecture: description.architecture,
            fingerprint,
            identity,
            weights: description.weights,
            pooling: description.pooling,
            max_tokens: description.max_tokens,
            prefix: description.prefix,
            tokenizer,
            matrices: self.matrices,
            floats: self.floats,
            sequence: description.sequence,
            token: description.token,
            metadata: description.metadata,
        };
        let json = serde_json::to_vec(&header).map_err(wrong)?;
        let mut file = Vec::with_capacity(self.body.len() + json.len() + 2 * ALIGNMENT);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&(json.len() as u64).to_le_bytes());
        file.extend_from_slice(&json);
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend_from_slice(&self.body);
        Ok(file)
    }
}
