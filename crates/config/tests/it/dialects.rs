//! Every key that an older layout has is carried to its place: one test for each of them.

use serde_json::{Value, json};
use vsr_config::{Document, Outcome, migrate, yaml_to_json};

/// A text migrated, with all its keys carried.
#[track_caller]
fn carried(text: &str) -> Value {
    let migrated = migrate(text).unwrap();
    let lost: Vec<String> = migrated
        .steps
        .iter()
        .filter(|step| step.outcome == Outcome::NotCarried)
        .map(ToString::to_string)
        .collect();
    assert_eq!(lost, [""; 0], "{text}");
    yaml_to_json(&migrated.text).unwrap()
}

/// Each key, alone in a file, with a value that is to be found at the place that follows it.
#[track_caller]
fn each_is_carried(keys: &[(&str, &str)], value: &Value) {
    for (from, to) in keys {
        let text = from.split('.').rev().fold(value.clone(), |inner, key| json!({ key: inner })).to_string();
        let result = carried(&text);
        let found = to.split('.').fold(&result, |found, key| match key.parse::<usize>() {
            Ok(index) => &found[index],
            Err(_) => &found[key],
        });
        assert_eq!(found, value, "{from} is to stand at {to}: {result}");
    }
}

const FAMILIES: [(&str, &str); 18] = [
    ("keyword_rules", "keywords"),
    ("embedding_rules", "embeddings"),
    ("categories", "domains"),
    ("fact_check_rules", "fact_check"),
    ("user_feedback_rules", "user_feedbacks"),
    ("reask_rules", "reasks"),
    ("preference_rules", "preferences"),
    ("language_rules", "language"),
    ("context_rules", "context"),
    ("structure_rules", "structure"),
    ("complexity_rules", "complexity"),
    ("modality_rules", "modality"),
    ("role_bindings", "role_bindings"),
    ("jailbreak", "jailbreak"),
    ("pii", "pii"),
    ("kb", "kb"),
    ("conversation", "conversation"),
    ("events", "events"),
];

#[test]
fn the_flat_layout_of_the_router() {
    for (from, to) in FAMILIES {
        each_is_carried(&[(from, &format!("routing.signals.{to}"))], &json!([{ "name": "it" }]));
        // The canonical key wins where both are there.
        let both =
            json!({ from: [{ "name": "it", "x": 1 }], "routing": { "signals": { to: [{ "name": "it" }] } } });
        let migrated = migrate(&both.to_string()).unwrap();
        assert!(!migrated.is_complete(), "{from}");
    }
    each_is_carried(&[("decisions", "routing.decisions")], &json!([{ "name": "d" }]));
    each_is_carried(
        &[
            ("default_model", "providers.defaults.default_model"),
            ("default_reasoning_effort", "providers.defaults.default_reasoning_effort"),
        ],
        &json!("high"),
    );
    let families = json!({ "qwen3": { "type": "reasoning_effort", "parameter": "p" } });
    each_is_carried(&[("reasoning_families", "providers.defaults.reasoning_families")], &families);
    let joined = carried(
        "\
model_config:
  m:
    preferred_endpoints: [one, cloud]
    model_id: m-2025
    description: Quick
    context_window_size: 100
vllm_endpoints:
  - {name: one, address: 10.0.0.1, port: 8000, weight: 2}
  - {name: cloud, provider_profile: p, access_key: sk-1}
provider_profiles:
  p: {type: openai, base_url: 'https://api.example/v1'}
",
    );
    let expected = json!([
        { "name": "one", "endpoint": "10.0.0.1:8000", "weight": 2 },
        { "name": "cloud", "provider": "openai", "base_url": "https://api.example/v1", "api_key": "sk-1" },
    ]);
    let model = &joined["providers"]["models"][0];
    assert_eq!((&model["name"], &model["provider_model_id"]), (&json!("m"), &json!("m-2025")));
    let found = model["backend_refs"].as_array().unwrap();
    for (found, expected) in found.iter().zip(expected.as_array().unwrap()) {
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&found[key], value, "{model}");
        }
    }
    let card = &joined["routing"]["modelCards"][0];
    assert_eq!(
        (&card["name"], &card["description"], &card["context_window_size"]),
        (&json!("m"), &json!("Quick"), &json!(100))
    );
}

