//! `POST /v1/messages/count_tokens`: counted where it would be answered, or estimated and said so.

use serde_json::json;
use vsr_testkit::{Backend, Behaviour, RawClient, Response, free_port};

use crate::scene::{Scene, Setting};

const PATH: &str = "/v1/messages/count_tokens";
const BODY: &str =
    r#"{"model":"auto","messages":[{"role":"user","content":"hello there"}],"system":"Be brief."}"#;

fn anthropic() -> Setting {
    Setting {
        model: "api_format: anthropic".to_owned(),
        backend: "api_key: backend-key".to_owned(),
        ..Setting::default()
    }
}

fn count(scene: &Scene, body: &str) -> Response {
    let headers = [("content-type", "application/json"), ("x-api-key", "clients"), ("anthropic-beta", "b-1")];
    RawClient::request(scene.port(), "POST", PATH, &headers, body.as_bytes())
}

#[test]
fn a_messages_backend_counts_under_the_routers_credential() {
    let reply = r#"{"input_tokens":42}"#;
    let backend = Backend::start(Behaviour::default().reply(PATH, 200, "application/json", reply));
    let scene = Scene::set(&backend, &anthropic());
    let response = count(&scene, BODY);
    assert_eq!((response.status(), response.header("x-vsr-token-count")), (200, Some("counted")));
    assert_eq!(response.text(), reply);
    let sent = &backend.requests()[0];
    assert_eq!(sent.path, PATH);
    assert_eq!(sent.header("x-api-key"), Some("backend-key"));
    assert_eq!(
        (sent.header("anthropic-version"), sent.header("anthropic-beta")),
        (Some("2023-06-01"), Some("b-1"))
    );
    assert_eq!(String::from_utf8(sent.body.clone()).unwrap(), BODY.replace("auto", "small-v1"));
}

#[test]
fn a_backend_that_cannot_count_leaves_it_to_an_estimate() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &anthropic());
    let response = count(&scene, BODY);
    assert_eq!((response.status(), response.header("x-vsr-token-count")), (200, Some("estimated")));
    assert!(response.json()["input_tokens"].as_u64().unwrap() > 3);
    assert_eq!(backend.requests()[0].path, PATH);
}

#[test]
fn errors_of_a_count_are_told_in_the_clients_protocol() {
    let limited = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
    let behaviour =
        Behaviour::default().header("retry-after", "7").reply(PATH, 429, "application/json", limited);
    let backend = Backend::start(behaviour);
    let scene = Scene::set(&backend, &anthropic());
    let response = count(&scene, BODY);
    assert_eq!((response.status(), response.header("retry-after")), (429, Some("7")));
    assert_eq!(response.json(), serde_json::from_str::<serde_json::Value>(limited).unwrap());

    backend.behave(Behaviour::default().reply(PATH, 401, "application/json", "{}"));
    let response = count(&scene, BODY);
    assert_eq!((response.status(), &response.json()["type"]), (502, &json!("error")));

    backend.behave(Behaviour::default().reply(PATH, 200, "application/json", r#"{"tokens":1}"#));
    assert_eq!(count(&scene, BODY).status(), 502);

    let unknown = count(&scene, &BODY.replace("auto", "nobody"));
    assert_eq!((unknown.status(), &unknown.json()["error"]["type"]), (404, &json!("not_found_error")));

    let dead = Scene::of_yaml(&anthropic().yaml(free_port()), std::time::Duration::ZERO);
    let response = count(&dead, BODY);
    assert_eq!((response.status(), &response.json()["type"]), (502, &json!("error")));
    assert!(response.text().contains("small/primary"), "{}", response.text());
}
