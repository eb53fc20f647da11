//! Knowledge bases made, changed and taken away over HTTP.

use std::fs;

use serde_json::{Value, json};
use vsr_testkit::{RawClient, Response};

use crate::scene::Scene;

const TOKEN: &str = "s3cret";
const KBS: &str = "/config/kbs";

fn send(scene: &Scene, method: &str, path: &str, extra: &[(&str, &str)], body: &Value) -> Response {
    let authorization = format!("Bearer {TOKEN}");
    let mut headers = vec![
        ("host", "localhost"),
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    headers.extend_from_slice(extra);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    RawClient::request(scene.api, method, path, &headers, body.as_bytes())
}

fn told(response: &Response) -> (u16, Value) {
    (response.status(), response.json()["error"]["code"].clone())
}

fn pets(examples: &[&str]) -> Value {
    json!({
        "name": "pets",
        "description": "what barks and what purrs",
        "threshold": 0.4,
        "labels": [
            { "name": "dogs", "exemplars": examples },
            { "name": "cats", "description": "they purr", "exemplars": ["cats purr softly"] },
        ],
        "groups": { "animals": ["dogs", "cats"] },
    })
}

/// The folders that were written.
fn folders(scene: &Scene) -> Vec<String> {
    let place = scene.folder.as_ref().unwrap().path().join("knowledge_bases/managed");
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_knowledge_base_is_made_changed_and_taken_away_and_what_was_there_stays() {
    let scene = Scene::on_file(Some(TOKEN));
    let made = send(&scene, "POST", KBS, &[], &pets(&["dogs bark loudly"]));
    assert_eq!(made.status(), 201, "{}", made.text());
    let body = made.json();
    assert_eq!((&body["editable"], &body["builtin"]), (&json!(true), &json!(false)));
    assert_eq!(body["labels"][1]["exemplars"], json!(["dogs bark loudly"]));
    assert_eq!(
        made.header("etag").unwrap(),
        format!("\"{}\"", body["config"]["file_hash"].as_str().unwrap())
    );
    let listed = send(&scene, "GET", KBS, &[], &Value::Null).json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|kb| kb["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["privacy_kb", "mmlu_kb", "pets"]);
    assert_eq!((&listed[0]["builtin"], &listed[0]["editable"]), (&json!(true), &json!(false)));
    assert!(listed[2]["labels"][0].get("exemplars").is_none());
    let serving = || scene.router.snapshot().config().global.model_catalog.kbs.clone();
    assert_eq!((serving()[2].threshold, folders(&scene).len()), (0.4, 1));
    assert_eq!(told(&send(&scene, "POST", KBS, &[], &pets(&["x"]))), (409, json!("KB_EXISTS")));

    // What an answer tells can be sent back with changes.
    let mut shown = send(&scene, "GET", "/config/kbs/pets", &[], &Value::Null).json();
    shown["labels"][1]["exemplars"] = json!(["dogs fetch sticks"]);
    shown["threshold"] = json!(0.6);
    let updated = send(&scene, "PUT", "/config/kbs/pets", &[], &shown);
    assert_eq!(updated.status(), 200, "{}", updated.text());
    assert_eq!((serving()[2].threshold, serving().len()), (0.6, 3));
    assert_eq!(folders(&scene).len(), 2, "the version before finds its file");
    let back = json!({ "version": updated.json()["config"]["version"] });
    assert_eq!(send(&scene, "POST", "/config/router/rollback", &[], &back).status(), 200);
    let before = send(&scene, "GET", "/config/kbs/pets", &[], &Value::Null).json();
    assert_eq!(before["labels"][1]["exemplars"], json!(["dogs bark loudly"]));

    let gone = send(&scene, "DELETE", "/config/kbs/pets", &[], &Value::Null);
    assert_eq!((gone.status(), serving().len()), (200, 2), "{}", gone.text());
    assert_eq!(
        told(&send(&scene, "DELETE", "/config/kbs/pets", &[], &Value::Null)),
        (404, json!("KB_NOT_FOUND"))
    );
    assert_eq!(
        told(&send(&scene, "PUT", "/config/kbs/pets", &[], &pets(&["x"]))),
        (404, json!("KB_NOT_FOUND"))
    );
}

#[test]
fn changes_are_compared_with_what_is_there_and_leave_nothing_if_they_are_refused() {
    let scene = Scene::on_file(Some(TOKEN));
    let stale = "0".repeat(64);
    let refused = send(&scene, "POST", KBS, &[("if-match", &stale)], &pets(&["dogs bark"]));
    assert_eq!(told(&refused), (412, json!("CONFIG_CHANGED")));
    let mut wrong = pets(&["dogs bark"]);
    wrong["metrics"] = json!([{ "name": "m", "type": "group_margin", "positive_group": "animals", "negative_group": "plants" }]);
    assert_eq!(told(&send(&scene, "POST", KBS, &[], &wrong)), (400, json!("CONFIG_VALIDATION_ERROR")));
    assert_eq!(folders(&scene), [""; 0]);
    for wrong in [
        json!({ "name": "../pets", "labels": [{ "name": "a", "exemplars": ["b"] }] }),
        json!({ "name": "pets", "labels": [] }),
        json!({ "name": "pets", "labels": [{ "name": "a", "exemplars": ["b"] }], "groups": { "g": ["c"] } }),
        json!({ "name": "pets", "labels": [{ "name": "a", "exemplars": [" "] }] }),
        json!({ "name": "pets", "labels": [{ "name": "a", "exemplars": ["b"] }, { "name": "a", "exemplars": ["c"] }] }),
        json!({ "name": "pets", "labels": [{ "name": "a", "exemplars": ["b"] }], "no_such_key": 1 }),
    ] {
        assert_eq!(told(&send(&scene, "POST", KBS, &[], &wrong)), (400, json!("INVALID_INPUT")), "{wrong}");
    }
    let mut other = pets(&["dogs bark"]);
    other["name"] = json!("mmlu_kb");
    let renamed = send(&scene, "PUT", "/config/kbs/pets", &[], &other);
    assert_eq!(told(&renamed), (400, json!("INVALID_INPUT")));
    for (method, body) in [("PUT", other), ("DELETE", Value::Null)] {
        let refused = send(&scene, method, "/config/kbs/mmlu_kb", &[], &body);
        assert_eq!(told(&refused), (403, json!("KB_READ_ONLY")), "{method}");
    }
    let hash =
        send(&scene, "GET", "/config/hash", &[], &Value::Null).json()["hash"].as_str().unwrap().to_owned();
    let made = send(&scene, "POST", KBS, &[("if-match", &format!("\"{hash}\""))], &pets(&["dogs bark"]));
    assert_eq!(made.status(), 201, "{}", made.text());
}

#[test]
fn what_a_rule_refers_to_cannot_be_taken_away_and_without_a_token_nothing_can_be_changed() {
    let scene = Scene::on_file(Some(TOKEN));
    assert_eq!(send(&scene, "POST", KBS, &[], &pets(&["dogs bark"])).status(), 201);
    let rule = json!({ "routing": { "signals": { "kb": [
        { "name": "dog", "kb": "pets", "target": { "kind": "label", "value": "dogs" } },
    ]}}});
    let patch = [("content-type", "application/merge-patch+json")];
    let headers = [("host", "localhost"), ("authorization", "Bearer s3cret"), patch[0]];
    let patched =
        RawClient::request(scene.api, "PATCH", "/config/router", &headers, rule.to_string().as_bytes());
    assert_eq!(patched.status(), 200, "{}", patched.text());
    let refused = send(&scene, "DELETE", "/config/kbs/pets", &[], &Value::Null);
    assert_eq!(told(&refused), (409, json!("KB_REFERENCED")));
    assert!(refused.text().contains("kb:dog"), "{}", refused.text());
    let shown = send(&scene, "GET", "/config/kbs/pets", &[], &Value::Null).json();
    assert_eq!(shown["signal_references"], json!(["the signal `kb:dog`"]));

    let open = Scene::on_file(None);
    let plain = [("content-type", "application/json")];
    for (method, path) in [("POST", KBS), ("PUT", "/config/kbs/pets"), ("DELETE", "/config/kbs/pets")] {
        let body = pets(&["dogs bark"]).to_string();
        let refused = RawClient::request(open.api, method, path, &plain, body.as_bytes());
        assert_eq!(told(&refused), (403, json!("TOKEN_REQUIRED")), "{method}");
    }
    assert_eq!(RawClient::get(open.api, KBS).status(), 200);
}
