//! A panic stays in its request. The clock that the router is given panics on demand.

use vsr_testkit::{Backend, Behaviour, Fault, Gate};

use crate::scene::{CHAT, CHAT_PATH, STREAM, Scene};

#[test]
fn a_panic_is_one_500_and_its_connection_and_neighbours_go_on() {
    let gate = Gate::new();
    let backend = Backend::start(
        Behaviour::default().faults([Fault::Stall { after_events: 2, gate: gate.clone() }, Fault::None]),
    );
    let scene = Scene::before(&backend);
    let mut neighbours: Vec<_> = (0..2).map(|_| scene.connect()).collect();
    neighbours[0].send_request("POST", CHAT_PATH, &[], STREAM.as_bytes());
    neighbours[0].read_head();
    gate.wait_arrived(1);

    scene.clock.arm();
    let victim = &mut neighbours[1];
    victim.send_request("POST", CHAT_PATH, &[("x-request-id", "unlucky")], CHAT.as_bytes());
    let response = victim.read_response();
    assert_eq!(response.status(), 500);
    assert_eq!(response.json()["error"]["code"], "internal_error");
    assert_eq!(response.json()["error"]["type"], "api_error");
    assert_eq!(response.header("x-request-id"), Some("unlucky"));
    assert!(!response.text().contains("hello there"));

    victim.send_request("POST", CHAT_PATH, &[], CHAT.as_bytes());
    assert_eq!(victim.read_response().status(), 200, "the same connection goes on");
    gate.open();
    let mut last = String::new();
    while let Some(event) = neighbours[0].read_event().unwrap() {
        last = event.data;
    }
    assert_eq!(last, "[DONE]", "the neighbour finishes");
}

#[test]
fn a_panic_over_a_large_request_is_one_500_too() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let large = CHAT.replace("hello there", &"word ".repeat(100_000));
    scene.clock.arm();
    assert_eq!(scene.chat(&large).status(), 500);
    assert_eq!(
        scene.wait_metric("llm_request_errors_total{model=\"unknown\",reason=\"internal_error\"}"),
        "1"
    );
    assert_eq!(scene.chat(&large).status(), 200);
}
