//! Backends that fail before or instead of an answer.

use vsr_testkit::{Backend, Behaviour, Fault, Gate, RawClient, free_port};

use crate::scene::{CHAT, CHAT_PATH, STREAM, Scene, Setting};

fn error_of(scene: &Scene) -> (u16, String, String, String) {
    let response = scene.chat(CHAT);
    let error = &response.json()["error"];
    let field = |name: &str| error[name].as_str().unwrap_or("-").to_owned();
    (response.status(), field("type"), field("code"), field("message"))
}

#[test]
fn a_backend_that_nobody_listens_at_is_502() {
    let scene = Scene::of_yaml(&Setting::default().yaml(free_port()), std::time::Duration::ZERO);
    let (status, kind, code, message) = error_of(&scene);
    assert_eq!((status, kind.as_str(), code.as_str()), (502, "api_error", "upstream_unreachable"));
    assert!(message.contains("`small/primary`") && message.contains("`small`"), "{message}");
    assert!(!message.contains("127.0.0.1"), "{message}");
    scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"upstream_unreachable\"}");
}

#[test]
fn a_backend_that_does_not_answer_in_time_is_504() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let setting =
        Setting { model: "reliability: {first_byte_timeout: 150ms}".to_owned(), ..Setting::default() };
    let scene = Scene::set(&backend, &setting);
    let (status, kind, code, _) = error_of(&scene);
    assert_eq!((status, kind.as_str(), code.as_str()), (504, "timeout_error", "upstream_timeout"));
    backend.wait_cancelled(1);
    scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"timeout\"}");
    gate.open();
}

#[test]
fn the_listeners_timeout_applies_to_the_whole_request() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::set(&backend, &Setting::listener("timeout: 150ms"));
    assert_eq!(error_of(&scene).0, 504);
    gate.open();
}

#[test]
fn a_backend_that_closes_or_breaks_off_is_502() {
    let backend = Backend::start(Fault::CloseBeforeHead);
    let scene = Scene::before(&backend);
    assert_eq!(error_of(&scene).2, "upstream_reset");
    backend.behave(Fault::Truncated);
    assert_eq!(error_of(&scene).2, "upstream_truncated");
    backend.behave(Fault::Reset { after_events: 1, gate: None });
    let (status, _, code, _) = error_of(&scene);
    assert_eq!((status, code.as_str()), (502, "upstream_truncated"));
}

#[test]
fn headers_that_are_too_large_are_502() {
    let backend = Backend::start(Fault::HugeHeaders { bytes: 256 * 1024 });
    let scene = Scene::before(&backend);
    for body in [CHAT, STREAM] {
        let response = scene.chat(body);
        assert_eq!(response.status(), 502);
        assert_eq!(response.json()["error"]["code"], "upstream_invalid_response");
    }
}

#[test]
fn an_endless_answer_that_is_no_stream_is_refused_at_a_bound() {
    let backend = Backend::start(Fault::Endless);
    let scene = Scene::before(&backend);
    assert_eq!(error_of(&scene).2, "upstream_invalid_response");
    backend.wait_cancelled(1);
}

#[test]
fn a_429_passes_with_its_body_and_retry_after() {
    let backend = Backend::start(Fault::rate_limited(17));
    let scene = Scene::before(&backend);
    for body in [CHAT, STREAM] {
        let response = scene.chat(body);
        assert_eq!(response.status(), 429);
        assert_eq!(response.header("retry-after"), Some("17"));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.json()["error"]["message"], "the engine is overloaded");
    }
    scene.wait_metric("llm_request_errors_total{model=\"small\",reason=\"upstream_4xx\"}");
}

