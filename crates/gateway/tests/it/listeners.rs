//! Listeners that a new configuration opens and closes.

use std::net::TcpListener;

use vsr_gateway::BindError;
use vsr_testkit::{Backend, Behaviour, Fault, Gate, RawClient, free_port};

use crate::scene::{CHAT, CHAT_PATH, STREAM, Scene, Setting};

/// A configuration with listeners at these addresses.
fn yaml(backend: &Backend, addresses: &[(&str, u16)]) -> String {
    let one = " name: main\n\u{20} address: 127.0.0.1\n\u{20} port: 0\n";
    let all: Vec<String> = addresses
        .iter()
        .map(|(address, port)| format!("- {{address: '{address}', port: {port}}}\n"))
        .collect();
    let text = Setting::default().yaml(backend.port());
    assert!(text.contains(&format!("-{one}")), "{text}");
    text.replace(&format!("-{one}"), &all.concat())
}

fn chat(port: u16) -> u16 {
    RawClient::post_json(port, CHAT_PATH, CHAT).status()
}

fn wait_closed(port: u16) {
    let deadline = std::time::Instant::now() + vsr_testkit::DEADLINE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(std::time::Instant::now() < deadline, "{port} stays open");
        std::thread::yield_now();
    }
}

#[test]
fn a_new_one_takes_clients_in_at_once_and_one_that_is_gone_lets_its_requests_end() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::Stall { after_events: 2, gate: gate.clone() });
    let (old, new) = (free_port(), free_port());
    let scene = Scene::of_yaml(&yaml(&backend, &[("127.0.0.1", old)]), std::time::Duration::from_secs(20));
    let mut idle = RawClient::connect(old);
    idle.send_request("GET", "/health", &[], b"");
    assert_eq!(idle.read_response().status(), 200);
    let mut client = RawClient::connect(old);
    client.send_request("POST", CHAT_PATH, &[], STREAM.as_bytes());
    client.read_head();
    gate.wait_arrived(1);

    scene.reload(&yaml(&backend, &[("127.0.0.1", old), ("127.0.0.1", new)]));
    assert_eq!(RawClient::get(new, "/v1/models").status(), 200);
    idle.send_request("GET", "/health", &[], b"");
    assert_eq!(idle.read_response().status(), 200, "the other one goes on");

    scene.reload(&yaml(&backend, &[("127.0.0.1", new)]));
    assert!(idle.read_to_close().is_empty());
    wait_closed(old);
    gate.open();
    let mut last = String::new();
    while let Some(event) = client.read_event().unwrap() {
        last = event.data;
    }
    assert_eq!(last, "[DONE]");
    assert!(client.read_to_close().is_empty());
    assert_eq!(chat(new), 200);

    scene.reload(&yaml(&backend, &[("127.0.0.1", old)]));
    assert_eq!(chat(old), 200, "and back");
    wait_closed(new);
}

#[test]
fn what_is_only_prepared_takes_nobody_in_and_keeps_no_address() {
    let backend = Backend::start(Behaviour::default());
    let (first, second) = (free_port(), free_port());
    let scene = Scene::of_yaml(&yaml(&backend, &[("127.0.0.1", first)]), std::time::Duration::from_secs(1));
    let both = scene.snapshot(&yaml(&backend, &[("127.0.0.1", first), ("127.0.0.1", second)]));
    let prepared = scene.listeners.prepare(&both.listeners(), both.config()).unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", second)).is_err());
    let again = scene.listeners.prepare(&both.listeners(), both.config()).unwrap();
    drop(prepared);
    drop(again);
    let other = TcpListener::bind(("127.0.0.1", second)).unwrap();
    let refused = scene.listeners.prepare(&both.listeners(), both.config());
    assert!(matches!(refused, Err(BindError::PortInUse { index: 1, .. })));
    drop(other);
    let prepared = scene.listeners.prepare(&both.listeners(), both.config()).unwrap();
    prepared.apply();
    assert_eq!((chat(first), chat(second)), (200, 200));
}

#[test]
fn an_address_that_the_router_itself_is_in_the_way_of_waits_for_a_restart() {
    let backend = Backend::start(Behaviour::default());
    let port = free_port();
    let scene = Scene::of_yaml(&yaml(&backend, &[("127.0.0.1", port)]), std::time::Duration::from_secs(1));
    let moved = scene.snapshot(&yaml(&backend, &[("::ffff:127.0.0.1", port)]));
    let prepared = scene.listeners.prepare(&moved.listeners(), moved.config()).unwrap();
    let expected = [
        "listeners[0].address".to_owned(),
        format!("listeners (127.0.0.1:{port} stays open with its old rules)"),
    ];
    assert_eq!(prepared.restart_needed(), expected);
    prepared.apply();
    assert_eq!(chat(port), 200);
}

#[test]
fn new_listeners_close_when_the_gateway_drains() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let (first, second) = (free_port(), free_port());
    let mut scene =
        Scene::of_yaml(&yaml(&backend, &[("127.0.0.1", first)]), std::time::Duration::from_secs(20));
    scene.reload(&yaml(&backend, &[("127.0.0.1", first), ("127.0.0.1", second)]));
    let mut client = RawClient::connect(second);
    client.send_request("POST", CHAT_PATH, &[], CHAT.as_bytes());
    gate.wait_arrived(1);
    scene.begin_drain();
    wait_closed(second);
    gate.open();
    assert_eq!(client.read_response().status(), 200);
    scene.wait_ended();
}
