//! The end: what was begun is finished, within a limit.

use std::time::Duration;

use vsr_gateway::Phase;
use vsr_testkit::{Backend, Behaviour, Ending, Fault, Gate, RawClient};

use crate::scene::{CHAT_PATH, STREAM, Scene, Setting};

fn draining(fault: Fault, limit: Duration) -> (Backend, Scene) {
    let backend = Backend::start(fault);
    let scene = Scene::set(&backend, &Setting { drain_limit: limit, ..Setting::default() });
    (backend, scene)
}

fn begin_stream(scene: &Scene) -> RawClient {
    let mut client = scene.connect();
    client.send_request("POST", CHAT_PATH, &[("content-type", "application/json")], STREAM.as_bytes());
    client.read_head();
    client.read_event().unwrap().unwrap();
    client
}

#[test]
fn a_stream_in_flight_finishes_while_the_gateway_drains() {
    let gate = Gate::new();
    let (_backend, mut scene) =
        draining(Fault::Stall { after_events: 2, gate: gate.clone() }, Duration::from_secs(20));
    let mut idle = scene.connect();
    idle.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(idle.read_response().status(), 200);
    let mut client = begin_stream(&scene);
    gate.wait_arrived(1);
    scene.begin_drain();
    assert!(idle.read_to_close().is_empty(), "an idle connection is closed at once");
    assert_eq!(scene.status.phase(), Phase::Draining);
    gate.open();
    let mut last = String::new();
    while let Some(event) = client.read_event().unwrap() {
        last = event.data;
    }
    assert_eq!(last, "[DONE]");
    assert!(client.read_to_close().is_empty());
    scene.wait_ended();
}

#[test]
fn nobody_gets_in_while_the_gateway_drains() {
    let gate = Gate::new();
    let (_backend, mut scene) =
        draining(Fault::Stall { after_events: 2, gate: gate.clone() }, Duration::from_secs(20));
    let mut client = begin_stream(&scene);
    gate.wait_arrived(1);
    let mut idle = scene.connect();
    idle.send(b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(idle.read_response().status(), 200);
    scene.begin_drain();
    idle.read_to_close();
    assert!(std::net::TcpStream::connect(scene.addresses[0]).is_err());
    gate.open();
    while client.read_event().unwrap().is_some() {}
    scene.wait_ended();
}

#[test]
fn requests_that_do_not_end_in_time_are_dropped() {
    let (backend, mut scene) = draining(Fault::Endless, Duration::from_millis(100));
    let mut client = begin_stream(&scene);
    scene.begin_drain();
    let ending = loop {
        match client.read_event() {
            Ok(Some(_)) => {}
            Ok(None) => break Ending::Clean,
            Err(ending) => break ending,
        }
    };
    assert_ne!(ending, Ending::Clean, "a stream that was cut must not look finished");
    scene.wait_ended();
    backend.wait_cancelled(1);
    scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"client_gone\"}");
}

#[test]
fn an_idle_gateway_ends_at_once() {
    let backend = Backend::start(Behaviour::default());
    let mut scene =
        Scene::set(&backend, &Setting { drain_limit: Duration::from_secs(60), ..Setting::default() });
    assert_eq!(RawClient::get(scene.port(), "/health").status(), 200);
    scene.begin_drain();
    scene.wait_ended();
}
