//! The management surfaces through real sockets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod classify;
mod config;
mod knowledge;
mod scene;

use serde_json::json;
use vsr_api::StartError;
use vsr_gateway::Phase;
use vsr_testkit::{Backend, Behaviour, Fault, RawClient};

use crate::scene::{Scene, bind_error};

#[test]
fn probes_tell_the_phase() {
    let scene = Scene::new("", &|_| None);
    assert_eq!(RawClient::get(scene.api, "/health").status(), 200);
    assert_eq!(RawClient::get(scene.api, "/ready").status(), 503);
    scene.status.set(Phase::Ready);
    let ready = RawClient::get(scene.api, "/ready");
    assert_eq!((ready.status(), ready.json()["status"].clone()), (200, json!("ready")));
    scene.status.load_models(vec!["mine".into()]);
    scene.status.examples_embedded(1, 3);
    let loading = RawClient::get(scene.api, "/ready");
    assert_eq!(loading.status(), 503);
    assert!(loading.json()["message"].as_str().unwrap().contains("1 of 3"), "{}", loading.text());
    scene.status.models_failed("no such file".into());
    let failed = RawClient::get(scene.api, "/ready");
    assert_eq!((failed.status(), failed.json()["pending_models"].clone()), (503, json!(["mine"])));
    assert!(failed.json()["message"].as_str().unwrap().contains("no such file"), "{}", failed.text());
    scene.status.models_ready();
    assert_eq!(RawClient::get(scene.api, "/ready").status(), 200);
    scene.status.set(Phase::Draining);
    assert_eq!(RawClient::get(scene.api, "/startup-status").status(), 503);
}

#[test]
fn eval_explains_a_text_and_a_conversation() {
    let scene = Scene::new("", &|_| None);
    let answer =
        RawClient::post_json(scene.api, "/api/v1/eval", json!({ "text": "please refactor" }).to_string());
    assert_eq!(answer.status(), 200);
    let answer = answer.json();
    assert_eq!(answer["routing_decision"], "coding");
    assert_eq!(answer["decision_result"]["matched_signals"]["keyword"], json!(["code"]));
    assert_eq!(answer["recommended_models"], json!(["large"]));
    assert_eq!(answer["eval_trace"][0]["state"], "matched");
    let messages = json!({ "messages": [
        { "role": "user", "content": "refactor" },
        { "role": "assistant", "content": "done" },
        { "role": "user", "content": "thanks" },
    ]});
    let answer = RawClient::post_json(scene.api, "/api/v1/eval", messages.to_string()).json();
    assert_eq!(answer["routing_decision"], "");
    assert_eq!(answer["model"]["name"], "small");
}

#[test]
fn eval_shows_what_a_model_served_elsewhere_said() {
    let guard = Backend::start(Behaviour::default().text("unsafe"));
    let catalog = format!(
        "model_catalog: {{modules: {{prompt_guard: {{use_vllm: true}}}}, external: [{{llm_provider: vllm, name: gate, \
         model_role: guardrail, llm_model_name: g, llm_endpoint: {{address: 127.0.0.1, port: {}}}}}]}}",
        guard.port()
    );
    let scene = Scene::with("jailbreak: [{name: attack}]", &catalog, &vsr_reader::Reader::without_models());
    let explained = |text: &str| {
        let answer =
            RawClient::post_json(scene.api, "/api/v1/eval", json!({ "text": text }).to_string()).json();
        let signals = answer["signals"].as_array().unwrap().clone();
        signals.into_iter().find(|signal| signal["name"] == "attack").unwrap()
    };
    let signal = explained("hello");
    assert_eq!((&signal["state"], &signal["value"]), (&json!("matched"), &json!(0.9)), "{signal}");
    assert!(signal["notes"].to_string().contains("showed a guardrail 5 of 5 bytes"), "{signal}");
    guard.behave(Fault::server_error());
    let signal = explained("hello again");
    assert_eq!((&signal["state"], &signal["reason"]), (&json!("unavailable"), &json!("failed")), "{signal}");
    assert!(signal["notes"].to_string().contains("gate: the server answered with status 500"), "{signal}");
}

