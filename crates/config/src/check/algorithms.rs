//! Decisions' algorithms: the block that belongs to the type, and ranges.

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{
        Algorithm, AlgorithmKind, AutomixAlgorithm, Config, Decision, EloAlgorithm, HybridAlgorithm,
        LatencyAwareAlgorithm, MultiFactorAlgorithm, RlDrivenAlgorithm, RouterDcAlgorithm,
        SessionAwareAlgorithm,
    },
    decode::Decoder,
    node::Node,
};

use super::ranges::Ranges;

pub(super) fn check(
    config: &Config,
    decision: &Decision,
    written: Option<&Node>,
    place: &Path,
    decoder: &mut Decoder<'_>,
) {
    let Some(algorithm) = &decision.algorithm else { return };
    blocks(algorithm, written, place, decoder);
    several_models(algorithm, place, decoder);
    match algorithm.kind {
        AlgorithmKind::LatencyAware => {
            latency_aware(algorithm.latency_aware.as_ref(), place, decoder);
        }
        AlgorithmKind::RouterDc => descriptions(config, decision, place, decoder),
        _ => {}
    }
    if let Some(settings) = &algorithm.multi_factor {
        multi_factor(settings, &place.key("multi_factor"), decoder);
    }
    if let Some(settings) = &algorithm.rl_driven {
        rl_driven(settings, &place.key("rl_driven"), decoder);
    }
    if let Some(settings) = &algorithm.elo {
        elo(settings, place.key("elo"), decoder);
    }
    if let Some(settings) = &algorithm.router_dc {
        router_dc(settings, place.key("router_dc"), decoder);
    }
    if let Some(settings) = &algorithm.automix {
        automix(settings, place.key("automix"), decoder);
    }
    if let Some(settings) = &algorithm.hybrid {
        hybrid(settings, place.key("hybrid"), decoder);
    }
    if let Some(settings) = &algorithm.session_aware {
        session_aware(settings, place.key("session_aware"), decoder);
    }
}

fn blocks(algorithm: &Algorithm, written: Option<&Node>, place: &Path, decoder: &mut Decoder<'_>) {
    let kind = algorithm.kind.as_str();
    for block in algorithm.blocks().into_iter().filter(|block| *block != algorithm.kind) {
        let block = block.as_str();
        let message = format!("the block `{block}` does not belong to an algorithm of type `{kind}`");
        decoder.push(Diagnostic::error(place.key(block), message).help("remove it, or change the type"));
    }
    for entry in written.and_then(Node::entries).unwrap_or_default() {
        let is_refused = ["static", "knn", "kmeans", "svm", "mlp"].contains(&entry.key.as_str());
        if is_refused {
            let message = format!("an algorithm of type `{}` takes no block", entry.key);
            let help = "trained selectors are set up under global.router.model_selection.ml";
            decoder.push(Diagnostic::error(place.key(entry.key.as_str()), message).help(help));
        }
    }
}

fn several_models(algorithm: &Algorithm, place: &Path, decoder: &mut Decoder<'_>) {
    if let Some(settings) = &algorithm.confidence {
        Ranges::of(place.key("confidence"), decoder)
            .unit("cost_quality_tradeoff", settings.cost_quality_tradeoff);
        Ranges::of(place.key("confidence").key("hybrid_weights"), decoder)
            .not_negative("logprob_weight", settings.hybrid_weights.logprob_weight)
            .not_negative("margin_weight", settings.hybrid_weights.margin_weight);
    }
    if let Some(settings) = &algorithm.remom {
        let place = place.key("remom");
        Ranges::of(place.clone(), decoder).not_negative("temperature", settings.temperature);
        let schedule = place.key("breadth_schedule");
        if settings.breadth_schedule.is_empty() {
            decoder.push(Diagnostic::error(schedule, "there is no round; list at least one breadth"));
        } else if let Some(index) = settings.breadth_schedule.iter().position(|breadth| *breadth == 0) {
            let message = "expected a value at least 1, found 0";
            decoder.push(Diagnostic::error(schedule.index(index), message));
        }
    }
}

fn latency_aware(settings: Option<&LatencyAwareAlgorithm>, place: &Path, decoder: &mut Decoder<'_>) {
    let help = "set tpot_percentile and ttft_percentile";
    let Some(settings) = settings else {
        let message = "an algorithm of type `latency_aware` needs the block `latency_aware`";
        decoder.push(Diagnostic::error(place.clone(), message).help(help));
        return;
    };
    let place = place.key("latency_aware");
    Ranges::of(place.clone(), decoder)
        .percentile("tpot_percentile", settings.tpot_percentile)
        .percentile("ttft_percentile", settings.ttft_percentile);
    match (settings.tpot_percentile, settings.ttft_percentile) {
        (None, None) => decoder.push(Diagnostic::error(place, "no percentile is set").help(help)),
        (Some(_), Some(_)) => {}
        _ => {
            let message = "only one of the two percentiles is set; the other latency does not count";
            decoder.push(Diagnostic::warning(place, message));
        }
    }
}

