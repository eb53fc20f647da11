//! Keys of older layouts.

use crate::sample::{BASE, findings, problems, read};

#[test]
fn removed_keys_are_refused_each_with_what_took_its_place() {
    let text = "\
version: v0.3
providers:
  default_model: a
  models:
    - {name: a, access_key: x, endpoints: []}
routing:
  models: []
  decisions:
    - {name: d, tool_scope: all}
global:
  modules: {}
";
    let refused: Vec<String> =
        problems(text).into_iter().filter(|line| line.contains("older layout")).collect();
    assert_eq!(
        refused,
        [
            "c.yaml:3:3: error: providers.default_model: the key `default_model` belongs to an older layout (use providers.defaults.default_model)",
            "c.yaml:5:17: error: providers.models[0].access_key: the key `access_key` belongs to an older layout (use api_key or api_key_env of backend_refs[])",
            "c.yaml:5:32: error: providers.models[0].endpoints: the key `endpoints` belongs to an older layout (use providers.models[].backend_refs)",
            "c.yaml:7:3: error: routing.models: the key `models` belongs to an older layout (use routing.modelCards)",
            "c.yaml:9:17: error: routing.decisions[0].tool_scope: the key `tool_scope` belongs to an older layout (use a plugin of type tools)",
            "c.yaml:11:3: error: global.modules: the key `modules` belongs to an older layout (use global.model_catalog.modules)",
        ]
    );
}

#[test]
fn every_removed_key_of_the_release_is_refused() {
    let removed = [
        "routing: {models: []}",
        "providers: {model_targets: {}}",
        "providers: {backends: {}}",
        "providers: {auth_profiles: {}}",
        "providers: {default_model: a}",
        "providers: {reasoning_families: {}}",
        "providers: {default_reasoning_effort: low}",
        "providers: {models: [{name: a, access: {}}]}",
        "providers: {models: [{name: a, endpoints: []}]}",
        "providers: {models: [{name: a, access_key: x}]}",
        "providers: {models: [{name: a, param_size: 1B}]}",
        "providers: {models: [{name: a, context_window_size: 1}]}",
        "providers: {models: [{name: a, description: x}]}",
        "providers: {models: [{name: a, capabilities: []}]}",
        "providers: {models: [{name: a, loras: []}]}",
        "providers: {models: [{name: a, quality_score: 1}]}",
        "providers: {models: [{name: a, modality: ar}]}",
        "providers: {models: [{name: a, tags: []}]}",
        "global: {modules: {}}",
        "global: {model_catalog: {embeddings: {bert: {}}}}",
        "global: {model_catalog: {classifiers: []}}",
        "routing: {decisions: [{name: d, modelSelectionAlgorithm: {}}]}",
        "routing: {decisions: [{name: d, tool_scope: x}]}",
        "routing: {decisions: [{name: d, allow_tools: []}]}",
        "routing: {decisions: [{name: d, block_tools: []}]}",
        "routing: {signals: {structure: [{name: s, feature: {type: count, normalize_by: x, source: {type: regex, pattern: x}}}]}}",
        "routing: {signals: {category_kb: []}}",
        "routing: {signals: {taxonomy: []}}",
    ];
    for text in removed {
        let found = findings(&format!("version: v0.3\n{text}\n"));
        assert!(
            found.iter().any(|line| line.contains("belongs to an older layout (use ")),
            "{text}: {found:?}"
        );
        assert!(!found.iter().any(|line| line.contains("unknown key")), "{text}: {found:?}");
    }
}

#[test]
fn a_flat_file_must_move_to_the_canonical_layout() {
    let text = "keyword_rules: []\ndecisions: []\nvllm_endpoints: []\n";
    assert_eq!(
        problems(text),
        [
            "c.yaml:1:1: error: keyword_rules: the key `keyword_rules` belongs to an older layout (use routing.signals.keywords)",
            "c.yaml:1:1: error: must use the canonical v0.3 layout; found the older keys decisions, keyword_rules, vllm_endpoints (run `vllm-sr config migrate FILE`)",
            "c.yaml:2:1: error: decisions: the key `decisions` belongs to an older layout (use routing.decisions)",
            "c.yaml:3:1: error: vllm_endpoints: the key `vllm_endpoints` belongs to an older layout (use providers.models[].backend_refs)",
        ]
    );
    assert!(read(text).config().is_none());
}

#[test]
fn older_keys_beside_the_canonical_ones_are_refused_too() {
    assert_eq!(
        findings(&format!("{BASE}decisions: []\n")),
        ["error: decisions: the key `decisions` belongs to an older layout (use routing.decisions)"]
    );
}

#[test]
fn a_file_of_something_else_is_no_configuration() {
    assert_eq!(
        problems("apiVersion: v1\nkind: Pod\n"),
        [
            "c.yaml:1:1: error: this is no vllm-sr configuration; found the keys apiVersion, kind (this is a Kubernetes resource, which this version does not read; write the configuration as a file)"
        ]
    );
}

#[test]
fn what_is_something_else_is_told_what_it_looks_like() {
    let told = |text: &str| problems(text).concat();
    for values in ["config: {version: v0.3}\nimage: {tag: x}\n", "config: {keyword_rules: []}\nreplicas: 1\n"]
    {
        assert!(told(values).contains("these look like Helm values"), "{}", told(values));
    }
    let resource = told("apiVersion: vllm.ai/v1alpha1\nkind: IntelligentRoute\n");
    assert!(resource.contains("this is a Kubernetes resource"), "{resource}");
    assert!(told("config: 1\nother: 2\n").contains("the top level holds version"));
}
