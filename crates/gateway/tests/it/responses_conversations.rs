//! Conversations: made, continued, listed, deleted.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::{
    responses::{ask, ask_at, code, delete, get, id_of, last_event, of, scene},
    scene::{Scene, Setting},
};

const PATH: &str = "/v1/conversations";

fn post(scene: &Scene, path: &str, body: &Value) -> Value {
    let response = RawClient::post_json(scene.port(), path, body.to_string());
    assert_eq!(response.status(), 200, "{}", response.text());
    response.json()
}

fn made(scene: &Scene, body: &Value) -> String {
    post(scene, PATH, body)["id"].as_str().unwrap().to_owned()
}

/// What was said, oldest first.
fn texts(scene: &Scene, id: &str) -> Vec<String> {
    let list = get(scene, &format!("{PATH}/{id}/items?order=asc&limit=100")).json();
    let data = list["data"].as_array().unwrap().iter();
    data.map(|item| item["content"][0]["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_conversation_is_made_told_changed_and_deleted() {
    let (_backend, scene) = scene("Hello.");
    let id = made(&scene, &json!({"metadata": {"topic": "x"}}));
    let told = get(&scene, &format!("{PATH}/{id}")).json();
    assert_eq!(
        told,
        json!({"id": id, "object": "conversation", "created_at": 1_700_000_000, "metadata": {"topic": "x"}})
    );
    let changed = post(&scene, &format!("{PATH}/{id}"), &json!({"metadata": {"topic": "y"}}));
    assert_eq!(changed["metadata"], json!({"topic": "y"}));
    assert_eq!(texts(&scene, &id), [""; 0]);
    let deleted = delete(&scene, &format!("{PATH}/{id}")).json();
    assert_eq!(deleted, json!({"id": id, "object": "conversation.deleted", "deleted": true}));
    for response in [
        get(&scene, &format!("{PATH}/{id}")),
        delete(&scene, &format!("{PATH}/{id}")),
        get(&scene, &format!("{PATH}/{id}/items")),
        RawClient::post_json(scene.port(), &format!("{PATH}/{id}"), "{}"),
        RawClient::post_json(
            scene.port(),
            &format!("{PATH}/{id}/items"),
            r#"{"items":[{"role":"user","content":"x"}]}"#,
        ),
        ask(&scene, &json!({"input": "x", "conversation": id})),
        get(&scene, &format!("{PATH}/x")),
    ] {
        assert_eq!(response.status(), 404);
    }
    for body in [r#"{"metadata":1}"#, r#"{"items":[1]}"#, r#"{"items":{}}"#, "[1]", "{"] {
        assert_eq!(RawClient::post_json(scene.port(), PATH, body).status(), 400, "{body}");
    }
}

#[test]
fn turns_of_a_conversation_follow_each_other() {
    let (backend, scene) = scene("Hello.");
    let id = made(&scene, &json!({"items": [{"role": "user", "content": "zero"}]}));
    let first = ask(&scene, &json!({"input": "one", "conversation": id}));
    assert_eq!((first.status(), &first.json()["conversation"]), (200, &json!({"id": id})));
    assert_eq!(first.json()["previous_response_id"], json!(null));
    let second = ask(&scene, &json!({"input": "two", "conversation": {"id": id}, "stream": true}));
    let told = last_event(&second)["response"].clone();
    assert_eq!(told["conversation"], json!({"id": id}));
    let messages = backend.requests()[1].json()["messages"].clone();
    let said: Vec<&str> =
        messages.as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["zero", "one", "Hello.", "two"]);
    let all = ["zero", "one", "Hello.", "two", "Hello."];
    assert_eq!(texts(&scene, &id), all);
    let added = post(
        &scene,
        &format!("{PATH}/{id}/items"),
        &json!({"items": [{"role": "user", "content": "three"}]}),
    );
    let item = added["data"][0]["id"].as_str().unwrap();
    let newest = get(&scene, &format!("{PATH}/{id}/items?limit=1")).json();
    assert_eq!((&newest["data"], &newest["has_more"]), (&added["data"], &json!(true)));
    assert_eq!(get(&scene, &format!("{PATH}/{id}/items/{item}")).json(), added["data"][0]);
    assert_eq!(get(&scene, &format!("{PATH}/{id}/items/msg_none")).status(), 404);

    // A response that is deleted is still part of what was said.
    assert_eq!(delete(&scene, &of(&id_of(&first))).status(), 200);
    assert_eq!(get(&scene, &of(&id_of(&first))).status(), 404);
    let branch = ask(&scene, &json!({"input": "and?", "previous_response_id": told["id"]}));
    assert_eq!(branch.status(), 200);
    let unstored = ask(&scene, &json!({"input": "four", "conversation": id, "store": false}));
    assert_eq!((unstored.status(), &unstored.json()["store"]), (200, &json!(false)));
    assert_eq!(get(&scene, &of(&id_of(&unstored))).status(), 404);
    assert_eq!(backend.requests()[2].json()["messages"].as_array().unwrap().len(), 6);
    assert_eq!(backend.requests()[3].json()["messages"].as_array().unwrap().len(), 7);
    assert_eq!(texts(&scene, &id).len(), 8);
    // With the conversation goes what only it held.
    assert_eq!(delete(&scene, &format!("{PATH}/{id}")).status(), 200);
    let refused = ask(&scene, &json!({"input": "and?", "previous_response_id": told["id"]}));
    assert_eq!(code(&refused).2, "previous_response_not_found");
}

#[test]
fn no_turn_of_a_conversation_is_lost_to_another() {
    let (_backend, scene) = scene("Hello.");
    let id = made(&scene, &json!({}));
    std::thread::scope(|scope| {
        for index in 0..8 {
            let (port, id) = (scene.port(), &id);
            scope.spawn(move || {
                let body = json!({"input": format!("n{index}"), "conversation": id});
                assert_eq!(ask_at(port, &body).status(), 200);
            });
        }
    });
    let mut said: Vec<String> = texts(&scene, &id).into_iter().filter(|text| text != "Hello.").collect();
    said.sort();
    assert_eq!(said, (0..8).map(|index| format!("n{index}")).collect::<Vec<_>>());
}

#[test]
fn a_conversation_is_its_owners_alone() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = Scene::set(&backend, &Setting::listener("api_keys: [first-key, second-key]"));
    let request = |key: &str, method: &str, path: &str, body: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        RawClient::request(scene.port(), method, path, &headers, body.as_bytes())
    };
    let id = id_of(&request("first-key", "POST", PATH, "{}"));
    let turn = json!({"model": "auto", "input": "x", "conversation": id}).to_string();
    let items = r#"{"items":[{"role":"user","content":"x"}]}"#;
    for (method, path, body) in [
        ("GET", format!("{PATH}/{id}"), ""),
        ("POST", format!("{PATH}/{id}"), "{}"),
        ("DELETE", format!("{PATH}/{id}"), ""),
        ("GET", format!("{PATH}/{id}/items"), ""),
        ("POST", format!("{PATH}/{id}/items"), items),
        ("POST", "/v1/responses".to_owned(), &*turn),
    ] {
        assert_eq!(request("second-key", method, &path, body).status(), 404, "{method} {path}");
    }
    assert_eq!(request("first-key", "POST", "/v1/responses", &turn).status(), 200);
}

#[test]
fn a_conversation_takes_only_short_notes_and_items_that_can_be_said() {
    let (_backend, scene) = scene("Hello.");
    let many: serde_json::Map<String, Value> = (0..17).map(|index| (index.to_string(), json!("x"))).collect();
    let (name, value) = ("n".repeat(65), "v".repeat(513));
    for body in [
        json!([]),
        json!({"metadata": {"a": 5}}),
        json!({"metadata": []}),
        json!({"metadata": many}),
        json!({"metadata": {name: "x"}}),
        json!({"metadata": {"a": value}}),
        json!({"items": [{}]}),
        json!({"items": [{"type": "message"}]}),
        json!({"items": [{"type": "item_reference", "id": "msg_u"}]}),
    ] {
        let response = RawClient::post_json(scene.port(), PATH, body.to_string());
        let error = &response.json()["error"]["type"];
        assert_eq!((response.status(), error), (400, &json!("invalid_request_error")), "{body}");
    }
    made(&scene, &json!({"metadata": {"n".repeat(64): "v".repeat(512)}}));
}
