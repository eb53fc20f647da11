//! `global.router` and `global.services`.

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{Config, ModelSelection, RateLimit, RateLimitKind},
    decode::Decoder,
};

use super::{algorithms, plugins::header_name, ranges::Ranges};

pub(super) fn check(config: &Config, decoder: &mut Decoder<'_>) {
    let router = &config.global.router;
    Ranges::of(Path::keys("global.router"), decoder).at_least_one("worker_threads", router.worker_threads);
    model_selection(&router.model_selection, &Path::keys("global.router.model_selection"), decoder);
    let services = &config.global.services;
    let place = Path::keys("global.services.authz.identity");
    header_name(&services.authz.identity.user_id_header, place.key("user_id_header"), decoder);
    header_name(&services.authz.identity.user_groups_header, place.key("user_groups_header"), decoder);
    observability(config, decoder);
    rate_limit(&services.ratelimit, &Path::keys("global.services.ratelimit"), decoder);
    let metrics = &services.api.batch_classification.metrics;
    Ranges::of(Path::keys("global.services.api.batch_classification.metrics"), decoder)
        .unit("sample_rate", metrics.sample_rate);
}

fn model_selection(settings: &ModelSelection, place: &Path, decoder: &mut Decoder<'_>) {
    algorithms::elo(&settings.elo, place.key("elo"), decoder);
    algorithms::router_dc(&settings.router_dc, place.key("router_dc"), decoder);
    algorithms::automix(&settings.automix, place.key("automix"), decoder);
    algorithms::hybrid(&settings.hybrid, place.key("hybrid"), decoder);
    algorithms::session_aware(&settings.session_aware, place.key("session_aware"), decoder);
    Ranges::of(place.key("model_switch_gate"), decoder)
        .not_negative("min_switch_advantage", settings.model_switch_gate.min_switch_advantage)
        .not_negative("default_handoff_penalty", settings.model_switch_gate.default_handoff_penalty)
        .not_negative("cache_warmth_weight", settings.model_switch_gate.cache_warmth_weight);
    Ranges::of(place.key("momentum"), decoder)
        .unit("attack", settings.momentum.attack)
        .unit("release", settings.momentum.release)
        .unit("threshold", settings.momentum.threshold);
    let ml = place.key("ml");
    Ranges::of(ml.clone(), decoder).at_least_one("embedding_dim", settings.ml.embedding_dim);
    Ranges::of(ml.key("knn"), decoder).at_least_one("k", settings.ml.knn.k);
    Ranges::of(ml.key("kmeans"), decoder)
        .at_least_one("num_clusters", settings.ml.kmeans.num_clusters)
        .unit("efficiency_weight", settings.ml.kmeans.efficiency_weight);
    Ranges::of(ml.key("svm"), decoder).positive("gamma", settings.ml.svm.gamma);
    Ranges::of(place.key("lookup_tables"), decoder)
        .positive("auto_save_interval", settings.lookup_tables.auto_save_interval)
        .positive("populate_interval", settings.lookup_tables.populate_interval);
}

fn observability(config: &Config, decoder: &mut Decoder<'_>) {
    let place = Path::keys("global.services.observability");
    let settings = &config.global.services.observability;
    Ranges::of(place.key("tracing").key("sampling"), decoder).unit("rate", settings.tracing.sampling.rate);
    let windowed = &settings.metrics.windowed_metrics;
    let place = place.key("metrics").key("windowed_metrics");
    Ranges::of(place.clone(), decoder).positive("update_interval", windowed.update_interval);
    for (index, window) in windowed.time_windows.iter().enumerate() {
        if window.0.is_zero() {
            let place = place.key("time_windows").index(index);
            decoder.push(Diagnostic::error(place, "expected a value above 0, found 0"));
        }
    }
}

fn rate_limit(settings: &RateLimit, place: &Path, decoder: &mut Decoder<'_>) {
    for (index, provider) in settings.providers.iter().enumerate() {
        let place = place.key("providers").index(index);
        let is_remote = provider.kind != RateLimitKind::LocalLimiter;
        if is_remote && provider.address.as_deref().is_none_or(str::is_empty) {
            let message = format!("a limiter of type `{}` needs an `address`", provider.kind.as_str());
            decoder.push(Diagnostic::error(place.clone(), message));
        }
        if !is_remote && provider.rules.is_empty() {
            decoder
                .push(Diagnostic::warning(place.clone(), "the limiter has no rules, so it limits nothing"));
        }
        for (position, rule) in provider.rules.iter().enumerate() {
            if rule.requests_per_unit == 0 && rule.tokens_per_unit == 0 {
                let place = place.key("rules").index(position);
                let message = "the rule limits nothing; set requests_per_unit or tokens_per_unit";
                decoder.push(Diagnostic::warning(place, message));
            }
        }
    }
}