#[test]
fn an_error_of_the_clients_own_shape_passes_as_it_is_but_for_keys() {
    let body = r#"{"error": {"message": "no key=sk-proj-abcdefghij here", "type": "x", "extra": 1.50}}"#;
    let backend = failing(400, body);
    let scene = Scene::before(&backend);
    let response = scene.chat(CHAT);
    let masked = body.replace("sk-proj-abcdefghij", "sk-...");
    assert_eq!((response.status(), response.text()), (400, masked));
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[test]
fn an_error_of_another_shape_gets_the_clients_and_keeps_its_status() {
    for (code, body, words) in [
        (422, r#"{"detail":[{"loc":["body",0],"msg":"bad"}]}"#, "body.0: bad"),
        (404, r#"{"detail":"Not Found"}"#, "Not Found"),
        (400, r#"{"object":"error","message":"too hot","type":"BadRequestError","code":400}"#, "too hot"),
        (500, r#"[{"error":{"message":"in a list"}}]"#, "in a list"),
        (418, r#"{"teapot":true}"#, r#"{"teapot":true}"#),
    ] {
        let backend = failing(code, body);
        let scene = Scene::before(&backend);
        let response = scene.chat(CHAT);
        assert_eq!(response.status(), code, "{body}");
        assert_eq!(response.json()["error"]["message"], words, "{body}");
    }
}

#[test]
fn a_lack_of_capacity_is_503_for_openais_clients_whoever_says_so() {
    let backend = failing(529, r#"{"error":{"message":"busy","type":"overloaded_error"}}"#);
    let scene = Scene::before(&backend);
    assert_eq!(scene.chat(CHAT).status(), 503);
}

fn failing(code: u16, body: &str) -> Backend {
    let json = ("content-type".to_owned(), "application/json".to_owned());
    Backend::start(Fault::Status { code, headers: vec![json], body: body.to_owned() })
}

#[test]
fn what_is_no_answer_is_502_whatever_its_status_says() {
    for (content_type, body) in [
        ("text/html", "<html>welcome</html>"),
        ("application/json", ""),
        ("application/json", "[]"),
        ("application/json", r#"{"choices": []}"#),
    ] {
        let backend = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, content_type, body));
        let scene = Scene::before(&backend);
        for asked in [CHAT, STREAM] {
            let response = scene.chat(asked);
            assert_eq!(response.status(), 502, "{body}");
            assert_eq!(response.json()["error"]["code"], "upstream_invalid_response", "{body}");
        }
    }
}

#[test]
fn a_whole_answer_is_made_the_stream_that_was_asked_for() {
    let body = r#"{"id": "c", "object": "chat.completion", "created": 7, "model": "m", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}"#;
    let backend = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, "application/json", body));
    let scene = Scene::before(&backend);
    let response = scene.chat(STREAM);
    assert_eq!((response.status(), response.header("content-type")), (200, Some("text/event-stream")));
    let first = response.events()[0].json().unwrap();
    assert_eq!(first["choices"][0]["delta"]["content"], "Hello");
    assert!(response.text().ends_with("data: [DONE]\n\n"), "{}", response.text());
}

#[test]
fn keys_are_masked_in_the_errors_of_a_stream() {
    let stream = "data: {\"error\": {\"message\": \"bad sk-proj-abcdefghij\"}}\n\n\
                  data: {\"object\": \"error\", \"message\": \"Bearer abcdefghijkl\"}\n\n";
    let backend = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, "text/event-stream", stream));
    let scene = Scene::before(&backend);
    let response = scene.chat(STREAM);
    let messages: Vec<_> =
        response.events().iter().map(|event| event.json().unwrap()["error"]["message"].clone()).collect();
    assert_eq!(messages, ["bad sk-...", "Bearer abc..."]);
}

#[test]
fn the_routers_own_key_is_in_no_error_whatever_it_looks_like() {
    let key = "0123456789abcdef0123456789abcdef";
    let setting = || Setting { backend: format!("api_key: {key}"), ..Setting::default() };
    let body = format!(r#"{{"error": {{"message": "wrong key {key} in use"}}}}"#);
    let json = ("content-type".to_owned(), "application/json".to_owned());
    let refusing = Backend::start(Fault::Status { code: 400, headers: vec![json], body: body.clone() });
    let answering = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, "application/json", &body));
    let event = format!("data: {body}\n\n");
    let streaming = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, "text/event-stream", &event));
    for (backend, asked) in [(refusing, CHAT), (answering, CHAT), (streaming, STREAM)] {
        let response = Scene::set(&backend, &setting()).chat(asked);
        assert!(response.text().contains("wrong key ... in use"), "{}", response.text());
    }
}

