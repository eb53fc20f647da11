//! `POST /api/v1/classify/…`: single texts judged by the models that judge requests: the router's own, or those served
//! elsewhere that the configuration names. Every answer says which.
//!
//! Texts are never logged, and what was found in them is not repeated unless it is asked for.

mod batch;
mod intent;
mod pii;
mod security;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use vsr_router::Snapshot;
use vsr_signals::{
    Cover, Head, ReadingPlan, TextReadings, Wants, class_of,
    external::{RemoteFailure, RemoteRoles, RemoteTask},
};
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
    model_used: String,
    processing_time_ms: f64,
}

#[derive(Debug, Serialize)]
struct Feedback {
    feedback_type: String,
    label: String,
    confidence: f64,
    model_used: String,
    processing_time_ms: f64,
}

/// Classes with their probabilities, the most probable first.
pub(crate) struct Classes {
    list: Vec<(String, f64)>,
    /// Who named them.
    model_used: String,
}

/// `POST /api/v1/classify/fact-check`.
pub(crate) async fn fact_check(
    State(shared): State<Shared>,
    Body(request): Body<TextRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let snapshot = shared.router.snapshot();
    let classes = classes(&shared, &snapshot, Head::FactCheck, &request.text).await?;
    let probability = classes.of("needs_fact_check");
    let threshold =
        snapshot.config().global.model_catalog.modules.hallucination_mitigation.fact_check.threshold;
    let needs_fact_check = probability >= threshold;
    let label = if needs_fact_check { "FACT_CHECK_NEEDED" } else { "NO_FACT_CHECK_NEEDED" };
    Ok(Json(FactCheck {
        needs_fact_check,
        label: label.to_owned(),
        confidence: if needs_fact_check { probability } else { 1.0 - probability },
        model_used: classes.model_used,
        processing_time_ms: milliseconds(started),
    }))
}

/// `POST /api/v1/classify/user-feedback`.
pub(crate) async fn user_feedback(
    State(shared): State<Shared>,
    Body(request): Body<TextRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    let started = Instant::now();
    let snapshot = shared.router.snapshot();
    let classes = classes(&shared, &snapshot, Head::UserFeedback, &request.text).await?;
    let (label, confidence) = classes.best();
    Ok(Json(Feedback {
        feedback_type: class_of(&label),
        label,
        confidence,
        model_used: classes.model_used,
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

/// What is read of a text.
async fn read(shared: &Shared, snapshot: &Snapshot, plan: ReadingPlan) -> TextReadings {
    Box::pin(snapshot.reading_of(plan, LIMIT).run(&shared.client)).await.into_texts()
}

/// What a head says of a text.
async fn classes(
    shared: &Shared,
    snapshot: &Snapshot,
    head: Head,
    text: &str,
) -> Result<Classes, ApiFailure> {
    demand(text)?;
    let budget = snapshot.config().global.model_catalog.modules.scan.max_tokens;
    let plan = ReadingPlan::for_text(text, Wants::head(head), Cover::Ends, budget);
    let readings = read(shared, snapshot, plan).await;
    let model_used = snapshot.reader().head_name(head).unwrap_or_default();
    Ok(Classes::new(readings.text_probabilities(head).map_err(unavailable)?, model_used))
}

/// What the subject of a text is: as requests are told, by a model served elsewhere if one has that role.
async fn subject(shared: &Shared, snapshot: &Snapshot, text: &str) -> Result<Classes, ApiFailure> {
    if RemoteRoles::of(snapshot.config()).domain.is_none() {
        return classes(shared, snapshot, Head::Domain, text).await;
    }
    demand(text)?;
    let readings = read(shared, snapshot, ReadingPlan::for_remote(text, RemoteTask::Domain)).await;
    let classes = readings.remote_classes(RemoteTask::Domain).map_err(|error| unanswered(&error))?;
    Ok(Classes::new(classes.to_vec(), name_of(snapshot, RemoteTask::Domain)))
}

/// What the configuration calls a model served elsewhere.
fn name_of(snapshot: &Snapshot, task: RemoteTask) -> String {
    snapshot.remote().name(task).map(ToString::to_string).unwrap_or_default()
}

impl Classes {
    fn new(classes: Vec<(Arc<str>, f64)>, model_used: String) -> Self {
        let classes = classes.into_iter().map(|(label, probability)| (label.to_string(), probability));
        let mut list: Vec<(String, f64)> = classes.collect();
        list.sort_by(|left, right| right.1.total_cmp(&left.1));
        Self { list, model_used }
    }

    fn best(&self) -> (String, f64) {
        self.list.first().cloned().unwrap_or_default()
    }

    fn of(&self, label: &str) -> f64 {
        self.list.iter().filter(|(own, _)| class_of(own) == label).map(|(_, probability)| probability).sum()
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

/// Why a model served elsewhere gave no answer.
fn unanswered(failure: &RemoteFailure) -> ApiFailure {
    let (status, code) = match failure.reason {
        UnavailableReason::NoInput | UnavailableReason::PartlyRead => return unavailable(failure.reason),
        UnavailableReason::Overloaded | UnavailableReason::CircuitOpen => {
            (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED")
        }
        _ => (StatusCode::BAD_GATEWAY, "MODEL_UNREACHABLE"),
    };
    ApiFailure { status, code, message: format!("no classification: {}", failure.detail) }
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}
