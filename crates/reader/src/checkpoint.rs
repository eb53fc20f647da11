//! Checkpoints of the user's own, in place of embedded models.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde::Deserialize;
use vsr_signals::Head;

use crate::ReaderError;

/// What a model is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelRole {
    /// To classify.
    Head(Head),
    /// To find personal data.
    Tagger,
    /// To embed.
    Embedding,
}

/// What serves a role.
#[derive(Debug, Clone)]
pub enum Serving {
    /// The embedded model.
    Embedded,
    /// No model.
    Nothing,
    /// A checkpoint.
    Checkpoint(Checkpoint),
}

/// A checkpoint directory: `config.json`, `model.safetensors`, `tokenizer.json`.
/// Two are equal if they are the same files, untouched, with the same classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub(crate) path: PathBuf,
    pub(crate) labels: Vec<Arc<str>>,
    /// Size and last change of every file.
    stamps: Vec<(u64, Option<SystemTime>)>,
}

/// The files of a checkpoint.
const FILES: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

/// A file that names classes: by index, or indices by name.
#[derive(Debug, Default, Deserialize)]
struct Mapping {
    #[serde(
        default,
        alias = "idx_to_label",
        alias = "idx_to_category",
        alias = "id2label",
        alias = "idx_to_jailbreak_type"
    )]
    by_index: BTreeMap<String, String>,
    #[serde(default, alias = "label_to_idx", alias = "category_to_idx", alias = "label2id")]
    by_name: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    id2label: BTreeMap<String, String>,
}

// === impl Checkpoint

impl Checkpoint {
    /// Whether there is one.
    pub fn is_at(path: &Path) -> bool {
        path.join("config.json").is_file()
    }

    /// Reads what it calls its classes: those of `mapping` where that file is there, else its own. Weights are read
    /// when they are needed.
    ///
    /// # Errors
    /// If a file is missing or malformed.
    pub fn open(path: &Path, mapping: Option<&Path>) -> Result<Self, ReaderError> {
        for file in FILES {
            if !path.join(file).is_file() {
                let why = "there is none; only safetensors checkpoints are read".to_owned();
                return Err(ReaderError::Checkpoint { path: path.join(file), why });
            }
        }
        let config: Config = read(&path.join("config.json"))?;
        let mut names = indexed(&config.id2label);
        if let Some(mapping) = mapping.filter(|mapping| mapping.is_file()) {
            let Mapping { by_index, by_name } = read(mapping)?;
            names.extend(indexed(&by_index));
            names.extend(by_name.into_iter().map(|(name, index)| (index, name)));
        }
        let count = names.keys().last().map_or(0, |last| last + 1);
        let label = |index| names.get(&index).map_or_else(|| format!("LABEL_{index}"), String::clone).into();
        let stamp = |file| fs::metadata(path.join(file)).map(|file| (file.len(), file.modified().ok()));
        let stamps = FILES.into_iter().map(|file| stamp(file).unwrap_or_default()).collect();
        Ok(Self { path: path.to_owned(), labels: (0..count.min(MOST_LABELS)).map(label).collect(), stamps })
    }
}

/// The most classes of a checkpoint.
const MOST_LABELS: usize = 4096;

fn indexed(names: &BTreeMap<String, String>) -> BTreeMap<usize, String> {
    names.iter().filter_map(|(index, name)| Some((index.parse().ok()?, name.clone()))).collect()
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, ReaderError> {
    let wrong = |why: String| ReaderError::Checkpoint { path: path.to_owned(), why };
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
}
