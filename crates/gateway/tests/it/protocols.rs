//! Clients of every protocol before backends of either.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour, Fault, RawClient, Response};

use crate::scene::{CHAT, CHAT_PATH, STREAM, Scene, Setting};

const MESSAGES_PATH: &str = "/v1/messages";
const RESPONSES_PATH: &str = "/v1/responses";
const MESSAGES: &str = r#"{"model":"auto","max_tokens":64,"system":"Be brief.","messages":[{"role":"user","content":"hello there"}]}"#;
const RESPONSES: &str = r#"{"model":"auto","instructions":"Be brief.","input":"hello there"}"#;

/// An answer of a backend that speaks Messages.
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"Hello."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":2}}"#;

/// The same as a stream.
const MESSAGE_EVENTS: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello.\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn post(scene: &Scene, path: &str, body: &str) -> Response {
    RawClient::post_json(scene.port(), path, body)
}

fn streamed(body: &str) -> String {
    body.replacen('{', r#"{"stream":true,"#, 1)
}

/// A scene whose backend speaks Messages and answers with `body`.
fn anthropic(code: u16, content_type: &str, body: &str) -> (Backend, Scene) {
    let backend = Backend::start(Behaviour::default().reply(MESSAGES_PATH, code, content_type, body));
    let setting = Setting {
        model: "api_format: anthropic".to_owned(),
        backend: "api_key: backend-key".to_owned(),
        ..Setting::default()
    };
    let scene = Scene::set(&backend, &setting);
    (backend, scene)
}

fn names(response: &Response) -> Vec<String> {
    response.events().into_iter().filter_map(|event| event.event).collect()
}

#[test]
fn clients_of_messages_find_the_request_id_where_they_look_for_it() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let response = post(&scene, MESSAGES_PATH, MESSAGES);
    assert!(response.header("request-id").is_some());
    assert_eq!(response.header("request-id"), response.header("x-request-id"));
    let refused = post(&scene, MESSAGES_PATH, "{}");
    assert_eq!(refused.header("request-id"), refused.header("x-request-id"));
    assert_eq!(post(&scene, CHAT_PATH, CHAT).header("request-id"), None);
}

#[test]
fn beta_is_asked_of_backends_of_the_same_protocol_alone_and_nothing_else_of_a_query_is() {
    let (backend, scene) = anthropic(200, "application/json", MESSAGE);
    for query in ["?beta=true", "?key=secret&beta=true", "?beta=no", ""] {
        let _ = post(&scene, &format!("{MESSAGES_PATH}{query}"), MESSAGES);
    }
    let _ = post(&scene, &format!("{CHAT_PATH}?beta=true"), CHAT);
    let paths: Vec<String> = backend.requests().into_iter().map(|sent| sent.path).collect();
    let beta = "/v1/messages?beta=true";
    assert_eq!(paths, [beta, beta, MESSAGES_PATH, MESSAGES_PATH, MESSAGES_PATH]);
    let other = Backend::start(Behaviour::default());
    let scene = Scene::before(&other);
    let _ = post(&scene, beta, MESSAGES);
    assert_eq!(other.requests()[0].path, CHAT_PATH);
}

#[test]
fn a_whole_answer_that_does_not_say_why_it_ended_is_no_end() {
    let unfinished = [
        r#"{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hel"},"finish_reason":null}]}"#,
        r#"{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hel"}}]}"#,
    ];
    for body in unfinished {
        let backend = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, "application/json", body));
        let scene = Scene::before(&backend);
        let response = post(&scene, MESSAGES_PATH, MESSAGES);
        assert_eq!((response.status(), &response.json()["error"]["type"]), (502, &json!("api_error")));
        assert_eq!(post(&scene, RESPONSES_PATH, RESPONSES).status(), 502);
        assert_eq!(post(&scene, CHAT_PATH, CHAT).text(), body);
    }
}

