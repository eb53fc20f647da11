//! What must hold between values, and ranges.

use vsr_config::Document;

use crate::sample::{BASE, decision_problems, findings, shown};

fn replaced(from: &str, to: &str) -> Vec<String> {
    assert!(BASE.contains(from), "{from}");
    findings(&BASE.replace(from, to))
}

#[test]
fn the_base_has_no_problems() {
    assert_eq!(findings(BASE), Vec::<String>::new());
}

#[test]
fn model_cards_are_unique_and_in_range() {
    assert_eq!(
        replaced(
            "    - {name: small, description: Quick}\n",
            "    - {name: small, quality_score: 1.5, context_window_size: 0}\n    - {name: small}\n"
        ),
        [
            "error: routing.modelCards[0].quality_score: expected a value from 0 to 1, found 1.5",
            "error: routing.modelCards[0].context_window_size: expected a value at least 1, found 0",
            "error: routing.modelCards[1].name: the model card `small` is there already, as routing.modelCards[0] (rename or remove one of them)",
        ]
    );
}

#[test]
fn the_default_model_is_a_card_or_an_adapter() {
    assert_eq!(replaced("default_model: small", "default_model: law-expert"), Vec::<String>::new());
    assert_eq!(
        replaced("default_model: small", "default_model: smal"),
        [
            "error: providers.defaults.default_model: there is no model card or adapter `smal` (did you mean `small`?)"
        ]
    );
    assert_eq!(
        replaced("    default_model: small\n", ""),
        [
            "warning: providers.defaults.default_model: there is no default model; requests that no decision claims fail"
        ]
    );
}

#[test]
fn provider_models_have_cards_families_and_backends() {
    assert_eq!(
        replaced(
            "    - name: small\n      reasoning_family: qwen3",
            "    - name: smal\n      reasoning_family: qwen"
        ),
        [
            "error: providers.models[0].name: there is no model card `smal` (did you mean `small`?)",
            "error: providers.models[0].reasoning_family: there is no reasoning family `qwen` (did you mean `qwen3`?)",
        ]
    );
    assert_eq!(
        replaced("[{endpoint: '127.0.0.1:8000'}]", "[]"),
        [
            "warning: providers.models[0]: `small` has no backends; requests that are routed to it fail (add backend_refs)"
        ]
    );
}

#[test]
fn a_backend_has_one_address_and_a_weight_that_can_serve() {
    assert_eq!(
        replaced("{endpoint: '127.0.0.1:8000'}", "{weight: -1}"),
        [
            "error: providers.models[0].backend_refs[0]: the backend has no address (set endpoint or base_url)",
            "error: providers.models[0].backend_refs[0].weight: expected a value at least 0, found -1",
        ]
    );
    assert_eq!(
        replaced(
            "{endpoint: '127.0.0.1:8000'}",
            "{endpoint: 'a:1', weight: 0}, {endpoint: 'b:1', base_url: 'http://b', weight: 0}"
        ),
        [
            "error: providers.models[0].backend_refs: all backends of `small` have weight 0; none would serve it",
        ]
    );
    assert_eq!(
        replaced("{endpoint: '127.0.0.1:8000'}", "{endpoint: 'b:1', base_url: 'http://b', weight: -2}"),
        [
            "warning: providers.models[0].backend_refs[0].endpoint: `endpoint` has no effect beside `base_url`",
            "error: providers.models[0].backend_refs[0].weight: expected a value at least 0, found -2",
        ]
    );
}

#[test]
fn an_unset_variable_of_a_key_is_a_warning() {
    let text = BASE.replace("{endpoint: '127.0.0.1:8000'}", "{endpoint: 'a:1', api_key_env: SMALL_KEY}");
    assert_eq!(
        findings(&text),
        [
            "warning: providers.models[0].backend_refs[0].api_key_env: the environment variable `SMALL_KEY` is not set; requests go without a key"
        ]
    );
    let document = Document::parse("c.yaml", &text, &|_| Some("k".into()));
    assert_eq!(shown(&document), Vec::<String>::new());
}

#[test]
fn reliability_takes_spans_above_zero() {
    assert_eq!(
        replaced(
            "      reasoning_family: qwen3\n",
            "      reliability: {connect_timeout: 0, max_ejection_percent: 101}\n"
        ),
        [
            "error: providers.models[0].reliability.connect_timeout: expected a value above 0, found 0",
            "error: providers.models[0].reliability.max_ejection_percent: expected a value from 0 to 100, found 101",
        ]
    );
}

#[test]
fn listeners_have_names_and_addresses_of_their_own() {
    let listeners = "  - {name: main, address: 127.0.0.1, port: 8899}
  - {name: main, address: 127.0.0.1, port: 8899}
  - {name: b, address: 127.0.0.1, port: 0}
  - {name: c, address: 127.0.0.1, port: 0}
  - {name: api, address: 127.0.0.1, port: 9190}
";
    assert_eq!(
        replaced("  - {name: main, address: 127.0.0.1, port: 8899}\n", listeners),
        [
            "error: global.services.observability.metrics.port: 127.0.0.1:9190 is bound already by listeners[4] (give each its own port)",
            "error: listeners[1].name: the name `main` is used already by listeners[0]",
            "error: listeners[1].port: 127.0.0.1:8899 is bound already by listeners[0] (give each its own port)",
        ]
    );
}