fn descriptions(config: &Config, decision: &Decision, place: &Path, decoder: &mut Decoder<'_>) {
    let settings = decision.algorithm.as_ref().and_then(|algorithm| algorithm.router_dc.as_ref());
    if !settings.is_some_and(|settings| settings.require_descriptions) {
        return;
    }
    for reference in &decision.model_refs {
        let card = config.routing.model_cards.iter().find(|card| card.name == reference.model);
        if card.is_some_and(|card| card.description.as_deref().unwrap_or_default().trim().is_empty()) {
            let message = format!("the model card `{}` has no description to compare with", reference.model);
            decoder.push(Diagnostic::warning(place.key("router_dc").key("require_descriptions"), message));
        }
    }
}

fn multi_factor(settings: &MultiFactorAlgorithm, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder).percentile("latency_percentile", settings.latency_percentile);
    Ranges::of(place.key("weights"), decoder)
        .not_negative("quality", settings.weights.quality)
        .not_negative("latency", settings.weights.latency)
        .not_negative("cost", settings.weights.cost)
        .not_negative("load", settings.weights.load);
    Ranges::of(place.key("slo"), decoder)
        .not_negative("max_tpot_ms", settings.slo.max_tpot_ms)
        .not_negative("max_ttft_ms", settings.slo.max_ttft_ms)
        .not_negative("max_cost_per_1m", settings.slo.max_cost_per_1m);
}

fn rl_driven(settings: &RlDrivenAlgorithm, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder)
        .unit("exploration_rate", settings.exploration_rate)
        .unit("exploration_decay", settings.exploration_decay)
        .unit("min_exploration", settings.min_exploration)
        .unit("personalization_blend", settings.personalization_blend)
        .unit("session_context_weight", settings.session_context_weight)
        .unit("implicit_feedback_weight", settings.implicit_feedback_weight)
        .not_negative("cost_weight", settings.cost_weight)
        .positive("auto_save_interval", settings.auto_save_interval);
}

pub(super) fn elo(settings: &EloAlgorithm, place: Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place, decoder)
        .not_negative("initial_rating", settings.initial_rating)
        .not_negative("k_factor", settings.k_factor)
        .unit("decay_factor", settings.decay_factor)
        .not_negative("cost_scaling_factor", settings.cost_scaling_factor)
        .positive("auto_save_interval", settings.auto_save_interval);
}

pub(super) fn router_dc(settings: &RouterDcAlgorithm, place: Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place, decoder)
        .positive("temperature", settings.temperature)
        .at_least_one("dimension_size", settings.dimension_size)
        .unit("min_similarity", settings.min_similarity);
}

pub(super) fn automix(settings: &AutomixAlgorithm, place: Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place, decoder)
        .unit("verification_threshold", settings.verification_threshold)
        .unit("cost_quality_tradeoff", settings.cost_quality_tradeoff)
        .unit("discount_factor", settings.discount_factor);
}

pub(super) fn hybrid(settings: &HybridAlgorithm, place: Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place, decoder)
        .not_negative("elo_weight", settings.elo_weight)
        .not_negative("router_dc_weight", settings.router_dc_weight)
        .not_negative("automix_weight", settings.automix_weight)
        .not_negative("cost_weight", settings.cost_weight)
        .not_negative("quality_gap_threshold", settings.quality_gap_threshold);
}

pub(super) fn session_aware(settings: &SessionAwareAlgorithm, place: Path, decoder: &mut Decoder<'_>) {
    let base = settings.base_method;
    if base == AlgorithmKind::SessionAware || base.calls_several_models() {
        let message = format!("`{}` cannot propose the one model that a session stays with", base.as_str());
        decoder.push(Diagnostic::error(place.key("base_method"), message));
    }
    Ranges::of(place, decoder)
        .not_negative("switch_margin", settings.switch_margin)
        .not_negative("stay_bias", settings.stay_bias)
        .not_negative("tool_loop_stay_bias", settings.tool_loop_stay_bias)
        .not_negative("prefix_cache_weight", settings.prefix_cache_weight)
        .not_negative("handoff_penalty_weight", settings.handoff_penalty_weight)
        .not_negative("default_handoff_penalty", settings.default_handoff_penalty)
        .not_negative("quality_gap_multiplier", settings.quality_gap_multiplier)
        .at_least_one("max_cache_cost_multiplier", settings.max_cache_cost_multiplier)
        .not_negative("switch_history_weight", settings.switch_history_weight)
        .not_negative("remaining_turn_prior_weight", settings.remaining_turn_prior_weight)
        .positive("remaining_turn_prior_horizon", settings.remaining_turn_prior_horizon);
}
