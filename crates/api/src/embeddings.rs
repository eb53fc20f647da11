//! `POST /api/v1/embeddings`, `/similarity`, `/similarity/batch`, `/nli`: vectors and what they are compared for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State, response::IntoResponse};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use vsr_reader::{Embedding, Reader, ReaderError};

use crate::{ApiFailure, extract::Body, server::Shared};

/// How long one text may take.
const LIMIT: Duration = Duration::from_secs(20);
/// The most texts of one request.
const MAX_TEXTS: usize = 1_000;
/// How many texts are embedded at one time.
const AT_ONCE: usize = 8;

/// Which model, of those that the public release knows. There is one embedding model here, which answers for all, so the
/// wishes that choose among several change nothing.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ModelWish {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    dimension: Option<usize>,
    #[serde(default)]
    target_layer: Option<u32>,
    #[serde(default, rename = "quality_priority")]
    _quality_priority: Option<f64>,
    #[serde(default, rename = "latency_priority")]
    _latency_priority: Option<f64>,
    #[serde(default, rename = "sequence_length")]
    _sequence_length: Option<u64>,
}

/// Texts to embed.
#[derive(Debug, Deserialize)]
pub(crate) struct EmbeddingsRequest {
    texts: Vec<String>,
    #[serde(flatten)]
    wish: ModelWish,
}

/// Two texts to compare.
#[derive(Debug, Deserialize)]
pub(crate) struct SimilarityRequest {
    text1: String,
    text2: String,
    #[serde(flatten)]
    wish: ModelWish,
}

/// A text to compare with others.
#[derive(Debug, Deserialize)]
pub(crate) struct MatchesRequest {
    query: String,
    candidates: Vec<String>,
    #[serde(default)]
    top_k: Option<usize>,
    #[serde(flatten)]
    wish: ModelWish,
}

/// A premise and what may follow from it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InferenceRequest {
    premise: String,
    hypothesis: String,
}

/// `POST /api/v1/embeddings`.
pub(crate) async fn embeddings(
    State(shared): State<Shared>,
    Body(request): Body<EmbeddingsRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let snapshot = shared.router.snapshot();
    let model = request.wish.model(snapshot.reader())?;
    let embedded = embed(snapshot.reader(), &request.texts, "texts").await?;
    let count = embedded.len();
    let list = request.texts.iter().zip(&embedded).map(|(text, (embedding, milliseconds))| {
        json!({
            "text": text,
            "embedding": embedding.vector,
            "dimension": embedding.vector.len(),
            "model_used": model,
            "processing_time_ms": milliseconds,
        })
    });
    let list: Vec<_> = list.collect();
    let total = milliseconds(started);
    Ok(Json(json!({
        "embeddings": list,
        "total_count": count,
        "total_processing_time_ms": total,
        "avg_processing_time_ms": total / count as f64,
    })))
}

/// `POST /api/v1/similarity`.
pub(crate) async fn similarity(
    State(shared): State<Shared>,
    Body(request): Body<SimilarityRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let snapshot = shared.router.snapshot();
    let model = request.wish.model(snapshot.reader())?;
    let texts = [request.text1, request.text2];
    let embedded = embed(snapshot.reader(), &texts, "text1` and `text2").await?;
    Ok(Json(json!({
        "model_used": model,
        "similarity": cosine(&embedded[0].0, &embedded[1].0),
        "processing_time_ms": milliseconds(started),
    })))
}

/// `POST /api/v1/similarity/batch`.
pub(crate) async fn matches(
    State(shared): State<Shared>,
    Body(request): Body<MatchesRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let snapshot = shared.router.snapshot();
    let model = request.wish.model(snapshot.reader())?;
    let query = embed(snapshot.reader(), std::slice::from_ref(&request.query), "query").await?;
    let candidates = embed(snapshot.reader(), &request.candidates, "candidates").await?;
    let mut matches: Vec<(usize, f64)> =
        candidates.iter().map(|(candidate, _)| cosine(&query[0].0, candidate)).enumerate().collect();
    matches.sort_by(|left, right| right.1.total_cmp(&left.1));
    matches.truncate(request.top_k.filter(|top| *top > 0).unwrap_or(usize::MAX));
    let matches = matches.into_iter().map(|(index, similarity)| {
        json!({ "index": index, "similarity": similarity, "text": request.candidates[index] })
    });
    Ok(Json(json!({
        "matches": matches.collect::<Vec<_>>(),
        "total_candidates": request.candidates.len(),
        "model_used": model,
        "processing_time_ms": milliseconds(started),
    })))
}

