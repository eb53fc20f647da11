//! Responses while they are made: read, deleted and left before their end.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour, Fault, Gate, RawClient, SseEvent};

use crate::{
    responses::{PATH, ask, code, delete, get, of},
    scene::{Scene, Setting},
};

/// A stream whose backend pauses in the middle of its words.
struct Paused {
    gate: Gate,
    scene: Scene,
    client: RawClient,
    id: String,
    backend: Backend,
}

fn paused(setting: &Setting, more: &Value, headers: &[(&str, &str)]) -> Paused {
    let gate = Gate::new();
    let fault = Fault::Stall { after_events: 3, gate: gate.clone() };
    let backend =
        Backend::start(Behaviour::default().text("Hello there, dear.").faults([fault, Fault::None]));
    let scene = Scene::set(&backend, setting);
    let mut body = json!({"model": "auto", "stream": true, "input": "hi"});
    let made = more.get("conversation").map(|_| {
        let made = RawClient::post_json(scene.port(), "/v1/conversations", "{}");
        made.json()["id"].clone()
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    if let Some(made) = made {
        body["conversation"] = made;
    }
    let mut client = scene.connect();
    let headers: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
    client.send_request("POST", PATH, &headers, body.to_string().as_bytes());
    client.read_head();
    let begun = client.read_event().unwrap().unwrap().json().unwrap();
    let id = begun["response"]["id"].as_str().unwrap().to_owned();
    Paused { gate, scene, client, id, backend }
}

impl Paused {
    fn last_event(&mut self) -> Value {
        let mut last: Option<SseEvent> = None;
        while let Ok(Some(event)) = self.client.read_event() {
            last = Some(event);
        }
        last.unwrap().json().unwrap()
    }
}

#[test]
fn a_response_can_be_read_while_it_is_made() {
    let mut paused = paused(&Setting::default(), &json!({"metadata": {"k": "v"}}), &[]);
    let (scene, path) = (&paused.scene, of(&paused.id));
    let begun = get(scene, &path);
    assert_eq!((begun.status(), &begun.json()["id"]), (200, &json!(paused.id)));
    let body = begun.json();
    assert_eq!(
        (&body["status"], &body["output"], &body["metadata"]["k"]),
        (&json!("in_progress"), &json!([]), &json!("v"))
    );
    let items = get(scene, &format!("{path}/input_items")).json();
    assert_eq!(items["data"][0]["content"][0]["text"], "hi");
    let chained = ask(scene, &json!({"input": "x", "previous_response_id": paused.id}));
    assert_eq!(code(&chained), (400, json!("previous_response_id"), json!("previous_response_not_found")));
    assert!(chained.json()["error"]["message"].as_str().unwrap().contains("still in progress"));
    let cancel = RawClient::post_json(scene.port(), &format!("{path}/cancel"), "");
    assert_eq!(cancel.json()["error"]["message"], "Cannot cancel a synchronous response.");
    paused.gate.open();
    let told = paused.last_event();
    assert_eq!((&told["type"], &told["response"]["store"]), (&json!("response.completed"), &json!(true)));
    assert_eq!(get(&paused.scene, &of(&paused.id)).json(), told["response"]);
    let chained = ask(&paused.scene, &json!({"input": "x", "previous_response_id": paused.id}));
    assert_eq!(chained.status(), 200);
}

#[test]
fn a_response_that_is_made_is_its_owners_alone_and_none_is_kept_that_is_not_to_be_stored() {
    let setting = Setting::listener("api_keys: [first-key, second-key]");
    let paused = paused(&setting, &json!({}), &[("authorization", "Bearer first-key")]);
    let request = |key: &str, method: &str, path: &str| {
        let bearer = format!("Bearer {key}");
        RawClient::request(paused.scene.port(), method, path, &[("authorization", &bearer)], b"").status()
    };
    let path = of(&paused.id);
    for (method, path) in
        [("GET", path.clone()), ("GET", format!("{path}/input_items")), ("DELETE", path.clone())]
    {
        assert_eq!(request("second-key", method, &path), 404, "{method} {path}");
    }
    assert_eq!(request("first-key", "GET", &path), 200);
    paused.gate.open();

    let unstored = self::paused(&Setting::default(), &json!({"store": false}), &[]);
    assert_eq!(get(&unstored.scene, &of(&unstored.id)).status(), 404);
    unstored.gate.open();
}

#[test]
fn a_response_that_is_deleted_while_it_is_made_is_not_kept() {
    let mut paused = paused(&Setting::default(), &json!({}), &[]);
    let path = of(&paused.id);
    assert_eq!(delete(&paused.scene, &path).json()["deleted"], true);
    for response in [get(&paused.scene, &path), delete(&paused.scene, &path)] {
        assert_eq!(response.status(), 404);
    }
    paused.gate.open();
    let told = paused.last_event();
    assert_eq!((&told["type"], &told["response"]["store"]), (&json!("response.completed"), &json!(false)));
    assert_eq!(get(&paused.scene, &path).status(), 404);
}

#[test]
fn a_conversation_goes_on_from_a_turn_that_was_deleted_while_it_was_made() {
    let mut paused = paused(&Setting::default(), &json!({"conversation": null}), &[]);
    assert_eq!(delete(&paused.scene, &of(&paused.id)).status(), 200);
    paused.gate.open();
    let told = paused.last_event()["response"].clone();
    let conversation = told["conversation"]["id"].as_str().unwrap();
    assert_eq!((&told["store"], get(&paused.scene, &of(&paused.id)).status()), (&json!(false), 404));
    let items = get(&paused.scene, &format!("/v1/conversations/{conversation}/items?order=asc")).json();
    assert_eq!(items["data"][1]["content"][0]["text"], "Hello there, dear.");
}

#[test]
fn nothing_is_left_of_a_deleted_response_whose_client_leaves() {
    let paused = paused(&Setting::default(), &json!({}), &[]);
    assert_eq!(delete(&paused.scene, &of(&paused.id)).status(), 200);
    let Paused { scene, client, id, backend, .. } = paused;
    client.reset();
    backend.wait_cancelled(1);
    // Whatever was to be written before this is.
    assert_eq!(RawClient::post_json(scene.port(), "/v1/conversations", "{}").status(), 200);
    assert_eq!(get(&scene, &of(&id)).status(), 404);
}

#[test]
fn a_deletion_that_crosses_the_end_of_a_response_wins() {
    for _ in 0..12 {
        let mut paused = paused(&Setting::default(), &json!({}), &[]);
        let (port, path) = (paused.scene.port(), of(&paused.id));
        let deleting =
            std::thread::spawn(move || RawClient::request(port, "DELETE", &path, &[], b"").status());
        paused.gate.open();
        paused.last_event();
        assert_eq!(deleting.join().unwrap(), 200);
        assert_eq!(get(&paused.scene, &of(&paused.id)).status(), 404);
    }
}
