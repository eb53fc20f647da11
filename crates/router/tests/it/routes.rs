//! Routed requests: decisions, defaults, answers, refusals, and what is recorded.

use std::sync::Arc;

use serde_json::json;
use vsr_router::Routed;
use vsr_store::{KeyValue, MemoryStore};
use vsr_types::{Identity, Timestamp, Usage};

use crate::scene::{Scene, user};

const POLICY: &str = r#"
providers:
  defaults: {default_model: small}
  models:
    - {name: small, provider_model_id: small-v1, pricing: {prompt_per_1m: 1, completion_per_1m: 2}, backend_refs: [{endpoint: "127.0.0.1:1"}]}
    - {name: large, backend_refs: [{endpoint: "127.0.0.1:2"}]}
routing:
  modelCards: [{name: small}, {name: large, loras: [{name: large-law}]}]
  signals:
    keywords:
      - {name: code, operator: OR, keywords: [refactor]}
      - {name: forbidden, operator: OR, keywords: [forbidden]}
      - {name: contract, operator: OR, keywords: [contract]}
    jailbreak: [{name: injection}]
    conversation:
      - {name: has_image, feature: {type: exists, source: {type: image_content}}}
  decisions:
    - {name: blocked, priority: 100, rules: {operator: AND, conditions: [{type: keyword, name: forbidden}]},
       plugins: [{type: fast_response, configuration: {message: "not here"}}], modelRefs: [{model: small}]}
    - {name: coding, priority: 10, rules: {operator: AND, conditions: [{type: keyword, name: code}]}, modelRefs: [{model: large}]}
    - {name: law, priority: 10, rules: {operator: AND, conditions: [{type: keyword, name: contract}]}, modelRefs: [{model: large, lora_name: large-law}]}
    - {name: vision, priority: 9, rules: {operator: AND, conditions: [{type: conversation, name: has_image}]}, modelRefs: [{model: large}]}
    - {name: harmless, priority: 1, rules: {operator: NOT, conditions: [{type: jailbreak, name: injection}]}, modelRefs: [{model: large}]}
"#;

fn prompt(text: &str) -> serde_json::Value {
    json!({ "model": "auto", "messages": [{ "role": "user", "content": text }] })
}

#[test]
fn the_matching_decision_chooses_the_model_and_only_the_model_changes() {
    let scene = Scene::new(POLICY);
    let body = r#"{ "messages": [{"role":"user","content":"refactor \u00fc"}],  "x": 1e3, "model":"auto"}"#;
    let sent = scene.sent(&serde_json::from_str(body).unwrap(), Identity::default());
    assert_eq!((sent.model.as_str(), sent.decision.as_deref()), ("large", Some("coding")));
    assert_eq!((sent.method, sent.backend.as_str()), ("single", "large/primary"));
    let value: serde_json::Value = serde_json::from_slice(&sent.bytes).unwrap();
    assert_eq!(value["model"], "large");
}

