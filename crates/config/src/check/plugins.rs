//! Decisions' plugins: their settings, and what goes together.

use vsr_types::{Diagnostic, Path};

use crate::{
    contract::{
        HeaderMutationPlugin, MemoryPlugin, Plugin, PluginKind, RagBackend, RagPlugin, ToolSelectionPlugin,
        ToolsMode, ToolsPlugin,
    },
    decode::Decoder,
    node::Node,
};

use super::{ranges::Ranges, stores};

pub(super) fn check(plugins: &[Plugin], written: Option<&Node>, list: &Path, decoder: &mut Decoder<'_>) {
    for (index, plugin) in plugins.iter().enumerate() {
        let place = list.index(index);
        if plugins[..index].iter().any(|earlier| earlier.kind() == plugin.kind()) {
            let message =
                format!("a second plugin of type `{}`; only the first acts", plugin.kind().as_str());
            decoder.push(Diagnostic::warning(place.clone(), message));
        }
        let node = written.and_then(Node::items).and_then(|items| items.get(index));
        switched_off(plugin, node, &place, decoder);
        payload(plugin, &place.key("configuration"), decoder);
    }
    combination(plugins, list, decoder);
}

/// A plugin that is off because nobody switched it on.
fn switched_off(plugin: &Plugin, node: Option<&Node>, place: &Path, decoder: &mut Decoder<'_>) {
    if plugin.is_enabled() {
        return;
    }
    let says_so = node.and_then(|node| node.get("configuration")?.get("enabled")).is_some();
    if !says_so {
        let message = format!("the plugin `{}` is off", plugin.kind().as_str());
        let help = "write `enabled: true` or `enabled: false` in its configuration";
        decoder.push(Diagnostic::warning(place.clone(), message).help(help));
    }
}

fn combination(plugins: &[Plugin], list: &Path, decoder: &mut Decoder<'_>) {
    let is_on = |kind| plugins.iter().any(|plugin| plugin.kind() == kind && plugin.is_enabled());
    let personal = [PluginKind::Rag, PluginKind::Memory].into_iter().find(|kind| is_on(*kind));
    let cache =
        plugins.iter().position(|plugin| plugin.kind() == PluginKind::SemanticCache && plugin.is_enabled());
    if let (Some(kind), Some(index)) = (personal, cache) {
        let message = format!("beside `{}` answers are personal; the cache is not used", kind.as_str());
        decoder.push(Diagnostic::warning(list.index(index), message));
    }
}

fn payload(plugin: &Plugin, place: &Path, decoder: &mut Decoder<'_>) {
    match plugin {
        Plugin::SemanticCache(settings) => {
            Ranges::of(place.clone(), decoder).unit("similarity_threshold", settings.similarity_threshold);
            if let Some(seconds) = settings.ttl_seconds.filter(|seconds| *seconds < -1) {
                let message = format!("expected -1, 0 or a number of seconds, found {seconds}");
                decoder.push(Diagnostic::error(place.key("ttl_seconds"), message));
            }
        }
        Plugin::SystemPrompt(settings) if settings.enabled && settings.system_prompt.trim().is_empty() => {
            decoder.push(Diagnostic::warning(place.key("system_prompt"), "there is no prompt to put in"));
        }
        Plugin::HeaderMutation(settings) => headers(settings, place, decoder),
        Plugin::RequestParams(settings) => {
            Ranges::of(place.clone(), decoder)
                .at_least_one("max_tokens_limit", settings.max_tokens_limit)
                .at_least_one("max_n", settings.max_n);
        }
        Plugin::ResponseJailbreak(settings) => {
            Ranges::of(place.clone(), decoder).unit("threshold", settings.threshold);
        }
        Plugin::Memory(settings) => memory(settings, place, decoder),
        Plugin::Rag(settings) => rag(settings, place, decoder),
        Plugin::Tools(settings) => tools(settings, place, decoder),
        Plugin::ToolSelection(settings) => tool_selection(settings, place, decoder),
        Plugin::ImageGen(settings) => {
            Ranges::of(place.clone(), decoder)
                .at_least_one("default_width", settings.default_width)
                .at_least_one("default_height", settings.default_height)
                .at_least_one("max_inference_steps", settings.max_inference_steps)
                .at_least_one("timeout_seconds", settings.timeout_seconds);
        }
        _ => {}
    }
}