#[test]
fn listeners_take_address_ranges_keys_and_bounds() {
    assert_eq!(
        replaced(
            "port: 8899}",
            "port: 8899, timeout: 0, trusted_peers: [10.0.0.0/8, '::1', 10.0.0.0/33, proxy], api_keys: [k, ''], limits: {max_connections: 0, max_requests: 0}}"
        ),
        [
            "error: listeners[0].timeout: expected a value above 0, found 0",
            "error: listeners[0].trusted_peers[2]: `10.0.0.0/33` is no address range (write 10.0.0.0/8, fd00::/8 or 192.0.2.7)",
            "error: listeners[0].trusted_peers[3]: `proxy` is no address range (write 10.0.0.0/8, fd00::/8 or 192.0.2.7)",
            "error: listeners[0].api_keys[1]: an empty key would let everybody in; remove it or fill it",
            "error: listeners[0].limits.max_connections: expected a value at least 1, found 0",
            "error: listeners[0].limits.max_requests: expected a value at least 1, found 0",
        ]
    );
}

#[test]
fn candidates_exist_and_are_served() {
    assert_eq!(decision_problems("description: fine"), Vec::<String>::new());
    let text = format!(
        "{BASE}    - {{name: unserved}}\n  decisions:\n    - name: d\n      modelRefs:\n        - {{model: larg}}\n        - {{model: law-expert}}\n        - {{model: unserved}}\n        - {{model: large, lora_name: law}}\n        - {{model: large, lora_name: law-expert, weight: -1}}\n"
    );
    assert_eq!(
        findings(&text),
        [
            "error: routing.decisions[0].modelRefs[0].model: there is no model card `larg` (did you mean `large`?)",
            "error: routing.decisions[0].modelRefs[1].model: `law-expert` is an adapter, not a model card (name the model card here, and the adapter in lora_name)",
            "error: routing.decisions[0].modelRefs[2].model: `unserved` has no entry in providers.models; nothing serves it",
            "error: routing.decisions[0].modelRefs[3].lora_name: there is no adapter of the model card `large` called `law`",
            "error: routing.decisions[0].modelRefs[4].weight: expected a value at least 0, found -1",
        ]
    );
}

#[test]
fn iterations_loop_over_something_and_put_out_their_variable() {
    let rest = "\
candidateIterations:
  - {variable: c, source: models, outputs: [{type: score, value: d}]}
  - {variable: '', source: decision.candidate}
  - {variable: c, source: decision.candidates, outputs: [{type: model, value: c}]}";
    assert_eq!(
        decision_problems(rest),
        [
            "error: routing.decisions[0].candidateIterations[0].source: `models` has no models to loop over",
            "error: routing.decisions[0].candidateIterations[0].outputs[0].type: expected `model`, found `score`",
            "error: routing.decisions[0].candidateIterations[0].outputs[0].value: expected the variable `c`, found `d`",
            "error: routing.decisions[0].candidateIterations[1].variable: the loop variable has no name",
            "error: routing.decisions[0].candidateIterations[1].source: there is no source of candidates called `decision.candidate` (did you mean `decision.candidates`?)",
        ]
    );
}

#[test]
fn directives_are_of_one_kind_and_do_not_contradict_themselves() {
    let rest = "\
emits:
  - {kind: retention, retention: {drop: true, ttl_turns: 3}}
  - {kind: retention, retention: {}}
  - {kind: keep}";
    assert_eq!(
        decision_problems(rest),
        [
            "error: routing.decisions[0].emits[0].retention.ttl_turns: `drop: true` keeps nothing, so nothing can be kept for turns",
            "error: routing.decisions[0].emits[1]: a second directive of the same kind",
            "error: routing.decisions[0].emits[2]: missing key `retention`",
            "error: routing.decisions[0].emits[2].kind: expected `retention`, found `keep`",
        ]
    );
}