#[test]
fn bad_requests_are_told_apart_in_the_apis_own_shape() {
    let scene = Scene::new("", &|_| None);
    let code =
        |response: vsr_testkit::Response| (response.status(), response.json()["error"]["code"].clone());
    let post = |body: &str| code(RawClient::post_json(scene.api, "/api/v1/eval", body));
    assert_eq!(post("{"), (400, json!("INVALID_INPUT")));
    assert_eq!(post("{}"), (400, json!("INVALID_INPUT")));
    assert_eq!(post(r#"{"messages": [{"content": "no role"}]}"#), (400, json!("INVALID_INPUT")));
    assert_eq!(code(RawClient::get(scene.api, "/nothing")), (404, json!("NOT_FOUND")));
    assert_eq!(code(RawClient::get(scene.api, "/api/v1/eval")), (405, json!("METHOD_NOT_ALLOWED")));
    let big = format!(r#"{{"text": "{}"}}"#, "x".repeat(11 * 1024 * 1024));
    let mut client = RawClient::connect(scene.api);
    let head = format!(
        "POST /api/v1/eval HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        big.len()
    );
    client.send(head.as_bytes());
    // The server may answer and close before it has read everything.
    let _ = client.try_send(big.as_bytes());
    assert_eq!(client.read_head().status(), 413);
}

#[test]
fn web_pages_cannot_reach_loopback_through_a_browser() {
    let scene = Scene::new("", &|_| None);
    let status =
        |headers: &[(&str, &str)]| RawClient::request(scene.api, "GET", "/health", headers, b"").status();
    assert_eq!(status(&[("host", "evil.example")]), 403);
    assert_eq!(status(&[("host", "localhost.evil.example:8080")]), 403);
    assert_eq!(status(&[("host", "127.0.0.1:8080"), ("origin", "https://evil.example")]), 403);
    assert_eq!(status(&[("host", "localhost:8080"), ("origin", "http://localhost:3000")]), 200);
    assert_eq!(status(&[("host", "[::1]:8080")]), 200);
}

#[test]
fn a_token_protects_everything_but_the_probes() {
    let scene = Scene::new("token_env: MANAGEMENT_TOKEN", &|name| {
        (name == "MANAGEMENT_TOKEN").then(|| "s3cret\n".into())
    });
    assert_eq!(RawClient::get(scene.api, "/health").status(), 200);
    let post = |authorization: &str| {
        let headers =
            [("host", "localhost"), ("content-type", "application/json"), ("authorization", authorization)];
        RawClient::request(scene.api, "POST", "/api/v1/eval", &headers, br#"{"text": "hi"}"#).status()
    };
    assert_eq!(post(""), 401);
    assert_eq!(post("Bearer wrong"), 401);
    assert_eq!(post("Basic s3cret"), 401);
    assert_eq!(post("Bearer s3cret"), 200);
    assert_eq!(RawClient::get(scene.metrics, "/metrics").status(), 401);
}

#[test]
fn metrics_are_in_the_text_format_under_the_releases_names() {
    let scene = Scene::new("", &|_| None);
    let metrics = RawClient::get(scene.metrics, "/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = metrics.text();
    assert!(text.contains("vsr_snapshot_info") && text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn an_address_that_others_can_reach_needs_a_token() {
    let at = |address: &str| bind_error("", |config| config.global.services.api.address.0 = address.into());
    assert!(matches!(at("0.0.0.0"), StartError::Unprotected { .. }));
    assert!(matches!(at("nowhere"), StartError::Address { .. }));
    assert!(matches!(bind_error("token_env: UNSET", |_| {}), StartError::Token(_)));
    assert!(matches!(bind_error("token_file: /does/not/exist", |_| {}), StartError::Token(_)));
}

#[test]
fn a_busy_port_names_the_key_to_change() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let error = bind_error(&format!("port: {port}"), |_| {}).to_string();
    assert!(error.contains("global.services.api.port") && error.contains(&port.to_string()), "{error}");
}