#[test]
fn the_nested_layout_of_the_early_command_line() {
    for (_, family) in FAMILIES {
        let from = format!("signals.{family}");
        each_is_carried(&[(&from, &format!("routing.signals.{family}"))], &json!([{ "name": "it" }]));
    }
    each_is_carried(
        &[
            ("providers.default_model", "providers.defaults.default_model"),
            ("providers.default_reasoning_effort", "providers.defaults.default_reasoning_effort"),
        ],
        &json!("high"),
    );
    for (key, value) in [
        ("param_size", json!("8B")),
        ("context_window_size", json!(100)),
        ("description", json!("Quick")),
        ("capabilities", json!(["chat"])),
        ("loras", json!([{ "name": "law" }])),
        ("quality_score", json!(0.5)),
        ("modality", json!("text")),
        ("tags", json!(["x"])),
    ] {
        let text = json!({ "providers": { "models": [{ "name": "m", "endpoints": [{ "endpoint": "h:1" }], key: value }] } });
        let result = carried(&text.to_string());
        assert_eq!(result["routing"]["modelCards"][0][key], value, "{key}: {result}");
        assert_eq!(result["providers"]["models"][0].get(key), None, "{key}: {result}");
    }
    let keyed = carried(
        "providers: {models: [{name: m, access_key: sk-1, endpoints: [{name: a, endpoint: 'h:1', protocol: https, weight: 3}, {endpoint: 'h:2'}]}]}",
    );
    let backends = &keyed["providers"]["models"][0]["backend_refs"];
    assert_eq!(
        backends[0],
        json!({ "name": "a", "endpoint": "h:1", "protocol": "https", "weight": 3, "api_key": "sk-1" })
    );
    assert_eq!((&backends[1]["endpoint"], &backends[1]["api_key"]), (&json!("h:2"), &json!("sk-1")));
}

#[test]
fn the_drafts_of_the_canonical_layout() {
    each_is_carried(&[("routing.models", "routing.modelCards")], &json!([{ "name": "m" }]));
    let external = json!([{ "llm_provider": "vllm", "model_role": "guardrail" }]);
    each_is_carried(
        &[
            ("providers.external_models", "global.model_catalog.external"),
            ("global.models.external", "global.model_catalog.external"),
        ],
        &external,
    );
    each_is_carried(
        &[
            ("global.runtime.router.strategy", "global.router.strategy"),
            ("global.runtime.strategy", "global.router.strategy"),
            ("global.models.system.prompt_guard", "global.model_catalog.system.prompt_guard"),
            (
                "global.models.embeddings.semantic.mmbert_model_path",
                "global.model_catalog.embeddings.semantic.mmbert_model_path",
            ),
            ("global.modules.prompt_guard.model_id", "global.model_catalog.modules.prompt_guard.model_id"),
            (
                "global.modules.classifier.category_model.model_id",
                "global.model_catalog.modules.classifier.domain.model_id",
            ),
        ],
        &json!("priority"),
    );
    let backends = |text: &str| carried(text)["providers"]["models"][0]["backend_refs"].clone();
    let resolved = backends(
        "\
providers:
  auth_profiles: [{name: key, api_key_env: KEY, header: x-key, prefix: Token}]
  backends: {cloud: {base_url: 'https://api.example/v1', auth_ref: key}}
  model_targets: [{name: m, backends: [cloud]}]
",
    );
    let expected = [
        ("base_url", "https://api.example/v1"),
        ("api_key_env", "KEY"),
        ("auth_header", "x-key"),
        ("auth_prefix", "Token"),
    ];
    for (key, value) in expected {
        assert_eq!(resolved[0][key], value, "{resolved}");
    }
    let accessed = backends("providers: {models: [{name: m, access: {endpoint: 'h:1', api_key_env: KEY}}]}");
    assert_eq!((&accessed[0]["endpoint"], &accessed[0]["api_key_env"]), (&json!("h:1"), &json!("KEY")));
}

