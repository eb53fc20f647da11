//! A knowledge base as clients see it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json};
use vsr_config::{Config, KnowledgeBase};

use super::files::FOLDER;
use crate::ApiFailure;

/// The longest name.
const MOST_NAME_BYTES: usize = 64;

/// A knowledge base that is made or changed. What only answers have may stand in it, and changes nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnowledgeDocument {
    pub(super) name: String,
    #[serde(default)]
    description: Option<String>,
    labels: Vec<Label>,
    #[serde(default)]
    threshold: Option<f64>,
    #[serde(default)]
    label_thresholds: BTreeMap<String, f64>,
    #[serde(default)]
    groups: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    metrics: Vec<Value>,
    #[serde(default)]
    prototype_scoring: Option<Value>,
    #[serde(default, rename = "builtin")]
    _builtin: IgnoredAny,
    #[serde(default, rename = "editable")]
    _editable: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
    #[serde(default, rename = "signal_references")]
    _signal_references: IgnoredAny,
    #[serde(default, rename = "bind_options")]
    _bind_options: IgnoredAny,
    #[serde(default, rename = "load_error")]
    _load_error: IgnoredAny,
    #[serde(default, rename = "config")]
    _config: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    name: String,
    #[serde(default)]
    description: Option<String>,
    exemplars: Vec<String>,
}

// === impl KnowledgeDocument

impl KnowledgeDocument {
    /// Whether it can be kept; what the configuration's own checks find is theirs to tell.
    pub(super) fn check(&self) -> Result<(), ApiFailure> {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
        if self.name.is_empty() || self.name.len() > MOST_NAME_BYTES || !self.name.bytes().all(is_plain) {
            let message =
                format!("`name` is 1 to {MOST_NAME_BYTES} letters, digits, `_` and `-`, of ASCII alone");
            return Err(ApiFailure::invalid(message));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.labels.iter().find(|label| !seen.insert(&label.name)) {
            return Err(ApiFailure::invalid(format!("the label `{}` occurs twice", twice.name)));
        }
        let mut named = self.groups.values().flatten().chain(self.label_thresholds.keys());
        if let Some(unknown) = named.find(|name| !seen.contains(name)) {
            return Err(ApiFailure::invalid(format!("`labels` holds no `{unknown}`")));
        }
        vsr_signals::KnowledgeManifest::parse(&self.manifest()).map(|_| ()).map_err(ApiFailure::invalid)
    }

    /// The file of its labels.
    pub(super) fn manifest(&self) -> String {
        let label = |label: &Label| {
            let described = json!({ "description": label.description, "exemplars": label.exemplars });
            (label.name.clone(), described)
        };
        let labels: Map<String, Value> = self.labels.iter().map(label).collect();
        json!({ "version": "1", "description": self.description, "labels": labels }).to_string()
    }

    /// Its entry in the configuration, whose file is in the directory `path`; `before` is the entry it replaces.
    pub(super) fn entry(&self, path: &str, before: &Value) -> Value {
        let mut entry = json!({ "name": self.name, "source": { "path": path, "manifest": "labels.json" } });
        if let Some(threshold) = self.threshold {
            entry["threshold"] = json!(threshold);
        }
        for (key, is_empty, value) in [
            ("label_thresholds", self.label_thresholds.is_empty(), json!(self.label_thresholds)),
            ("groups", self.groups.is_empty(), json!(self.groups)),
            ("metrics", self.metrics.is_empty(), json!(self.metrics)),
        ] {
            if !is_empty {
                entry[key] = value;
            }
        }
        let scoring = self.prototype_scoring.as_ref().or_else(|| before.get("prototype_scoring"));
        if let Some(scoring) = scoring {
            entry["prototype_scoring"] = scoring.clone();
        }
        entry
    }
}

/// Whether an entry of the configuration was made here.
pub(super) fn is_editable(entry: &Value) -> bool {
    let path = entry.pointer("/source/path").and_then(Value::as_str).unwrap_or_default();
    path.strip_prefix(FOLDER).is_some_and(|rest| rest.starts_with('/'))
}

/// What refers to a knowledge base: rules and projections, by their places.
pub(super) fn references(config: &Config, name: &str) -> Vec<String> {
    let rules = config.routing.signals.kb.iter().filter(|rule| rule.kb == name);
    let rules = rules.map(|rule| format!("the signal `kb:{}`", rule.name));
    let scores = config.routing.projections.scores.iter();
    let scores = scores.filter(|score| score.inputs.iter().any(|input| input.kb.as_deref() == Some(name)));
    rules.chain(scores.map(|score| format!("the projection `{}`", score.name))).collect()
}

/// What is told of a knowledge base; its examples only if `is_whole`.
pub(super) fn described(kb: &KnowledgeBase, config: &Config, directory: &Path, is_whole: bool) -> Value {
    let manifest = vsr_router::knowledge_manifest(kb, directory);
    let is_built_in = matches!(&manifest, Some((_, true)));
    let (labels, description, load_error) = match manifest {
        Some((Ok(manifest), _)) => {
            let labels = manifest.labels.into_iter().map(|(name, label)| {
                let mut described = json!({ "name": name, "description": label.description });
                if is_whole {
                    described["exemplars"] = json!(label.exemplars);
                }
                described
            });
            (labels.collect(), manifest.description, None)
        }
        Some((Err(error), _)) => (Vec::new(), None, Some(error)),
        None => (Vec::new(), None, Some("its file is not there".to_owned())),
    };
    let metrics: Vec<Value> = kb
        .metrics
        .iter()
        .map(|metric| {
            json!({
                "name": metric.name,
                "type": metric.kind.as_str(),
                "positive_group": metric.positive_group,
                "negative_group": metric.negative_group,
            })
        })
        .collect();
    let source = json!({ "path": &*kb.source.path, "manifest": kb.source.manifest });
    let names = labels.iter().map(|label| label["name"].clone()).collect::<Value>();
    let mut described = json!({
        "name": kb.name,
        "description": description,
        "builtin": is_built_in,
        "editable": is_editable(&json!({ "source": source })),
        "threshold": kb.threshold,
        "label_thresholds": kb.label_thresholds,
        "labels": labels,
        "groups": kb.groups,
        "metrics": metrics,
        "source": source,
        "signal_references": references(config, &kb.name),
        "bind_options": { "labels": names, "groups": kb.groups.keys().collect::<Vec<_>>() },
    });
    if let Some(error) = load_error {
        described["load_error"] = error.into();
    }
    described
}
