//! A model's weights, loaded when they are first needed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};

use serde::Deserialize;
use vsr_encoder::{Error, Model, PackOptions, Package, WindowPlan, native::Width};

use crate::Checkpoint;

/// Tokens of a window, special ones included, and how many of them neighbours share, for models that name none.
const WINDOW: WindowShape = WindowShape { tokens: 128, overlap: 32 };
/// How the weights of checkpoints are held that nobody packed.
const UNPACKED: Width = Width::Bf16;

/// How long texts are cut for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowShape {
    /// Tokens of a window, special ones included.
    tokens: usize,
    /// Tokens that neighbours share.
    overlap: usize,
}

/// What a model's metadata say of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    window: Option<WindowShape>,
    heads: BTreeMap<String, HeadMetadata>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct HeadMetadata {
    languages: Vec<String>,
}

#[derive(Debug)]
enum Source {
    Packed(Box<Package>),
    Directory(Checkpoint),
}

/// A model; the first use builds its tokenizer, and packs it if it is a checkpoint, which takes a while.
#[derive(Debug)]
pub(crate) struct Weights {
    source: Source,
    metadata: Metadata,
    loaded: OnceLock<Result<Arc<Model>, String>>,
}

// === impl Weights

impl Weights {
    /// Those of a packed model.
    pub(crate) fn packed(package: Package) -> Result<Self, Error> {
        let metadata = match package.metadata() {
            serde_json::Value::Null => Metadata::default(),
            written => Metadata::deserialize(written).map_err(|error| Error::Format {
                what: "a packed model's metadata".to_owned(),
                why: error.to_string(),
            })?,
        };
        Ok(Self { source: Source::Packed(Box::new(package)), metadata, loaded: OnceLock::new() })
    }

    /// Those of a checkpoint.
    pub(crate) fn directory(checkpoint: &Checkpoint) -> Self {
        let metadata = Metadata { name: checkpoint.path.display().to_string(), ..Metadata::default() };
        Self { source: Source::Directory(checkpoint.clone()), metadata, loaded: OnceLock::new() }
    }

    /// Whether these are the weights of `checkpoint`, and not found unusable.
    pub(crate) fn are_of(&self, checkpoint: &Checkpoint) -> bool {
        let is_broken = self.loaded.get().is_some_and(Result::is_err);
        matches!(&self.source, Source::Directory(own) if own == checkpoint) && !is_broken
    }

    /// The model.
    pub(crate) fn model(&self) -> Result<&Arc<Model>, Error> {
        let load = || {
            let model = match &self.source {
                Source::Packed(package) => Model::new(package, None),
                Source::Directory(own) => {
                    Model::from_directory_on(&own.path, PackOptions::all(UNPACKED), None, own.backend)
                }
            };
            model.map(Arc::new).map_err(|error| error.to_string())
        };
        self.loaded.get_or_init(load).as_ref().map_err(|error| Error::Failed(error.clone()))
    }
    /// The model, if it was loaded.
    pub(crate) fn if_loaded(&self) -> Option<&Arc<Model>> {
        self.loaded.get()?.as_ref().ok()
    }

    /// What is known of it before it is loaded; a checkpoint's package is made when it is loaded.
    pub(crate) fn package(&self) -> Option<&Package> {
        match &self.source {
            Source::Packed(package) => Some(package),
            Source::Directory(_) => None,
        }
    }
    /// The checkpoint's directory, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::Packed(_) => None,
            Source::Directory(own) => Some(&own.path),
        }
    }

    /// Whether it embeds images.
    pub(crate) fn sees_images(&self) -> bool {
        self.path().is_some_and(Model::directory_sees_images)
    }

    /// Whether it embeds sounds.
    pub(crate) fn hears_sounds(&self) -> bool {
        self.path().is_some_and(Model::directory_hears_sounds)
    }

    /// What runs it, as far as that is known before it is loaded.
    pub(crate) fn engine(&self) -> &'static str {
        self.if_loaded().map_or("native", |model| model.engine().name())
    }

    /// How the weights are held: `f32`, `bf16`, `int8`, or `stored` as the graph has them.
    pub(crate) fn precision(&self) -> &'static str {
        match self.engine() {
            "native" => self.package().map_or(UNPACKED, Package::weights).as_str(),
            _ => "stored",
        }
    }

    /// What whoever packed it calls it, or its directory.
    pub(crate) fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The same where it has to say something: `embedded` for a packed model without a name.
    pub(crate) fn title(&self) -> String {
        let name = self.name();
        if name.is_empty() { "embedded".to_owned() } else { name.to_owned() }
    }

    /// The languages that a head was evaluated on; all if there are none.
    pub(crate) fn languages(&self, head: &str) -> &[String] {
        self.metadata.heads.get(head).map(|head| head.languages.as_slice()).unwrap_or_default()
    }

    /// How texts are cut within a budget of tokens and until `deadline`.
    pub(crate) fn window_plan(&self, budget: usize, deadline: Instant) -> WindowPlan {
        let WindowShape { tokens, overlap } = self.window();
        WindowPlan { tokens, overlap, budget, deadline: Some(deadline) }
    }

    /// Tokens of a window, special ones included.
    pub(crate) fn window_tokens(&self) -> usize {
        self.window().tokens
    }

    fn window(&self) -> WindowShape {
        self.metadata.window.unwrap_or(WINDOW)
    }
}
