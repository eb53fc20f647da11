//! What is refused instead of being lost in translation.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::scene::{CHAT_PATH, Scene, Setting, refusal_to_compile};

const MESSAGES_PATH: &str = "/v1/messages";
const RESPONSES_PATH: &str = "/v1/responses";

fn strict(backend: &Backend, policy: &str) -> Scene {
    let router = format!("  router: {{worker_threads: 2, strict_translation: {policy}}}\n");
    let yaml = Setting::default().yaml(backend.port()).replace("  router: {worker_threads: 2}\n", &router);
    Scene::of_yaml(&yaml, std::time::Duration::ZERO)
}

fn messages(fields: &Value) -> String {
    let mut body =
        json!({"model": "auto", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

#[test]
fn a_strict_policy_refuses_losses_before_the_backend_is_called() {
    let backend = Backend::start(Behaviour::default());
    let scene = strict(&backend, "{refuse_from: lossy}");
    let refused = RawClient::post_json(scene.port(), MESSAGES_PATH, messages(&json!({"top_k": 5})));
    assert_eq!(refused.status(), 400);
    let error = refused.json();
    assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("`top_k`") && message.contains("top_k_dropped"), "{message}");
    assert!(backend.requests().is_empty());
    scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"lossy_translation\"}");

    // What is only said in another way is no reason, and neither is anything that is not translated.
    let system = json!([{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]);
    let taken = RawClient::post_json(scene.port(), MESSAGES_PATH, messages(&json!({"system": system})));
    assert_eq!(taken.status(), 200, "{}", taken.text());
    let chat = json!({"model": "auto", "top_k": 5, "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(RawClient::post_json(scene.port(), CHAT_PATH, chat.to_string()).status(), 200);
}

#[test]
fn single_losses_can_be_refused_by_their_codes() {
    let backend = Backend::start(Behaviour::default());
    let scene = strict(&backend, "{refuse: [cache_control_dropped]}");
    let system = json!([{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]);
    let refused = RawClient::post_json(scene.port(), MESSAGES_PATH, messages(&json!({"system": system})));
    assert_eq!(refused.status(), 400);
    let taken = RawClient::post_json(scene.port(), MESSAGES_PATH, messages(&json!({"top_k": 5})));
    assert_eq!(
        (taken.status(), taken.header("x-vsr-protocol-warnings")),
        (200, Some("lossy;top_k_dropped;top_k"))
    );
}

#[test]
fn a_loss_that_only_headers_tell_of_can_be_refused_too() {
    let backend = Backend::start(Behaviour::default());
    let scene = strict(&backend, "{refuse: [beta_dropped]}");
    let ask = |headers: &[(&str, &str)]| {
        RawClient::request(scene.port(), "POST", MESSAGES_PATH, headers, messages(&json!({})).as_bytes())
    };
    let refused = ask(&[("anthropic-beta", "b-1")]);
    assert_eq!(refused.status(), 400);
    assert!(refused.text().contains("beta_dropped"), "{}", refused.text());
    assert!(backend.requests().is_empty());
    assert_eq!(ask(&[]).status(), 200);
}

#[test]
fn a_code_that_no_loss_has_is_a_problem_of_the_configuration() {
    let yaml = Setting::default().yaml(1).replace(
        "{worker_threads: 2}",
        "{worker_threads: 2, strict_translation: {refuse: [top_k_dropped, nonsense]}}",
    );
    let problems = refusal_to_compile(&yaml);
    assert!(problems.contains("`nonsense` is no loss that translation can have"), "{problems}");
    assert!(!problems.contains("top_k_dropped` is no loss"), "{problems}");
}

#[test]
fn scalars_that_translation_cannot_read_are_refused_in_the_clients_protocol() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let refused = RawClient::post_json(scene.port(), MESSAGES_PATH, messages(&json!({"max_tokens": -5})));
    let expected = json!({"type": "error", "error": {"type": "invalid_request_error",
        "message": "`max_tokens` must be a whole number of at least 1, not -5"}});
    assert_eq!((refused.status(), refused.json()), (400, expected));
    let body = json!({"model": "auto", "input": "hi", "temperature": "hot"});
    let refused = RawClient::post_json(scene.port(), RESPONSES_PATH, body.to_string());
    assert_eq!((refused.status(), &refused.json()["error"]["param"]), (400, &json!("temperature")));
    let body = json!({"model": "auto", "input": [{"type": "hologram"}]});
    let refused = RawClient::post_json(scene.port(), RESPONSES_PATH, body.to_string());
    assert_eq!((refused.status(), &refused.json()["error"]["param"]), (400, &json!("input[0]")));
    assert!(backend.requests().is_empty());
    // A backend of the same protocol judges for itself.
    let body = json!({"model": "auto", "max_tokens": -1, "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(RawClient::post_json(scene.port(), CHAT_PATH, body.to_string()).status(), 200);
    assert_eq!(backend.requests()[0].json()["max_tokens"], -1);
}