#[test]
fn a_client_of_messages_is_answered_by_a_chat_backend() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = Scene::before(&backend);
    let response = post(&scene, MESSAGES_PATH, MESSAGES);
    assert_eq!(response.status(), 200);
    let message = response.json();
    assert_eq!(message["type"], "message");
    assert_eq!(message["content"], json!([{"type": "text", "text": "Hello."}]));
    assert_eq!(message["stop_reason"], "end_turn");
    assert_eq!(response.header("x-vsr-inbound-protocol"), Some("anthropic"));
    assert_eq!(response.header("x-vsr-client-protocol"), Some("anthropic"));
    assert_eq!(response.header("x-vsr-outbound-protocol"), Some("openai"));
    let sent = &backend.requests()[0];
    assert_eq!(sent.path, CHAT_PATH);
    assert_eq!(sent.json()["model"], "small-v1");
    assert_eq!(sent.json()["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(sent.json()["max_tokens"], 64);

    let response = post(&scene, MESSAGES_PATH, &streamed(MESSAGES));
    assert_eq!(
        response.header("content-type").map(|value| value.starts_with("text/event-stream")),
        Some(true)
    );
    let names = names(&response);
    assert_eq!(names.first().map(String::as_str), Some("message_start"));
    assert_eq!(names.last().map(String::as_str), Some("message_stop"));
    scene.wait_metric("llm_model_completion_tokens_total{model=\"small\"");
}

#[test]
fn a_client_of_responses_is_answered_by_a_chat_backend() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = Scene::before(&backend);
    let response = post(&scene, RESPONSES_PATH, RESPONSES);
    assert_eq!(response.status(), 200);
    let body = response.json();
    assert_eq!((&body["object"], &body["status"]), (&json!("response"), &json!("completed")));
    assert_eq!(body["output"][0]["content"][0]["text"], "Hello.");
    assert_eq!(body["instructions"], "Be brief.");
    assert!(body["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(backend.requests()[0].path, CHAT_PATH);

    let response = post(&scene, RESPONSES_PATH, &streamed(RESPONSES));
    let events = response.events();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.json().unwrap()["sequence_number"], index);
    }
    let last = events.last().unwrap().json().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "Hello.");
}

#[test]
fn every_client_is_answered_by_a_messages_backend() {
    let (backend, scene) = anthropic(200, "application/json", MESSAGE);
    let chat = post(&scene, CHAT_PATH, CHAT);
    assert_eq!(chat.json()["choices"][0]["message"]["content"], "Hello.");
    assert_eq!(chat.json()["usage"]["prompt_tokens"], 9);
    assert_eq!(chat.header("x-vsr-lossiness-warnings"), Some("info;max_tokens_defaulted;max_tokens"));
    assert_eq!(chat.header("x-vsr-protocol-warnings"), Some("info;max_tokens_defaulted;max_tokens"));
    assert_eq!(chat.header("x-vsr-outbound-protocol"), Some("anthropic"));
    scene.wait_metric("llm_translation_lossy_total{from=\"chat\",to=\"messages\",severity=\"info\",reason=\"max_tokens_defaulted\"}");
    let responses = post(&scene, RESPONSES_PATH, RESPONSES);
    assert_eq!(responses.json()["output"][0]["content"][0]["text"], "Hello.");
    let messages = post(&scene, MESSAGES_PATH, MESSAGES);
    assert_eq!(messages.text(), MESSAGE);
    for request in backend.requests() {
        assert_eq!(request.path, MESSAGES_PATH);
        assert_eq!(request.header("x-api-key"), Some("backend-key"));
        assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
        assert_eq!(request.json()["model"], "small-v1");
    }
    let own = &backend.requests()[2];
    assert_eq!(String::from_utf8(own.body.clone()).unwrap(), MESSAGES.replace("auto", "small-v1"));
}

#[test]
fn every_client_gets_the_stream_of_a_messages_backend() {
    let (_backend, scene) = anthropic(200, "text/event-stream", MESSAGE_EVENTS);
    let chat = post(&scene, CHAT_PATH, STREAM);
    assert!(chat.text().ends_with("data: [DONE]\n\n"));
    let words: String = chat
        .events()
        .iter()
        .filter_map(|event| event.json()?["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(words, "Hello.");
    let responses = post(&scene, RESPONSES_PATH, &streamed(RESPONSES));
    assert_eq!(names(&responses).last().map(String::as_str), Some("response.completed"));
    let messages = post(&scene, MESSAGES_PATH, &streamed(MESSAGES));
    assert_eq!(messages.text(), MESSAGE_EVENTS);
}

#[test]
fn errors_have_the_shape_of_the_clients_protocol() {
    let backend = Backend::start(Fault::rate_limited(7));
    let scene = Scene::before(&backend);
    let response = post(&scene, MESSAGES_PATH, MESSAGES);
    assert_eq!((response.status(), response.header("retry-after")), (429, Some("7")));
    let expected = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "the engine is overloaded"}});
    assert_eq!(response.json(), expected);
    let response = post(&scene, RESPONSES_PATH, RESPONSES);
    assert_eq!(response.json()["error"]["type"], "rate_limit_error");

    let broken = post(&scene, MESSAGES_PATH, r#"{"model":"auto","messages":[]}"#);
    assert_eq!((broken.status(), &broken.json()["type"]), (400, &json!("error")));
    let unknown = post(&scene, MESSAGES_PATH, &MESSAGES.replace("auto", "nobody"));
    assert_eq!((unknown.status(), &unknown.json()["error"]["type"]), (404, &json!("not_found_error")));

    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let (_backend, scene) = anthropic(529, "application/json", overloaded);
    let chat = post(&scene, CHAT_PATH, CHAT);
    assert_eq!((chat.status(), &chat.json()["error"]["message"]), (503, &json!("Overloaded")));
    let messages = post(&scene, MESSAGES_PATH, MESSAGES);
    assert_eq!((messages.status(), messages.text()), (529, overloaded.to_owned()));
}

