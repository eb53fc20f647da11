//! Decisions' plugins.

use vsr_config::{Plugin, PluginKind, RagBackend};

use crate::sample::{config, decision, decision_problems, read};

fn plugin(written: &str) -> Vec<String> {
    decision_problems(&format!("plugins:\n  - {written}"))
}

#[test]
fn a_payload_is_typed_by_the_plugin_type() {
    let text = decision(
        "plugins:\n  - {type: fast_response, configuration: {message: busy}}\n  - {type: rag, configuration: {enabled: true, backend: milvus, backend_config: {collection: docs}}}",
    );
    let config = config(&text);
    let [Plugin::FastResponse(fast), Plugin::Rag(rag)] = config.routing.decisions[0].plugins.as_slice()
    else {
        panic!("{:?}", config.routing.decisions[0].plugins);
    };
    assert_eq!(fast.message, "busy");
    assert_eq!((rag.backend, rag.top_k), (RagBackend::Milvus, 5));
}

#[test]
fn an_unknown_type_is_an_error_with_the_nearest_known_one() {
    let found = plugin("{type: fast_respons, configuration: {message: x}}");
    assert_eq!(found.len(), 1);
    assert!(found[0].ends_with("(did you mean `fast_response`?)"), "{found:?}");
}

#[test]
fn older_names_of_the_cache_are_accepted() {
    for name in ["semantic-cache", "semantic_cache", "response_cache"] {
        let text = decision(&format!("plugins: [{{type: {name}, configuration: {{enabled: true}}}}]"));
        assert_eq!(config(&text).routing.decisions[0].plugins[0].kind(), PluginKind::SemanticCache, "{name}");
    }
}

#[test]
fn unknown_keys_and_wrong_values_of_a_payload_have_places() {
    assert_eq!(
        plugin(
            "{type: memory, configuration: {enabled: true, retrieval_limt: 3, similarity_threshold: 1.2}}"
        ),
        [
            "warning: routing.decisions[0].plugins[0].configuration.retrieval_limt: unknown key `retrieval_limt`; it has no effect (did you mean `retrieval_limit`?)",
            "error: routing.decisions[0].plugins[0].configuration.similarity_threshold: expected a value from 0 to 1, found 1.2",
        ]
    );
    assert_eq!(
        plugin("{type: fast_response}"),
        ["error: routing.decisions[0].plugins[0].configuration: missing key `message`"]
    );
    assert_eq!(plugin("{configuration: {}}"), ["error: routing.decisions[0].plugins[0]: missing key `type`"]);
}

#[test]
fn a_plugin_that_nobody_switched_on_is_told() {
    assert_eq!(
        plugin("{type: rag, configuration: {backend: milvus, backend_config: {collection: c}}}"),
        [
            "warning: routing.decisions[0].plugins[0]: the plugin `rag` is off (write `enabled: true` or `enabled: false` in its configuration)"
        ]
    );
    assert_eq!(plugin("{type: memory, configuration: {enabled: false}}"), Vec::<String>::new());
    assert_eq!(
        plugin("{type: system_prompt, configuration: {system_prompt: Be brief}}"),
        Vec::<String>::new()
    );
}

#[test]
fn plugins_that_do_not_go_together_are_told() {
    assert_eq!(
        decision_problems(
            "plugins:\n  - {type: semantic-cache, configuration: {enabled: true}}\n  - {type: memory, configuration: {enabled: true}}\n  - {type: memory, configuration: {enabled: true}}"
        ),
        [
            "warning: routing.decisions[0].plugins[0]: beside `memory` answers are personal; the cache is not used",
            "warning: routing.decisions[0].plugins[2]: a second plugin of type `memory`; only the first acts",
        ]
    );
}

#[test]
fn payloads_say_what_they_need() {
    assert_eq!(
        plugin("{type: rag, configuration: {enabled: true, backend: mcp, backend_config: {server_name: s}}}"),
        [
            "error: routing.decisions[0].plugins[0].configuration.backend_config: the backend `mcp` needs the key `tool_name`"
        ]
    );
    assert_eq!(
        plugin("{type: header_mutation, configuration: {add: [{name: 'x y', value: a}], delete: ['']}}"),
        [
            "error: routing.decisions[0].plugins[0].configuration.add[0].name: \"x y\" is no name of a header",
            "error: routing.decisions[0].plugins[0].configuration.delete[0]: \"\" is no name of a header",
        ]
    );
    assert_eq!(
        plugin("{type: tools, configuration: {enabled: true, mode: none, allow_tools: [a]}}"),
        [
            "warning: routing.decisions[0].plugins[0].configuration.allow_tools: `allow_tools` has no effect outside mode `filtered`"
        ]
    );
    assert_eq!(
        plugin("{type: semantic-cache, configuration: {enabled: true, ttl_seconds: -2}}"),
        [
            "error: routing.decisions[0].plugins[0].configuration.ttl_seconds: expected -1, 0 or a number of seconds, found -2"
        ]
    );
}

#[test]
fn credentials_of_an_opaque_payload_are_not_shown() {
    let text = decision(
        "plugins: [{type: rag, configuration: {enabled: true, backend: external_api, backend_config: {endpoint: 'https://s', api_key: hush, headers: {Authorization: hush}, top_k: 3}}}]",
    );
    let document = read(&text);
    assert!(!document.has_errors());
    for shown in [document.effective_yaml(), format!("{document:?}")] {
        assert!(!shown.contains("hush"), "{shown}");
    }
    let Plugin::Rag(rag) = &document.config().unwrap().routing.decisions[0].plugins[0] else { panic!() };
    assert_eq!(rag.backend_config.as_ref().unwrap().0["api_key"], "hush");
}
