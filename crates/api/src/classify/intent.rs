//! `POST /api/v1/classify/intent`: the subject of a text, and how it would be routed.

use std::{collections::BTreeMap, time::Instant};

use axum::{Json, extract::State, response::IntoResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{milliseconds, subject};
use crate::{ApiFailure, EvalRequest, extract::Body, server::Shared};

/// A text or a conversation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntentRequest {
    #[serde(flatten)]
    question: Question,
    #[serde(default)]
    options: IntentOptions,
}

/// What is classified: the text, or the last user message after those before it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Question {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    messages: Option<Vec<Value>>,
}

/// What is to be told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntentOptions {
    /// All classes.
    #[serde(default)]
    return_probabilities: bool,
    /// The probability below which the category is empty.
    #[serde(default)]
    confidence_threshold: Option<f64>,
    /// The values of all signals.
    #[serde(default)]
    include_explanation: bool,
    /// Every signal is always evaluated.
    #[serde(default, rename = "evaluate_all_signals")]
    _evaluate_all_signals: Option<bool>,
    /// The rule tree of every decision.
    #[serde(default)]
    trace: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct IntentAnswer {
    classification: Classification,
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<BTreeMap<String, f64>>,
    recommended_model: String,
    routing_decision: String,
    matched_signals: Value,
    decision_result: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_trace: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Classification {
    category: String,
    confidence: f64,
    model_used: String,
    processing_time_ms: f64,
}

/// Answers the request.
pub(crate) async fn intent(
    State(shared): State<Shared>,
    Body(request): Body<IntentRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    Ok(Json(Box::pin(answer(&shared, request.question, &request.options)).await?))
}

impl Question {
    pub(crate) fn of_text(text: &str) -> Self {
        Self { text: Some(text.to_owned()), messages: None }
    }

    /// The last user message, or the text.
    fn query(&self) -> Result<String, ApiFailure> {
        let Some(messages) = self.messages.as_ref().filter(|messages| !messages.is_empty()) else {
            let text = self.text.as_deref().filter(|text| !text.trim().is_empty());
            return text.map(str::to_owned).ok_or_else(|| ApiFailure::invalid("give `text` or `messages`"));
        };
        let last = messages.iter().rev().find(|message| message["role"] == "user");
        let content = last.map(|message| &message["content"]);
        let text = match content {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => {
                let texts = parts.iter().filter_map(|part| part["text"].as_str());
                texts.collect::<Vec<_>>().join("\n")
            }
            _ => String::new(),
        };
        match text.trim().is_empty() {
            true => Err(ApiFailure::invalid("`messages` holds no text of a user")),
            false => Ok(text),
        }
    }
}

pub(crate) async fn answer(
    shared: &Shared,
    question: Question,
    options: &IntentOptions,
) -> Result<IntentAnswer, ApiFailure> {
    if options.confidence_threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
        return Err(ApiFailure::invalid("`confidence_threshold` must be between 0 and 1"));
    }
    let started = Instant::now();
    let classes = subject(shared, &shared.router.snapshot(), &question.query()?).await?;
    let (category, confidence) = classes.best();
    let is_sure = options.confidence_threshold.is_none_or(|threshold| confidence >= threshold);
    let classification = Classification {
        category: if is_sure { category } else { String::new() },
        confidence,
        model_used: classes.model_used,
        processing_time_ms: milliseconds(started),
    };
    let evaluated =
        EvalRequest { text: question.text, messages: question.messages, ..EvalRequest::default() };
    let explanation = evaluated.evaluate(&shared.router).await?;
    let mut explanation = serde_json::to_value(explanation)
        .map_err(|error| ApiFailure::internal(format!("the explanation cannot be written: {error}")))?;
    let mut take = |key: &str| explanation[key].take();
    let recommended = take("recommended_models");
    Ok(IntentAnswer {
        classification,
        probabilities: options.return_probabilities.then(|| classes.list.into_iter().collect()),
        recommended_model: recommended[0].as_str().unwrap_or_default().to_owned(),
        routing_decision: take("routing_decision").as_str().unwrap_or_default().to_owned(),
        signals: options.include_explanation.then(|| take("signals")),
        eval_trace: options.trace.then(|| take("eval_trace")),
        matched_signals: explanation["decision_result"]["matched_signals"].clone(),
        decision_result: explanation["decision_result"].take(),
    })
}
