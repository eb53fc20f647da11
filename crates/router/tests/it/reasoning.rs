//! How models are told to reason.

use serde_json::{Value, json};
use vsr_types::Identity;

use crate::scene::Scene;

fn body_sent(family: &str, backend: &str, use_reasoning: &str, client: &Value) -> Value {
    let scene = Scene::new(&format!(
        r#"
providers:
  defaults:
    default_model: m
    reasoning_families: {{f: {family}}}
  models: [{{name: m, reasoning_family: f, backend_refs: [{backend}]}}]
routing:
  modelCards: [{{name: m}}]
  decisions: [{{name: d, rules: {{}}, modelRefs: [{{model: m, {use_reasoning}}}]}}]
"#
    ));
    let mut body = json!({ "model": "auto", "messages": [{ "role": "user", "content": "hello" }] });
    for (key, value) in client.as_object().unwrap() {
        body[key] = value.clone();
    }
    serde_json::from_slice(&scene.sent(&body, Identity::default()).bytes).unwrap()
}

const LOCAL: &str = r#"{endpoint: "127.0.0.1:1"}"#;
const OPENAI: &str = r#"{base_url: "https://api.openai.com/v1", provider: openai}"#;

#[test]
fn a_flag_goes_into_the_template_arguments_and_leaves_the_others_alone() {
    let family = "{type: chat_template_kwargs, parameter: enable_thinking}";
    let client = json!({ "chat_template_kwargs": { "other": 1 }, "reasoning_effort": "low" });
    let sent = body_sent(family, LOCAL, "use_reasoning: true", &client);
    assert_eq!(sent["chat_template_kwargs"], json!({ "other": 1, "enable_thinking": true }));
    assert!(sent.get("reasoning_effort").is_none());
    let sent = body_sent(family, LOCAL, "use_reasoning: false", &json!({}));
    assert_eq!(sent["chat_template_kwargs"], json!({ "enable_thinking": false }));
}

#[test]
fn an_effort_goes_where_the_backend_reads_it() {
    let family = "{type: reasoning_effort, parameter: reasoning_effort}";
    let on = "use_reasoning: true, reasoning_effort: high";
    let sent = body_sent(family, OPENAI, on, &json!({ "reasoning_effort": "low" }));
    assert_eq!(sent["reasoning_effort"], "high");
    let sent = body_sent(family, LOCAL, on, &json!({}));
    assert_eq!(sent["chat_template_kwargs"]["reasoning_effort"], "high");
    assert!(sent.get("reasoning_effort").is_none());
}

#[test]
fn without_reasoning_the_clients_effort_is_kept_and_none_is_invented() {
    let family = "{type: reasoning_effort, parameter: reasoning_effort}";
    let off = "use_reasoning: false";
    assert_eq!(
        body_sent(family, OPENAI, off, &json!({ "reasoning_effort": "low" }))["reasoning_effort"],
        "low"
    );
    assert!(body_sent(family, OPENAI, off, &json!({})).get("reasoning_effort").is_none());
    assert!(body_sent(family, LOCAL, off, &json!({})).get("chat_template_kwargs").is_none());
}

#[test]
fn a_dotted_parameter_is_a_nested_key() {
    let family = "{type: top_level_reasoning_effort, parameter: reasoning.effort}";
    let sent = body_sent(family, LOCAL, "use_reasoning: true", &json!({}));
    assert_eq!(sent["reasoning"], json!({ "effort": "medium" }));
}