#[test]
fn signals_fit_the_rest_of_the_configuration() {
    let text = format!(
        "{BASE}  signals:
    domains: [{{name: d, mmlu_categories: [computer_science, math]}}]
    embeddings:
      - {{name: i, query_modality: image}}
      - {{name: a, query_modality: audio}}
    modality: [{{name: ar}}]
    kb:
      - {{name: k, kb: privacy, target: {{kind: group, value: private}}}}
      - {{name: l, kb: privacy_kb, target: {{kind: group, value: privat}}}}
"
    );
    assert_eq!(
        findings(&text),
        [
            "error: routing.signals.domains[0].mmlu_categories[0]: `computer_science` is no MMLU category (did you mean `computer science`?)",
            "error: routing.signals.embeddings[0].query_modality: image queries need a multimodal embedding model, not `mmbert` (set model_type: multimodal in global.model_catalog.embeddings.semantic.embedding_config)",
            "error: routing.signals.embeddings[1].query_modality: audio queries need a multimodal embedding model, not `mmbert` (set model_type: multimodal in global.model_catalog.embeddings.semantic.embedding_config)",
            "error: routing.signals.modality[0].name: expected `AR`, `DIFFUSION` or `BOTH`, found `ar`",
            "error: routing.signals.kb[0].kb: there is no knowledge base `privacy` (did you mean `privacy_kb`?)",
            "error: routing.signals.kb[1].target.value: there is no group of `privacy_kb` called `privat` (did you mean `private`?)",
        ]
    );
}

#[test]
fn a_decision_for_text_and_images_needs_models_of_both_kinds() {
    let rules = "rules: {operator: AND, conditions: [{type: modality, name: BOTH}]}";
    assert_eq!(
        decision_problems(rules),
        [
            "error: routing.decisions[0].modelRefs: a decision for `BOTH` needs a model card of modality `ar` and one of `diffusion`, or one of `omni`"
        ]
    );
}

#[test]
fn knowledge_bases_are_whole() {
    let text = format!(
        "{BASE}global:
  model_catalog:
    kbs:
      - name: k
        source: {{path: ''}}
        threshold: 2
        label_thresholds: {{l: -1}}
        groups: {{g: [a, a], h: []}}
        metrics: [{{name: best_score, positive_group: g, negative_group: x}}]
"
    );
    assert_eq!(
        findings(&text),
        [
            "error: global.model_catalog.kbs[0].source.path: the knowledge base has no directory",
            "error: global.model_catalog.kbs[0].threshold: expected a value from 0 to 1, found 2",
            "error: global.model_catalog.kbs[0].label_thresholds.l: expected a value from 0 to 1, found -1",
            "error: global.model_catalog.kbs[0].groups.g[1]: the label `a` is in the group already",
            "error: global.model_catalog.kbs[0].groups.h: the group `h` has no labels",
            "error: global.model_catalog.kbs[0].metrics[0].name: every knowledge base has a metric `best_score` already",
            "error: global.model_catalog.kbs[0].metrics[0].negative_group: there is no group `x`",
        ]
    );
}

#[test]
fn modules_name_models_and_keep_their_ranges() {
    let text = format!(
        "{BASE}global:
  model_catalog:
    system: {{prompt_guard: ''}}
    modules:
      prompt_guard: {{threshold: 7}}
      classifier: {{domain: {{model_ref: domain_clasifier}}}}
      modality_detector: {{enabled: true, method: hybrid}}
      prompt_compression: {{skip_signals: [jailbreak, pi]}}
"
    );
    assert_eq!(
        findings(&text),
        [
            "warning: global.model_catalog.modules.prompt_guard: `prompt_guard` has no model, so it is off (set model_id, or model_ref and its entry in global.model_catalog.system)",
            "error: global.model_catalog.modules.prompt_guard.threshold: expected a value from 0 to 1, found 7",
            "error: global.model_catalog.modules.classifier.domain.model_ref: expected `prompt_guard`, `domain_classifier`, `pii_classifier`, `fact_check_classifier`, `hallucination_detector`, `hallucination_explainer` or `feedback_detector`, found `domain_clasifier` (did you mean `domain_classifier`?)",
            "error: global.model_catalog.modules.modality_detector: a modality detector with a classifier needs the key `confidence_threshold`",
            "error: global.model_catalog.modules.modality_detector: a modality detector with a classifier needs the key `classifier`",
            "error: global.model_catalog.modules.modality_detector: the method `hybrid` needs the key `lower_threshold_ratio`",
            "warning: global.model_catalog.modules.prompt_compression.skip_signals[1]: there is no signal family `pi`; it has no effect",
        ]
    );
}

#[test]
fn limits_limit_something() {
    let text = format!(
        "{BASE}global:
  services:
    ratelimit:
      providers:
        - {{type: envoy-ratelimit}}
        - {{type: local-limiter, rules: [{{name: r}}]}}
    authz: {{identity: {{user_id_header: 'x user'}}}}
"
    );
    assert_eq!(
        findings(&text),
        [
            "error: global.services.ratelimit.providers[0]: a limiter of type `envoy-ratelimit` needs an `address`",
            "warning: global.services.ratelimit.providers[1].rules[0]: the rule limits nothing; set requests_per_unit or tokens_per_unit",
            "error: global.services.authz.identity.user_id_header: \"x user\" is no name of a header",
        ]
    );
}

#[test]
fn routing_from_kubernetes_may_refer_to_what_is_not_there_yet() {
    let text = "\
version: v0.3
providers: {defaults: {default_model: later}}
global: {router: {config_source: kubernetes}}
";
    assert_eq!(findings(text), Vec::<String>::new());
}
