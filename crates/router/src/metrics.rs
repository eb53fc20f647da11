//! Prometheus metrics, under the public release's names. Labels hold configured names alone, so
//! that no client can make new series.

mod attempts;
mod encoder;
mod reloads;
mod series;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use vsr_encoder::Counters;
use vsr_protocol::{Losses, Protocol};
use vsr_signals::{TokenCalibration, external::RemoteReadings};
use vsr_types::{
    Atom, AtomId, Choice, ModelName, ReasoningMode, RouteTrace, SignalFamily, Stage, Timestamp, Usage,
};

pub(crate) use self::attempts::AttemptSeries;
use self::encoder::EncoderSeries;
use self::reloads::ReloadSeries;
use self::series::{ChoiceKey, ChoiceSeries, DecisionSeries, ModelSeries, RuleSeries};
use crate::Snapshot;

pub use self::reloads::ReloadResult;
pub(crate) use self::series::Series;

/// Seconds; the default buckets of Prometheus clients.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds, for what takes microseconds.
const FAST_SECONDS: [f64; 10] =
    [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01];
const TOKENS: [f64; 13] =
    [0.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];
const CONTEXT_TOKENS: [f64; 10] =
    [100.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0, 32000.0, 64000.0, 128000.0];
const SHARES: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
const ERROR_PERCENT: [f64; 11] = [-50.0, -30.0, -20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0, 30.0, 50.0];

macro_rules! labels {
    ($($name:ident { $($field:ident),* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($field: String,)* }
    )*};
}

labels! {
    ByModel { model }
    ByError { model, reason }
    ByDecision { decision_name }
    ByRule { signal_type, signal_name }
    ByFamily { signal_type }
    ByReason { reason_code, model }
    ByChange { source_model, target_model }
    ByCost { model, currency }
    ByEffort { category, model, enabled, effort }
    BySelection { method, model, decision, tier }
    ByContext { model, context_level }
    ByCategory { category }
    ByHash { hash }
    ByAnswer { task, outcome }
    ByLoss { from, to, severity, reason }
    ByOutcome { outcome }
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<ByModel, Counter>,
    errors: Family<ByError, Counter>,
    in_flight: Family<ByModel, Gauge>,
    prompt_tokens: Family<ByModel, Counter>,
    completion_tokens: Family<ByModel, Counter>,
    tokens: Family<ByModel, Counter>,
    prompt_tokens_per_request: Histograms<ByModel>,
    completion_tokens_per_request: Histograms<ByModel>,
    cost: Family<ByCost, Counter<f64>>,
    completion_latency: Histograms<ByModel>,
    time_to_first_token: Histograms<ByModel>,
    time_per_output_token: Histograms<ByModel>,
    routing_latency: Histogram,
    modifications: Family<ByChange, Counter>,
    reason_codes: Family<ByReason, Counter>,
    selections: Family<BySelection, Counter>,
    reasoning: Family<ByEffort, Counter>,
    context_tokens: Histograms<ByContext>,
    decision_evaluations: Counter,
    decision_latency: Histogram,
    decision_matches: Family<ByDecision, Counter>,
    decision_confidence: Histograms<ByDecision>,
    signal_extractions: Family<ByRule, Counter>,
    signal_matches: Family<ByRule, Counter>,
    signal_latency: Histograms<ByFamily>,
    calibration_ratio: Family<ByCategory, Gauge<f64, std::sync::atomic::AtomicU64>>,
    calibration_samples: Family<ByCategory, Gauge>,
    estimation_error: Histograms<ByCategory>,
    snapshot_info: Family<ByHash, Gauge>,
    remote_answers: Family<ByAnswer, Counter>,
    losses: Family<ByLoss, Counter>,
    stored_responses: Family<ByOutcome, Counter>,
    calibration: OnceLock<CalibrationSeries>,
    encoder: EncoderSeries,
    reloads: ReloadSeries,
    attempts: AttemptSeries,
}

