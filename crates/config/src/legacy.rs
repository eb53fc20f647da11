//! Keys of older layouts that are refused, with what took their place.

use vsr_types::{Diagnostic, Path};

use crate::{contract::Config, decode::Decoder, node::Node};

/// A removed key: where it stood (`[]` is every item of a list), and what took its place.
struct Removed {
    path: &'static str,
    replacement: &'static str,
}

const fn removed(path: &'static str, replacement: &'static str) -> Removed {
    Removed { path, replacement }
}

/// Keys within the canonical layout.
const NESTED: &[Removed] = &[
    removed("routing.models", "routing.modelCards"),
    removed("routing.signals.category_kb", "routing.signals.kb and global.model_catalog.kbs"),
    removed("routing.signals.taxonomy", "routing.signals.kb and global.model_catalog.kbs"),
    removed("routing.signals.structure[].feature.normalize_by", "feature.type: density"),
    removed("routing.decisions[].modelSelectionAlgorithm", "the decision's algorithm"),
    removed("routing.decisions[].tool_scope", "a plugin of type tools"),
    removed("routing.decisions[].allow_tools", "allow_tools of a plugin of type tools"),
    removed("routing.decisions[].block_tools", "block_tools of a plugin of type tools"),
    removed("providers.model_targets", "providers.models[].backend_refs"),
    removed("providers.backends", "providers.models[].backend_refs"),
    removed("providers.auth_profiles", "api_key or api_key_env of providers.models[].backend_refs[]"),
    removed("providers.default_model", "providers.defaults.default_model"),
    removed("providers.reasoning_families", "providers.defaults.reasoning_families"),
    removed("providers.default_reasoning_effort", "providers.defaults.default_reasoning_effort"),
    removed("providers.models[].access", "providers.models[].backend_refs"),
    removed("providers.models[].endpoints", "providers.models[].backend_refs"),
    removed("providers.models[].access_key", "api_key or api_key_env of backend_refs[]"),
    removed("providers.models[].param_size", "routing.modelCards[].param_size"),
    removed("providers.models[].context_window_size", "routing.modelCards[].context_window_size"),
    removed("providers.models[].description", "routing.modelCards[].description"),
    removed("providers.models[].capabilities", "routing.modelCards[].capabilities"),
    removed("providers.models[].loras", "routing.modelCards[].loras"),
    removed("providers.models[].quality_score", "routing.modelCards[].quality_score"),
    removed("providers.models[].modality", "routing.modelCards[].modality"),
    removed("providers.models[].tags", "routing.modelCards[].tags"),
    removed("global.modules", "global.model_catalog.modules"),
    removed("global.model_catalog.classifiers", "global.model_catalog.kbs"),
    removed("global.model_catalog.embeddings.bert", "global.model_catalog.embeddings.semantic"),
];

/// Keys that older layouts had at the top.
const TOP_LEVEL: &[Removed] = &[
    removed("signals", "routing.signals"),
    removed("projections", "routing.projections"),
    removed("decisions", "routing.decisions"),
    removed("keyword_rules", "routing.signals.keywords"),
    removed("embedding_rules", "routing.signals.embeddings"),
    removed("categories", "routing.signals.domains"),
    removed("fact_check_rules", "routing.signals.fact_check"),
    removed("user_feedback_rules", "routing.signals.user_feedbacks"),
    removed("reask_rules", "routing.signals.reasks"),
    removed("preference_rules", "routing.signals.preferences"),
    removed("language_rules", "routing.signals.language"),
    removed("context_rules", "routing.signals.context"),
    removed("structure_rules", "routing.signals.structure"),
    removed("complexity_rules", "routing.signals.complexity"),
    removed("modality_rules", "routing.signals.modality"),
    removed("latency_rules", "the decision's algorithm latency_aware"),
    removed("role_bindings", "routing.signals.role_bindings"),
    removed("jailbreak", "routing.signals.jailbreak"),
    removed("pii", "routing.signals.pii"),
    removed("kb", "routing.signals.kb"),
    removed("conversation", "routing.signals.conversation"),
    removed("events", "routing.signals.events"),
    removed("model_config", "routing.modelCards and providers.models"),
    removed("vllm_endpoints", "providers.models[].backend_refs"),
    removed("provider_profiles", "providers.models[].backend_refs"),
    removed("default_model", "providers.defaults.default_model"),
    removed("reasoning_families", "providers.defaults.reasoning_families"),
    removed("default_reasoning_effort", "providers.defaults.default_reasoning_effort"),
    removed("config_source", "global.router.config_source"),
    removed("strategy", "global.router.strategy"),
    removed("auto_model_name", "global.router.auto_model_name"),
    removed("include_config_models_in_list", "global.router.include_config_models_in_list"),
    removed("clear_route_cache", "global.router.clear_route_cache"),
    removed("model_selection", "global.router.model_selection"),
    removed("skip_processing", "global.router.skip_processing"),
    removed("streamed_body_mode", "global.router.streamed_body.enabled"),
    removed("max_streamed_body_bytes", "global.router.streamed_body.max_bytes"),
    removed("streamed_body_timeout_sec", "global.router.streamed_body.timeout_sec"),
    removed("api", "global.services.api"),
    removed("response_api", "global.services.response_api"),
    removed("router_replay", "global.services.router_replay"),
    removed("startup_status", "global.services.startup_status"),
    removed("observability", "global.services.observability"),
    removed("authz", "global.services.authz"),
    removed("ratelimit", "global.services.ratelimit"),
    removed("semantic_cache", "global.stores.semantic_cache"),
    removed("memory", "global.stores.memory"),
    removed("vector_store", "global.stores.vector_store"),
    removed("tools", "global.integrations.tools"),
    removed("looper", "global.integrations.looper"),
    removed("system_models", "global.model_catalog.system"),
    removed("external_models", "global.model_catalog.external"),
    removed("embedding_models", "global.model_catalog.embeddings.semantic"),
    removed("bert_model", "global.model_catalog.embeddings.semantic"),
    removed("mom_registry", "global.model_catalog"),
    removed("image_gen_backends", "plugins of type image_gen"),
    removed("prompt_compression", "global.model_catalog.modules.prompt_compression"),
    removed("prompt_guard", "global.model_catalog.modules.prompt_guard"),
    removed("classifier", "global.model_catalog.modules.classifier"),
    removed("hallucination_mitigation", "global.model_catalog.modules.hallucination_mitigation"),
    removed("feedback_detector", "global.model_catalog.modules.feedback_detector"),
    removed("modality_detector", "global.model_catalog.modules.modality_detector"),
];

