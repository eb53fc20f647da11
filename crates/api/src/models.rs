//! `GET /info/models`, `/api/v1/embeddings/models`, `/config/kbs`: what the router's own models and knowledge bases are.

use crate::{ApiFailure, server::Shared};
use axum::{
    Json,
    extract::{Path, State},
    response::IntoResponse,
};
use http::StatusCode;
use serde_json::{Value, json};
use vsr_config::KnowledgeBase;

/// `GET /info/models`.
pub(crate) async fn models(State(shared): State<Shared>) -> impl IntoResponse {
    let snapshot = shared.router.snapshot();
    let counters = snapshot.reader().counters();
    let models: Vec<Value> = snapshot
        .reader()
        .facts()
        .into_iter()
        .map(|facts| {
            json!({
                "name": facts.name,
                "type": facts.role,
                "loaded": facts.loaded,
                "state": if facts.loaded { "ready" } else { "not_loaded" },
                "model_path": facts.path.unwrap_or_else(|| "embedded".to_owned()),
                "categories": facts.labels.iter().map(|(head, labels)| (head.clone(), json!(labels))).collect::<serde_json::Map<_, _>>(),
                "metadata": {
                    "engine": facts.engine,
                    "precision": facts.precision,
                    "fingerprint": facts.fingerprint,
                    "dimension": facts.dimension,
                },
            })
        })
        .collect();
    let mut summary = shared.status.to_json();
    summary["loaded_models"] = summary["ready_models"].clone();
    Json(json!({
        "models": models,
        "summary": summary,
        "encoder": {
            "queued": counters.queued,
            "encoded": counters.done,
            "tokens": counters.tokens,
            "cache_hits": counters.cache_hits,
            "cache_bytes": counters.cache_bytes,
            "joined": counters.joined,
            "overloaded": counters.overloaded,
            "failed": counters.failed,
        },
        "system": {
            "architecture": std::env::consts::ARCH,
            "os": std::env::consts::OS,
            "gpu_available": false,
        },
    }))
}

/// `GET /config/kbs`.
pub(crate) async fn knowledge_bases(State(shared): State<Shared>) -> impl IntoResponse {
    let snapshot = shared.router.snapshot();
    let kbs: Vec<Value> = snapshot.config().global.model_catalog.kbs.iter().map(described).collect();
    Json(kbs)
}

/// `GET /config/kbs/{name}`.
pub(crate) async fn knowledge_base(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, ApiFailure> {
    let snapshot = shared.router.snapshot();
    let mut kbs = snapshot.config().global.model_catalog.kbs.iter();
    kbs.find(|kb| kb.name == name).map(|kb| Json(described(kb))).ok_or_else(|| ApiFailure {
        status: StatusCode::NOT_FOUND,
        code: "KB_NOT_FOUND",
        message: "there is no such knowledge base".to_owned(),
    })
}

fn described(kb: &KnowledgeBase) -> Value {
    let metrics = kb.metrics.iter().map(|metric| {
        json!({
            "name": metric.name,
            "type": metric.kind.as_str(),
            "positive_group": metric.positive_group,
            "negative_group": metric.negative_group,
        })
    });
    json!({
        "name": kb.name,
        "threshold": kb.threshold,
        "label_thresholds": kb.label_thresholds,
        "source": { "path": &*kb.source.path, "manifest": kb.source.manifest },
        "groups": kb.groups,
        "metrics": metrics.collect::<Vec<_>>(),
        "editable": false,
    })
}
