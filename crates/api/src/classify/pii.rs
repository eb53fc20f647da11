//! `POST /api/v1/classify/pii`: personal data in a text.

use std::{ops::Range, time::Instant};

use axum::{Json, extract::State, response::IntoResponse};
use serde::{Deserialize, Serialize};
use vsr_signals::{ReadingPlan, pii::Entity};
use vsr_types::UnavailableReason;

use super::{demand, milliseconds, read, unavailable};
use crate::{ApiFailure, extract::Body, server::Shared};

/// A text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PiiRequest {
    text: String,
    #[serde(default)]
    options: PiiOptions,
}

/// What is looked for, and what is told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PiiOptions {
    /// Only these types; all if empty.
    #[serde(default)]
    entity_types: Vec<String>,
    /// The confidence from which an entity counts, 0..=1; the module's if absent.
    #[serde(default)]
    confidence_threshold: Option<f64>,
    /// Where entities are, in characters; told unless switched off.
    #[serde(default)]
    return_positions: Option<bool>,
    /// The text with entities replaced by their types.
    #[serde(default)]
    mask_entities: bool,
    /// What entities say.
    #[serde(default)]
    reveal_entity_text: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct PiiAnswer {
    pub(crate) has_pii: bool,
    entities: Vec<FoundEntity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_text: Option<String>,
    /// `allow`, `block`, or `review` where nothing was found and the text was not read as it should be.
    security_recommendation: &'static str,
    /// Why only fixed formats were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<UnavailableReason>,
    /// Who looked beside the recognisers of fixed formats; empty if nobody did.
    model_used: String,
    pub(crate) processing_time_ms: f64,
}

#[derive(Debug, Serialize)]
struct FoundEntity {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    confidence: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_position: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_position: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_value: Option<String>,
}

/// Answers the request.
pub(crate) async fn pii(
    State(shared): State<Shared>,
    Body(request): Body<PiiRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    Ok(Json(answer(&shared, &request.text, &request.options).await?))
}

pub(crate) async fn answer(
    shared: &Shared,
    text: &str,
    options: &PiiOptions,
) -> Result<PiiAnswer, ApiFailure> {
    let started = Instant::now();
    demand(text)?;
    let snapshot = shared.router.snapshot();
    let modules = &snapshot.config().global.model_catalog.modules;
    let threshold = options.confidence_threshold.unwrap_or(modules.classifier.pii.threshold);
    if !(0.0..=1.0).contains(&threshold) {
        return Err(ApiFailure::invalid("`confidence_threshold` must be between 0 and 1"));
    }
    let plan = ReadingPlan::for_scan(text, false, true, modules.scan.max_tokens);
    let found = read(shared, &snapshot, plan).await.entities().map_err(unavailable)?;
    let is_asked = |entity: &Entity| {
        let mut kinds = options.entity_types.iter();
        options.entity_types.is_empty() || kinds.any(|kind| kind.eq_ignore_ascii_case(&entity.kind))
    };
    let mut entities = found.entities;
    entities.retain(|entity| entity.probability >= threshold && is_asked(entity));
    let has_positions = options.return_positions != Some(false);
    let describe = |entity: &Entity| {
        let position = |at: usize| has_positions.then(|| text[..at].chars().count());
        FoundEntity {
            kind: entity.kind.to_string(),
            value: options.reveal_entity_text.then(|| text[entity.bytes.clone()].to_owned()),
            confidence: entity.probability,
            start_position: position(entity.bytes.start),
            end_position: position(entity.bytes.end),
            masked_value: options.mask_entities.then(|| mask(entity)),
        }
    };
    Ok(PiiAnswer {
        has_pii: !entities.is_empty(),
        entities: entities.iter().map(describe).collect(),
        masked_text: options.mask_entities.then(|| masked(text, &entities)),
        security_recommendation: match (entities.is_empty(), &found.tagger) {
            (false, _) => "block",
            (true, Ok(())) => "allow",
            (true, Err(_)) => "review",
        },
        model_used: snapshot.reader().tagger_name().unwrap_or_default(),
        incomplete: found.tagger.err(),
        processing_time_ms: milliseconds(started),
    })
}

fn mask(entity: &Entity) -> String {
    format!("[{}]", entity.kind)
}

fn masked(text: &str, entities: &[Entity]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut end = 0;
    for entity in entities {
        let Range { start, end: next } = entity.bytes.clone();
        masked.push_str(&text[end..start]);
        masked.push_str(&mask(entity));
        end = next;
    }
    masked.push_str(&text[end..]);
    masked
}
