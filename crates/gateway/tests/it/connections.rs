//! Connections: reuse, limits, and requests that try to be read as two.

use std::time::Duration;

use vsr_testkit::{Backend, Behaviour, Fault, Gate, RawClient};

use crate::scene::{CHAT, CHAT_PATH, STREAM, Scene, Setting};

fn scene(listener: &str) -> (Backend, Scene) {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener(listener));
    (backend, scene)
}

fn chat_bytes(body: &str, extra: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\n{extra}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[test]
fn a_connection_serves_many_requests_and_so_does_the_one_to_the_backend() {
    let (backend, scene) = scene("");
    let mut client = scene.connect();
    for number in 0..6 {
        client.send(&chat_bytes(if number % 2 == 0 { CHAT } else { STREAM }, ""));
        assert_eq!(client.read_response().status(), 200);
    }
    assert_eq!(backend.requests().len(), 6);
    assert_eq!(backend.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (_backend, scene) = scene("");
    let mut client = scene.connect();
    let mut all = Vec::new();
    for id in ["one", "two", "three"] {
        all.extend(chat_bytes(if id == "two" { STREAM } else { CHAT }, &format!("x-request-id: {id}\r\n")));
    }
    client.send(&all);
    for id in ["one", "two", "three"] {
        let response = client.read_response();
        assert_eq!((response.status(), response.header("x-request-id")), (200, Some(id)));
    }
}

#[test]
fn a_refused_request_leaves_its_connection_usable() {
    let (_backend, scene) = scene("");
    let mut client = scene.connect();
    client.send(b"POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello");
    assert_eq!(client.read_response().status(), 404);
    client.send(&chat_bytes("{}", ""));
    assert_eq!(client.read_response().status(), 400);
    client.send(&chat_bytes(CHAT, ""));
    assert_eq!(client.read_response().status(), 200);
}

#[test]
fn a_request_framed_twice_is_never_followed_by_another() {
    let (backend, scene) = scene("");
    let smuggled = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n";
    let chunked = format!("{:x}\r\n{CHAT}\r\n0\r\n\r\n", CHAT.len());
    for framing in [
        format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", chunked.len()),
        format!("transfer-encoding: chunked\r\ncontent-length: {}\r\n", chunked.len()),
        "content-length: 4\r\ntransfer-encoding: chunked\r\n".to_owned(),
    ] {
        let mut client = scene.connect();
        client.send(
            format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\n{framing}\r\n{chunked}{smuggled}").as_bytes(),
        );
        let text = String::from_utf8(client.read_to_close()).unwrap();
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
        assert!(!text.contains("\"object\":\"list\""), "{text}");
    }
    for sent in backend.requests() {
        assert_eq!(sent.json()["model"], "small-v1");
        assert_eq!(sent.header("transfer-encoding"), None);
    }
}

#[test]
fn broken_framing_is_refused_and_closes_the_connection() {
    let (backend, scene) = scene("");
    let length = CHAT.len();
    for head in [
        format!(
            "POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\ncontent-length: 3\r\n\r\n{CHAT}"
        ),
        format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: +{length}\r\n\r\n{CHAT}"),
        format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"),
        format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n"),
        format!(
            "POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"
        ),
        format!("POST {CHAT_PATH} HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length : {length}\r\n\r\n{CHAT}"),
        format!(
            "POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\nx-folded: a\r\n b\r\ncontent-length: {length}\r\n\r\n{CHAT}"
        ),
        format!(
            "POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{CHAT}\r\n0\r\n\r\n"
        ),
        "\u{0}\u{1}garbage\r\n\r\n".to_owned(),
        "GET /v1/models HTTP/9.9\r\n\r\n".to_owned(),
    ] {
        let mut client = scene.connect();
        client.send(head.as_bytes());
        let text = String::from_utf8_lossy(&client.read_to_close()).into_owned();
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400 "), "{head:?}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), usize::from(!text.is_empty()), "{text}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn a_request_without_exactly_one_host_is_refused() {
    let (backend, scene) = scene("");
    for hosts in ["", "host: a\r\nhost: b\r\n", "host: a\r\nHost: a\r\n"] {
        let mut client = scene.connect();
        let length = CHAT.len();
        client.send(
            format!("POST {CHAT_PATH} HTTP/1.1\r\n{hosts}content-length: {length}\r\n\r\n{CHAT}").as_bytes(),
        );
        assert_eq!(client.read_response().status(), 400, "{hosts:?}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn headers_that_are_too_large_or_too_many_are_431() {
    let (backend, scene) = scene("");
    let large = format!("x-large: {}\r\n", "x".repeat(70 * 1024));
    let many: String = (0..120).map(|number| format!("x-{number}: 1\r\n")).collect();
    for extra in [large, many] {
        let mut client = scene.connect();
        let _taken = client.try_send(&chat_bytes(CHAT, &extra));
        assert_eq!(client.read_head().status(), 431);
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn a_slow_request_head_is_cut_off() {
    let (_backend, scene) = scene("limits: {header_timeout: 150ms}");
    let mut silent = scene.connect();
    assert!(silent.read_to_close().is_empty());
    let mut slow = scene.connect();
    slow.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n");
    assert!(slow.read_to_close().is_empty());
}

#[test]
fn a_head_that_drips_in_is_cut_off_too() {
    let (_backend, scene) = scene("limits: {header_timeout: 150ms, idle_timeout: 60s}");
    let mut client = scene.connect();
    client.send(&chat_bytes(CHAT, ""));
    assert_eq!(client.read_response().status(), 200);
    // The second request's head never ends, although there is progress.
    let started = std::time::Instant::now();
    client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n");
    while client.try_send(b"x-slow: 1\r\n").is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10), "the connection stayed open");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene =
        Scene::set(&backend, &Setting::listener("limits: {idle_timeout: 150ms, header_timeout: 150ms}"));
    let mut busy = scene.connect();
    busy.send(&chat_bytes(CHAT, ""));
    gate.wait_arrived(1);
    let mut idle = scene.connect();
    idle.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(idle.read_response().status(), 200);
    assert!(idle.read_to_close().is_empty());
    gate.open();
    assert_eq!(busy.read_response().status(), 200);
}

#[test]
fn connections_beyond_the_limit_are_turned_away_and_places_come_back() {
    let (_backend, scene) = scene("limits: {max_connections: 2}");
    let mut held: Vec<RawClient> = (0..2).map(|_| scene.connect()).collect();
    for client in &mut held {
        client.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(client.read_response().status(), 200);
    }
    let response = scene.connect().read_response();
    assert_eq!(response.status(), 503);
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(response.json()["error"]["type"], "overloaded_error");
    held.clear();
    let deadline = std::time::Instant::now() + vsr_testkit::DEADLINE;
    loop {
        let mut client = scene.connect();
        let _taken = client.try_send(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        if client.try_read_head().is_ok_and(|head| head.status() == 200) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "no place came back");
    }
}

#[test]
fn a_large_request_does_not_hold_up_its_neighbours() {
    let backend = Backend::start(Behaviour::default());
    let yaml = Setting::default().yaml(backend.port()).replace("worker_threads: 2", "worker_threads: 1");
    let scene = Scene::of_yaml(&yaml, Duration::from_millis(200));
    let large = format!(
        r#"{{"model":"auto","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "many words here ".repeat(300_000)
    );
    let mut slow = scene.connect();
    slow.send(&chat_bytes(&large, ""));
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!(slow.read_response().status(), 200);
}
