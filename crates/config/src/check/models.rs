//! Model cards and the models' backends.

use std::collections::HashSet;

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{BackendRef, Config, ModelCard, ProviderModel, Reliability},
    decode::Decoder,
};

use super::{ranges::Ranges, unique_names, unknown_name};

pub(super) fn check(config: &Config, decoder: &mut Decoder<'_>) {
    let list = Path::keys("routing.modelCards");
    unique_names(&list, "name", "model card", card_names(config), decoder);
    for (index, card) in config.routing.model_cards.iter().enumerate() {
        self::card(card, &list.index(index), decoder);
    }
    let list = Path::keys("providers.models");
    let names = config.providers.models.iter().map(|model| model.name.as_str());
    unique_names(&list, "name", "provider model", names, decoder);
    let cards: HashSet<&str> = card_names(config).collect();
    for (index, model) in config.providers.models.iter().enumerate() {
        let place = list.index(index);
        if !cards.contains(model.name.as_str()) {
            unknown_name(place.key("name"), "model card", &model.name, card_names(config), decoder);
        }
        provider_model(config, model, &place, decoder);
    }
    default_model(config, decoder);
}

/// The names of all model cards.
pub(super) fn card_names(config: &Config) -> impl Iterator<Item = &str> {
    config.routing.model_cards.iter().map(|card| card.name.as_str())
}

/// The names of all adapters.
pub(super) fn adapter_names(config: &Config) -> impl Iterator<Item = &str> {
    config.routing.model_cards.iter().flat_map(|card| &card.loras).map(|lora| lora.name.as_str())
}

fn card(card: &ModelCard, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder)
        .unit("quality_score", card.quality_score)
        .at_least_one("context_window_size", card.context_window_size);
    let names = card.loras.iter().map(|lora| lora.name.as_str());
    unique_names(&place.key("loras"), "name", "adapter", names, decoder);
}

fn provider_model(config: &Config, model: &ProviderModel, place: &Path, decoder: &mut Decoder<'_>) {
    let families = &config.providers.defaults.reasoning_families;
    if let Some(family) = &model.reasoning_family
        && !families.contains_key(family)
    {
        let known = families.keys().map(String::as_str);
        unknown_name(place.key("reasoning_family"), "reasoning family", family, known, decoder);
    }
    if let Some(pricing) = &model.pricing {
        Ranges::of(place.key("pricing"), decoder)
            .not_negative("prompt_per_1m", pricing.prompt_per_1m)
            .not_negative("completion_per_1m", pricing.completion_per_1m)
            .not_negative("cached_input_per_1m", pricing.cached_input_per_1m);
    }
    if let Some(settings) = &model.reliability {
        reliability(settings, &place.key("reliability"), decoder);
    }
    backends(model, place, decoder);
}

fn backends(model: &ProviderModel, place: &Path, decoder: &mut Decoder<'_>) {
    if model.backend_refs.is_empty() {
        let message = format!("`{}` has no backends; requests that are routed to it fail", model.name);
        decoder.push(Diagnostic::warning(place.clone(), message).help("add backend_refs"));
        return;
    }
    let list = place.key("backend_refs");
    for (index, backend) in model.backend_refs.iter().enumerate() {
        self::backend(backend, &list.index(index), decoder);
    }
    if model.backend_refs.iter().all(|backend| backend.weight == Some(0.0)) {
        let message = format!("all backends of `{}` have weight 0; none would serve it", model.name);
        decoder.push(Diagnostic::error(list, message));
    }
}

fn backend(backend: &BackendRef, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder).not_negative("weight", backend.weight);
    match (&backend.endpoint, &backend.base_url) {
        (None, None) => {
            let message = "the backend has no address";
            decoder.push(Diagnostic::error(place.clone(), message).help("set endpoint or base_url"));
        }
        (Some(_), Some(_)) => {
            let message = "`endpoint` has no effect beside `base_url`";
            decoder.push(Diagnostic::warning(place.key("endpoint"), message));
        }
        _ => {}
    }
    if let Some(name) = &backend.api_key_env
        && backend.api_key.is_none()
        && decoder.variable(name).is_none_or(|value| value.is_empty())
    {
        let message = format!("the environment variable `{name}` is not set; requests go without a key");
        decoder.push(Diagnostic::warning(place.key("api_key_env"), message));
    }
}

fn reliability(settings: &Reliability, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder)
        .positive("base_ejection_time", settings.base_ejection_time)
        .positive("max_ejection_time", settings.max_ejection_time)
        .positive("retry_backoff", settings.retry_backoff)
        .positive("health_check_interval", settings.health_check_interval)
        .positive("health_check_timeout", settings.health_check_timeout)
        .at_least_one("health_check_unhealthy_threshold", settings.health_check_unhealthy_threshold)
        .at_least_one("health_check_healthy_threshold", settings.health_check_healthy_threshold)
        .positive("connect_timeout", settings.connect_timeout)
        .positive("first_byte_timeout", settings.first_byte_timeout)
        .positive("stream_idle_timeout", settings.stream_idle_timeout)
        .positive("request_timeout", settings.request_timeout);
    let shares = [
        ("max_ejection_percent", settings.max_ejection_percent.unwrap_or_default()),
        ("retry_budget_percent", settings.retry_budget_percent),
    ];
    for (key, percent) in shares {
        if percent > 100 {
            let message = format!("expected a value from 0 to 100, found {percent}");
            decoder.push(Diagnostic::error(place.key(key), message));
        }
    }
}

fn default_model(config: &Config, decoder: &mut Decoder<'_>) {
    let place = Path::keys("providers.defaults.default_model");
    match &config.providers.defaults.default_model {
        Some(name) => {
            let mut known = card_names(config).chain(adapter_names(config));
            if !known.any(|known| known == name) {
                let known = card_names(config).chain(adapter_names(config));
                unknown_name(place, "model card or adapter", name, known, decoder);
            }
        }
        None if !config.providers.models.is_empty() => {
            let message = "there is no default model; requests that no decision claims fail";
            decoder.push(Diagnostic::warning(place, message));
        }
        None => {}
    }
}
