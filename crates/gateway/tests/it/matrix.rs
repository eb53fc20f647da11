//! Every client before every backend, streamed and not, whatever happens: what comes has the shape of the client's protocol.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour, RawClient, Response};

use crate::scene::{CHAT_PATH, Scene, Setting};

const CLIENTS: [Client; 3] = [Client::Chat, Client::Responses, Client::Messages];
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Client {
    Chat,
    Responses,
    Messages,
}

/// A backend by what it speaks: the model's setting, the path it is asked at, and what it answers.
struct Spoken {
    setting: &'static str,
    path: &'static str,
    whole: String,
    /// The events of a stream, one by one.
    events: Vec<String>,
    error: Value,
    error_event: String,
    /// Who is answered there.
    clients: &'static [Client],
}

fn named(json: &Value) -> String {
    format!("event: {}\ndata: {json}\n\n", json["type"].as_str().unwrap())
}

fn chat() -> Spoken {
    let chunk = |delta: Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!(
            "data: {}\n\n",
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
        )
    };
    let error =
        json!({"error": {"message": "no", "type": "invalid_request_error", "param": null, "code": null}});
    Spoken {
        setting: "api_format: openai",
        path: CHAT_PATH,
        whole: json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
            "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]})
        .to_string(),
        events: vec![
            chunk(json!({"role": "assistant", "content": ""}), json!(null)),
            chunk(json!({"content": "Hello."}), json!(null)),
            chunk(json!({}), json!("stop")),
            "data: [DONE]\n\n".to_owned(),
        ],
        error_event: format!("data: {error}\n\n"),
        error,
        clients: &CLIENTS,
    }
}

fn messages() -> Spoken {
    let message = |content: Value, reason: Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": reason,
            "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 2}})
    };
    let error = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}});
    Spoken {
        setting: "api_format: anthropic",
        path: "/v1/messages",
        whole: message(json!([{"type": "text", "text": "Hello."}]), json!("end_turn")).to_string(),
        events: [
            json!({"type": "message_start", "message": message(json!([]), json!(null))}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 2}}),
            json!({"type": "message_stop"}),
        ]
        .iter()
        .map(named)
        .collect(),
        error_event: named(&error),
        error,
        clients: &CLIENTS,
    }
}