/// What is counted of the token estimate.
struct CalibrationSeries {
    error: Histogram,
    ratio: Gauge<f64, std::sync::atomic::AtomicU64>,
    samples: Gauge,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

fn fast_seconds() -> Histogram {
    Histogram::new(FAST_SECONDS)
}

fn token_counts() -> Histogram {
    Histogram::new(TOKENS)
}

fn context_token_counts() -> Histogram {
    Histogram::new(CONTEXT_TOKENS)
}

fn shares() -> Histogram {
    Histogram::new(SHARES)
}

fn error_percent() -> Histogram {
    Histogram::new(ERROR_PERCENT)
}

// === impl Metrics

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            errors: Family::default(),
            in_flight: Family::default(),
            prompt_tokens: Family::default(),
            completion_tokens: Family::default(),
            tokens: Family::default(),
            prompt_tokens_per_request: Family::new_with_constructor(token_counts),
            completion_tokens_per_request: Family::new_with_constructor(token_counts),
            cost: Family::default(),
            completion_latency: Family::new_with_constructor(seconds),
            time_to_first_token: Family::new_with_constructor(seconds),
            time_per_output_token: Family::new_with_constructor(seconds),
            routing_latency: seconds(),
            modifications: Family::default(),
            reason_codes: Family::default(),
            selections: Family::default(),
            reasoning: Family::default(),
            context_tokens: Family::new_with_constructor(context_token_counts),
            decision_evaluations: Counter::default(),
            decision_latency: fast_seconds(),
            decision_matches: Family::default(),
            decision_confidence: Family::new_with_constructor(shares),
            signal_extractions: Family::default(),
            signal_matches: Family::default(),
            signal_latency: Family::new_with_constructor(fast_seconds),
            calibration_ratio: Family::default(),
            calibration_samples: Family::default(),
            estimation_error: Family::new_with_constructor(error_percent),
            snapshot_info: Family::default(),
            remote_answers: Family::default(),
            losses: Family::default(),
            stored_responses: Family::default(),
            calibration: OnceLock::new(),
            encoder: EncoderSeries::new(seconds()),
            reloads: ReloadSeries::default(),
            attempts: AttemptSeries::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        self.encoder.register(&mut self.registry);
        self.reloads.register(&mut self.registry);
        self.attempts.register(&mut self.registry);
        macro_rules! register {
            ($($field:ident: $name:literal, $help:literal;)*) => {
                $(self.registry.register($name, $help, self.$field.clone());)*
            };
        }
        register! {
            requests: "llm_model_requests", "Requests sent to the model";
            errors: "llm_request_errors", "Requests that failed, by reason";
            in_flight: "llm_model_inflight_requests", "Requests the model is working on";
            prompt_tokens: "llm_model_prompt_tokens", "Prompt tokens reported by backends";
            completion_tokens: "llm_model_completion_tokens", "Completion tokens reported by backends";
            tokens: "llm_model_tokens", "Prompt and completion tokens reported by backends";
            prompt_tokens_per_request: "llm_prompt_tokens_per_request", "Prompt tokens of one request";
            completion_tokens_per_request: "llm_completion_tokens_per_request", "Completion tokens of one request";
            cost: "llm_model_cost", "Cost of tokens at the configured prices";
            completion_latency: "llm_model_completion_latency_seconds", "From request received to the end of the answer";
            time_to_first_token: "llm_model_ttft_seconds", "From request received to the first byte of the answer";
            time_per_output_token: "llm_model_tpot_seconds", "Time per completion token after the first byte";
            routing_latency: "llm_model_routing_latency_seconds", "From request received to the model chosen";
            modifications: "llm_model_routing_modifications", "Requests whose model the router chose";
            reason_codes: "llm_routing_reason_codes", "How the model was chosen";
            selections: "llm_model_selection", "Models chosen, by algorithm";
            reasoning: "llm_reasoning_decisions", "Reasoning switched on or off by a decision";
            context_tokens: "llm_context_token_count", "Estimated tokens of a request";
            decision_evaluations: "llm_decision_evaluation", "Times the decisions were evaluated";
            decision_latency: "llm_decision_evaluation_latency_seconds", "Time to evaluate all decisions";
            decision_matches: "llm_decision_match", "Requests the decision won";
            decision_confidence: "llm_decision_confidence", "Confidence of the winning decision";
            signal_extractions: "llm_signal_extraction", "Times the rule was evaluated";
            signal_matches: "llm_signal_match", "Times the rule matched";
            signal_latency: "llm_signal_extraction_latency_seconds", "Time to evaluate a signal family";
            calibration_ratio: "vsr_token_calibration_ratio", "Learned bytes per token";
            calibration_samples: "vsr_token_calibration_samples", "Usage reports the ratio was learned from";
            estimation_error: "vsr_token_estimation_error_pct", "Estimated against reported prompt tokens, in percent";
            snapshot_info: "vsr_snapshot_info", "The configuration in force, by content hash";
            remote_answers: "vsr_remote_answers", "Questions to models served elsewhere, by how they were answered";
            losses: "llm_translation_lossy", "What translation between protocols could not carry over";
            stored_responses: "vsr_stored_responses", "Responses and conversations, by what became of them in the store";
        }
    }

    /// All metrics in the OpenMetrics text format.
    pub(crate) fn encode(&self, encoder: Counters) -> Result<String, fmt::Error> {
        self.encoder.show(encoder);
        let mut buffer = String::new();
        text::encode(&mut buffer, &self.registry)?;
        Ok(buffer)
    }

    /// A new snapshot is in force.
    pub(crate) fn describe(&self, snapshot: &Snapshot) {
        self.snapshot_info.clear();
        self.snapshot_info.get_or_create(&ByHash { hash: snapshot.hash().to_string() }).set(1);
    }

    /// The configuration was read and is in force since `at`; so many of its keys only take effect after a restart.
    pub fn configured(&self, at: Timestamp, waiting_for_restart: usize) {
        self.reloads.succeeded(at, waiting_for_restart);
    }

    /// A configuration was read again, with this result.
    pub fn reloaded(&self, result: ReloadResult) {
        self.reloads.count(result);
    }

    /// A request was refused before it could be routed; `reason` is one of a fixed set.
    pub fn refused(&self, reason: &'static str) {
        let label = ByError { model: "unknown".into(), reason: reason.into() };
        self.errors.get_or_create(&label).inc();
    }

    /// Calls to backends that failed, and what followed.
    pub(crate) fn attempts(&self) -> &AttemptSeries {
        &self.attempts
    }

    /// Something became of a stored response; `outcome` is one of a fixed set.
    pub fn stored_response(&self, outcome: &'static str) {
        self.stored_responses.get_or_create(&ByOutcome { outcome: outcome.into() }).inc();
    }

    /// Translation from one protocol to another lost something. Without losses this costs nothing.
    pub fn lost(&self, from: Protocol, to: Protocol, losses: &Losses) {
        for loss in losses.iter() {
            let label = ByLoss {
                from: from.name().into(),
                to: to.name().into(),
                severity: loss.reason.severity().name().into(),
                reason: loss.reason.code().into(),
            };
            self.losses.get_or_create(&label).inc();
        }
    }

    /// The router sent a request to the model (1), or the request is over (-1).
    pub(crate) fn in_flight(&self, snapshot: &Snapshot, model: &ModelName, change: i64) {
        self.model(snapshot, model).in_flight.inc_by(change);
    }

    /// Models served elsewhere were asked.
    pub(crate) fn record_remote(&self, readings: &RemoteReadings) {
        for reading in readings.iter() {
            let outcome = match &reading.outcome {
                Ok(_) => "answered",
                Err(failure) => failure.reason.as_str(),
            };
            let label = ByAnswer { task: reading.task.as_str().into(), outcome: outcome.into() };
            self.remote_answers.get_or_create(&label).inc();
        }
    }

    /// Signals and decisions were evaluated.
    pub(crate) fn record_routing(&self, snapshot: &Snapshot, trace: &RouteTrace, routing: Duration) {
        self.routing_latency.observe(routing.as_secs_f64());
        let reading = trace.stages.get(Stage::Reading);
        if !reading.is_zero() {
            self.encoder.reading.observe(reading.as_secs_f64());
        }
        self.decision_evaluations.inc();
        self.decision_latency.observe(trace.stages.get(Stage::Decision).as_secs_f64());
        let rules = snapshot.series().rules.get_or_init(|| self.rules(snapshot));
        for ((id, atom), rule) in trace.atoms.iter().zip(rules) {
            if atom.family == SignalFamily::Projection || !snapshot.families().contains(atom.family) {
                continue;
            }
            if !trace.evidence.is_unavailable(id) {
                rule.extractions.inc();
            }
            if trace.evidence.is_matched(id) {
                rule.matches.inc();
            }
        }
        for family in snapshot.families().iter() {
            let nanos = trace.evidence.family_nanos(family);
            if nanos > 0 {
                let latency = snapshot.series().families[family.index()].get_or_init(|| {
                    let label = ByFamily { signal_type: family.as_str().into() };
                    self.signal_latency.get_or_create(&label).clone()
                });
                latency.observe(nanos as f64 * 1e-9);
            }
        }
        if let Some(winner) = &trace.verdict.winner {
            let decision = snapshot.series().decisions.get(&winner.index, || {
                let label = ByDecision { decision_name: winner.name.to_string() };
                DecisionSeries {
                    matches: self.decision_matches.get_or_create(&label).clone(),
                    confidence: self.decision_confidence.get_or_create(&label).clone(),
                }
            });
            decision.matches.inc();
            decision.confidence.observe(winner.confidence);
        }
    }

    fn rules(&self, snapshot: &Snapshot) -> Vec<RuleSeries> {
        let series = |(_, atom): (_, &Atom)| {
            let label = ByRule { signal_type: atom.family.as_str().into(), signal_name: (*atom.name).into() };
            RuleSeries {
                extractions: self.signal_extractions.get_or_create(&label).clone(),
                matches: self.signal_matches.get_or_create(&label).clone(),
            }
        };
        snapshot.atoms().iter().map(series).collect()
    }

    fn model(&self, snapshot: &Snapshot, model: &ModelName) -> Arc<ModelSeries> {
        snapshot.series().models.get(model, || {
            let label = ByModel { model: model.to_string() };
            ModelSeries {
                requests: self.requests.get_or_create(&label).clone(),
                in_flight: self.in_flight.get_or_create(&label).clone(),
                prompt_tokens: self.prompt_tokens.get_or_create(&label).clone(),
                completion_tokens: self.completion_tokens.get_or_create(&label).clone(),
                tokens: self.tokens.get_or_create(&label).clone(),
                prompt_tokens_per_request: self.prompt_tokens_per_request.get_or_create(&label).clone(),
                completion_tokens_per_request: self
                    .completion_tokens_per_request
                    .get_or_create(&label)
                    .clone(),
                completion_latency: self.completion_latency.get_or_create(&label).clone(),
                time_to_first_token: self.time_to_first_token.get_or_create(&label).clone(),
                time_per_output_token: self.time_per_output_token.get_or_create(&label).clone(),
            }
        })
    }

    /// A model was chosen and the request goes to it.
    pub(crate) fn record_choice(&self, snapshot: &Snapshot, trace: &RouteTrace) {
        let (Some(choice), Some(key)) = (&trace.choice, ChoiceKey::of(trace)) else { return };
        self.model(snapshot, &choice.model).requests.inc();
        let series = snapshot.series().choices.get(&key, || self.choice(trace, choice, &key));
        series.context_tokens.observe(trace.context_tokens as f64);
        series.reason_code.inc();
        let routed = [&series.modification, &series.selection, &series.reasoning];
        for counter in routed.into_iter().flatten() {
            counter.inc();
        }
    }

    fn choice(&self, trace: &RouteTrace, choice: &Choice, key: &ChoiceKey) -> ChoiceSeries {
        let name_of = |atom: Option<AtomId>| atom.map(|id| (*trace.atoms.atom(id).name).to_owned());
        let model = choice.model.to_string();
        let context_level = name_of(key.level).unwrap_or_else(|| "none".into());
        let context = ByContext { model: model.clone(), context_level };
        let reason = ByReason { reason_code: choice.method.into(), model: model.clone() };
        let source_model = trace.requested_model.to_string();
        let change = ByChange { source_model, target_model: model.clone() };
        let winner = trace.verdict.winner.as_ref();
        let selection = BySelection {
            method: choice.method.into(),
            model: model.clone(),
            decision: winner.map_or_else(|| "unknown".into(), |winner| winner.name.to_string()),
            tier: "supported".into(),
        };
        let effort = ByEffort {
            category: name_of(key.domain).unwrap_or_else(|| "unknown".into()),
            model,
            enabled: (choice.reasoning.mode == ReasoningMode::On).to_string(),
            effort: choice.reasoning.effort.as_deref().unwrap_or("none").into(),
        };
        let reasons = trace.routed && choice.reasoning.mode != ReasoningMode::Untouched;
        ChoiceSeries {
            context_tokens: self.context_tokens.get_or_create(&context).clone(),
            reason_code: self.reason_codes.get_or_create(&reason).clone(),
            modification: trace.routed.then(|| self.modifications.get_or_create(&change).clone()),
            selection: trace.routed.then(|| self.selections.get_or_create(&selection).clone()),
            reasoning: reasons.then(|| self.reasoning.get_or_create(&effort).clone()),
        }
    }

    /// A request is over.
    pub(crate) fn record_outcome(
        &self,
        snapshot: &Snapshot,
        trace: &RouteTrace,
        calibration: &TokenCalibration,
    ) {
        let model = trace.choice.as_ref().map(|choice| &choice.model);
        let outcome = &trace.outcome;
        if let Some(reason) = outcome.error {
            let model = model.map_or_else(|| "unknown".into(), ToString::to_string);
            self.errors.get_or_create(&ByError { model, reason: reason.into() }).inc();
        }
        let Some(model) = model else { return };
        let series = self.model(snapshot, model);
        if outcome.error.is_none() {
            series.completion_latency.observe(outcome.total.as_secs_f64());
        }
        if let Some(first_byte) = outcome.first_byte {
            series.time_to_first_token.observe(first_byte.as_secs_f64());
        }
        let Some(usage) = outcome.usage else { return };
        self.record_usage(snapshot, trace, model, &series, usage);
        if trace.context_tokens > 0 && usage.prompt_tokens > 0 {
            self.record_estimate(trace.context_tokens, usage.prompt_tokens, calibration);
        }
    }

    /// How well the prompt's tokens were estimated, and what that taught.
    fn record_estimate(&self, estimated: u64, reported: u64, calibration: &TokenCalibration) {
        let series = self.calibration.get_or_init(|| {
            let label = ByCategory { category: "_default".into() };
            CalibrationSeries {
                error: self.estimation_error.get_or_create(&label).clone(),
                ratio: self.calibration_ratio.get_or_create(&label).clone(),
                samples: self.calibration_samples.get_or_create(&label).clone(),
            }
        });
        series.error.observe((estimated as f64 / reported as f64 - 1.0) * 100.0);
        series.ratio.set(calibration.ratio());
        series.samples.set(i64::try_from(calibration.samples()).unwrap_or(i64::MAX));
    }

    fn record_usage(
        &self,
        snapshot: &Snapshot,
        trace: &RouteTrace,
        model: &ModelName,
        series: &ModelSeries,
        usage: Usage,
    ) {
        series.prompt_tokens.inc_by(usage.prompt_tokens);
        series.completion_tokens.inc_by(usage.completion_tokens);
        series.tokens.inc_by(usage.total_tokens());
        series.prompt_tokens_per_request.observe(usage.prompt_tokens as f64);
        series.completion_tokens_per_request.observe(usage.completion_tokens as f64);
        if let Some(first_byte) = trace.outcome.first_byte
            && trace.outcome.streamed
            && usage.completion_tokens > 1
        {
            let generation = trace.outcome.total.saturating_sub(first_byte).as_secs_f64();
            let per_token = generation / (usage.completion_tokens - 1) as f64;
            series.time_per_output_token.observe(per_token);
        }
        let pricing = snapshot.models().find(model.as_str()).and_then(|model| model.pricing.as_ref());
        if let Some(pricing) = pricing {
            let cached = usage.cached_tokens.min(usage.prompt_tokens);
            let prompt_price = pricing.prompt_per_1m.unwrap_or(0.0);
            let cached_price = pricing.cached_input_per_1m.unwrap_or(prompt_price);
            let cost = (usage.prompt_tokens - cached) as f64 * prompt_price
                + cached as f64 * cached_price
                + usage.completion_tokens as f64 * pricing.completion_per_1m.unwrap_or(0.0);
            let cost_label = ByCost { model: model.to_string(), currency: pricing.currency.clone() };
            self.cost.get_or_create(&cost_label).inc_by(cost / 1e6);
        }
    }
}
