//! Which headers reach a backend, and which reach the client.

use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::scene::{CHAT, CHAT_PATH, Scene, Setting};

#[test]
fn internal_and_connection_headers_do_not_reach_the_backend() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let stripped = [
        ("x-vsr-looper-request", "true"),
        ("x-vsr-skip-processing", "true"),
        ("x-authz-user-id", "root"),
        ("x-authz-tenant-id", "t"),
        ("x-selected-model", "large"),
        ("x-user-openai-key", "sk"),
        ("x-user-anthropic-key", "sk"),
        ("cookie", "session=1"),
        ("accept-encoding", "gzip, br"),
        ("proxy-authorization", "Basic x"),
        ("x-forwarded-for", "1.2.3.4"),
        ("forwarded", "for=1.2.3.4"),
        ("te", "trailers"),
        ("keep-alive", "timeout=5"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
    ];
    let passing = [
        ("user-agent", "test/1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "a=b"),
        ("baggage", "k=v"),
        ("x-custom", "kept"),
        ("authorization", "Bearer clients-own"),
        ("openai-organization", "org"),
    ];
    let headers: Vec<_> = stripped.iter().chain(&passing).copied().collect();
    let response = RawClient::request(scene.port(), "POST", CHAT_PATH, &headers, CHAT.as_bytes());
    assert_eq!(response.status(), 200, "{}", response.text());
    let sent = &backend.requests()[0];
    for (name, value) in stripped {
        assert_ne!(sent.header(name), Some(value), "{name}");
    }
    for (name, value) in passing {
        assert_eq!(sent.header(name), Some(value), "{name}");
    }
    assert_eq!(sent.header("accept-encoding"), Some("identity"));
    assert_eq!(sent.header("host"), Some(backend.address().to_string().as_str()));
    assert_eq!(sent.header("content-type"), Some("application/json"));
}

#[test]
fn internal_headers_of_clients_do_not_change_the_routing() {
    let backend = Backend::start(Behaviour::default());
    let setting = Setting {
        global: "router: {worker_threads: 1, skip_processing: {enabled: false}}".to_owned(),
        ..Setting::default()
    };
    let yaml = setting.yaml(backend.port()).replace("  router: {worker_threads: 2}\n", "");
    let scene = Scene::of_yaml(&yaml, std::time::Duration::ZERO);
    let headers =
        [("x-vsr-skip-processing", "true"), ("x-selected-model", "other"), ("x-vsr-looper-request", "true")];
    let response = RawClient::request(scene.port(), "POST", CHAT_PATH, &headers, CHAT.as_bytes());
    assert_eq!(response.header("x-vsr-selected-model"), Some("small"));
    assert_eq!(backend.requests()[0].json()["model"], "small-v1");
}

#[test]
fn a_backends_own_credential_replaces_the_clients() {
    let backend = Backend::start(Behaviour::default());
    let setting = Setting {
        backend: "api_key: routers-own\nextra_headers: {x-team: blue}".to_owned(),
        ..Setting::default()
    };
    let scene = Scene::set(&backend, &setting);
    let headers = [
        ("authorization", "Bearer clients"),
        ("x-api-key", "clients"),
        ("api-key", "clients"),
        ("x-goog-api-key", "clients"),
        ("openai-organization", "clients"),
        ("x-team", "red"),
        ("connection", "authorization, x-team"),
    ];
    let response = RawClient::request(scene.port(), "POST", CHAT_PATH, &headers, CHAT.as_bytes());
    assert_eq!(response.status(), 200);
    let sent = &backend.requests()[0];
    assert_eq!(sent.header("authorization"), Some("Bearer routers-own"));
    assert_eq!((sent.header("x-api-key"), sent.header("api-key")), (None, None));
    assert_eq!((sent.header("x-goog-api-key"), sent.header("openai-organization")), (None, None));
    assert_eq!(sent.header("x-team"), Some("blue"));
    assert_eq!(sent.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-team")).count(), 1);
}

#[test]
fn a_printable_request_id_is_kept_and_any_other_replaced() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let ask = |headers: &[(&str, &str)]| {
        let response = RawClient::request(scene.port(), "POST", CHAT_PATH, headers, CHAT.as_bytes());
        let sent = backend.requests().pop().unwrap();
        assert_eq!(sent.header("x-request-id"), response.header("x-request-id"));
        response.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(ask(&[("x-request-id", "req-42/a:b")]), "req-42/a:b");
    let long = "x".repeat(129);
    let refused = [
        &[("x-request-id", long.as_str())][..],
        &[("x-request-id", "two words")],
        &[("x-request-id", "")],
        &[("x-request-id", "a"), ("x-request-id", "b")],
        &[],
    ];
    let mut ids: Vec<String> = refused.iter().map(|headers| ask(headers)).collect();
    assert!(
        ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())),
        "{ids:?}"
    );
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), refused.len());
}

#[test]
fn only_known_headers_of_a_backend_reach_the_client() {
    let behaviour = Behaviour::default()
        .header("set-cookie", "a=b")
        .header("server", "uvicorn")
        .header("x-internal", "secret")
        .header("x-vsr-selected-model", "forged")
        .header("openai-processing-ms", "12")
        .header("x-ratelimit-remaining-tokens", "99")
        .header("x-request-id", "upstreams")
        .header("keep-alive", "timeout=9");
    let backend = Backend::start(behaviour);
    let scene = Scene::before(&backend);
    let stream = CHAT.replace("{\"model", "{\"stream\":true,\"model");
    for body in [CHAT, &stream] {
        let headers = [("x-request-id", "mine")];
        let response = RawClient::request(scene.port(), "POST", CHAT_PATH, &headers, body.as_bytes());
        for dropped in ["set-cookie", "server", "x-internal", "keep-alive"] {
            assert_eq!(response.header(dropped), None, "{dropped}");
        }
        assert_eq!(response.header("openai-processing-ms"), Some("12"));
        assert_eq!(response.header("x-ratelimit-remaining-tokens"), Some("99"));
        assert_eq!(response.header("x-request-id"), Some("mine"));
        assert_eq!(response.header("x-upstream-request-id"), Some("upstreams"));
        assert_eq!(response.header("x-vsr-selected-model"), Some("small"));
        let models = response.headers().iter().filter(|(name, _)| name == "x-vsr-selected-model");
        assert_eq!(models.count(), 1);
    }
}
