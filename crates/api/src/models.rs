//! `GET /info/models`, `/api/v1/embeddings/models`: what the router's own models are.

use axum::{Json, extract::State, response::IntoResponse};
use serde_json::{Value, json};

use crate::server::Shared;

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