#[test]
fn a_request_that_nothing_claims_goes_to_the_default_model_under_its_upstream_id() {
    let scene = Scene::new(POLICY);
    let sent = scene.sent(&prompt("good evening"), Identity::default());
    assert_eq!((sent.model.as_str(), sent.decision, sent.method), ("small", None, "default"));
    assert!(String::from_utf8(sent.bytes.to_vec()).unwrap().contains(r#""small-v1""#));
}

#[test]
fn a_negated_detector_that_is_not_there_does_not_match() {
    let scene = Scene::new(POLICY);
    let explanation = scene.explain(&prompt("good evening"), Identity::default());
    assert_eq!(explanation.routing_decision, "");
    assert_eq!(explanation.decision_result.unavailable_signals["jailbreak"], ["injection"]);
}

#[test]
fn an_adapter_is_sent_under_its_own_name_to_the_cards_backends() {
    let scene = Scene::new(POLICY);
    let sent = scene.sent(&prompt("read this contract"), Identity::default());
    assert_eq!((sent.model.as_str(), sent.backend.as_str()), ("large-law", "large/primary"));
    assert!(String::from_utf8(sent.bytes.to_vec()).unwrap().contains(r#""large-law""#));
}

#[test]
fn an_image_without_text_is_routed() {
    let scene = Scene::new(POLICY);
    let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } });
    let body = json!({ "model": "MoM", "messages": [{ "role": "user", "content": [image] }] });
    assert_eq!(scene.sent(&body, Identity::default()).decision.as_deref(), Some("vision"));
}

#[test]
fn an_answering_decision_answers_whatever_model_was_named_and_streams_if_asked() {
    let scene = Scene::new(POLICY);
    for model in ["auto", "large"] {
        let mut body = prompt("the forbidden thing");
        body["model"] = model.into();
        let Routed::Shortcut(answer) = scene.route(&body, Identity::default()) else {
            panic!("not answered");
        };
        let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(value["choices"][0]["message"]["content"], "not here");
        body["stream"] = true.into();
        let Routed::Shortcut(answer) = scene.route(&body, Identity::default()) else {
            panic!("not answered");
        };
        assert!(answer.stream && answer.body.ends_with(b"data: [DONE]\n\n"));
    }
}

#[test]
fn streams_ask_for_usage_unless_the_client_did() {
    let scene = Scene::new(POLICY);
    let mut body = prompt("good evening");
    body["stream"] = true.into();
    let Routed::Forward(forward) = scene.route(&body, Identity::default()) else { panic!() };
    let value: serde_json::Value = serde_json::from_slice(&forward.body).unwrap();
    assert!(forward.usage_injected && value["stream_options"]["include_usage"] == true);
    body["stream_options"] = json!({ "include_usage": true });
    let Routed::Forward(forward) = scene.route(&body, Identity::default()) else { panic!() };
    assert!(!forward.usage_injected);
}

#[test]
fn every_exchange_is_counted_once_even_when_it_is_abandoned() {
    let scene = Scene::new(POLICY);
    let Routed::Forward(forward) = scene.route(&prompt("refactor"), Identity::default()) else { panic!() };
    let during = scene.router.encode_metrics().unwrap();
    assert!(during.contains(r#"llm_model_inflight_requests{model="large"} 1"#), "{during}");
    drop(forward);
    let Routed::Forward(mut forward) = scene.route(&prompt("hello"), Identity::default()) else { panic!() };
    forward.exchange.status(200);
    forward.exchange.first_byte();
    forward.exchange.usage(Usage { prompt_tokens: 1_000_000, completion_tokens: 10, ..Usage::default() });
    forward.exchange.end(None);
    let after = scene.router.encode_metrics().unwrap();
    for line in [
        r#"llm_model_inflight_requests{model="large"} 0"#,
        r#"llm_request_errors_total{model="large",reason="client_gone"} 1"#,
        r#"llm_model_requests_total{model="small"} 1"#,
        r#"llm_model_completion_tokens_total{model="small"} 10"#,
        r#"llm_model_cost_total{model="small",currency="USD"} 1.00002"#,
        r#"llm_decision_match_total{decision_name="coding"} 1"#,
        r#"llm_signal_match_total{signal_type="keyword",signal_name="code"} 1"#,
        r#"llm_signal_extraction_total{signal_type="keyword",signal_name="code"} 2"#,
    ] {
        assert!(after.contains(line), "{line} is not in\n{after}");
    }
}

#[test]
fn what_backends_counted_calibrates_the_estimate_and_survives_a_restart() {
    let store = Arc::new(MemoryStore::new(10));
    let scene = Scene::with_store(POLICY, Arc::clone(&store) as Arc<dyn KeyValue>);
    let text = "x".repeat(8_000);
    let before = scene.explain(&prompt(&text), user("a", &[])).context_tokens;
    for _ in 0..20 {
        let Routed::Forward(mut forward) = scene.route(&prompt(&text), Identity::default()) else { panic!() };
        forward.exchange.usage(Usage { prompt_tokens: 4_000, completion_tokens: 1, ..Usage::default() });
        forward.exchange.end(None);
    }
    let after = scene.explain(&prompt(&text), user("a", &[])).context_tokens;
    assert!(before < 2_100 && (3_900..4_200).contains(&after), "{before} then {after}");
    scene.router.save().unwrap();
    let restarted = Scene::with_store(POLICY, store);
    assert_eq!(restarted.explain(&prompt(&text), user("a", &[])).context_tokens, after);
}

#[test]
fn a_damaged_calibration_in_the_store_is_forgotten() {
    let store = MemoryStore::new(10);
    store.put("token_calibration", "default", b"{\"samples\":", None, Timestamp(0)).unwrap();
    let scene = Scene::with_store(POLICY, Arc::new(store));
    assert_eq!(scene.router.calibration().samples(), 0);
}

#[test]
fn a_list_of_auto_names_replaces_the_usual_ones() {
    let scene =
        Scene::new(&format!("{POLICY}global: {{router: {{auto_model_names: [pick, ' choose ']}}}}\n"));
    for (name, routed) in [("pick", true), ("choose", true), ("auto", false)] {
        let mut body = prompt("refactor");
        body["model"] = name.into();
        let is_routed = matches!(scene.route(&body, Identity::default()), Routed::Forward(_));
        assert_eq!(is_routed, routed, "{name}");
    }
}

#[test]
fn spaces_around_the_name_that_asks_to_choose_make_no_new_series() {
    let scene = Scene::new(POLICY);
    for spaces in 0..20 {
        let mut body = prompt("refactor");
        body["model"] = format!("auto{}", " ".repeat(spaces)).into();
        scene.sent(&body, Identity::default());
    }
    let metrics = scene.router.encode_metrics().unwrap();
    let series: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("llm_model_routing_modifications_total")).collect();
    assert_eq!(series.len(), 1, "{series:#?}");
    assert!(series[0].ends_with(" 20"), "{series:#?}");
}
