//! `global`: blocks that stood at the top, at the top of `global`, or in groups of other names.

use super::tree::Tree;
use crate::node::{Node, Span, Value};

/// Blocks by their place in `global`.
const BLOCKS: &[(&str, &str)] = &[
    ("config_source", "router.config_source"),
    ("strategy", "router.strategy"),
    ("auto_model_name", "router.auto_model_name"),
    ("include_config_models_in_list", "router.include_config_models_in_list"),
    ("clear_route_cache", "router.clear_route_cache"),
    ("model_selection", "router.model_selection"),
    ("skip_processing", "router.skip_processing"),
    ("streamed_body_mode", "router.streamed_body.enabled"),
    ("max_streamed_body_bytes", "router.streamed_body.max_bytes"),
    ("streamed_body_timeout_sec", "router.streamed_body.timeout_sec"),
    ("api", "services.api"),
    ("response_api", "services.response_api"),
    ("router_replay", "services.router_replay"),
    ("startup_status", "services.startup_status"),
    ("observability", "services.observability"),
    ("authz", "services.authz"),
    ("ratelimit", "services.ratelimit"),
    ("semantic_cache", "stores.semantic_cache"),
    ("memory", "stores.memory"),
    ("vector_store", "stores.vector_store"),
    ("tools", "integrations.tools"),
    ("looper", "integrations.looper"),
    ("system_models", "model_catalog.system"),
    ("external_models", "model_catalog.external"),
    ("embedding_models", "model_catalog.embeddings.semantic"),
    ("prompt_compression", "model_catalog.modules.prompt_compression"),
    ("prompt_guard", "model_catalog.modules.prompt_guard"),
    ("classifier", "model_catalog.modules.classifier"),
    ("hallucination_mitigation", "model_catalog.modules.hallucination_mitigation"),
    ("feedback_detector", "model_catalog.modules.feedback_detector"),
    ("modality_detector", "model_catalog.modules.modality_detector"),
    ("bert_model", "model_catalog.embeddings.bert"),
];

/// Parts of modules by their names now.
const PARTS: &[(&str, &str)] = &[
    ("classifier.category_model", "classifier.domain"),
    ("classifier.pii_model", "classifier.pii"),
    ("classifier.mcp_category_model", "classifier.mcp"),
    ("classifier.preference_model", "classifier.preference"),
    ("hallucination_mitigation.fact_check_model", "hallucination_mitigation.fact_check"),
    ("hallucination_mitigation.hallucination_model", "hallucination_mitigation.detector"),
    ("hallucination_mitigation.nli_model", "hallucination_mitigation.explainer"),
];

const SEMANTIC: &str = "global.model_catalog.embeddings.semantic";
const BERT: &str = "global.model_catalog.embeddings.bert";

/// Moves everything that belongs to `global` to its place there.
pub(super) fn canonical(tree: &mut Tree) {
    tree.spread("global.runtime", "global");
    tree.spread("global.models", "global.model_catalog");
    tree.shift("global.modules", "global.model_catalog.modules");
    tree.shift("providers.external_models", "global.model_catalog.external");
    for outer in ["", "global."] {
        for (from, to) in BLOCKS {
            tree.shift(&format!("{outer}{from}"), &format!("global.{to}"));
        }
    }
    for (from, to) in PARTS {
        let modules = "global.model_catalog.modules";
        tree.shift(&format!("{modules}.{from}"), &format!("{modules}.{to}"));
    }
    tree.shift(&format!("{SEMANTIC}.hnsw_config"), &format!("{SEMANTIC}.embedding_config"));
    bert(tree);
}

/// The one embedding model of the first layouts.
fn bert(tree: &mut Tree) {
    let moves = [
        ("model_id", "bert_model_path"),
        ("threshold", "embedding_config.min_score_threshold"),
        ("use_cpu", "use_cpu"),
    ];
    let is_block = tree.root.at_mut(BERT).is_some_and(|node| node.entries().is_some());
    if !is_block {
        tree.leave_out(BERT, "expected a mapping; write global.model_catalog.embeddings.semantic");
        return;
    }
    for (from, to) in moves {
        tree.shift(&format!("{BERT}.{from}"), &format!("{SEMANTIC}.{to}"));
    }
    if let Some(entry) = tree.take(BERT)
        && let Node { value: Value::Map(rest), .. } = entry.value
    {
        if rest.is_empty() {
            tree.notes.absorb(entry.key_span, "it is part of the semantic embeddings now");
        }
        discard_all(tree, rest.iter().map(|entry| entry.key_span));
    }
}

fn discard_all(tree: &mut Tree, spans: impl Iterator<Item = Span>) {
    for span in spans {
        tree.notes.discard(span, "the semantic embeddings have no such key".into());
    }
}
