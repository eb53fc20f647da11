//! Paths, methods, the model list, health.

use vsr_gateway::Phase;
use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::scene::{CHAT, CHAT_PATH, Scene, Setting, refusal_to_bind};

fn scene() -> (Backend, Scene) {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    (backend, scene)
}

#[test]
fn a_path_that_is_no_endpoint_is_404_in_the_protocols_shape() {
    let (_backend, scene) = scene();
    for path in ["/v1", "/v1/embedding", "/v1/chat", "/v1/chat/completions/x", "/", "/metrics", "/v1x/models"]
    {
        let response = RawClient::get(scene.port(), path);
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.json()["error"]["type"], "not_found_error", "{path}");
        assert!(response.header("x-request-id").is_some(), "{path}");
    }
}

#[test]
fn a_wrong_method_is_405_and_says_which_are_right() {
    let (backend, scene) = scene();
    let response = RawClient::get(scene.port(), CHAT_PATH);
    assert_eq!((response.status(), response.header("allow")), (405, Some("POST")));
    assert_eq!(response.json()["error"]["type"], "invalid_request_error");
    for path in ["/v1/models", "/v1/models/small", "/health", "/ready", "/startup-status"] {
        let response = RawClient::post_json(scene.port(), path, "{}");
        assert_eq!((response.status(), response.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn a_query_and_a_trailing_slash_do_not_matter() {
    let (backend, scene) = scene();
    for path in ["/v1/chat/completions/", "/v1/chat/completions?api-version=1", "/v1/chat/completions/?x=/y"]
    {
        assert_eq!(RawClient::post_json(scene.port(), path, CHAT).status(), 200, "{path}");
    }
    assert_eq!(RawClient::get(scene.port(), "/v1/models/?limit=2").status(), 200);
    assert!(backend.requests().iter().all(|request| request.path == CHAT_PATH));
}

#[test]
fn the_model_list_begins_with_the_router_itself() {
    let (_backend, scene) = scene();
    let list = RawClient::get(scene.port(), "/v1/models").json();
    assert_eq!(list["object"], "list");
    let data = list["data"].as_array().unwrap();
    assert_eq!(data.len(), 1);
    assert_eq!(data[0]["id"], "MoM");
    assert_eq!(data[0]["object"], "model");
    assert_eq!(data[0]["owned_by"], "vllm-semantic-router");
    assert_eq!(data[0]["description"], "Intelligent Router for Mixture-of-Models");
    assert!(data[0]["created"].as_u64().unwrap() > 1_700_000_000);
}

#[test]
fn model_cards_are_listed_in_order_where_the_configuration_says_so() {
    let backend = Backend::start(Behaviour::default());
    let yaml = Setting::default().yaml(backend.port());
    let yaml = yaml.replace("worker_threads: 2", "worker_threads: 1, include_config_models_in_list: true");
    let yaml = yaml.replace("modelCards:\n", "modelCards:\n  - name: large\n");
    let yaml =
        yaml.replace("  - name: small\n    provider", "  - name: large\n  - name: small\n    provider");
    let scene = Scene::of_yaml(&yaml, std::time::Duration::ZERO);
    let list = RawClient::get(scene.port(), "/v1/models").json();
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().filter_map(|entry| entry["id"].as_str()).collect();
    assert_eq!(ids, ["MoM", "large", "small"]);
}

#[test]
fn one_model_can_be_asked_for() {
    let (_backend, scene) = scene();
    for name in ["small", "MoM", "auto", "sm%61ll"] {
        let response = RawClient::get(scene.port(), &format!("/v1/models/{name}"));
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(response.json()["id"], name.replace("%61", "a"));
    }
    for name in ["%", "%6", "%+1", "%zz", "%ff"] {
        assert_eq!(RawClient::get(scene.port(), &format!("/v1/models/{name}")).status(), 404, "{name}");
    }
    let missing = RawClient::get(scene.port(), "/v1/models/org%2Fnone");
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.json()["error"]["code"], "model_not_found");
    assert!(missing.json()["error"]["message"].as_str().unwrap().contains("org/none"));
}

#[test]
fn models_that_may_not_be_named_are_not_described() {
    let backend = Backend::start(Behaviour::default());
    let yaml = Setting::default().yaml(backend.port()).replace("worker_threads: 2", "explicit_models: deny");
    let scene = Scene::of_yaml(&yaml, std::time::Duration::ZERO);
    assert_eq!(RawClient::get(scene.port(), "/v1/models/small").status(), 404);
    assert_eq!(RawClient::get(scene.port(), "/v1/models/auto").status(), 200);
}

#[test]
fn health_and_readiness_tell_the_phase() {
    let (_backend, scene) = scene();
    let health = RawClient::get(scene.port(), "/health");
    assert_eq!((health.status(), &health.json()["status"]), (200, &"healthy".into()));
    for path in ["/ready", "/startup-status"] {
        let ready = RawClient::get(scene.port(), path);
        assert_eq!((ready.status(), &ready.json()["ready"]), (200, &true.into()), "{path}");
    }
    scene.status.set(Phase::Starting);
    let starting = RawClient::get(scene.port(), "/ready");
    assert_eq!(starting.status(), 503);
    assert_eq!(starting.json()["phase"], "starting");
}

#[test]
fn head_requests_get_the_headers_alone() {
    let (_backend, scene) = scene();
    let mut client = scene.connect();
    client.send(b"HEAD /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let text = String::from_utf8(client.read_to_close()).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
}

#[test]
fn a_busy_port_is_an_error_that_names_the_key_to_change() {
    let backend = Backend::start(Behaviour::default());
    let yaml =
        Setting::default().yaml(backend.port()).replace("port: 0", &format!("port: {}", backend.port()));
    let message = refusal_to_bind(&yaml).to_string();
    assert!(message.contains(&format!("127.0.0.1:{}", backend.port())), "{message}");
    assert!(message.contains("in use"), "{message}");
    assert!(message.contains("`listeners[0].port`"), "{message}");
}

#[test]
fn an_address_of_another_machine_is_an_error_that_names_the_key_to_change() {
    let yaml = Setting::default().yaml(1).replace("address: 127.0.0.1", "address: 192.0.2.1");
    let message = refusal_to_bind(&yaml).to_string();
    assert!(message.contains("192.0.2.1:0"), "{message}");
    assert!(message.contains("`listeners[0].address`"), "{message}");
}

#[test]
fn a_second_gateway_on_the_same_port_is_refused() {
    let (backend, scene) = scene();
    let yaml = Setting::default().yaml(backend.port()).replace("port: 0", &format!("port: {}", scene.port()));
    assert!(refusal_to_bind(&yaml).to_string().contains("in use"));
}
