//! Requests beyond what a listener takes at one time.

use vsr_testkit::{Backend, Fault, Gate, RawClient};

use crate::scene::{CHAT, CHAT_PATH, Scene, Setting};

#[test]
fn requests_beyond_the_limit_are_turned_away_before_their_body_and_seats_come_back() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::set(&backend, &Setting::listener("limits: {max_requests: 2}"));
    let mut held: Vec<RawClient> = (0..2).map(|_| scene.connect()).collect();
    for client in &mut held {
        client.send_request("POST", CHAT_PATH, &[], CHAT.as_bytes());
    }
    gate.wait_arrived(2);
    let refused = scene.chat(CHAT);
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.json()["error"]["type"], "overloaded_error");
    let refused = RawClient::post_json(scene.port(), "/v1/messages", "not even JSON");
    assert_eq!((refused.status(), refused.header("retry-after")), (529, Some("1")));
    assert_eq!(refused.json()["type"], "error", "errors have the shape of the client's protocol");
    assert_eq!(RawClient::get(scene.port(), "/health").status(), 200, "probes are answered");
    gate.open();
    for client in &mut held {
        assert_eq!(client.read_response().status(), 200);
    }
    let deadline = std::time::Instant::now() + vsr_testkit::DEADLINE;
    while scene.chat(CHAT).status() != 200 {
        assert!(std::time::Instant::now() < deadline, "no seat came back");
    }
    assert_eq!(backend.requests().len(), 3);
}

#[test]
fn a_stream_keeps_its_seat_until_its_end() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Stall { after_events: 2, gate: gate.clone() });
    let scene = Scene::set(&backend, &Setting::listener("limits: {max_requests: 1}"));
    let mut client = scene.connect();
    client.send_request("POST", CHAT_PATH, &[], crate::scene::STREAM.as_bytes());
    assert_eq!(client.read_head().status(), 200);
    gate.wait_arrived(1);
    assert_eq!(scene.chat(CHAT).status(), 503);
    drop(client);
    scene.wait_metric("llm_model_inflight_requests{model=\"small\"} 0");
    gate.open();
}
