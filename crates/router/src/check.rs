//! What only the whole can check: whether the process could serve the configuration, and routes without effect.

use std::net::IpAddr;

use vsr_config::{ApiFormat, Config, Document, ProviderKind, ResponsesSupport};
use vsr_types::{Diagnostic, Diagnostics, Path};

use crate::{Models, TlsFiles};

/// Reports everything found.
pub(crate) fn report(document: &Document, config: &Config, models: &Models, diagnostics: &mut Diagnostics) {
    listeners(config, diagnostics);
    management(config, diagnostics);
    responses(config, diagnostics);
    fallback(config, diagnostics);
    model_refs(config, models, diagnostics);
    backend_refs(config, diagnostics);
    health_checks(document, config, diagnostics);
}

/// The address if it is one; `localhost` is.
fn address(written: &str) -> Option<IpAddr> {
    let bare = written.trim().trim_start_matches('[').trim_end_matches(']');
    if bare.eq_ignore_ascii_case("localhost") {
        Some(IpAddr::from([127, 0, 0, 1]))
    } else {
        bare.parse().ok()
    }
}

fn listeners(config: &Config, diagnostics: &mut Diagnostics) {
    for (index, listener) in config.listeners.iter().enumerate() {
        let path = Path::keys("listeners").index(index);
        if address(&listener.address).is_none() {
            let message = format!("`{}` is no address to listen on", &*listener.address);
            diagnostics.push(
                Diagnostic::error(path.key("address"), message).help("write an IP address, or localhost"),
            );
        }
        if let Some(tls) = &listener.tls
            && let Err(error) = TlsFiles::read(tls).and_then(|files| files.server_config(&[]))
        {
            diagnostics
                .push(Diagnostic::error(path.key("tls").key(error.key), error.message).help(error.help));
        }
    }
}

/// Addresses that others can reach need a token.
fn management(config: &Config, diagnostics: &mut Diagnostics) {
    let services = &config.global.services;
    let has_token = services.api.token_file.is_some() || services.api.token_env.is_some();
    let metrics = &services.observability.metrics;
    let surfaces = [
        ("global.services.api.address", &services.api.address, true),
        ("global.services.observability.metrics.address", &metrics.address, metrics.enabled),
    ];
    for (key, written, is_on) in surfaces {
        let path = Path::keys(key);
        match address(written) {
            None => diagnostics.error(path, format!("`{}` is no address to listen on", &**written)),
            Some(ip) if is_on && !ip.is_loopback() && !has_token => diagnostics.push(
                Diagnostic::error(
                    path,
                    format!("{ip} can be reached from other machines and no token protects it"),
                )
                .help("set `global.services.api.token_file` or `token_env`, or use 127.0.0.1"),
            ),
            Some(_) => {}
        }
    }
}

/// Stored responses that could never be, and backends that cannot speak Responses.
fn responses(config: &Config, diagnostics: &mut Diagnostics) {
    let service = &config.global.services.response_api;
    let path = Path::keys("global.services.response_api");
    for (key, value) in [
        ("ttl_seconds", service.ttl_seconds),
        ("max_responses", service.max_responses),
        ("max_bytes", service.max_bytes),
    ] {
        if service.enabled && value == 0 {
            diagnostics.push(
                Diagnostic::error(path.key(key), "0 would keep nothing")
                    .help("write a number above 0, or `enabled: false`"),
            );
        }
    }
    for (index, model) in config.providers.models.iter().enumerate() {
        if model.responses == ResponsesSupport::Native && model.api_format == ApiFormat::Anthropic {
            let path = Path::keys("providers.models").index(index).key("responses");
            diagnostics.push(
                Diagnostic::error(path, "backends with `api_format: anthropic` do not speak Responses")
                    .help("remove it; clients of Responses are translated"),
            );
        }
    }
}

/// Requests can fall through: nothing matched, and no default model.
fn fallback(config: &Config, diagnostics: &mut Diagnostics) {
    let has_catch_all = config.routing.decisions.iter().any(|decision| {
        decision.rules.as_ref().is_none_or(|rules| rules.kind.is_none() && rules.conditions.is_empty())
    });
    if config.providers.defaults.default_model.is_none() && !has_catch_all {
        diagnostics.warning(
            Path::keys("providers.defaults.default_model"),
            "no default model and no decision that always matches; requests that match nothing are answered with 503",
        );
    }
}

/// Settings of candidates that change nothing.
fn model_refs(config: &Config, models: &Models, diagnostics: &mut Diagnostics) {
    for (index, decision) in config.routing.decisions.iter().enumerate() {
        let path = Path::keys("routing.decisions").index(index).key("modelRefs");
        for (position, reference) in decision.model_refs.iter().enumerate() {
            let path = path.index(position);
            if reference.weight.is_some() {
                diagnostics.not_active(path.key("weight"), "weights of candidates");
            }
            let has_family = models.find(&reference.model).is_none_or(|model| model.reasoning.is_some());
            if reference.use_reasoning == Some(true) && !has_family {
                let message = format!(
                    "model `{}` has no `reasoning_family`, so requests to it stay as clients write them",
                    reference.model
                );
                diagnostics.warning(path.key("use_reasoning"), message);
            }
        }
    }
}

/// Settings of backends that change nothing.
fn backend_refs(config: &Config, diagnostics: &mut Diagnostics) {
    for (index, model) in config.providers.models.iter().enumerate() {
        let path = Path::keys("providers.models").index(index).key("backend_refs");
        for (position, reference) in model.backend_refs.iter().enumerate() {
            let path = path.index(position);
            if reference.api_version.is_some() && reference.provider != Some(ProviderKind::AzureOpenAi) {
                let message = "`api_version` has no effect without `provider: azure-openai`";
                diagnostics.warning(path.key("api_version"), message);
            }
            if let Some(kind) = &reference.kind
                && !model.external_model_ids.contains_key(kind)
            {
                let message =
                    format!("`type: {kind}` has no effect: no key of `external_model_ids` is called that");
                diagnostics.warning(path.key("type"), message);
            }
        }
    }
}

/// Settings of health checks where none are made.
fn health_checks(document: &Document, config: &Config, diagnostics: &mut Diagnostics) {
    const SETTINGS: [&str; 4] = [
        "health_check_interval",
        "health_check_timeout",
        "health_check_unhealthy_threshold",
        "health_check_healthy_threshold",
    ];
    for (index, model) in config.providers.models.iter().enumerate() {
        if model.reliability.as_ref().is_none_or(|settings| settings.health_check_path.is_some()) {
            continue;
        }
        let place = Path::keys("providers.models").index(index).key("reliability");
        for key in SETTINGS {
            let path = place.key(key);
            if document.is_written(&path) {
                let message = format!("`{key}` has no effect without `health_check_path`");
                diagnostics.push(Diagnostic::warning(path, message).help("write the path that is asked for"));
            }
        }
    }
}
