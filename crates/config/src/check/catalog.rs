//! `global.model_catalog`: embedding models, models served elsewhere, knowledge bases.

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{Config, KnowledgeBase, PrototypeScoring},
    decode::Decoder,
};

use super::{ranges::Ranges, unique_names, unknown_name};

/// Models for which the key `mmbert_model_path` is wrong: they compare sentences, with another tokenizer.
const SENTENCE_MODELS: &[&str] = &["mom-embedding-light", "all-minilm-l12-v2", "all-minilm-l6-v2"];

/// Metrics that every knowledge base has.
const RESERVED_METRICS: &[&str] = &["best_score", "best_matched_score"];

pub(super) fn check(config: &Config, decoder: &mut Decoder<'_>) {
    embeddings(config, decoder);
    let catalog = &config.global.model_catalog;
    for (index, model) in catalog.external.iter().enumerate() {
        let place = Path::keys("global.model_catalog.external").index(index);
        Ranges::of(place, decoder)
            .unit("threshold", model.threshold)
            .at_least_one("max_tokens", model.max_tokens)
            .not_negative("temperature", model.temperature);
    }
    let place = Path::keys("global.model_catalog.hub");
    Ranges::of(place, decoder).at_least_one("max_model_bytes", catalog.hub.max_model_bytes);
    let list = Path::keys("global.model_catalog.kbs");
    unique_names(&list, "name", "knowledge base", catalog.kbs.iter().map(|kb| kb.name.as_str()), decoder);
    for (index, kb) in catalog.kbs.iter().enumerate() {
        knowledge_base(kb, &list.index(index), decoder);
    }
}

fn embeddings(config: &Config, decoder: &mut Decoder<'_>) {
    let settings = &config.global.model_catalog.embeddings.semantic;
    let place = Path::keys("global.model_catalog.embeddings.semantic");
    let path = settings.mmbert_model_path.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    if SENTENCE_MODELS.contains(&name.as_str()) {
        let message = format!("`{path}` is no mmBERT model");
        let help = "put it under bert_model_path";
        decoder.push(Diagnostic::error(place.key("mmbert_model_path"), message).help(help));
    }
    let place = place.key("embedding_config");
    let settings = &settings.embedding_config;
    Ranges::of(place.clone(), decoder)
        .at_least_one("target_dimension", settings.target_dimension)
        .unit("min_score_threshold", settings.min_score_threshold);
    prototypes(&settings.prototype_scoring, place.key("prototype_scoring"), decoder);
}

pub(super) fn prototypes(settings: &PrototypeScoring, place: Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place, decoder)
        .unit("cluster_similarity_threshold", settings.cluster_similarity_threshold)
        .at_least_one("max_prototypes", settings.max_prototypes)
        .unit("best_weight", settings.best_weight)
        .not_negative("margin_threshold", settings.margin_threshold);
}

fn knowledge_base(kb: &KnowledgeBase, place: &Path, decoder: &mut Decoder<'_>) {
    if kb.source.path.trim().is_empty() {
        decoder
            .push(Diagnostic::error(place.key("source").key("path"), "the knowledge base has no directory"));
    }
    Ranges::of(place.clone(), decoder).unit("threshold", kb.threshold);
    for (label, threshold) in &kb.label_thresholds {
        Ranges::of(place.key("label_thresholds"), decoder).unit(label, *threshold);
    }
    prototypes(&kb.prototype_scoring, place.key("prototype_scoring"), decoder);
    for (name, labels) in &kb.groups {
        let place = place.key("groups").key(name.as_str());
        if labels.is_empty() {
            decoder.push(Diagnostic::error(place.clone(), format!("the group `{name}` has no labels")));
        }
        for (index, label) in labels.iter().enumerate() {
            if labels[..index].contains(label) {
                let message = format!("the label `{label}` is in the group already");
                decoder.push(Diagnostic::error(place.index(index), message));
            }
        }
    }
    metrics(kb, &place.key("metrics"), decoder);
}

fn metrics(kb: &KnowledgeBase, list: &Path, decoder: &mut Decoder<'_>) {
    unique_names(list, "name", "metric", kb.metrics.iter().map(|metric| metric.name.as_str()), decoder);
    for (index, metric) in kb.metrics.iter().enumerate() {
        let place = list.index(index);
        if RESERVED_METRICS.contains(&metric.name.as_str()) {
            let message = format!("every knowledge base has a metric `{}` already", metric.name);
            decoder.push(Diagnostic::error(place.key("name"), message));
        }
        for (key, group) in
            [("positive_group", &metric.positive_group), ("negative_group", &metric.negative_group)]
        {
            if !kb.groups.contains_key(group) {
                unknown_name(place.key(key), "group", group, kb.groups.keys().map(String::as_str), decoder);
            }
        }
    }
}
