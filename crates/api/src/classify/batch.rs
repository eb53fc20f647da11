//! `POST /api/v1/classify/batch`: many texts at once.

use std::{collections::BTreeMap, time::Instant};

use axum::{Json, extract::State, response::IntoResponse};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{milliseconds, pii, security, subject};
use crate::{ApiFailure, extract::Body, server::Shared};

/// The most texts, where the configuration sets no bound.
const MAX_TEXTS: usize = 1_000;
/// How many texts are classified at one time, where the configuration sets no bound.
const AT_ONCE: usize = 8;
/// The confidence below which a result counts as unsure.
const UNSURE: f64 = 0.7;

/// Texts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest {
    texts: Vec<String>,
    #[serde(default)]
    task_type: TaskType,
    #[serde(default)]
    options: BatchOptions,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TaskType {
    #[default]
    Intent,
    Pii,
    Security,
    All,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchOptions {
    #[serde(default)]
    return_probabilities: bool,
}

/// Answers the request.
pub(crate) async fn batch(
    State(shared): State<Shared>,
    Body(request): Body<BatchRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let snapshot = shared.router.snapshot();
    let settings = &snapshot.config().global.services.api.batch_classification;
    let bound = |written: u32, own: usize| if written == 0 { own } else { written as usize };
    let most = bound(settings.max_batch_size, MAX_TEXTS);
    if request.texts.is_empty() || request.texts.len() > most {
        return Err(ApiFailure::invalid(format!("`texts` must hold between 1 and {most} texts")));
    }
    let at_once = match request.texts.len() < settings.concurrency_threshold as usize {
        true => 1,
        false => bound(settings.max_concurrency, AT_ONCE),
    };
    let (task, options) = (request.task_type, &request.options);
    let results: Vec<Classified> = stream::iter(0..request.texts.len())
        .map(|index| classify(&shared, task, options, &request.texts[index]))
        .buffered(at_once)
        .try_collect()
        .await?;
    let mut distribution: BTreeMap<&str, usize> = BTreeMap::new();
    results.iter().for_each(|result| *distribution.entry(&result.category).or_default() += 1);
    let count = results.len();
    let average = results.iter().map(|result| result.confidence).sum::<f64>() / count as f64;
    let statistics = json!({
        "category_distribution": distribution,
        "avg_confidence": average,
        "low_confidence_count": results.iter().filter(|result| result.confidence < UNSURE).count(),
    });
    Ok(Json(json!({
        "results": results.iter().map(|result| &result.body).collect::<Vec<_>>(),
        "total_count": count,
        "processing_time_ms": milliseconds(started),
        "statistics": statistics,
    })))
}

/// A result, with what statistics need.
struct Classified {
    category: String,
    confidence: f64,
    body: Value,
}

async fn classify(
    shared: &Shared,
    task: TaskType,
    options: &BatchOptions,
    text: &str,
) -> Result<Classified, ApiFailure> {
    match task {
        TaskType::Intent => intent(shared, options, text).await,
        TaskType::Pii => {
            let answer = pii::answer(shared, text, &pii::PiiOptions::default()).await?;
            let category = if answer.has_pii { "pii" } else { "no_pii" };
            let body = written(&answer)?;
            let entities = body["entities"].as_array().into_iter().flatten();
            let most = entities.filter_map(|entity| entity["confidence"].as_f64()).reduce(f64::max);
            Ok(Classified { category: category.to_owned(), confidence: most.unwrap_or(1.0), body })
        }
        TaskType::Security => {
            let answer = security::answer(shared, text, &security::SecurityOptions::default()).await?;
            let category = if answer.is_jailbreak { "jailbreak" } else { "safe" };
            let (category, confidence) = (category.to_owned(), answer.confidence);
            Ok(Classified { category, confidence, body: written(&answer)? })
        }
        TaskType::All => {
            let Classified { category, confidence, body } = intent(shared, options, text).await?;
            let pii = pii::answer(shared, text, &pii::PiiOptions::default()).await?;
            let security = security::answer(shared, text, &security::SecurityOptions::default()).await?;
            let body = json!({ "intent": body, "pii": written(&pii)?, "security": written(&security)? });
            Ok(Classified { category, confidence, body })
        }
    }
}

async fn intent(shared: &Shared, options: &BatchOptions, text: &str) -> Result<Classified, ApiFailure> {
    let started = Instant::now();
    let classes = subject(shared, &shared.router.snapshot(), text).await?;
    let (category, confidence) = classes.best();
    let mut body = json!({
        "category": category,
        "confidence": confidence,
        "model_used": classes.model_used,
        "processing_time_ms": milliseconds(started),
    });
    if options.return_probabilities {
        body["probabilities"] = classes.list.into_iter().map(|(label, p)| (label, Value::from(p))).collect();
    }
    Ok(Classified { category, confidence, body })
}

fn written(answer: &impl serde::Serialize) -> Result<Value, ApiFailure> {
    serde_json::to_value(answer).map_err(|error| ApiFailure::internal(error.to_string()))
}
