//! Request bodies: sizes, framing, and JSON that two readers could read differently.

use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::scene::{CHAT, CHAT_PATH, Scene, Setting};

fn scene(listener: &str) -> (Backend, Scene) {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener(listener));
    (backend, scene)
}

#[test]
fn a_body_that_announces_too_much_is_413_before_it_is_read() {
    let (backend, scene) = scene("limits: {max_body_bytes: 1000}");
    let mut client = scene.connect();
    client
        .send(format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").as_bytes());
    let response = client.read_response();
    assert_eq!(response.status(), 413);
    assert_eq!(response.json()["error"]["code"], "request_too_large");
    assert_eq!(response.header("connection"), Some("close"));
    assert!(backend.requests().is_empty());
}

#[test]
fn a_client_that_sends_too_much_at_once_gets_to_read_why() {
    let (_backend, scene) = scene("limits: {max_body_bytes: 1000}");
    for chunked in [false, true] {
        let mut client = scene.connect();
        let body = vec![b'x'; 4 * 1024 * 1024];
        let framing = if chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {}", body.len())
        };
        client.send(format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n").as_bytes());
        if chunked {
            client.send(format!("{:x}\r\n", body.len()).as_bytes());
        }
        let _taken = client.try_send(&body);
        client.finish_sending();
        assert_eq!(client.read_response().status(), 413, "chunked: {chunked}");
    }
}

#[test]
fn a_body_at_the_limit_passes_and_one_byte_more_does_not() {
    let (_backend, scene) = scene(&format!("limits: {{max_body_bytes: {}}}", CHAT.len()));
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!(scene.chat(&format!("{CHAT} ")).status(), 413);
}

#[test]
fn a_chunked_body_is_read_whole_and_sent_on_with_its_length() {
    let (backend, scene) = scene("");
    let mut client = scene.connect();
    client.send(
        format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").as_bytes(),
    );
    for part in CHAT.as_bytes().chunks(7) {
        client.send(format!("{:x}\r\n", part.len()).as_bytes());
        client.send(part);
        client.send(b"\r\n");
    }
    client.send(b"0\r\nx-trailer: 1\r\n\r\n");
    assert_eq!(client.read_response().status(), 200);
    let sent = &backend.requests()[0];
    assert_eq!(sent.json()["messages"][0]["content"], "hello there");
    assert_eq!(sent.header("content-length"), Some(sent.body.len().to_string().as_str()));
    assert_eq!(sent.header("transfer-encoding"), None);
    assert_eq!(sent.header("x-trailer"), None);
}

#[test]
fn expect_100_continue_is_answered_and_not_passed_on() {
    let (backend, scene) = scene("");
    let mut client = scene.connect();
    let head = format!(
        "POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        CHAT.len()
    );
    client.send(head.as_bytes());
    client.send(CHAT.as_bytes());
    let text = String::from_utf8(client.read_to_close()).unwrap();
    assert!(text.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{text}");
    assert_eq!(backend.requests()[0].header("expect"), None);
}

#[test]
fn a_refusal_does_not_ask_for_the_body() {
    let (_backend, scene) = scene("api_keys: [k]");
    let mut client = scene.connect();
    let head = format!(
        "POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n"
    );
    client.send(head.as_bytes());
    let text = String::from_utf8(client.read_to_close()).unwrap();
    assert!(text.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{text}");
}

#[test]
fn bodies_that_could_be_read_in_two_ways_are_400_and_reach_no_backend() {
    let (backend, scene) = scene("");
    let deep = format!(
        r#"{{"model":"auto","messages":[{{"role":"user","content":"x"}}],"x":{}{}}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let bodies = [
        r#"{"model":"auto","model":"large","messages":[{"role":"user","content":"x"}]}"#,
        r#"{"model":"auto","mod\u0065l":"large","messages":[{"role":"user","content":"x"}]}"#,
        r#"{"model":"auto","messages":[{"role":"user","content":"x"}],"temperature":NaN}"#,
        "\u{feff}{\"model\":\"auto\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
        r#"{"model":"auto"}"#,
        r#"{"model":"auto","messages":"x"}"#,
        r#"{"messages":[{"role":"user","content":"x"}]}"#,
        r#"{"model":"auto","stream":"yes","messages":[{"role":"user","content":"x"}]}"#,
        "",
        "[]",
        "not json",
        &deep,
    ];
    for body in bodies {
        let response = scene.chat(body);
        let shown: String = body.chars().take(80).collect();
        assert_eq!(response.status(), 400, "{shown}");
        assert_eq!(response.json()["error"]["type"], "invalid_request_error", "{shown}");
        assert!(response.header("x-request-id").is_some());
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn an_escaped_key_is_written_plainly_for_the_backend() {
    let (backend, scene) = scene("");
    let response = scene.chat(r#"{"mod\u0065l":"auto","messages":[{"role":"user","content":"x"}]}"#);
    assert_eq!(response.status(), 200, "{}", response.text());
    assert!(backend.requests()[0].body.starts_with(b"{\"model\":\"small-v1\""));
}

#[test]
fn a_compressed_request_is_415() {
    let (backend, scene) = scene("");
    let headers = [("content-encoding", "gzip")];
    let response = RawClient::request(scene.port(), "POST", CHAT_PATH, &headers, b"\x1f\x8b");
    assert_eq!(response.status(), 415);
    assert_eq!(response.json()["error"]["type"], "invalid_request_error");
    assert!(backend.requests().is_empty());
}

#[test]
fn a_body_that_does_not_arrive_in_time_is_408() {
    let (_backend, scene) = scene("timeout: 200ms");
    let mut client = scene.connect();
    client.send(format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{").as_bytes());
    let response = client.read_response();
    assert_eq!(response.status(), 408);
    assert_eq!(response.json()["error"]["type"], "timeout_error");
    assert_eq!(response.header("connection"), Some("close"));
}

#[test]
fn a_body_framed_in_two_ways_is_refused_and_its_connection_closed() {
    let (backend, scene) = scene("");
    for framing in
        ["transfer-encoding: chunked, chunked", "transfer-encoding: chunked\r\ntransfer-encoding: chunked"]
    {
        let mut client = scene.connect();
        client.send(
            format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n\r\n0\r\n\r\n").as_bytes(),
        );
        let answer = client.read_response();
        assert_eq!(answer.status(), 400, "{framing}: {}", answer.text());
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn a_body_that_stops_arriving_is_given_up() {
    let (_backend, scene) = scene("limits: {idle_timeout: 200ms}");
    let mut client = scene.connect();
    client.send(
        format!("POST {CHAT_PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{{").as_bytes(),
    );
    assert_eq!(client.read_response().status(), 408);
}
