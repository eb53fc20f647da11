//! `POST /api/v1/classify/…`: single texts judged by the router's own models.
//!
//! Texts are never logged, and what was found in them is not repeated unless it is asked for.

mod batch;
mod intent;
mod pii;
mod security;

use std::time::{Duration, Instant};

use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use vsr_router::Snapshot;
use vsr_signals::{Cover, Head, ReadingPlan, Wants, class_of};
use vsr_types::UnavailableReason;

pub(crate) use batch::batch;
pub(crate) use intent::intent;
pub(crate) use pii::pii;
pub(crate) use security::security;

use crate::{ApiFailure, extract::Body, server::Shared};
use intent::IntentOptions;
use pii::PiiOptions;
use security::SecurityOptions;

/// How long one text may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextRequest {
    text: String,
}

/// A text for all classifiers at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CombinedRequest {
    text: String,
    #[serde(default)]
    intent_options: IntentOptions,
    #[serde(default)]
    pii_options: PiiOptions,
    #[serde(default)]
    security_options: SecurityOptions,
}

#[derive(Debug, Serialize)]
struct FactCheck {
    needs_fact_check: bool,
    label: String,
    confidence: f64,
    processing_time_ms: f64,
}

#[derive(Debug, Serialize)]
struct Feedback {
    feedback_type: String,
    label: String,
    confidence: f64,
    processing_time_ms: f64,
}

/// The classes of a head with their probabilities, the most probable first.
pub(crate) struct Classes(Vec<(String, f64)>);

/// `POST /api/v1/classify/fact-check`.
pub(crate) async fn fact_check(
    State(shared): State<Shared>,
    Body(request): Body<TextRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let snapshot = shared.router.snapshot();
    let classes = classes(&snapshot, Head::FactCheck, &request.text).await?;
    let probability = classes.of("needs_fact_check");
    let threshold =
        snapshot.config().global.model_catalog.modules.hallucination_mitigation.fact_check.threshold;
    let needs_fact_check = probability >= threshold;
    let label = if needs_fact_check { "FACT_CHECK_NEEDED" } else { "NO_FACT_CHECK_NEEDED" };
    Ok(Json(FactCheck {
        needs_fact_check,
        label: label.to_owned(),
        confidence: if needs_fact_check { probability } else { 1.0 - probability },
        processing_time_ms: milliseconds(started),
    }))
}

/// `POST /api/v1/classify/user-feedback`.
pub(crate) async fn user_feedback(
    State(shared): State<Shared>,
    Body(request): Body<TextRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let classes = classes(&shared.router.snapshot(), Head::UserFeedback, &request.text).await?;
    let (label, confidence) = classes.best();
    Ok(Json(Feedback {
        feedback_type: class_of(&label),
        label,
        confidence,
        processing_time_ms: milliseconds(started),
    }))
}

/// `POST /api/v1/classify/combined`.
pub(crate) async fn combined(
    State(shared): State<Shared>,
    Body(request): Body<CombinedRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let intent = intent::answer(&shared, intent::Question::of_text(&request.text), &request.intent_options);
    let intent = Box::pin(intent).await?;
    let pii = pii::answer(&shared, &request.text, &request.pii_options).await?;
    let security = security::answer(&shared, &request.text, &request.security_options).await?;
    Ok(Json(serde_json::json!({
        "intent": intent,
        "pii": pii,
        "security": security,
        "processing_time_ms": milliseconds(started),
    })))
}

/// What a head says of a text.
async fn classes(snapshot: &Snapshot, head: Head, text: &str) -> Result<Classes, ApiFailure> {
    demand(text)?;
    let budget = snapshot.config().global.model_catalog.modules.scan.max_tokens;
    let plan = ReadingPlan::for_text(text, Wants::head(head), Cover::Ends, budget);
    let readings = snapshot.reader().read(plan, LIMIT).await;
    let mut classes: Vec<(String, f64)> = readings
        .text_probabilities(head)
        .map_err(unavailable)?
        .into_iter()
        .map(|(label, probability)| (label.to_string(), probability))
        .collect();
    classes.sort_by(|left, right| right.1.total_cmp(&left.1));
    Ok(Classes(classes))
}

impl Classes {
    fn best(&self) -> (String, f64) {
        self.0.first().cloned().unwrap_or_default()
    }

    fn of(&self, label: &str) -> f64 {
        self.0.iter().filter(|(own, _)| class_of(own) == label).map(|(_, probability)| probability).sum()
    }
}

/// A text must hold something.
fn demand(text: &str) -> Result<(), ApiFailure> {
    match text.trim().is_empty() {
        true => Err(ApiFailure::invalid("`text` must not be empty")),
        false => Ok(()),
    }
}

/// Why there is no answer.
fn unavailable(reason: UnavailableReason) -> ApiFailure {
    let (status, code, message) = match reason {
        UnavailableReason::NoInput => {
            (StatusCode::BAD_REQUEST, "INVALID_INPUT", "`text` must not be empty".to_owned())
        }
        UnavailableReason::NotActive => {
            (StatusCode::SERVICE_UNAVAILABLE, "MODEL_NOT_READY", "this router has no such model".to_owned())
        }
        UnavailableReason::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "OVERLOADED",
            "the router's models are busy; try again later".to_owned(),
        ),
        UnavailableReason::UnsupportedLanguage => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "UNSUPPORTED_LANGUAGE",
            "the classifier was not evaluated on texts in this language".to_owned(),
        ),
        other => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "CLASSIFICATION_ERROR",
            format!("no classification: {other:?}"),
        ),
    };
    ApiFailure { status, code, message }
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}
