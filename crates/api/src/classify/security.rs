//! `POST /api/v1/classify/security`: attacks on the model.

use std::time::Instant;

use axum::{Json, extract::State, response::IntoResponse};
use serde::{Deserialize, Serialize};
use vsr_config::Compatibility;
use vsr_router::Snapshot;
use vsr_signals::{
    AttackReading, Head, ReadingPlan, TextView,
    external::{RemoteRoles, RemoteTask},
};

use super::{demand, milliseconds, name_of, read, unanswered, unavailable};
use crate::{ApiFailure, extract::Body, server::Shared};

/// The one kind of attack that is told apart.
const JAILBREAK: &str = "jailbreak";

/// A text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecurityRequest {
    text: String,
    #[serde(default)]
    options: SecurityOptions,
}

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecurityOptions {
    /// Kinds of attacks; `jailbreak`, which includes injections, is the only one.
    #[serde(default)]
    detection_types: Vec<String>,
    /// How much is let pass.
    #[serde(default)]
    sensitivity: Option<Sensitivity>,
    /// The reason in words.
    #[serde(default)]
    include_reasoning: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sensitivity {
    Low,
    Medium,
    High,
}

#[derive(Debug, Serialize)]
pub(crate) struct SecurityAnswer {
    pub(crate) is_jailbreak: bool,
    risk_score: f64,
    detection_types: Vec<&'static str>,
    pub(crate) confidence: f64,
    /// `allow`, `block`, or `review` where nothing was found and not all was read.
    recommendation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    patterns_detected: Vec<&'static str>,
    /// Whether all of the text was read.
    fully_read: bool,
    /// Who judged.
    model_used: String,
    pub(crate) processing_time_ms: f64,
}

/// Answers the request.
pub(crate) async fn security(
    State(shared): State<Shared>,
    Body(request): Body<SecurityRequest>,
) -> Result<impl IntoResponse, ApiFailure> {
    Ok(Json(answer(&shared, &request.text, &request.options).await?))
}

pub(crate) async fn answer(
    shared: &Shared,
    text: &str,
    options: &SecurityOptions,
) -> Result<SecurityAnswer, ApiFailure> {
    let started = Instant::now();
    demand(text)?;
    if let Some(other) = options.detection_types.iter().find(|kind| !kind.eq_ignore_ascii_case(JAILBREAK)) {
        return Err(ApiFailure::invalid(format!(
            "there is no detection type `{other}`; there is `{JAILBREAK}`"
        )));
    }
    let snapshot = shared.router.snapshot();
    let roles = RemoteRoles::of(snapshot.config());
    let module_threshold = roles.attack_threshold(snapshot.config());
    let threshold = match options.sensitivity {
        None | Some(Sensitivity::Medium) => module_threshold,
        Some(Sensitivity::High) => module_threshold * 0.7,
        Some(Sensitivity::Low) => (module_threshold + 1.0) / 2.0,
    };
    let (attack, model_used) = attack(shared, &snapshot, roles, text).await?;
    let is_jailbreak = attack.probability >= threshold;
    let hidden = match attack.view {
        TextView::Written => None,
        TextView::Plain => Some("look_alike_characters"),
        TextView::Decoded => Some("encoded_text"),
    };
    let reasoning = options.include_reasoning.then(|| {
        let place = match attack.view {
            TextView::Written => "as written",
            TextView::Plain => "with look-alike and invisible characters folded",
            TextView::Decoded => "in what it encodes",
        };
        format!("the most suspicious part, {place}, is an attack with probability {:.3}; the threshold is {threshold:.3}", attack.probability)
    });
    Ok(SecurityAnswer {
        is_jailbreak,
        risk_score: attack.probability,
        detection_types: if is_jailbreak { vec![JAILBREAK] } else { Vec::new() },
        confidence: if is_jailbreak { attack.probability } else { 1.0 - attack.probability },
        recommendation: match (is_jailbreak, attack.is_whole) {
            (true, _) => "block",
            (false, true) => "allow",
            // What was not read may be an attack.
            (false, false) => "review",
        },
        reasoning,
        patterns_detected: hidden.filter(|_| is_jailbreak).into_iter().collect(),
        fully_read: attack.is_whole,
        model_used,
        processing_time_ms: milliseconds(started),
    })
}

/// What the classifier says that judges requests: a guardrail served elsewhere if one has that role, else the router's
/// own; and which it is.
async fn attack(
    shared: &Shared,
    snapshot: &Snapshot,
    roles: RemoteRoles,
    text: &str,
) -> Result<(AttackReading, String), ApiFailure> {
    let global = &snapshot.config().global;
    if roles.guardrail.is_none() {
        let plan = ReadingPlan::for_scan(text, true, false, global.model_catalog.modules.scan.max_tokens);
        let attack = read(shared, snapshot, plan).await.attack().map_err(unavailable)?;
        return Ok((attack, snapshot.reader().head_name(Head::Jailbreak).unwrap_or_default()));
    }
    let is_strict = global.router.compatibility == Some(Compatibility::V0_3);
    let readings = read(shared, snapshot, ReadingPlan::for_remote(text, RemoteTask::Guardrail)).await;
    let attack = readings.remote_attack(is_strict).map_err(|failure| unanswered(&failure))?;
    Ok((attack, name_of(snapshot, RemoteTask::Guardrail)))
}