/// `POST /api/v1/nli`. No embedded model judges pairs of texts: it takes a checkpoint of the user's own.
pub(crate) async fn inference(
    State(shared): State<Shared>,
    Body(request): Body<InferenceRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    if request.premise.trim().is_empty() || request.hypothesis.trim().is_empty() {
        return Err(ApiFailure::invalid("`premise` and `hypothesis` must not be empty"));
    }
    let snapshot = shared.router.snapshot();
    let judged = snapshot.reader().inference(&request.premise, &request.hypothesis, LIMIT).await;
    let judged = judged.map_err(|error| {
        let (status, code) = match error {
            ReaderError::Absent(_) | ReaderError::Overloaded => {
                (StatusCode::SERVICE_UNAVAILABLE, "NLI_MODEL_NOT_READY")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "NLI_CLASSIFICATION_FAILED"),
        };
        let help = match error {
            ReaderError::Absent(_) => {
                "; name a checkpoint whose classes are entailment, neutral and contradiction under \
                 `global.model_catalog.modules.hallucination_mitigation.explainer.model_id`"
            }
            _ => "",
        };
        ApiFailure { status, code, message: format!("{error}{help}") }
    })?;
    let [entailment, neutral, contradiction] = judged.probabilities;
    Ok(Json(json!({
        "label": judged.relation.as_str(),
        "confidence": judged.confidence,
        "entailment_prob": entailment,
        "neutral_prob": neutral,
        "contradiction_prob": contradiction,
        "processing_time_ms": milliseconds(started),
    })))
}

impl ModelWish {
    /// The name of the model that answers.
    fn model(&self, reader: &Reader) -> Result<String, ApiFailure> {
        let Some(facts) = reader.embedder() else {
            return Err(failure(&ReaderError::Absent("embedding model")));
        };
        // A checkpoint that is not loaded yet has not told its dimension.
        let known = (facts.dimension > 0).then_some(facts.dimension);
        if let Some((dimension, _)) = self.dimension.zip(known).filter(|(wanted, known)| wanted != known) {
            let message =
                format!("`dimension` {dimension} is not that of `{}`, {}", facts.name, facts.dimension);
            return Err(ApiFailure { code: "INVALID_DIMENSION", ..ApiFailure::invalid(message) });
        }
        if let Some(layer) = self.target_layer {
            let message = format!("`target_layer` {layer}: `{}` cannot stop at a layer", facts.name);
            return Err(ApiFailure { code: "INVALID_LAYER", ..ApiFailure::invalid(message) });
        }
        const KNOWN: [&str; 7] = ["", "auto", "qwen3", "gemma", "mmbert", "multimodal", "bert"];
        match self.model.as_deref() {
            Some(other) if !KNOWN.contains(&other) && other != facts.name => {
                Err(ApiFailure::invalid(format!("there is no embedding model `{other}`; use `auto`")))
            }
            _ => Ok(facts.name),
        }
    }
}

/// The embeddings of `texts`, each with its time in milliseconds.
async fn embed(reader: &Reader, texts: &[String], key: &str) -> Result<Vec<(Embedding, f64)>, ApiFailure> {
    if texts.is_empty() || texts.len() > MAX_TEXTS || texts.iter().any(|text| text.trim().is_empty()) {
        return Err(ApiFailure::invalid(format!(
            "`{key}` must hold between 1 and {MAX_TEXTS} texts, none empty"
        )));
    }
    let embedded = stream::iter(0..texts.len()).map(|index| async move {
        let started = Instant::now();
        let embedding = reader.embedding(&texts[index], LIMIT).await.map_err(|error| failure(&error))?;
        Ok((embedding, milliseconds(started)))
    });
    embedded.buffered(AT_ONCE).try_collect().await
}

fn failure(error: &ReaderError) -> ApiFailure {
    let status = match error {
        ReaderError::Absent(_) | ReaderError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    ApiFailure { status, code: "EMBEDDING_GENERATION_FAILED", message: error.to_string() }
}

fn cosine(left: &Embedding, right: &Embedding) -> f64 {
    let (left, right): (&Arc<[f32]>, &Arc<[f32]>) = (&left.vector, &right.vector);
    left.iter().zip(right.iter()).map(|(left, right)| f64::from(left * right)).sum()
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}
