//! Requests that are no conversation.

use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::scene::{Scene, Setting};

const EMBEDDINGS: &str =
    r#"{"object":"list","data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#;

fn backend() -> Backend {
    Backend::start(
        Behaviour::default()
            .reply("/v1/embeddings", 200, "application/json", EMBEDDINGS)
            .reply("/v1/audio/transcriptions", 200, "application/json", r#"{"text":"hello"}"#)
            .reply("/v1/audio/speech", 200, "audio/mpeg", "sound")
            .reply("/v1/rerank", 404, "application/json", r#"{"error":{"message":"no such task"}}"#),
    )
}

#[test]
fn embeddings_go_to_the_model_they_name_with_all_other_bytes_as_they_are() {
    let backend = backend();
    let scene = Scene::before(&backend);
    let body = r#"{ "input": [1.50, "x"],  "model": "small" , "odd": 1e400 }"#;
    let answer = RawClient::post_json(scene.port(), "/v1/embeddings", body);
    assert_eq!((answer.status(), answer.text().as_str()), (200, EMBEDDINGS));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let sent = String::from_utf8(backend.requests()[0].body.clone()).unwrap();
    assert_eq!(sent, body.replace("small", "small-v1"));
    scene.wait_metric("llm_model_prompt_tokens_total{model=\"small\"} 7");
    scene.wait_metric("llm_model_requests_total{model=\"small\"} 1");
}

#[test]
fn forms_keep_their_parts_and_get_the_backends_model_id() {
    let backend = backend();
    let scene = Scene::before(&backend);
    let part = |name: &str, value: &str| {
        format!("--frontier\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let form = |model: &str| {
        format!("{}{}--frontier--\r\n", part("file", "model --front\r\nnoise"), part("model", model))
    };
    let headers = [("content-type", "multipart/form-data; boundary=frontier")];
    let path = "/v1/audio/transcriptions";
    let answer = RawClient::request(scene.port(), "POST", path, &headers, form("small").as_bytes());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let sent = &backend.requests()[0];
    assert_eq!(sent.header("content-type"), Some(headers[0].1));
    assert_eq!(String::from_utf8(sent.body.clone()).unwrap(), form("small-v1"));
}

#[test]
fn answers_that_are_no_json_and_errors_pass() {
    let backend = backend();
    let scene = Scene::before(&backend);
    let speech = RawClient::post_json(scene.port(), "/v1/audio/speech", r#"{"model":"small","input":"x"}"#);
    assert_eq!((speech.status(), speech.text().as_str()), (200, "sound"));
    assert_eq!(speech.header("content-type"), Some("audio/mpeg"));
    let rerank = RawClient::post_json(scene.port(), "/v1/rerank", r#"{"model":"small"}"#);
    assert_eq!((rerank.status(), rerank.json()["error"]["message"].as_str()), (404, Some("no such task")));
}

#[test]
fn what_cannot_go_anywhere_is_told_in_openais_shape() {
    let backend = backend();
    let scene = Scene::before(&backend);
    let messages =
        Scene::set(&backend, &Setting { model: "api_format: anthropic".to_owned(), ..Setting::default() });
    for (scene, body, status, code) in [
        (&scene, r#"{"model":"auto"}"#, 400, "model_required"),
        (&scene, r#"{"model":"nothing"}"#, 404, "model_not_found"),
        (&scene, r#"{"input":"x"}"#, 400, "-"),
        (&scene, r#"{"model":"small","model":"other"}"#, 400, "-"),
        (&messages, r#"{"model":"small"}"#, 400, "unsupported_endpoint"),
    ] {
        let answer = RawClient::post_json(scene.port(), "/v1/embeddings", body);
        let error = &answer.json()["error"];
        assert_eq!(answer.status(), status, "{body}: {error}");
        assert!(code == "-" || error["code"] == code, "{body}: {error}");
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_door_with_keys_stays_closed() {
    let backend = backend();
    let scene = Scene::set(&backend, &Setting::listener("api_keys: [sesame]"));
    let answer = RawClient::post_json(scene.port(), "/v1/embeddings", r#"{"model":"small"}"#);
    assert_eq!(answer.status(), 401);
}