fn responses() -> Spoken {
    let response = |status: &str, output: Value| json!({"id": "resp_u", "object": "response", "created_at": 1, "status": status, "model": "m", "output": output});
    let item = json!({"type": "message", "id": "msg_u", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": "Hello.", "annotations": []}]});
    let part = json!({"type": "output_text", "text": "", "annotations": []});
    let error =
        json!({"error": {"message": "no", "type": "invalid_request_error", "param": null, "code": null}});
    Spoken {
        setting: "responses: native",
        path: "/v1/responses",
        whole: response("completed", json!([item])).to_string(),
        events: [
            json!({"type": "response.created", "sequence_number": 0, "response": response("in_progress", json!([]))}),
            json!({"type": "response.in_progress", "sequence_number": 1, "response": response("in_progress", json!([]))}),
            json!({"type": "response.output_item.added", "sequence_number": 2, "output_index": 0, "item": {"type": "message", "id": "msg_u", "role": "assistant", "content": []}}),
            json!({"type": "response.content_part.added", "sequence_number": 3, "output_index": 0, "content_index": 0, "item_id": "msg_u", "part": part}),
            json!({"type": "response.output_text.delta", "sequence_number": 4, "output_index": 0, "content_index": 0, "item_id": "msg_u", "delta": "Hello."}),
            json!({"type": "response.output_item.done", "sequence_number": 5, "output_index": 0, "item": item}),
            json!({"type": "response.completed", "sequence_number": 6, "response": response("completed", json!([item]))}),
        ]
        .iter()
        .map(named)
        .collect(),
        error_event: named(&json!({"type": "error", "sequence_number": 3, "code": "server_error", "message": "no", "param": null})),
        error,
        clients: &[Client::Responses],
    }
}

fn scene_of(spoken: &Spoken, code: u16, content_type: &str, body: &str) -> (Backend, Scene) {
    let backend = Backend::start(Behaviour::default().reply(spoken.path, code, content_type, body));
    let routing = "signals:\n\
                   \x20 keywords:\n\
                   \x20 - {name: canned, operator: OR, keywords: [tinned]}\n\
                   decisions:\n\
                   - name: canned\n\
                   \x20 priority: 1\n\
                   \x20 rules: {operator: OR, conditions: [{type: keyword, name: canned}]}\n\
                   \x20 modelRefs: [{model: small}]\n\
                   \x20 plugins:\n\
                   \x20 - {type: fast_response, configuration: {message: Hello.}}\n";
    let setting =
        Setting { model: spoken.setting.to_owned(), routing: routing.to_owned(), ..Setting::default() };
    let scene = Scene::set(&backend, &setting);
    (backend, scene)
}

fn ask(scene: &Scene, client: Client, model: &str, words: &str, stream: bool) -> Response {
    let (path, mut body) = match client {
        Client::Chat => (CHAT_PATH, json!({"messages": [{"role": "user", "content": words}]})),
        Client::Responses => ("/v1/responses", json!({"input": words})),
        Client::Messages => {
            ("/v1/messages", json!({"max_tokens": 9, "messages": [{"role": "user", "content": words}]}))
        }
    };
    body["model"] = json!(model);
    body["stream"] = json!(stream);
    RawClient::post_json(scene.port(), path, body.to_string())
}

fn assert_whole(client: Client, answer: &Response) {
    assert_eq!((answer.status(), answer.header("content-type")), (200, Some(JSON)), "{}", answer.text());
    let body = answer.json();
    let text = match client {
        Client::Chat => {
            assert_eq!(body["object"], "chat.completion");
            &body["choices"][0]["message"]["content"]
        }
        Client::Responses => {
            assert_eq!((&body["object"], &body["status"]), (&json!("response"), &json!("completed")));
            &body["output"][0]["content"][0]["text"]
        }
        Client::Messages => {
            assert_eq!((&body["type"], &body["stop_reason"]), (&json!("message"), &json!("end_turn")));
            &body["content"][0]["text"]
        }
    };
    assert_eq!(text, "Hello.");
}

/// Checks the order of the events; says how the stream ended and what was said.
fn read_stream(client: Client, answer: &Response) -> (String, String) {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(answer.header("content-type").unwrap().starts_with(EVENTS));
    let (mut text, mut end) = (String::new(), String::new());
    let mut open: Option<Value> = None;
    for (number, event) in answer.events().iter().enumerate() {
        assert!(matches!(end.as_str(), "" | "finish"), "something follows the end: {}", answer.text());
        if event.data == "[DONE]" {
            assert_eq!(end, "finish");
            end = "done".to_owned();
            continue;
        }
        let json = event.json().unwrap();
        if client != Client::Chat {
            assert_eq!(json["type"].as_str(), event.event.as_deref());
        }
        let kind = json["type"].as_str().unwrap_or_default();
        match client {
            Client::Chat if json.get("error").is_some() => end = "error".to_owned(),
            Client::Chat => {
                assert_eq!(json["object"], "chat.completion.chunk");
                let choice = &json["choices"][0];
                text += choice["delta"]["content"].as_str().unwrap_or_default();
                if choice["finish_reason"].is_string() {
                    end = "finish".to_owned();
                }
            }
            Client::Responses => {
                if kind != "error" {
                    assert_eq!(json["sequence_number"], number);
                }
                text += json["delta"].as_str().unwrap_or_default();
                match kind {
                    "response.created" => assert_eq!(number, 0),
                    "response.in_progress" => assert_eq!(number, 1),
                    "response.completed" => end = "done".to_owned(),
                    "response.failed" | "error" => end = "error".to_owned(),
                    _ => {}
                }
            }
            Client::Messages => match kind {
                "message_start" => assert_eq!(number, 0),
                "content_block_start" => {
                    assert_eq!(open.replace(json["index"].clone()), None);
                }
                "content_block_delta" => {
                    assert_eq!(open.as_ref(), Some(&json["index"]));
                    text += json["delta"]["text"].as_str().unwrap_or_default();
                }
                "content_block_stop" => assert_eq!(open.take().as_ref(), Some(&json["index"])),
                "message_delta" => {
                    assert_eq!((&open, json["delta"]["stop_reason"].is_string()), (&None, true));
                }
                "message_stop" => end = "done".to_owned(),
                "error" => end = "error".to_owned(),
                "ping" => {}
                other => panic!("an event {other}"),
            },
        }
    }
    (end, text)
}

fn assert_error(client: Client, answer: &Response, status: u16) {
    assert_eq!((answer.status(), answer.header("content-type")), (status, Some(JSON)), "{}", answer.text());
    let body = answer.json();
    let error = &body["error"];
    assert!(error["message"].is_string() && error["type"].is_string(), "{body}");
    match client {
        Client::Messages => assert_eq!((&body["type"], error.get("param")), (&json!("error"), None)),
        Client::Chat | Client::Responses => {
            assert!(body.get("type").is_none() && error.get("param").is_some());
        }
    }
}

#[test]
fn whole_answers_errors_and_answers_of_the_routers_own_have_the_clients_shape() {
    for spoken in [chat(), messages(), responses()] {
        let (_backend, scene) = scene_of(&spoken, 200, JSON, &spoken.whole);
        for &client in spoken.clients {
            for model in ["auto", "small"] {
                assert_whole(client, &ask(&scene, client, model, "hi", false));
                // Of a backend that does not stream a stream is made, where that can be done.
                let made = ask(&scene, client, model, "hi", true);
                if spoken.path == "/v1/responses" {
                    assert_error(client, &made, 502);
                } else {
                    assert_eq!(read_stream(client, &made), ("done".to_owned(), "Hello.".to_owned()));
                }
                assert_whole(client, &ask(&scene, client, model, "tinned", false));
                let canned = ask(&scene, client, model, "tinned", true);
                assert_eq!(read_stream(client, &canned), ("done".to_owned(), "Hello.".to_owned()));
            }
            assert_error(client, &ask(&scene, client, "nothing", "hi", false), 404);
        }
    }
    for code in [400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 451, 500, 502, 503, 504, 529] {
        for spoken in [chat(), messages(), responses()] {
            let (_backend, scene) = scene_of(&spoken, code, JSON, &spoken.error.to_string());
            for &client in spoken.clients {
                let told = match (code, client) {
                    (529, Client::Chat | Client::Responses) => 503,
                    (503, Client::Messages) => 529,
                    (code, _) => code,
                };
                for stream in [false, true] {
                    let answer = ask(&scene, client, "auto", "hi", stream);
                    assert_error(client, &answer, told);
                    assert_eq!(answer.json()["error"]["message"], "no");
                }
            }
        }
    }
}

#[test]
fn streams_have_the_clients_events_in_their_order_however_they_end() {
    for spoken in [chat(), messages(), responses()] {
        let (_backend, scene) = scene_of(&spoken, 200, EVENTS, &spoken.events.concat());
        for &client in spoken.clients {
            for model in ["auto", "small"] {
                let answer = ask(&scene, client, model, "hi", true);
                assert_eq!(
                    read_stream(client, &answer),
                    ("done".to_owned(), "Hello.".to_owned()),
                    "{client:?}"
                );
                assert_error(client, &ask(&scene, client, model, "hi", false), 502);
            }
        }
        // Cut before each of its events, and in the middle of each.
        for kept in 0..spoken.events.len() - 1 {
            let whole = spoken.events[..kept].concat();
            let next = &spoken.events[kept];
            for torn in [whole.clone(), whole.clone() + &next[..next.len() / 2], whole + &spoken.error_event]
            {
                let (_backend, scene) = scene_of(&spoken, 200, EVENTS, &torn);
                for &client in spoken.clients {
                    let answer = ask(&scene, client, "auto", "hi", true);
                    let (end, _) = read_stream(client, &answer);
                    assert_eq!(end, "error", "{client:?} after {torn}: {}", answer.text());
                }
            }
        }
    }
}