fn headers(settings: &HeaderMutationPlugin, place: &Path, decoder: &mut Decoder<'_>) {
    for (key, headers) in [("add", &settings.add), ("update", &settings.update)] {
        for (index, header) in headers.iter().enumerate() {
            let place = place.key(key).index(index);
            header_name(&header.name, place.key("name"), decoder);
            if header.value.chars().any(|c| c.is_control() && c != '\t') {
                let message = "a header value cannot hold control characters";
                decoder.push(Diagnostic::error(place.key("value"), message));
            }
        }
    }
    for (index, name) in settings.delete.iter().enumerate() {
        header_name(name, place.key("delete").index(index), decoder);
    }
}

/// Reports a name that no header can have.
pub(super) fn header_name(name: &str, place: Path, decoder: &mut Decoder<'_>) {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        decoder.push(Diagnostic::error(place, format!("{name:?} is no name of a header")));
    }
}

fn memory(settings: &MemoryPlugin, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder)
        .at_least_one("retrieval_limit", settings.retrieval_limit)
        .unit("similarity_threshold", settings.similarity_threshold);
    if let Some(reflection) = &settings.reflection {
        stores::reflection(reflection, place.key("reflection"), decoder);
    }
}

fn rag(settings: &RagPlugin, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder)
        .unit("similarity_threshold", settings.similarity_threshold)
        .at_least_one("top_k", settings.top_k)
        .at_least_one("max_context_length", settings.max_context_length)
        .unit("min_confidence_threshold", settings.min_confidence_threshold);
    let needed: &[&str] = match settings.backend {
        RagBackend::Milvus | RagBackend::Qdrant => &["collection"],
        RagBackend::ExternalApi => &["endpoint"],
        RagBackend::Mcp => &["server_name", "tool_name"],
        RagBackend::OpenAi | RagBackend::VectorStore => &["vector_store_id"],
        RagBackend::Hybrid => &["primary", "fallback"],
    };
    let own = settings.backend_config.as_ref();
    for key in needed.iter().filter(|key| own.is_none_or(|own| own.0.get(**key).is_none())) {
        let message = format!("the backend `{}` needs the key `{key}`", settings.backend.as_str());
        decoder.push(Diagnostic::error(place.key("backend_config"), message));
    }
}

fn tools(settings: &ToolsPlugin, place: &Path, decoder: &mut Decoder<'_>) {
    if settings.mode != ToolsMode::Filtered {
        for (key, list) in [("allow_tools", &settings.allow_tools), ("block_tools", &settings.block_tools)] {
            if !list.is_empty() {
                let message = format!("`{key}` has no effect outside mode `filtered`");
                decoder.push(Diagnostic::warning(place.key(key), message));
            }
        }
    }
    if let Some(retrieval) = &settings.dynamic_retrieval {
        let place = place.key("dynamic_retrieval");
        Ranges::of(place.clone(), decoder)
            .at_least_one("history_window", retrieval.history_window)
            .unit("min_history_confidence", retrieval.min_history_confidence);
        Ranges::of(place.key("weights"), decoder)
            .not_negative("semantic", retrieval.weights.semantic)
            .not_negative("history", retrieval.weights.history)
            .not_negative("decision_prior", retrieval.weights.decision_prior)
            .not_negative("repetition_penalty", retrieval.weights.repetition_penalty);
    }
}

fn tool_selection(settings: &ToolSelectionPlugin, place: &Path, decoder: &mut Decoder<'_>) {
    Ranges::of(place.clone(), decoder)
        .at_least_one("top_k", settings.top_k)
        .unit("similarity_threshold", settings.similarity_threshold)
        .unit("relevance_threshold", settings.relevance_threshold);
    if let Some(filtering) = &settings.advanced_filtering {
        stores::tool_filtering(filtering, &place.key("advanced_filtering"), decoder);
    }
}
