//! The configuration shown, changed and rolled back over HTTP.

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, mpsc},
    thread,
};

use serde_json::{Value, json};
use vsr_live::Change;
use vsr_reader::{Reader, ReaderModels, ReaderOptions};
use vsr_testkit::{RawClient, Response};

use crate::scene::{FILE_POLICY, Scene};

const TOKEN: &str = "s3cret";

fn open() -> Scene {
    Scene::on_file(Some(TOKEN))
}

fn send(scene: &Scene, method: &str, path: &str, kind: &str, extra: &[(&str, &str)], body: &str) -> Response {
    let authorization = format!("Bearer {TOKEN}");
    let mut headers = vec![("host", "localhost"), ("authorization", authorization.as_str())];
    if !kind.is_empty() {
        headers.push(("content-type", kind));
    }
    headers.extend_from_slice(extra);
    RawClient::request(scene.api, method, path, &headers, body.as_bytes())
}

fn get(scene: &Scene, path: &str) -> Response {
    send(scene, "GET", path, "", &[], "")
}

fn patch(scene: &Scene, body: &Value) -> Response {
    send(scene, "PATCH", "/config/router", "application/merge-patch+json", &[], &body.to_string())
}

fn told(response: &Response) -> (u16, Value) {
    (response.status(), response.json()["error"]["code"].clone())
}

fn file(scene: &Scene) -> PathBuf {
    scene.folder.as_ref().unwrap().path().join("config.yaml")
}

fn text(scene: &Scene) -> String {
    fs::read_to_string(file(scene)).unwrap()
}

#[test]
fn the_configuration_is_shown_without_its_credentials() {
    let scene = open();
    let shown = get(&scene, "/config/router");
    assert_eq!(shown.status(), 200);
    let hash = get(&scene, "/config/hash").json()["hash"].as_str().unwrap().to_owned();
    assert_eq!(shown.header("etag").unwrap(), format!("\"{hash}\""));
    assert_eq!(shown.json()["routing"]["decisions"][0]["name"], "coding");
    for path in ["", "?format=yaml", "?view=effective", "?view=effective&format=yaml"] {
        let shown = get(&scene, &format!("/config/router{path}"));
        assert_eq!(shown.status(), 200, "{path}");
        assert!(
            !shown.text().contains("sk-hidden") && shown.text().contains("coding"),
            "{path} {}",
            shown.text()
        );
    }
    assert!(get(&scene, "/config/router?view=effective").text().contains("max_body_bytes"));
    assert_eq!(told(&get(&scene, "/config/router?view=all")), (400, json!("INVALID_INPUT")));
}

