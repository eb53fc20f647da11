//! A new configuration while clients are connected.

use vsr_testkit::{Backend, Behaviour, Fault, Gate, RawClient, Response};

use crate::scene::{CHAT, CHAT_PATH, STREAM, Scene, Setting};

fn ask(client: &mut RawClient, key: &str, body: &str) -> Response {
    client.send_request("POST", CHAT_PATH, &[("authorization", &format!("Bearer {key}"))], body.as_bytes());
    client.read_response()
}

#[test]
fn new_keys_and_limits_hold_for_the_next_request_of_an_open_connection() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener("api_keys: [old]"));
    let mut client = scene.connect();
    assert_eq!(ask(&mut client, "old", CHAT).status(), 200);
    scene.reload(&Setting::listener("api_keys: [new]\nlimits: {max_body_bytes: 100}").yaml(backend.port()));
    assert_eq!(ask(&mut client, "old", CHAT).status(), 401);
    assert_eq!(ask(&mut client, "new", CHAT).status(), 200);
    let large = CHAT.replace("hello", &"hello ".repeat(40));
    assert_eq!(ask(&mut client, "new", &large).status(), 413);
}

#[test]
fn a_peer_that_is_no_longer_trusted_is_not_believed_on_an_open_connection() {
    const ROUTING: &str = "signals: {role_bindings: [{name: b, role: staff, subjects: [{kind: User, name: ann}]}]}\n\
                           decisions: [{name: staff_only, priority: 1, rules: {operator: AND, conditions: [{type: authz, name: staff}]}, modelRefs: [{model: small}]}]\n";
    let backend = Backend::start(Behaviour::default());
    let setting = |listener: &str| Setting { routing: ROUTING.to_owned(), ..Setting::listener(listener) };
    let scene = Scene::set(&backend, &setting("trusted_peers: [127.0.0.1]"));
    let mut client = scene.connect();
    let mut status = || {
        client.send_request("POST", CHAT_PATH, &[("x-authz-user-id", "ann")], CHAT.as_bytes());
        client.read_response().status()
    };
    assert_eq!(status(), 200);
    scene.reload(&setting("").yaml(backend.port()));
    assert_eq!(status(), 403);
}

#[test]
fn a_stream_in_flight_keeps_its_configuration_and_its_end() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Stall { after_events: 2, gate: gate.clone() });
    let scene = Scene::before(&backend);
    let before = std::sync::Arc::downgrade(&scene.router.snapshot());
    let mut client = scene.connect();
    client.send_request("POST", CHAT_PATH, &[], STREAM.as_bytes());
    client.read_head();
    client.read_event().unwrap().unwrap();
    gate.wait_arrived(1);
    let elsewhere = Backend::start(Behaviour::default().text("from elsewhere"));
    scene.reload(&Setting::default().yaml(elsewhere.port()));
    assert_eq!(scene.chat(CHAT).json()["choices"][0]["message"]["content"], "from elsewhere");
    assert!(before.upgrade().is_some(), "the stream keeps it");
    gate.open();
    let mut last = String::new();
    while let Some(event) = client.read_event().unwrap() {
        last = event.data;
    }
    assert_eq!(last, "[DONE]");
    scene.wait_metric("llm_model_inflight_requests{model=\"small\"} 0");
    while before.upgrade().is_some() {
        std::thread::yield_now();
    }
}