#[test]
fn the_blocks_that_stood_at_the_top_or_at_the_top_of_global() {
    let blocks = [
        ("strategy", "router.strategy"),
        ("auto_model_name", "router.auto_model_name"),
        ("include_config_models_in_list", "router.include_config_models_in_list"),
        ("clear_route_cache", "router.clear_route_cache"),
        ("model_selection.enabled", "router.model_selection.enabled"),
        ("streamed_body_mode", "router.streamed_body.enabled"),
        ("max_streamed_body_bytes", "router.streamed_body.max_bytes"),
        ("streamed_body_timeout_sec", "router.streamed_body.timeout_sec"),
        ("response_api.enabled", "services.response_api.enabled"),
        ("router_replay.enabled", "services.router_replay.enabled"),
        ("api.port", "services.api.port"),
        ("observability.metrics.enabled", "services.observability.metrics.enabled"),
        ("authz.fail_open", "services.authz.fail_open"),
        ("ratelimit.fail_open", "services.ratelimit.fail_open"),
        ("semantic_cache.enabled", "stores.semantic_cache.enabled"),
        ("memory.enabled", "stores.memory.enabled"),
        ("vector_store.enabled", "stores.vector_store.enabled"),
        ("tools.enabled", "integrations.tools.enabled"),
        ("looper.enabled", "integrations.looper.enabled"),
        ("system_models.prompt_guard", "model_catalog.system.prompt_guard"),
        ("external_models", "model_catalog.external"),
        ("embedding_models.use_cpu", "model_catalog.embeddings.semantic.use_cpu"),
        ("bert_model.model_id", "model_catalog.embeddings.semantic.bert_model_path"),
        ("bert_model.threshold", "model_catalog.embeddings.semantic.embedding_config.min_score_threshold"),
        ("prompt_compression.enabled", "model_catalog.modules.prompt_compression.enabled"),
        ("prompt_guard.threshold", "model_catalog.modules.prompt_guard.threshold"),
        ("classifier.category_model.threshold", "model_catalog.modules.classifier.domain.threshold"),
        ("classifier.pii_model.threshold", "model_catalog.modules.classifier.pii.threshold"),
        ("classifier.mcp_category_model.enabled", "model_catalog.modules.classifier.mcp.enabled"),
        ("classifier.preference_model.threshold", "model_catalog.modules.classifier.preference.threshold"),
        (
            "hallucination_mitigation.fact_check_model.threshold",
            "model_catalog.modules.hallucination_mitigation.fact_check.threshold",
        ),
        (
            "hallucination_mitigation.hallucination_model.threshold",
            "model_catalog.modules.hallucination_mitigation.detector.threshold",
        ),
        (
            "hallucination_mitigation.nli_model.threshold",
            "model_catalog.modules.hallucination_mitigation.explainer.threshold",
        ),
        ("feedback_detector.threshold", "model_catalog.modules.feedback_detector.threshold"),
        ("modality_detector.enabled", "model_catalog.modules.modality_detector.enabled"),
        // What the release dropped in silence.
        ("config_source", "router.config_source"),
        ("skip_processing.enabled", "router.skip_processing.enabled"),
        ("startup_status.store_backend", "services.startup_status.store_backend"),
    ];
    for (from, to) in blocks {
        let to = format!("global.{to}");
        each_is_carried(&[(from, &to), (&format!("global.{from}"), &to)], &json!("value"));
    }
}

#[test]
fn what_has_no_place_is_told_and_never_dropped_in_silence() {
    for (text, told) in [
        ("latency_rules: [{name: a}]", "latency_rules"),
        ("mom_registry: {a: b}", "mom_registry"),
        ("image_gen_backends: {a: b}", "image_gen_backends"),
    ] {
        let migrated = migrate(text).unwrap();
        let lost: Vec<&str> = migrated
            .steps
            .iter()
            .filter(|step| step.outcome == Outcome::NotCarried)
            .map(|step| step.path.as_str())
            .collect();
        assert_eq!(lost, [told]);
    }
    // A key that no layout has stays where it is, and reading the file warns about it.
    let stays = migrate("strategy: priority\nnobodys_key: {a: 1}\n").unwrap().text;
    let document = Document::parse("c.yaml", &stays, &|_| None);
    let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
    assert!(problems.iter().any(|problem| problem.contains("unknown key `nobodys_key`")), "{problems:?}");
}

#[test]
fn every_model_gets_a_card_and_parts_of_the_file_have_their_order() {
    let migrated = migrate(
        "\
strategy: priority
decisions: [{name: d, modelRefs: [{model: a}]}]
default_model: c
providers: {models: [{name: a, endpoints: [{endpoint: 'h:1'}]}, {name: b, backend_refs: [{endpoint: 'h:2'}]}]}
listeners: []
",
    )
    .unwrap();
    let result = yaml_to_json(&migrated.text).unwrap();
    let cards: Vec<&Value> =
        result["routing"]["modelCards"].as_array().unwrap().iter().map(|card| &card["name"]).collect();
    assert_eq!(cards, ["a", "b", "c"]);
    let tops = migrated.text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let tops: Vec<&str> = tops.filter_map(|line| line.split(':').next()).collect();
    assert_eq!(tops, ["version", "listeners", "providers", "routing", "global"]);
}