const MIGRATE_HELP: &str = "run `vllm-sr config migrate FILE`";
const TOP_LEVEL_HELP: &str = "the top level holds version, listeners, providers, routing and global";
const HELM_HELP: &str = "these look like Helm values: the configuration is what stands under `config`; write that to a file of its own";
const KUBERNETES_HELP: &str =
    "this is a Kubernetes resource, which this version does not read; write the configuration as a file";

/// Refuses keys that the contract had before v0.3. Whether the layout is the canonical one.
pub(crate) fn reject(root: &Node, decoder: &mut Decoder<'_>) -> bool {
    for entry in NESTED {
        refuse(root, entry.path, &Path::root(), entry.replacement, decoder);
    }
    let old: Vec<&str> = TOP_LEVEL
        .iter()
        .filter(|entry| refuse(root, entry.path, &Path::root(), entry.replacement, decoder))
        .map(|entry| entry.path)
        .collect();
    if let Some(entries) = root.entries().filter(|entries| !entries.is_empty())
        && old.is_empty()
        && !entries.iter().any(|entry| Config::KEYS.contains(&entry.key.as_str()))
    {
        let found: Vec<&str> = entries.iter().take(8).map(|entry| entry.key.as_str()).collect();
        let message = format!("this is no vllm-sr configuration; found the keys {}", found.join(", "));
        decoder.push(Diagnostic::error(Path::root(), message).help(instead(root)));
        return false;
    }
    let is_canonical = old.is_empty() || root.get("routing").is_some() || root.get("global").is_some();
    if !is_canonical {
        let message = format!("must use the canonical v0.3 layout; found the older keys {}", old.join(", "));
        decoder.push(Diagnostic::error(Path::root(), message).help(MIGRATE_HELP));
    }
    is_canonical
}

/// What to do with a mapping that is no configuration.
fn instead(root: &Node) -> &'static str {
    let is_ours =
        |key: &str| Config::KEYS.contains(&key) || TOP_LEVEL.iter().any(|removed| removed.path == key);
    let within = root.get("config").and_then(Node::entries).unwrap_or_default();
    if within.iter().any(|entry| is_ours(&entry.key)) {
        HELM_HELP
    } else if root.get("apiVersion").is_some() && root.get("kind").is_some() {
        KUBERNETES_HELP
    } else {
        TOP_LEVEL_HELP
    }
}

/// Reports every place that the dotted `pattern` reaches from `node`. Whether there was any.
fn refuse(node: &Node, pattern: &str, place: &Path, replacement: &str, decoder: &mut Decoder<'_>) -> bool {
    let (step, rest) = pattern.split_once('.').map_or((pattern, None), |(step, rest)| (step, Some(rest)));
    let key = step.trim_end_matches("[]");
    let Some(found) = node.get(key) else { return false };
    let place = place.key(key);
    let Some(rest) = rest else {
        let message = format!("the key `{key}` belongs to an older layout");
        decoder.push(Diagnostic::error(place, message).help(format!("use {replacement}")));
        return true;
    };
    if key == step {
        return refuse(found, rest, &place, replacement, decoder);
    }
    let mut is_found = false;
    for (index, item) in found.items().unwrap_or_default().iter().enumerate() {
        is_found |= refuse(item, rest, &place.index(index), replacement, decoder);
    }
    is_found
}
