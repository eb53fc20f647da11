//! Streams of backends that are not what they should be, as clients of each protocol see them.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour, RawClient, Response};

use crate::scene::{CHAT_PATH, Scene};

const MESSAGES_PATH: &str = "/v1/messages";
const RESPONSES_PATH: &str = "/v1/responses";

/// The same question in the protocol of `path`, streamed.
fn ask(scene: &Scene, path: &str) -> Response {
    let body = match path {
        CHAT_PATH => {
            json!({"model": "auto", "stream": true, "messages": [{"role": "user", "content": "hi"}]})
        }
        RESPONSES_PATH => json!({"model": "auto", "stream": true, "input": "hi"}),
        _ => {
            json!({"model": "auto", "stream": true, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]})
        }
    };
    RawClient::post_json(scene.port(), path, body.to_string())
}

fn chunk(delta: &Value, finish_reason: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
    format!(
        "data: {}\n\n",
        json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})
    )
}

fn streaming(stream: &str) -> (Backend, Scene) {
    let backend = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, "text/event-stream", stream));
    let scene = Scene::before(&backend);
    (backend, scene)
}

/// The code or type of the error that is the stream's last event, in the words of the client's protocol.
fn last_error(response: &Response) -> Value {
    let last = response.events().pop().unwrap();
    let data = last.json().unwrap();
    match data["type"].as_str() {
        Some("response.failed") => data["response"]["error"]["message"].clone(),
        _ => data["error"]["message"].clone(),
    }
}

#[test]
fn a_closing_event_without_a_finish_reason_is_an_error_for_every_client() {
    let stream = chunk(&json!({"role": "assistant", "content": "Hel"}), None) + "data: [DONE]\n\n";
    let (_backend, scene) = streaming(&stream);
    for path in [CHAT_PATH, RESPONSES_PATH, MESSAGES_PATH] {
        let response = ask(&scene, path);
        let text = response.text();
        let message = last_error(&response);
        assert!(
            message.as_str().unwrap().contains("broke off before the answer was finished"),
            "{path}: {text}"
        );
        for end in ["[DONE]", "message_stop", "response.completed"] {
            assert!(!text.contains(end), "{path}: {text}");
        }
    }
    let count = scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"upstream_truncated\"}");
    assert_eq!(count, "3");
}

#[test]
fn half_of_a_tool_calls_arguments_is_never_a_call() {
    let call = json!([{"index": 0, "id": "call_1", "type": "function",
        "function": {"name": "look", "arguments": "{\"at\": \"Par"}}]);
    let stream = chunk(&json!({"role": "assistant", "tool_calls": call}), None)
        + &chunk(&json!({}), Some("tool_calls"))
        + "data: [DONE]\n\n";
    let (_backend, scene) = streaming(&stream);
    for path in [RESPONSES_PATH, MESSAGES_PATH] {
        let response = ask(&scene, path);
        let message = last_error(&response);
        assert!(
            message.as_str().unwrap().contains("inside the arguments of a tool call"),
            "{path}: {message}"
        );
        assert!(message.as_str().unwrap().contains("small/primary"), "{path}: {message}");
    }
    let count = scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"parse_error\"}");
    assert_eq!(count, "2");
}

#[test]
fn a_torn_event_ends_a_translated_stream_and_words_that_are_no_json_are_told_of() {
    let hello = chunk(&json!({"role": "assistant", "content": "Hello"}), None);
    let stop = chunk(&json!({}), Some("stop")) + "data: [DONE]\n\n";
    let (_backend, scene) = streaming(&format!("{hello}data: {{\"choices\":[{{\"del\n\n{stop}"));
    for path in [RESPONSES_PATH, MESSAGES_PATH] {
        let message = last_error(&ask(&scene, path));
        assert!(message.as_str().unwrap().contains("not whole JSON"), "{path}: {message}");
    }
    let (_backend, scene) = streaming(&format!("{hello}data: ping\n\n{stop}"));
    let text = ask(&scene, MESSAGES_PATH).text();
    assert!(text.contains(": x-vsr-lossiness-warnings: lossy;unreadable_event;stream\n\n"), "{text}");
    assert!(text.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"), "{text}");
}

#[test]
fn a_finished_stream_without_its_closing_event_is_complete_and_says_so() {
    let stream =
        chunk(&json!({"role": "assistant", "content": "Hello"}), None) + &chunk(&json!({}), Some("stop"));
    let (_backend, scene) = streaming(&stream);
    for (path, end) in [
        (CHAT_PATH, "data: [DONE]\n\n"),
        (RESPONSES_PATH, "\n\n"),
        (MESSAGES_PATH, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
    ] {
        let text = ask(&scene, path).text();
        assert!(
            text.contains(": x-vsr-lossiness-warnings: info;closing_event_missing;stream\n\n"),
            "{path}: {text}"
        );
        assert!(text.ends_with(end), "{path}: {text}");
    }
    for to in ["chat", "responses", "messages"] {
        let series = format!(
            "llm_translation_lossy_total{{from=\"chat\",to=\"{to}\",severity=\"info\",reason=\"closing_event_missing\"}}"
        );
        assert_eq!(scene.wait_metric(&series), "1");
    }
}
