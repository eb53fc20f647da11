//! From the configuration to models that can be asked; what cannot be, and what nothing asks, is reported.

use vsr_config::{Config, ExternalModel, ExternalModelRole, ExternalParser};
use vsr_signals::external::{DomainSource, RemoteRoles};
use vsr_types::{Diagnostic, Diagnostics, Path};

use crate::{
    asked::{Asked, Kind},
    endpoint::Server,
    mcp::{McpClient, McpSettings},
    models::RemoteLimits,
};

/// Where an entry is.
fn place_of(index: usize) -> Path {
    Path::keys("global.model_catalog.external").index(index)
}

/// The models that have a role, in the order guardrail, domain, preference.
pub(crate) fn models(
    config: &Config,
    roles: RemoteRoles,
    limits: &RemoteLimits,
    variables: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Diagnostics,
) -> [Option<Asked>; 3] {
    report_roles(config, roles, diagnostics);
    let external = &config.global.model_catalog.external;
    let mut entry = |index: usize| match compile(&external[index], &place_of(index), limits, diagnostics) {
        Ok(asked) => Some(asked),
        Err(problem) => {
            diagnostics.push(problem);
            None
        }
    };
    let guardrail = roles.guardrail.and_then(&mut entry);
    let preference = roles.preference.and_then(&mut entry);
    let domain = match roles.domain {
        Some(DomainSource::Classify(index)) => entry(index),
        Some(DomainSource::Mcp) => mcp(config, limits, variables, diagnostics),
        None => None,
    };
    [guardrail, domain, preference]
}

fn compile(
    model: &ExternalModel,
    place: &Path,
    limits: &RemoteLimits,
    diagnostics: &mut Diagnostics,
) -> Result<Asked, Diagnostic> {
    let classifies = model.parser_type == ExternalParser::Classify;
    if classifies && model.model_role == ExternalModelRole::Preference {
        let message = "a preference is not read from the probabilities of classes";
        return Err(Diagnostic::error(place.key("parser_type"), message).help("leave the key out"));
    }
    if model.llm_model_name.trim().is_empty() {
        return Err(Diagnostic::error(place.key("llm_model_name"), "the model has no name"));
    }
    let suffix = if classifies { "/classify" } else { "/v1/chat/completions" };
    let server = Server::of(model, suffix, place)?;
    if server.is_plain() && model.access_key.as_ref().is_some_and(|key| !key.is_empty()) {
        let message = "the key passes the network in the clear";
        let warning = Diagnostic::warning(place.key("access_key"), message);
        diagnostics.push(warning.help("set `llm_endpoint.protocol: https`"));
    }
    let template = model.llm_endpoint.prompt_template.as_deref().is_some_and(|it| !it.trim().is_empty());
    let mut without_effect = |key: &str, message: &str| {
        diagnostics.warning(place.key("llm_endpoint").key(key), message.to_owned());
    };
    if template && (classifies || model.model_role == ExternalModelRole::Preference) {
        without_effect("prompt_template", "the prompt of this model has no template; the key has no effect");
    } else if template && model.llm_endpoint.use_chat_template {
        without_effect("prompt_template", "`use_chat_template` puts the model's own template in its place");
    }
    if model.threshold.is_some() && model.model_role == ExternalModelRole::Preference {
        let message = "the model names a rule without a score; the key has no effect";
        diagnostics.warning(place.key("threshold"), message);
    }
    let kind = if classifies { Kind::Classify(server) } else { Kind::Chat(server) };
    let name = model.name.as_deref().or(model.llm_endpoint.name.as_deref()).unwrap_or(&model.llm_model_name);
    Ok(Asked::new(name, model.clone(), kind, limits))
}

fn mcp(
    config: &Config,
    limits: &RemoteLimits,
    variables: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Diagnostics,
) -> Option<Asked> {
    let module = &config.global.model_catalog.modules.classifier.mcp;
    let place = Path::keys("global.model_catalog.modules.classifier.mcp");
    match McpSettings::compile(module, &place, limits, variables, diagnostics) {
        Ok(settings) => {
            let timeout = settings.timeout.as_secs();
            let client = McpClient::new(settings);
            Some(Asked::tool(client, timeout, module, limits))
        }
        Err(problem) => {
            diagnostics.push(problem);
            None
        }
    }
}

/// What asks nobody, and who is asked by nothing.
fn report_roles(config: &Config, roles: RemoteRoles, diagnostics: &mut Diagnostics) {
    let catalog = &config.global.model_catalog;
    let modules = &catalog.modules;
    let module = |keys: &str| Path::keys(&format!("global.model_catalog.modules.{keys}"));
    if modules.prompt_guard.use_vllm && roles.guardrail.is_none() {
        let message = "no model has the role `guardrail`, so the router's own classifier judges";
        let warning = Diagnostic::warning(module("prompt_guard.use_vllm"), message);
        diagnostics.push(warning.help("add one to global.model_catalog.external"));
    }
    let preferences = &config.routing.signals.preferences;
    if !modules.classifier.preference.use_contrastive && roles.preference.is_none() && !preferences.is_empty()
    {
        let message = "no model has the role `preference`, so every preference rule is unavailable";
        let warning = Diagnostic::warning(module("classifier.preference.use_contrastive"), message);
        diagnostics.push(warning.help("add one to global.model_catalog.external, or set it to true"));
    }
    for (index, model) in catalog.external.iter().enumerate() {
        let place = place_of(index).key("model_role");
        let role = model.model_role;
        let holder = match role {
            ExternalModelRole::Guardrail => roles.guardrail,
            ExternalModelRole::Preference => roles.preference,
            ExternalModelRole::Classification => match roles.domain {
                Some(DomainSource::Classify(index)) => Some(index),
                _ => None,
            },
            _ => None,
        };
        if holder == Some(index) {
            continue;
        }
        let (message, help) = match role {
            _ if holder.is_some() => ("an earlier entry has this role; nothing asks this one", ""),
            ExternalModelRole::Guardrail => {
                ("nothing asks it", "set modules.prompt_guard.use_vllm, so that it judges prompts")
            }
            ExternalModelRole::Preference => {
                ("nothing asks it", "set modules.classifier.preference.use_contrastive to false")
            }
            ExternalModelRole::Classification if roles.domain == Some(DomainSource::Mcp) => {
                ("nothing asks it: the MCP classifier names subjects", "")
            }
            ExternalModelRole::Classification => {
                ("nothing asks it", "set `parser_type: classify` if the server has a classify endpoint")
            }
            other => {
                diagnostics.not_active(place, format!("models with the role `{}`", other.as_str()));
                continue;
            }
        };
        let warning = Diagnostic::warning(place, message);
        diagnostics.push(if help.is_empty() { warning } else { warning.help(help) });
    }
}
