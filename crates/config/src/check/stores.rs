//! `global.stores` and `global.integrations`.

use vsr_types::Path;

use crate::{
    contract::{AdvancedToolFiltering, Config, MemoryReflection},
    decode::Decoder,
};

use super::ranges::Ranges;

pub(super) fn check(config: &Config, decoder: &mut Decoder<'_>) {
    let stores = &config.global.stores;
    Ranges::of(Path::keys("global.stores.semantic_cache"), decoder)
        .unit("similarity_threshold", stores.semantic_cache.similarity_threshold)
        .at_least_one("max_entries", stores.semantic_cache.max_entries);
    let memory = Path::keys("global.stores.memory");
    Ranges::of(memory.clone(), decoder)
        .at_least_one("default_retrieval_limit", stores.memory.default_retrieval_limit)
        .unit("default_similarity_threshold", stores.memory.default_similarity_threshold);
    Ranges::of(memory.key("quality_scoring"), decoder)
        .unit("prune_threshold", stores.memory.quality_scoring.prune_threshold);
    reflection(&stores.memory.reflection, memory.key("reflection"), decoder);
    if let Some(store) = &stores.vector_store {
        Ranges::of(Path::keys("global.stores.vector_store"), decoder)
            .at_least_one("max_file_size_mb", store.max_file_size_mb)
            .at_least_one("embedding_dimension", store.embedding_dimension)
            .at_least_one("ingestion_workers", store.ingestion_workers);
    }
    let tools = Path::keys("global.integrations.tools");
    let settings = &config.global.integrations.tools;
    Ranges::of(tools.clone(), decoder)
        .at_least_one("top_k", settings.top_k)
        .unit("similarity_threshold", settings.similarity_threshold);
    if let Some(filtering) = &settings.advanced_filtering {
        tool_filtering(filtering, &tools.key("advanced_filtering"), decoder);
    }
}

pub(super) fn reflection(settings: &MemoryReflection, place: Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place, decoder)
        .positive("recency_decay_days", settings.recency_decay_days)
        .unit("dedup_threshold", settings.dedup_threshold);
}

pub(super) fn tool_filtering(settings: &AdvancedToolFiltering, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder)
        .unit("min_combined_score", settings.min_combined_score)
        .unit("category_confidence_threshold", settings.category_confidence_threshold);
    Ranges::of(place.key("weights"), decoder)
        .not_negative("embed", settings.weights.embed)
        .not_negative("lexical", settings.weights.lexical)
        .not_negative("tag", settings.weights.tag)
        .not_negative("name", settings.weights.name)
        .not_negative("category", settings.weights.category);
    if let Some(history) = &settings.hybrid_history {
        Ranges::of(place.key("hybrid_history"), decoder)
            .at_least_one("history_horizon", history.history_horizon)
            .unit("history_confidence_threshold", history.history_confidence_threshold)
            .not_negative("weight_semantic", history.weight_semantic)
            .not_negative("weight_history_transition", history.weight_history_transition)
            .not_negative("weight_decision_prior", history.weight_decision_prior)
            .not_negative("repetition_penalty_strength", history.repetition_penalty_strength);
    }
}
