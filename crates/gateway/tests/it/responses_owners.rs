//! Stored responses belong to whom the listener took the caller for.

use serde_json::json;
use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::{
    responses::{PATH, ask, get, id_of, of, scene},
    scene::{Scene, Setting},
};

#[test]
fn another_owner_is_told_what_is_told_of_nothing() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = Scene::set(&backend, &Setting::listener("api_keys: [first-key, second-key]"));
    let request = |key: &str, method: &str, path: &str, body: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        RawClient::request(scene.port(), method, path, &headers, body.as_bytes())
    };
    let id = id_of(&request("first-key", "POST", PATH, r#"{"model":"auto","input":"secret"}"#));
    let unknown = format!("resp_{}", "0".repeat(48));
    let asked = |key: &str, id: &str| {
        let chain = json!({"model": "auto", "input": "x", "previous_response_id": id}).to_string();
        let item = id.replace("resp_", "msg_") + "_0";
        let reference =
            json!({"model": "auto", "input": [{"type": "item_reference", "id": item}]}).to_string();
        [
            request(key, "GET", &of(id), ""),
            request(key, "DELETE", &of(id), ""),
            request(key, "GET", &format!("{}/input_items", of(id)), ""),
            request(key, "POST", &format!("{}/cancel", of(id)), ""),
            request(key, "POST", PATH, &chain),
            request(key, "POST", PATH, &reference),
        ]
    };
    for (theirs, nobodys) in asked("second-key", &id).iter().zip(&asked("second-key", &unknown)) {
        assert!(matches!(theirs.status(), 400 | 404));
        assert_eq!(theirs.status(), nobodys.status());
        let stem = |id: &str| id.replace("resp_", "");
        assert_eq!(theirs.text().replace(&stem(&id), &stem(&unknown)), nobodys.text());
    }
    assert_eq!(request("first-key", "GET", &of(&id), "").status(), 200);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn users_of_a_trusted_peer_are_apart() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = Scene::set(&backend, &Setting::listener("trusted_peers: [127.0.0.1]"));
    let request = |user: &str, method: &str, path: &str, body: &str| {
        let headers = [("x-authz-user-id", user), ("content-type", "application/json")];
        RawClient::request(scene.port(), method, path, &headers, body.as_bytes())
    };
    let id = id_of(&request("ann", "POST", PATH, r#"{"model":"auto","input":"secret"}"#));
    assert_eq!(request("bob", "GET", &of(&id), "").status(), 404);
    assert_eq!(get(&scene, &of(&id)).status(), 404);
    assert_eq!(request("ann", "GET", &of(&id), "").status(), 200);
}

#[test]
fn paths_that_are_no_ids_name_nothing() {
    let (_backend, scene) = scene("Hello.");
    let id = id_of(&ask(&scene, &json!({"input": "hi"})));
    for path in [
        "resp_".to_owned(),
        "..".to_owned(),
        "%2e%2e".to_owned(),
        id.to_uppercase(),
        id.replacen("resp_", "resp%5F", 1),
        format!("{id}%00"),
        format!("{id}x"),
        id[..52].to_owned(),
        format!("x%2F{id}"),
        format!("{id}%2Finput_items"),
        format!("{id}/input_items/x"),
        format!("{id}//input_items"),
        format!("/{id}"),
        format!("../responses/{id}"),
        format!("{id};x"),
        "conv_".to_owned() + &"0".repeat(48),
        "node_".to_owned() + &"0".repeat(48),
        "x".repeat(20_000),
    ] {
        let response = get(&scene, &format!("{PATH}/{path}"));
        assert_eq!(response.status(), 404, "{path}");
        assert!(response.json()["error"]["message"].as_str().unwrap().len() < 300);
    }
    let long = ask(&scene, &json!({"input": "x", "previous_response_id": "x".repeat(100_000)}));
    assert!(long.status() == 400 && long.text().len() < 500);
}
