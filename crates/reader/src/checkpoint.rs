//! Checkpoints of the user's own, in place of embedded models.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde::Deserialize;
use vsr_encoder::{Backend, Model};
use vsr_signals::Head;

use crate::{ReaderError, Relation};

/// What a model is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelRole {
    /// To classify.
    Head(Head),
    /// To find personal data.
    Tagger,
    /// To embed.
    Embedding,
    /// To tell whether one text follows from another.
    Inference,
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

/// A checkpoint directory: `config.json`, `tokenizer.json`, and `model.safetensors`, the files that
/// `model.safetensors.index.json` names, or ONNX graphs. Two are equal if they are the same files, untouched, with the same classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub(crate) path: PathBuf,
    pub(crate) labels: Vec<Arc<str>>,
    /// What runs it.
    pub(crate) backend: Backend,
    /// Name, size and last change of every file.
    stamps: Vec<Stamp>,
}

type Stamp = (OsString, u64, Option<SystemTime>);

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

    /// Reads what it calls its classes: those of `mapping` where that file is there, or one of its name in the
    /// checkpoint, or the checkpoint's `label_mapping.json`; else those of its `config.json`. Weights are read when they
    /// are needed.
    ///
    /// # Errors
    /// If a file is missing or malformed.
    pub fn open(path: &Path, mapping: Option<&Path>) -> Result<Self, ReaderError> {
        for (file, is_there, why) in [
            (
                "model.safetensors",
                Model::is_in_directory(path),
                "there is none, and no ONNX graph; only safetensors and ONNX checkpoints are read",
            ),
            ("tokenizer.json", path.join("tokenizer.json").is_file(), "there is none"),
        ] {
            if !is_there {
                return Err(ReaderError::Checkpoint { path: path.join(file), why: why.to_owned() });
            }
        }
        let config: Config = read(&path.join("config.json"))?;
        let mut names = indexed(&config.id2label);
        let beside = mapping.and_then(Path::file_name).map(|name| path.join(name));
        let known = [mapping.map(Path::to_owned), beside, Some(path.join(LABELS))];
        if let Some(mapping) = known.into_iter().flatten().find(|mapping| mapping.is_file()) {
            let Mapping { by_index, by_name } = read(&mapping)?;
            names.extend(indexed(&by_index));
            names.extend(by_name.into_iter().map(|(name, index)| (index, name)));
        }
        let count = names.keys().last().map_or(0, |last| last + 1);
        let label = |index| names.get(&index).map_or_else(|| format!("LABEL_{index}"), String::clone).into();
        let labels = (0..count.min(MOST_LABELS)).map(label).collect();
        let stamps = [stamps(path), stamps(&path.join("onnx"))].concat();
        Ok(Self { path: path.to_owned(), labels, backend: Backend::Own, stamps })
    }

    /// The same, run by `backend`.
    #[must_use]
    pub fn on(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// Whether its classes suit `role`.
    ///
    /// # Errors
    /// If they do not.
    pub fn check(&self, role: ModelRole) -> Result<(), ReaderError> {
        if role != ModelRole::Inference || Relation::places(&self.labels).is_some() {
            return Ok(());
        }
        let path = self.path.join("config.json");
        let why = format!(
            "its classes [{}] are not entailment, neutral and contradiction; name them in its id2label or in a {LABELS}",
            self.labels.join(", "),
        );
        Err(ReaderError::Checkpoint { path, why })
    }
}

/// What tells whether a directory's files are the same as before. Links are followed, as they are when files are read.
fn stamps(directory: &Path) -> Vec<Stamp> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let stamp = |entry: fs::DirEntry| {
        let file = fs::metadata(entry.path()).ok()?;
        Some((entry.file_name(), file.len(), file.modified().ok()))
    };
    let mut stamps: Vec<Stamp> = entries.filter_map(stamp).collect();
    stamps.sort();
    stamps
}

/// What names the classes of a checkpoint for which the contract has no key.
const LABELS: &str = "label_mapping.json";
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