#[test]
fn without_a_token_the_configuration_can_only_be_read() {
    let scene = Scene::on_file(None);
    assert_eq!(RawClient::get(scene.api, "/config/router").status(), 200);
    assert_eq!(RawClient::get(scene.api, "/config/router/versions").status(), 200);
    let json = [("content-type", "application/json")];
    for (method, path, body) in [
        ("PUT", "/config/router", r#"{"yaml": ""}"#),
        ("PATCH", "/config/router", r#"{"yaml": ""}"#),
        ("POST", "/config/router/validate", r#"{"yaml": ""}"#),
        ("POST", "/config/router/rollback", r#"{"version": "20260131-235959-000"}"#),
    ] {
        let refused = RawClient::request(scene.api, method, path, &json, body.as_bytes());
        assert_eq!(told(&refused), (403, json!("TOKEN_REQUIRED")), "{method} {path}");
        assert!(refused.text().contains("token_file"), "{}", refused.text());
    }
    assert_eq!(text(&scene), FILE_POLICY);
}

#[test]
fn a_patch_keeps_comments_permissions_and_credentials_and_is_in_force_at_once() {
    let scene = open();
    #[cfg(unix)]
    fs::set_permissions(file(&scene), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let before = get(&scene, "/config/router").json();
    let mut decisions = before["routing"]["decisions"].clone();
    decisions[0]["name"] = json!("renamed");
    let changed =
        patch(&scene, &json!({ "routing": { "decisions": decisions }, "providers": before["providers"] }));
    assert_eq!(changed.status(), 200, "{}", changed.text());
    assert_eq!(
        (changed.json()["status"].clone(), changed.json()["lost_comments"].clone()),
        (json!("success"), json!([]))
    );
    assert_eq!(text(&scene), FILE_POLICY.replace("name: coding", "name: renamed"));
    assert_eq!(scene.router.snapshot().config().routing.decisions[0].name, "renamed");
    assert_eq!(changed.json()["hash"], **scene.router.snapshot().hash());
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file(&scene)).unwrap().permissions()) & 0o777,
        0o640
    );
    let names: Vec<_> = fs::read_dir(scene.folder.as_ref().unwrap().path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "no draft is left: {names:?}");
    assert_eq!(get(&scene, "/config/status").json()["last"]["cause"], "api");
}

#[test]
fn a_whole_configuration_comes_as_a_text_as_json_or_in_an_envelope() {
    let scene = open();
    let renamed = |name: &str| FILE_POLICY.replace("name: coding", &format!("name: {name}"));
    let serving = || scene.router.snapshot().config().routing.decisions[0].name.clone();
    let put = |kind: &str, body: &str| send(&scene, "PUT", "/config/router", kind, &[], body);
    assert_eq!(put("application/yaml", &renamed("a")).status(), 200);
    assert_eq!((text(&scene), serving()), (renamed("a"), "a".to_owned()));
    assert_eq!(put("application/json", &json!({ "yaml": renamed("b") }).to_string()).status(), 200);
    assert_eq!((text(&scene), serving()), (renamed("b"), "b".to_owned()));
    let mut content = get(&scene, "/config/router").json();
    content["routing"]["decisions"][0]["name"] = json!("c");
    assert_eq!(put("application/json", &json!({ "config": content }).to_string()).status(), 200);
    assert_eq!((text(&scene), serving()), (renamed("c"), "c".to_owned()));
    let part = json!({ "yaml": "routing: {signals: {keywords: null}, decisions: null}" });
    let patched = send(&scene, "PATCH", "/config/router", "application/json", &[], &part.to_string());
    assert_eq!(patched.status(), 200, "{}", patched.text());
    assert!(scene.router.snapshot().config().routing.decisions.is_empty());
    assert_eq!(put("text/plain", "x").status(), 415);
    assert_eq!(told(&put("application/json", "{}")), (400, json!("INVALID_INPUT")));
    assert_eq!(
        told(&put("application/json", r#"{"yaml": "a: 1", "dsl": "x"}"#)),
        (400, json!("INVALID_INPUT"))
    );
    assert_eq!(told(&put("application/yaml", "a: [")), (400, json!("YAML_PARSE_ERROR")));
}

#[test]
fn what_changed_meanwhile_is_not_overwritten() {
    let scene = open();
    let tag = get(&scene, "/config/router").header("etag").unwrap().to_owned();
    let change = |name: &str, tag: &str| {
        let body = FILE_POLICY.replace("name: coding", &format!("name: {name}"));
        send(&scene, "PUT", "/config/router", "application/yaml", &[("if-match", tag)], &body)
    };
    let first = change("mine", &tag);
    assert_eq!(first.status(), 200, "{}", first.text());
    assert_eq!(told(&change("theirs", &tag)), (412, json!("CONFIG_CHANGED")));
    assert!(text(&scene).contains("name: mine"));
    assert_eq!(change("theirs", first.header("etag").unwrap()).status(), 200);
    let hash = tag.trim_matches('"');
    let body = json!({ "config": { "routing": null }, "hash": hash }).to_string();
    let stale = send(&scene, "PATCH", "/config/router", "application/json", &[], &body);
    assert_eq!(told(&stale), (412, json!("CONFIG_CHANGED")));
    assert_eq!(told(&change("x", "\"short\"")), (400, json!("INVALID_INPUT")));
}

#[test]
fn a_configuration_that_cannot_run_changes_nothing_and_every_problem_is_told() {
    let scene = open();
    let broken = FILE_POLICY.replace("type: keyword", "type: keywort");
    let refused = send(&scene, "PUT", "/config/router", "application/yaml", &[], &broken);
    assert_eq!(told(&refused), (400, json!("CONFIG_VALIDATION_ERROR")));
    let problem = &refused.json()["error"]["problems"][0];
    assert!(
        problem["line"].as_u64().unwrap() > 1 && problem["path"].as_str().unwrap().contains("decisions[0]"),
        "{problem}"
    );
    assert_eq!(text(&scene), FILE_POLICY);
    assert_eq!(get(&scene, "/config/router/versions").json(), json!([]));
    assert_eq!(get(&scene, "/health").json()["config"]["current"], true);
    let validate =
        |body: &str| send(&scene, "POST", "/config/router/validate", "application/yaml", &[], body).json();
    assert_eq!(
        (validate(&broken)["valid"].clone(), validate(FILE_POLICY)["valid"].clone()),
        (json!(false), json!(true))
    );
    let moved = validate(&FILE_POLICY.replace("global:\n", "global:\n  router: {worker_threads: 7}\n"));
    assert_eq!(moved["restart_needed"][0], "global.router.worker_threads", "{moved}");
    assert_eq!(text(&scene), FILE_POLICY);
}

#[test]
fn a_mask_of_another_process_is_refused() {
    let (scene, other) = (open(), open());
    let shown = get(&other, "/config/router").json();
    let refused = patch(&scene, &json!({ "providers": shown["providers"] }));
    assert_eq!(told(&refused), (400, json!("CONFIG_PATCH_ERROR")));
    assert!(refused.text().contains("providers.models[0].backend_refs[0].api_key"), "{}", refused.text());
    assert_eq!(text(&scene), FILE_POLICY);
}

#[test]
fn earlier_configurations_are_kept_and_can_be_gone_back_to() {
    let scene = open();
    for name in ["one", "two", "three"] {
        let put = FILE_POLICY.replace("name: coding", &format!("name: {name}"));
        assert_eq!(send(&scene, "PUT", "/config/router", "application/yaml", &[], &put).status(), 200);
    }
    let versions = get(&scene, "/config/router/versions").json();
    let versions: Vec<String> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(versions.len(), 3, "those of one second are told apart");
    assert!(versions.is_sorted_by(|left, right| left > right), "{versions:?}");
    let shown = get(&scene, &format!("/config/router/versions/{}", versions[2]));
    assert_eq!(shown.json()["routing"]["decisions"][0]["name"], "coding");
    assert!(!shown.text().contains("sk-hidden"));
    let back = |version: &str| {
        send(
            &scene,
            "POST",
            "/config/router/rollback",
            "application/json",
            &[],
            &json!({ "version": version }).to_string(),
        )
    };
    assert_eq!(back(&versions[2]).status(), 200);
    assert_eq!(text(&scene), FILE_POLICY);
    assert_eq!(scene.router.snapshot().config().routing.decisions[0].name, "coding");
    assert_eq!(get(&scene, "/config/router/versions").json().as_array().unwrap().len(), 4);
    assert_eq!(told(&back("20260131-235959-000")), (404, json!("VERSION_NOT_FOUND")));
    for path in ["../../../etc/passwd", "", "20260131-235959-00/", "../config"] {
        assert_eq!(told(&back(path)), (400, json!("INVALID_INPUT")), "{path}");
    }
}

#[test]
fn of_two_changes_at_once_one_is_told_to_wait() {
    let scene = open();
    let (arrived, arrivals) = mpsc::channel::<()>();
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    scene.live.as_ref().unwrap().follow(Box::new(move |_| {
        arrived.send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
        Ok(Change::new(|| {}))
    }));
    let put = |name: &str| {
        let body = FILE_POLICY.replace("name: coding", &format!("name: {name}"));
        send(&scene, "PUT", "/config/router", "application/yaml", &[], &body)
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| put("first").status());
        arrivals.recv().unwrap();
        assert_eq!(told(&put("second")), (409, json!("DEPLOY_IN_PROGRESS")));
        release.send(()).unwrap();
        assert_eq!(first.join().unwrap(), 200);
    });
    assert!(text(&scene).contains("name: first"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_replaced_is_locked_and_nothing_is_kept_of_the_change() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere: this thread, and those of the scene, go on as nobody.
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65_534)).unwrap();
    }
    let scene = open();
    let folder = scene.folder.as_ref().unwrap().path().to_owned();
    let allow = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    // Earlier texts are kept elsewhere, as where the file is a `ConfigMap`.
    fs::create_dir(folder.join("versions")).unwrap();
    allow(0o555);
    let put = FILE_POLICY.replace("name: coding", "name: other");
    let refused = send(&scene, "PUT", "/config/router", "application/yaml", &[], &put);
    let versions = get(&scene, "/config/router/versions").json();
    allow(0o755);
    assert_eq!(told(&refused), (423, json!("CONFIG_READ_ONLY")), "{}", refused.text());
    assert!(refused.text().contains("mount its directory writable"), "{}", refused.text());
    assert_eq!((text(&scene).as_str(), versions), (FILE_POLICY, json!([])));
    assert_eq!(scene.router.snapshot().config().routing.decisions[0].name, "coding");
    assert_eq!(send(&scene, "PUT", "/config/router", "application/yaml", &[], &put).status(), 200);
}

#[test]
fn the_token_of_a_new_configuration_opens_what_the_old_one_opened() {
    let scene = open();
    let put = |token: &str| {
        let body = FILE_POLICY.replace("token_env: TOKEN_ONE", &format!("token_env: {token}"));
        send(&scene, "PUT", "/config/router", "application/yaml", &[], &body)
    };
    assert_eq!(told(&put("UNSET")), (400, json!("CONFIG_VALIDATION_ERROR")));
    assert_eq!(put("TOKEN_TWO").status(), 200);
    assert_eq!(get(&scene, "/config/router").status(), 401);
    let second = [("host", "localhost"), ("authorization", "Bearer another")];
    assert_eq!(RawClient::request(scene.api, "GET", "/config/router", &second, b"").status(), 200);
}

#[test]
fn rules_that_models_must_be_made_ready_for_are_in_force_with_all_they_need() {
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let models = ReaderModels::in_folder(&models).unwrap();
    let scene = Scene::on_file_reading(Some(TOKEN), Reader::open(models, ReaderOptions::default()).unwrap());
    let mut signals = get(&scene, "/config/router").json()["routing"]["signals"].clone();
    signals["embeddings"] = json!([{ "name": "billing", "threshold": 0.5, "candidates": ["I was charged twice", "where is my invoice"] }]);
    let conditions = json!([{ "type": "embedding", "name": "billing" }]);
    let decisions = json!([{ "name": "bills", "priority": 1, "rules": { "operator": "AND", "conditions": conditions }, "modelRefs": [{ "model": "small" }] }]);
    let changed = patch(&scene, &json!({ "routing": { "signals": signals, "decisions": decisions } }));
    assert_eq!(changed.status(), 200, "{}", changed.text());
    let body = json!({ "text": "I was charged twice" }).to_string();
    let eval = send(&scene, "POST", "/api/v1/eval", "application/json", &[], &body).json();
    assert_eq!(eval["routing_decision"], "bills", "{eval:#}");
    let signals = eval["signals"].as_array().unwrap();
    let billing = signals.iter().find(|signal| signal["name"] == "billing").unwrap();
    assert_eq!(billing["state"], "matched", "{billing}");

    let broken = scene.folder.as_ref().unwrap().path().join("broken");
    fs::create_dir(&broken).unwrap();
    for (name, content) in [("config.json", "{}"), ("model.safetensors", "none"), ("tokenizer.json", "{}")] {
        fs::write(broken.join(name), content).unwrap();
    }
    let before = text(&scene);
    let model = json!({ "model_catalog": { "system": { "domain_classifier": "broken" } } });
    let refused = patch(&scene, &json!({ "global": model }));
    assert_eq!(told(&refused), (400, json!("CONFIG_VALIDATION_ERROR")), "{}", refused.text());
    assert!(refused.text().contains("its models cannot be used"), "{}", refused.text());
    assert_eq!(text(&scene), before);
}

#[test]
fn a_router_without_a_file_says_so() {
    let scene = Scene::new("", &|_| None);
    assert_eq!(told(&RawClient::get(scene.api, "/config/router")), (503, json!("CONFIG_UNAVAILABLE")));
    assert_eq!(RawClient::get(scene.api, "/health").json().get("config"), None);
}

#[test]
fn every_endpoint_that_is_told_of_is_there_and_told_of_three_times() {
    let scene = open();
    let index = RawClient::get(scene.api, "/api/v1").json();
    let openapi = RawClient::get(scene.api, "/openapi.json").json();
    let docs = RawClient::get(scene.api, "/docs");
    assert!(docs.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(
        !docs.text().contains("http://")
            && !docs.text().contains("https://")
            && !docs.text().contains("<script")
    );
    let endpoints = index["endpoints"].as_array().unwrap();
    assert!(endpoints.len() > 25, "{index}");
    for endpoint in endpoints {
        let (method, path) = (endpoint["method"].as_str().unwrap(), endpoint["path"].as_str().unwrap());
        assert!(docs.text().contains(path), "{path}");
        assert!(openapi["paths"][path][method.to_lowercase()]["summary"].is_string(), "{path}");
        let asked = path.replace("{version}", "20260131-235959-000").replace("{name}", "none");
        let answer =
            send(&scene, method, &asked, "application/json", &[], if method == "GET" { "" } else { "{}" });
        assert_ne!(answer.status(), 405, "{method} {path}");
        if answer.status() == 404 {
            assert_ne!(told(&answer).1, "NOT_FOUND", "{method} {path}");
        }
    }
}

#[test]
fn every_route_is_described_with_what_it_takes_and_whether_it_needs_the_token() {
    let scene = open();
    let described = RawClient::get(scene.api, "/openapi.json").json();
    let mut counted = 0;
    for (path, operations) in described["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            counted += 1;
            let asked = path.replace("{version}", "20260131-235959-000").replace("{name}", "none");
            let method = method.to_uppercase();
            let without = [("host", "localhost"), ("content-type", "application/json")];
            let answer = RawClient::request(scene.api, &method, &asked, &without, b"{}");
            let is_open = operation["security"] == json!([]);
            assert_eq!(answer.status() != 401, is_open, "{method} {path}: {}", answer.status());
            for kind in operation["requestBody"]["content"].as_object().into_iter().flatten() {
                // Nothing that could be put in force.
                let answer = send(&scene, &method, &asked, kind.0, &[], "[");
                assert_ne!(answer.status(), 415, "{method} {path} does not take {}", kind.0);
            }
        }
    }
    assert!(counted > 25, "{counted}");
    let patch = &described["paths"]["/config/router"]["patch"];
    assert_eq!(patch["parameters"][0]["name"], "If-Match");
    assert!(patch["requestBody"]["content"]["application/merge-patch+json"].is_object(), "{patch}");
}
