//! A backend without faults.

use serde_json::json;
use vsr_testkit::{Backend, Behaviour, Ending, RawClient};

use crate::{CHAT, DEFAULT_TEXT, PLAIN, STREAMED, chat};

#[test]
fn a_plain_answer_echoes_the_model_and_counts_usage() {
    let backend = Backend::start(Behaviour::default());
    let answer = chat(&backend, PLAIN).json();
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["choices"][0]["message"]["content"], DEFAULT_TEXT);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"], json!({"prompt_tokens": 2, "completion_tokens": 9, "total_tokens": 11}));
}

#[test]
fn a_stream_has_role_content_finish_and_done_in_this_order() {
    let backend = Backend::start(Behaviour::default());
    let response = chat(&backend, STREAMED);
    assert_eq!(response.header("Content-Type"), Some("text/event-stream; charset=utf-8"));
    let events = response.events();
    let first = events[0].json().unwrap();
    assert_eq!(first["choices"][0]["delta"]["role"], "assistant");
    let finish = events[events.len() - 2].json().unwrap();
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert!(finish.get("usage").is_none());
    assert_eq!(events[events.len() - 1].data, "[DONE]");
    assert_eq!(response.streamed_text(), DEFAULT_TEXT);
    assert_eq!(response.ending(), &Ending::Clean);
}

#[test]
fn usage_comes_in_its_own_chunk_only_when_asked_for() {
    let backend = Backend::start(Behaviour::default());
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},
        "messages":[{"role":"user","content":[{"type":"text","text":"one two three"}]}]}"#;
    let events = chat(&backend, body).events();
    let usage = events[events.len() - 2].json().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["prompt_tokens"], 3);
    assert!(events[0].json().unwrap()["usage"].is_null());
}

#[test]
fn tools_are_called_when_the_last_user_text_says_so() {
    let backend = Backend::start(Behaviour::default());
    let body = |stream: bool, text: &str| {
        json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}],
            "tools": [{"type": "function", "function": {"name": "lookup", "parameters": {}}}]})
        .to_string()
    };
    let plain = chat(&backend, &body(false, "please use tool")).json();
    let call = &plain["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(
        (&call["name"], plain["choices"][0]["finish_reason"].as_str()),
        (&json!("lookup"), Some("tool_calls"))
    );
    let chunks = chat(&backend, &body(true, "please use tool")).events();
    let arguments: String = chunks
        .iter()
        .filter_map(|event| event.json())
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!(arguments, call["arguments"].as_str().unwrap());
    let without = chat(&backend, &body(false, "no thanks")).json();
    assert_eq!(without["choices"][0]["message"]["content"], DEFAULT_TEXT);
}

#[test]
fn models_are_listed_and_unknown_paths_are_openai_errors() {
    let backend = Backend::start(Behaviour::default().models(["a", "b"]));
    let list = RawClient::get(backend.port(), "/v1/models").json();
    assert_eq!((&list["data"][0]["id"], &list["data"][1]["id"]), (&json!("a"), &json!("b")));
    let missing = RawClient::get(backend.port(), "/v2/nothing");
    assert_eq!((missing.status(), missing.json()["error"]["code"].as_str()), (404, Some("not_found")));
    assert_eq!(chat(&backend, "{broken").status(), 400);
}

#[test]
fn requests_are_recorded_byte_for_byte() {
    let backend = Backend::start(Behaviour::default());
    let sent = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: x\r\nX-CaSe: Kept \r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x};ext=1\r\n{}\r\n0\r\nTrailer: t\r\n\r\n",
        &PLAIN[..5],
        PLAIN.len() - 5,
        &PLAIN[5..]
    );
    let mut client = RawClient::connect(backend.port());
    client.send(sent.as_bytes());
    assert_eq!(client.read_response().status(), 200);
    let recorded = backend.wait_for_requests(1).remove(0);
    assert_eq!(recorded.received, sent.as_bytes());
    assert_eq!(recorded.body, PLAIN.as_bytes());
    assert_eq!(recorded.headers[1], ("X-CaSe".to_owned(), "Kept".to_owned()));
    assert_eq!(recorded.header("x-case"), Some("Kept"));
}

#[test]
fn a_connection_serves_many_requests_and_pipelined_ones_in_order() {
    let backend = Backend::start(Behaviour::default());
    let mut client = RawClient::connect(backend.port());
    client.send_request("GET", "/v1/models", &[], b"");
    client.send_request("POST", CHAT, &[], PLAIN.as_bytes());
    assert_eq!(client.read_response().json()["object"], "list");
    assert_eq!(client.read_response().json()["object"], "chat.completion");
    client.send_request("GET", "/health", &[("connection", "close")], b"");
    assert_eq!(client.read_response().status(), 200);
    assert!(client.read_to_close().is_empty());
    assert_eq!((backend.connections(), backend.requests()[2].connection), (1, 1));
    backend.wait_all_closed();
    assert_eq!(backend.cancelled(), 0);
}
