//! Signs of life while a backend is silent.

use vsr_testkit::{Backend, Fault, Gate, RawClient};

use crate::scene::{CHAT_PATH, STREAM, Scene, Setting};

const MESSAGES: &str =
    r#"{"model":"auto","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;

/// Reads until `sign` has come twice, and then to the end; returns everything.
fn read_past(client: &mut RawClient, sign: &str, gate: &Gate) -> String {
    client.read_head();
    let mut text = String::new();
    while let Ok(Some(chunk)) = client.read_chunk() {
        text.push_str(&String::from_utf8(chunk.data).unwrap());
        if text.matches(sign).count() >= 2 {
            gate.open();
        }
    }
    text
}

#[test]
fn a_silent_stream_gives_signs_of_life_in_the_clients_protocol() {
    let cases = [
        (CHAT_PATH, STREAM, 2, ": ping\n\n", "data: [DONE]\n\n"),
        (CHAT_PATH, STREAM, 0, ": ping\n\n", "data: [DONE]\n\n"),
        ("/v1/messages", MESSAGES, 2, "event: ping\ndata: {\"type\": \"ping\"}\n\n", "\"message_stop\"}\n\n"),
        ("/v1/messages", MESSAGES, 0, ": ping\n\n", "\"message_stop\"}\n\n"),
    ];
    for (path, body, after_events, sign, end) in cases {
        let gate = Gate::new();
        let backend = Backend::start(Fault::Stall { after_events, gate: gate.clone() });
        let scene = Scene::set(&backend, &Setting::listener("ping_interval: 20ms"));
        let mut client = scene.connect();
        client.send_request("POST", path, &[("content-type", "application/json")], body.as_bytes());
        let text = read_past(&mut client, sign, &gate);
        assert!(text.matches(sign).count() >= 2, "{path}: {text}");
        assert!(text.ends_with(end), "{path}: {text}");
        // Signs stand between events, never inside of one.
        let events = text.replace(sign, "");
        assert!(events.split("\n\n").all(|event| event.is_empty() || event.contains("data: ")), "{events}");
    }
}