#[test]
fn an_error_that_clients_cannot_read_is_replaced_and_keeps_its_status() {
    for (code, body) in [(503, "<html>Service Unavailable</html>"), (500, ""), (404, "not found")] {
        let html = ("content-type".to_owned(), "text/html".to_owned());
        let backend = Backend::start(Fault::Status { code, headers: vec![html], body: body.to_owned() });
        let scene = Scene::before(&backend);
        let response = scene.chat(CHAT);
        assert_eq!(response.status(), code);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert!(response.json()["error"]["message"].as_str().unwrap().contains("small/primary"));
    }
}

#[test]
fn a_redirect_is_not_followed_and_not_passed_on() {
    let location = ("location".to_owned(), "http://127.0.0.1:1/".to_owned());
    let backend = Backend::start(Fault::Status { code: 307, headers: vec![location], body: String::new() });
    let scene = Scene::before(&backend);
    let response = scene.chat(CHAT);
    assert_eq!(response.status(), 502);
    assert_eq!(response.header("location"), None);
}

#[test]
fn an_answer_that_is_compressed_unasked_passes_untouched() {
    let backend = Backend::start(Fault::Gzip);
    let scene = Scene::before(&backend);
    let response = scene.chat(CHAT);
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(&response.body()[..2], b"\x1f\x8b");
}

#[test]
fn a_backend_that_comes_back_serves_again() {
    let backend = Backend::start(Behaviour::default());
    let port = backend.port();
    let scene = Scene::before(&backend);
    assert_eq!(scene.chat(CHAT).status(), 200);
    drop(backend);
    assert_eq!(scene.chat(CHAT).status(), 502);
    let backend = Backend::start_on(port, Behaviour::default());
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn an_error_in_place_of_an_answer_is_told_in_the_clients_protocol_without_its_keys() {
    let told = r#"{"error": {"message": "no capacity for sk-abcdefgh12", "type": "rate_limit_error", "code": "busy"}}"#;
    let refused = r#"{"error": {"message": "bad key", "type": "authentication_error"}}"#;
    let ask = |scene: &Scene, path: &str, stream: bool| {
        let text =
            r#"{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"input":"hi","#;
        RawClient::post_json(scene.port(), path, format!("{text}\"stream\":{stream}}}"))
    };
    let paths = [CHAT_PATH, "/v1/responses", "/v1/messages"];
    for (setting, reply_path) in [
        ("api_format: openai", CHAT_PATH),
        ("api_format: anthropic", "/v1/messages"),
        ("responses: native", "/v1/responses"),
    ] {
        let behaviour = Behaviour::default().reply(reply_path, 200, "application/json", told).reply(
            CHAT_PATH,
            200,
            "application/json",
            told,
        );
        let backend = Backend::start(behaviour);
        let scene = Scene::set(&backend, &Setting { model: setting.to_owned(), ..Setting::default() });
        for path in paths {
            for stream in [false, true] {
                let answer = ask(&scene, path, stream);
                let error = &answer.json()["error"];
                assert_eq!(
                    (answer.status(), &error["type"]),
                    (429, &"rate_limit_error".into()),
                    "{path} {setting}"
                );
                assert_eq!(error["message"], "no capacity for sk-...");
                let is_anthropic = path == "/v1/messages";
                assert_eq!(answer.json()["type"] == "error", is_anthropic, "{path}");
                assert!(is_anthropic || error["code"] == "busy", "{path}");
            }
        }
    }
    let backend = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, "application/json", refused));
    let scene =
        Scene::set(&backend, &Setting { backend: "api_key: router-key".to_owned(), ..Setting::default() });
    let answer = scene.chat(CHAT);
    assert_eq!(
        (answer.status(), answer.json()["error"]["code"].as_str()),
        (502, Some("upstream_unauthorized"))
    );
    assert!(!answer.text().contains("bad key"));
}

#[test]
fn a_stream_that_nobody_asked_for_is_no_answer() {
    let stream = "data: {\"id\": \"c\", \"choices\": []}\n\ndata: [DONE]\n\n";
    let backend = Backend::start(Behaviour::default().reply(CHAT_PATH, 200, "text/event-stream", stream));
    let scene = Scene::before(&backend);
    let answer = scene.chat(CHAT);
    assert_eq!(
        (answer.status(), answer.json()["error"]["code"].as_str()),
        (502, Some("upstream_invalid_response"))
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
}