#[test]
fn a_stream_that_breaks_never_looks_finished_to_anyone() {
    for fault in [
        Fault::EndWithoutFinish,
        Fault::ErrorEvent { after_events: 2 },
        Fault::Reset { after_events: 2, gate: None },
    ] {
        let backend = Backend::start(fault);
        let scene = Scene::before(&backend);
        let messages = post(&scene, MESSAGES_PATH, &streamed(MESSAGES));
        assert_eq!(names(&messages).last().map(String::as_str), Some("error"));
        let responses = post(&scene, RESPONSES_PATH, &streamed(RESPONSES));
        assert_eq!(names(&responses).last().map(String::as_str), Some("response.failed"));
    }
    let backend = Backend::start(Fault::EndWithoutDone);
    let scene = Scene::before(&backend);
    let messages = post(&scene, MESSAGES_PATH, &streamed(MESSAGES));
    assert_eq!(names(&messages).last().map(String::as_str), Some("message_stop"));
}

#[test]
fn an_answer_that_is_none_is_an_error_where_it_must_be_translated() {
    let (_backend, scene) = anthropic(200, "application/json", r#"{"ok":true}"#);
    let chat = post(&scene, CHAT_PATH, CHAT);
    assert_eq!((chat.status(), &chat.json()["error"]["code"]), (502, &json!("upstream_invalid_response")));
}

#[test]
fn tokens_are_estimated_and_the_answer_says_so() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let response = post(&scene, "/v1/messages/count_tokens", MESSAGES);
    assert_eq!((response.status(), response.header("x-vsr-token-count")), (200, Some("estimated")));
    assert!(response.json()["input_tokens"].as_u64().unwrap() > 5);
    assert!(backend.requests().is_empty());
}

#[test]
fn vendor_headers_and_keys_go_where_they_mean_something() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let headers = [
        ("content-type", "application/json"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "x"),
        ("x-api-key", "client-key"),
        ("x-claude-code-session-id", "s-1"),
    ];
    let response = RawClient::request(scene.port(), "POST", MESSAGES_PATH, &headers, MESSAGES.as_bytes());
    assert_eq!((response.status(), response.header("x-session-id")), (200, Some("s-1")));
    let sent = &backend.requests()[0];
    assert_eq!((sent.header("anthropic-version"), sent.header("anthropic-beta")), (None, None));
    assert_eq!((sent.header("authorization"), sent.header("x-api-key")), (Some("Bearer client-key"), None));
}

#[test]
fn the_model_list_has_the_shape_of_the_clients_protocol() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let headers = [("anthropic-version", "2023-06-01")];
    let list: Value = RawClient::request(scene.port(), "GET", "/v1/models", &headers, b"").json();
    assert_eq!((&list["data"][0]["type"], &list["data"][0]["id"]), (&json!("model"), &json!("MoM")));
    assert_eq!((&list["has_more"], &list["first_id"]), (&json!(false), &json!("MoM")));
    let one: Value = RawClient::request(scene.port(), "GET", "/v1/models/nobody", &headers, b"").json();
    assert_eq!(one["type"], "error");
}

#[test]
fn a_fast_response_speaks_the_clients_protocol() {
    let backend = Backend::start(Behaviour::default());
    let routing = "signals:\n\
                   \x20 keywords:\n\
                   \x20 - {name: any, operator: OR, keywords: [hello]}\n\
                   decisions:\n\
                   - name: canned\n\
                   \x20 priority: 1\n\
                   \x20 rules: {operator: OR, conditions: [{type: keyword, name: any}]}\n\
                   \x20 modelRefs: [{model: small}]\n\
                   \x20 plugins:\n\
                   \x20 - {type: fast_response, configuration: {message: No.}}\n";
    let scene = Scene::set(&backend, &Setting { routing: routing.to_owned(), ..Setting::default() });
    let messages = post(&scene, MESSAGES_PATH, MESSAGES);
    assert_eq!(messages.json()["content"][0]["text"], "No.");
    let responses = post(&scene, RESPONSES_PATH, &streamed(RESPONSES));
    let last = responses.events().last().unwrap().json().unwrap();
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "No.");
    assert!(backend.requests().is_empty());
}
