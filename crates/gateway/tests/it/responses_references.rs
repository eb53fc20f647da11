//! Items that are only named: by the router's names, and by those that a native backend or the client gave them.

use std::sync::Arc;

use serde_json::{Value, json};
use vsr_store::{KeyValue, MemoryStore};
use vsr_testkit::{Backend, Behaviour, RawClient, Response};

use crate::{
    responses::{PATH, ask, delete, id_of, of},
    responses_native::{JSON, message, native, reasoning, upstream},
    scene::{CHAT_PATH, Scene, Setting},
};

fn reference(id: &str) -> Value {
    json!({"type": "item_reference", "id": id})
}

fn as_input(answer: &Response) -> (u16, Value) {
    (answer.status(), answer.json()["error"]["param"].clone())
}

fn call() -> Value {
    json!({"type": "function_call", "id": "fc_u", "call_id": "c1", "name": "look", "arguments": "{}"})
}

fn sent(backend: &Backend) -> Value {
    backend.requests().last().unwrap().json()["input"].clone()
}

#[test]
fn an_item_of_a_native_backend_is_found_by_its_own_id_as_long_as_it_is_stored() {
    let output = json!([message("Hello."), call()]);
    let reply = upstream("resp_u1", &output).to_string();
    let backend = Backend::start(Behaviour::default().reply(PATH, 200, JSON, reply));
    let store: Arc<dyn KeyValue> = Arc::new(MemoryStore::new(4096));
    let setting = || Setting {
        listener: "api_keys: [first-key, second-key]".to_owned(),
        model: "responses: native".to_owned(),
        global: "services:\n  response_api: {store_backend: embedded}\n".to_owned(),
        store: Arc::clone(&store),
        ..Setting::default()
    };
    let ask = |scene: &Scene, key: &str, body: Value| {
        let mut body = body;
        body["model"] = json!("auto");
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        RawClient::request(scene.port(), "POST", PATH, &headers, body.to_string().as_bytes())
    };
    let scene = Scene::set(&backend, &setting());
    let question = json!({"type": "message", "id": "msg_mine", "role": "user", "content": "hi"});
    let first = ask(&scene, "first-key", json!({"input": [question]}));
    assert_eq!(first.status(), 200);
    let result = json!({"type": "function_call_output", "call_id": "c1", "output": "3"});
    let again = json!({"input": [reference("msg_mine"), reference("msg_u"), reference("fc_u"), result]});
    let check = |scene: &Scene| {
        let answer = ask(scene, "first-key", again.clone());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let input = sent(&backend);
        assert_eq!(input[0], json!({"type": "message", "role": "user", "content": "hi"}));
        assert_eq!(input[1]["content"][0]["text"], "Hello.");
        assert_eq!((&input[2]["call_id"], &input[2].get("id")), (&json!("c1"), &None));
        assert_eq!(input[3], result);
        id_of(&answer)
    };
    let second = check(&scene);
    // What is another's is found by nobody else.
    let asked = backend.requests().len();
    for id in ["msg_mine", "msg_u", "fc_u"] {
        let refused = ask(&scene, "second-key", json!({"input": [reference(id)]}));
        assert_eq!(as_input(&refused), (400, json!("input")));
    }
    assert_eq!(backend.requests().len(), asked);
    drop(scene);
    let scene = Scene::set(&backend, &setting());
    let third = check(&scene);
    // The same ids came with every turn: while one of them is there, they are found.
    let remove = |id: &str| {
        let headers = [("authorization", "Bearer first-key")];
        assert_eq!(RawClient::request(scene.port(), "DELETE", &of(id), &headers, b"").status(), 200);
    };
    remove(&third);
    for id in [&id_of(&first), &second] {
        remove(id);
    }
    let refused = ask(&scene, "first-key", again.clone());
    assert_eq!(as_input(&refused), (400, json!("input")));
}

#[test]
fn an_item_that_its_backend_keeps_to_itself_is_named_to_that_backend_alone() {
    let forgotten =
        json!({"error": {"message": "Item with id 'rs_u' not found.", "type": "invalid_request_error"}});
    let whole = upstream("resp_u1", &json!([reasoning(), message("Hello.")])).to_string();
    let completion = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "small-v1", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}]});
    let behaviour = Behaviour::default()
        .reply(PATH, 200, JSON, whole.clone())
        .reply(PATH, 200, JSON, whole.clone())
        .reply(PATH, 404, JSON, forgotten.to_string())
        .reply(PATH, 200, JSON, whole)
        .reply(CHAT_PATH, 200, JSON, completion.to_string());
    let (backend, scene) = native(behaviour);
    assert_eq!(ask(&scene, &json!({"input": "one"})).status(), 200);
    let input = json!([{"role": "user", "content": "one"}, reference("rs_u"), reference("msg_u"), {"role": "user", "content": "two"}]);
    let second = ask(&scene, &json!({"input": input}));
    assert_eq!((second.status(), second.header("x-vsr-lossiness-warnings")), (200, None));
    let named = sent(&backend);
    assert_eq!((&named[1], &named[2]["content"][0]["text"]), (&reference("rs_u"), &json!("Hello.")));
    assert_eq!(named.as_array().unwrap().len(), 4);
    // A backend that has forgotten it is told the rest.
    let third = ask(&scene, &json!({"input": input}));
    assert_eq!(third.status(), 200);
    assert_eq!(backend.requests().len(), 4);
    assert_eq!(sent(&backend).as_array().unwrap().len(), 3);
    // Another backend, too, and the client hears of it.
    let other = Setting { model: "api_format: openai".to_owned(), ..Setting::default() };
    scene.reload(&other.yaml(backend.port()));
    let elsewhere = ask(&scene, &json!({"input": input}));
    assert_eq!(elsewhere.status(), 200, "{}", elsewhere.text());
    assert_eq!(elsewhere.header("x-vsr-lossiness-warnings"), Some("lossy;history_left_out;input"));
    assert_eq!(backend.requests().last().unwrap().json()["messages"].as_array().unwrap().len(), 3);
    for id in [id_of(&second), id_of(&third)] {
        assert_eq!(delete(&scene, &of(&id)).status(), 200);
    }
}
