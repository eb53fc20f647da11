//! The file of a knowledge base: labels, each with examples.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a knowledge base knows: `labels.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct KnowledgeManifest {
    /// The version its author gave it.
    #[serde(default)]
    pub version: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The labels by name.
    pub labels: BTreeMap<String, KnowledgeLabel>,
}

/// A label of a knowledge base.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct KnowledgeLabel {
    /// What it stands for.
    #[serde(default)]
    pub description: Option<String>,
    /// Texts that belong to it.
    #[serde(default)]
    pub exemplars: Vec<String>,
}

// === impl KnowledgeManifest

impl KnowledgeManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong with the file and where, in one line.
    pub fn parse(json: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(json)
            .map_err(|error| format!("the knowledge base cannot be read: {error}"))?;
        let empty = manifest
            .labels
            .iter()
            .find(|(_, label)| label.exemplars.iter().all(|text| text.trim().is_empty()));
        match empty {
            _ if manifest.labels.is_empty() => Err("the knowledge base has no labels".to_owned()),
            Some((label, _)) => Err(format!("the label `{label}` has no exemplars; give it at least one")),
            None => Ok(manifest),
        }
    }
}
