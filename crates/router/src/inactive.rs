//! What the contract has and this version does not do: one line for each use, so that nothing is
//! silently ignored.

use vsr_config::{Config, Document, Plugin};
use vsr_types::{Diagnostics, Path};

use crate::checkpoints::embedding_key;

/// Blocks outside of lists, with what they are for. They are reported where they are written.
const BLOCKS: &[(&str, &str)] = &[
    ("setup", "setup state"),
    ("global.router.clear_route_cache", "route cache clearing (only for an Envoy in front)"),
    ("global.router.streamed_body", "streamed request bodies"),
    ("global.router.skip_processing", "the skip-processing header"),
    ("global.router.model_selection", "global settings of selection algorithms"),
    ("global.services.api.batch_classification.metrics", "metrics of batch classification"),
    ("global.services.response_api.redis", "Redis as the store of responses; the embedded store serves"),
    ("global.services.router_replay", "router replay"),
    ("global.services.startup_status", "stored startup status"),
    ("global.services.observability.metrics.windowed_metrics", "windowed metrics"),
    ("global.services.observability.tracing", "OpenTelemetry tracing"),
    ("global.services.ratelimit", "rate limits"),
    ("global.stores.semantic_cache", "the semantic cache"),
    ("global.stores.memory", "memory"),
    ("global.stores.vector_store", "vector stores"),
    ("global.integrations.tools", "the tools database"),
    ("global.integrations.looper", "multi-model execution"),
    (
        "global.model_catalog.embeddings.semantic.embedding_config.preload_embeddings",
        "examples are always embedded before the router is ready",
    ),
    (
        "global.model_catalog.embeddings.semantic.embedding_config.target_dimension",
        "shorter embeddings; they have the model's own dimension",
    ),
    (
        "global.model_catalog.embeddings.semantic.embedding_config.target_layer",
        "embeddings of earlier layers",
    ),
    ("global.model_catalog.system.hallucination_detector", "hallucination mitigation"),
    ("global.model_catalog.modules.hallucination_mitigation.enabled", "hallucination mitigation"),
    (
        "global.model_catalog.modules.hallucination_mitigation.on_hallucination_detected",
        "hallucination mitigation",
    ),
    ("global.model_catalog.modules.hallucination_mitigation.detector", "hallucination mitigation"),
    ("global.model_catalog.modules.hallucination_mitigation.explainer.threshold", "hallucination mitigation"),
    ("global.model_catalog.modules.modality_detector.prompt_prefixes", "prefixes cut from picture requests"),
];

/// Reports every use in `document`.
pub(crate) fn report(document: &Document, config: &Config, diagnostics: &mut Diagnostics) {
    for (block, purpose) in BLOCKS {
        let path = Path::keys(block);
        if document.is_written(&path) {
            diagnostics.not_active(path, *purpose);
        }
    }
    if document.is_written(&Path::keys("global.router.config_source")) && is_kubernetes(config) {
        diagnostics.not_active(Path::keys("global.router.config_source"), "configuration from Kubernetes");
    }
    let backend = Path::keys("global.services.response_api.store_backend");
    if document.is_written(&backend)
        && config.global.services.response_api.store_backend == vsr_config::ResponseBackend::Redis
    {
        diagnostics.not_active(backend, "Redis as the store of responses; the embedded store serves");
    }
    own_models(document, config, diagnostics);
    decisions(config, diagnostics);
}

fn is_kubernetes(config: &Config) -> bool {
    config.global.router.config_source == vsr_config::ConfigSource::Kubernetes
}

/// Keys about the router's own models that change nothing.
fn own_models(document: &Document, config: &Config, diagnostics: &mut Diagnostics) {
    const MODULES: [&str; 6] = [
        "classifier.domain",
        "classifier.pii",
        "prompt_guard",
        "hallucination_mitigation.fact_check",
        "hallucination_mitigation.explainer",
        "feedback_detector",
    ];
    let catalog = Path::keys("global.model_catalog");
    for module in MODULES {
        let path = module.split('.').fold(catalog.key("modules"), |path, key| path.key(key));
        for (key, purpose) in [
            ("use_cpu", "a choice of processor; models run on the CPU"),
            ("use_modernbert", "a choice of architecture; a checkpoint says its own"),
            ("use_mmbert_32k", "a choice of architecture; a checkpoint says its own"),
        ] {
            let path = path.key(key);
            if document.is_written(&path) {
                diagnostics.not_active(path, purpose);
            }
        }
    }
    let semantic = catalog.key("embeddings").key("semantic");
    let used = embedding_key(config.global.model_catalog.embeddings.semantic.embedding_config.model_type);
    let purpose = "an embedding model that `embedding_config.model_type` does not choose";
    for (key, purpose) in [
        ("use_cpu", "a choice of processor; models run on the CPU"),
        ("mmbert_model_path", purpose),
        ("qwen3_model_path", purpose),
        ("gemma_model_path", purpose),
        ("bert_model_path", purpose),
        ("multimodal_model_path", purpose),
    ] {
        let path = semantic.key(key);
        if key != used && document.is_written(&path) {
            diagnostics.not_active(path, purpose);
        }
    }
}

fn decisions(config: &Config, diagnostics: &mut Diagnostics) {
    for (index, decision) in config.routing.decisions.iter().enumerate() {
        let path = Path::keys("routing.decisions").index(index);
        for (position, plugin) in decision.plugins.iter().enumerate() {
            if !matches!(plugin, Plugin::FastResponse(_)) {
                let path = path.key("plugins").index(position);
                diagnostics.not_active(path, format!("plugin `{}`", plugin.kind().as_str()));
            }
        }
        if !decision.candidate_iterations.is_empty() {
            diagnostics.not_active(path.key("candidateIterations"), "candidate iterations");
        }
        if !decision.emits.is_empty() {
            diagnostics.not_active(path.key("emits"), "retention directives");
        }
    }
}
