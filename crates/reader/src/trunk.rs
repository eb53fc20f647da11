//! The trunk model: embeddings and classifiers of windows.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use vsr_encoder::{Encoded, Error, Model, Package, WindowPlan};
use vsr_signals::{Head, HeadOutput, HeadReading, HeadSet, Window};
use vsr_types::UnavailableReason;

use crate::{cut::Piece, error::reason};

/// Tokens of a window, special ones included, and how many of them neighbours share, for models that name none.
const WINDOW: WindowShape = WindowShape { tokens: 128, overlap: 32 };

/// How long texts are cut for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowShape {
    /// Tokens of a window, special ones included.
    pub(crate) tokens: usize,
    /// Tokens that neighbours share.
    pub(crate) overlap: usize,
}

/// What a model's metadata say of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    window: Option<WindowShape>,
    heads: std::collections::BTreeMap<String, HeadMetadata>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct HeadMetadata {
    /// The languages that the head was evaluated on; all if there are none.
    languages: Vec<String>,
}

/// A packed model that is loaded when it is first needed: its header is read at once.
#[derive(Debug)]
pub(crate) struct Weights {
    package: Package,
    loaded: OnceLock<Result<Arc<Model>, String>>,
    metadata: Metadata,
}

/// The trunk model.
#[derive(Debug)]
pub(crate) struct Trunk {
    pub(crate) weights: Weights,
    fingerprint: Arc<str>,
    /// Where each head's output is, its labels and its languages.
    heads: Vec<(Head, HeadFacts)>,
}

/// A head of the trunk model.
#[derive(Debug)]
pub(crate) struct HeadFacts {
    name: &'static str,
    pub(crate) labels: Arc<[Arc<str>]>,
    languages: Vec<String>,
}

// === impl Weights

impl Weights {
    pub(crate) fn new(package: Package) -> Result<Self, Error> {
        let metadata = match package.metadata() {
            serde_json::Value::Null => Metadata::default(),
            written => Metadata::deserialize(written).map_err(|error| Error::Format {
                what: "a packed model's metadata".to_owned(),
                why: error.to_string(),
            })?,
        };
        Ok(Self { package, loaded: OnceLock::new(), metadata })
    }

    /// The model; the first call builds its tokenizer, which takes a while.
    pub(crate) fn model(&self) -> Result<&Arc<Model>, Error> {
        let load = || Model::new(&self.package, None).map(Arc::new).map_err(|error| error.to_string());
        self.loaded.get_or_init(load).as_ref().map_err(|error| Error::Failed(error.clone()))
    }

    pub(crate) fn package(&self) -> &Package {
        &self.package
    }

    /// What whoever packed it calls it.
    pub(crate) fn name(&self) -> &str {
        &self.metadata.name
    }

    /// How texts are cut within a budget of tokens.
    pub(crate) fn window_plan(&self, budget: usize) -> WindowPlan {
        let shape = self.metadata.window.unwrap_or(WINDOW);
        WindowPlan { tokens: shape.tokens, overlap: shape.overlap, budget }
    }
}

// === impl Trunk

impl Trunk {
    pub(crate) fn new(package: Package) -> Result<Self, Error> {
        let weights = Weights::new(package)?;
        let heads = Head::ALL.into_iter().filter_map(|head| {
            let spec = weights.package.sequence_heads().iter().find(|spec| spec.name == head.as_str())?;
            let metadata = weights.metadata.heads.get(head.as_str());
            let facts = HeadFacts {
                name: head.as_str(),
                labels: spec.labels.iter().map(|label| label.as_str().into()).collect(),
                languages: metadata.map(|metadata| metadata.languages.clone()).unwrap_or_default(),
            };
            Some((head, facts))
        });
        let heads = heads.collect();
        let fingerprint = weights.package.fingerprint().to_string().into();
        Ok(Self { weights, fingerprint, heads })
    }

    /// What prototypes must carry to be compared with its embeddings.
    pub(crate) fn fingerprint(&self) -> &Arc<str> {
        &self.fingerprint
    }

    pub(crate) fn heads(&self) -> impl Iterator<Item = (Head, &HeadFacts)> {
        self.heads.iter().map(|(head, facts)| (*head, facts))
    }

    pub(crate) fn head(&self, head: Head) -> Option<&HeadFacts> {
        self.heads.iter().find(|(own, _)| *own == head).map(|(_, facts)| facts)
    }

    /// Whether one of these heads is for certain languages only.
    pub(crate) fn minds_language(&self, heads: HeadSet) -> bool {
        self.heads().any(|(head, facts)| heads.contains(head) && !facts.languages.is_empty())
    }

    /// What a window said, or why it said nothing. `language` is that of the whole text, where it is sure.
    pub(crate) fn window(
        &self,
        window: &Piece,
        heads: HeadSet,
        language: Option<&str>,
        result: &Result<Arc<Encoded>, Error>,
    ) -> Window {
        let encoded = result.as_ref();
        let heads = heads.iter().map(|head| {
            let output = match encoded {
                Ok(encoded) => self.output(head, language, encoded),
                Err(error) => Err(reason(error)),
            };
            HeadReading { head, output }
        });
        Window {
            bytes: window.bytes.clone(),
            tokens: encoded.map_or(0, |encoded| u32::try_from(encoded.token_count).unwrap_or(u32::MAX)),
            heads: heads.collect(),
            embedding: encoded
                .ok()
                .filter(|_| window.is_embedded)
                .map(|encoded| Arc::clone(&encoded.embedding)),
        }
    }

    fn output(
        &self,
        head: Head,
        language: Option<&str>,
        encoded: &Encoded,
    ) -> Result<HeadOutput, UnavailableReason> {
        let facts = self.head(head).ok_or(UnavailableReason::NotActive)?;
        if let Some(language) = language
            && !facts.reads(language)
        {
            return Err(UnavailableReason::UnsupportedLanguage);
        }
        let probabilities = encoded.probabilities(facts.name).ok_or(UnavailableReason::Failed)?;
        Ok(HeadOutput { labels: Arc::clone(&facts.labels), probabilities: probabilities.into() })
    }
}

// === impl HeadFacts

impl HeadFacts {
    /// Whether the head was evaluated on texts in `language`.
    pub(crate) fn reads(&self, language: &str) -> bool {
        self.languages.is_empty() || self.languages.iter().any(|known| known == language)
    }
}
