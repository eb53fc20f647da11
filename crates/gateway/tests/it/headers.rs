//! Which headers reach a backend, and which reach the client.

use vsr_testkit::{Backend, Behaviour, RawClient};

use crate::scene::{CHAT, CHAT_PATH, Scene, Setting, refusal_to_compile};

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

#[test]
fn a_listeners_rules_change_which_headers_pass() {
    let behaviour = Behaviour::default().header("x-internal", "1").header("openai-processing-ms", "12");
    let backend = Backend::start(behaviour);
    let rules = "headers: {request_allow: [Cookie, x-forwarded-*], request_deny: [x-custom, x-team-*], \
                 response_allow: [x-internal], response_deny: [openai-*, content-type]}";
    let scene = Scene::set(&backend, &Setting::listener(rules));
    let headers = [
        ("cookie", "session=1"),
        ("x-forwarded-for", "1.2.3.4"),
        ("forwarded", "for=1.2.3.4"),
        ("x-custom", "1"),
        ("x-team-name", "blue"),
        ("x-other", "1"),
        ("x-vsr-anything", "1"),
    ];
    let response = RawClient::request(scene.port(), "POST", CHAT_PATH, &headers, CHAT.as_bytes());
    let sent = &backend.requests()[0];
    assert_eq!((sent.header("cookie"), sent.header("x-forwarded-for")), (Some("session=1"), Some("1.2.3.4")));
    assert_eq!((sent.header("x-custom"), sent.header("x-team-name")), (None, None));
    assert_eq!((sent.header("forwarded"), sent.header("x-vsr-anything")), (None, None));
    assert_eq!(sent.header("x-other"), Some("1"));
    assert_eq!((response.header("x-internal"), response.header("openai-processing-ms")), (Some("1"), None));
    // What says how to read the body stays.
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[test]
fn no_rule_lets_through_what_is_the_routers_own() {
    for written in ["x-vsr-*", "X-Authz-User-Id", "proxy-authorization", "connection", "content-length"] {
        let setting = Setting::listener(&format!("headers: {{request_allow: [\"{written}\"]}}"));
        let problems = refusal_to_compile(&setting.yaml(1));
        assert!(problems.contains("never passes"), "{written}: {problems}");
    }
    let problems =
        refusal_to_compile(&Setting::listener("headers: {response_deny: [\"two words\"]}").yaml(1));
    assert!(problems.contains("`two words` is no header name"), "{problems}");
    // A rule for everything does not reach them either, nor the client's key where the router has its own.
    let backend = Backend::start(Behaviour::default().header("x-vsr-selected-model", "forged"));
    let setting = Setting {
        listener: "headers: {request_allow: [x-*], response_allow: [x-*]}".to_owned(),
        backend: "api_key: routers-own".to_owned(),
        ..Setting::default()
    };
    let scene = Scene::set(&backend, &setting);
    let headers = [("x-vsr-looper-request", "true"), ("x-authz-user-id", "root"), ("x-api-key", "clients")];
    let response = RawClient::request(scene.port(), "POST", CHAT_PATH, &headers, CHAT.as_bytes());
    let sent = &backend.requests()[0];
    for (name, _) in headers {
        assert_eq!(sent.header(name), None, "{name}");
    }
    assert_eq!(response.header("x-vsr-selected-model"), Some("small"));
}

#[test]
fn whole_answers_are_compressed_where_the_listener_is_told_to_and_the_client_accepts_it() {
    use std::io::Read as _;
    let backend = Backend::start(Behaviour::default().text("all is well ".repeat(100)));
    let scene = Scene::set(&backend, &Setting::listener("compress_from_bytes: 512"));
    let ask = |accepted: &str, body: &str| {
        RawClient::request(scene.port(), "POST", CHAT_PATH, &[("accept-encoding", accepted)], body.as_bytes())
    };
    let plain = ask("br", CHAT);
    assert_eq!(plain.header("content-encoding"), None);
    for accepted in ["gzip", "br, GZIP;q=0.5", "*"] {
        let response = ask(accepted, CHAT);
        assert_eq!(
            (response.status(), response.header("content-encoding")),
            (200, Some("gzip")),
            "{accepted}"
        );
        assert_eq!(response.header("vary"), Some("accept-encoding"));
        assert!(response.body().len() < plain.body().len() / 2);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&response.body()[..]).read_to_string(&mut text).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["choices"][0]["message"], plain.json()["choices"][0]["message"]);
    }
    for refused in ["gzip;q=0", "identity", "*;q=0"] {
        assert_eq!(ask(refused, CHAT).header("content-encoding"), None, "{refused}");
    }
    let stream = CHAT.replace("{\"model", "{\"stream\":true,\"model");
    assert_eq!(ask("gzip", &stream).header("content-encoding"), None);
    // Short ones are not worth it, and by default none are.
    backend.behave(Behaviour::default().text("short"));
    assert_eq!(ask("gzip", CHAT).header("content-encoding"), None);
}

#[test]
fn every_answer_to_a_request_that_was_read_says_who_speaks_what_and_where_it_comes_from() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let told = |response: &vsr_testkit::Response| {
        let header = |name: &str| response.header(name).map(str::to_owned);
        assert_eq!(header("x-vsr-inbound-protocol"), header("x-vsr-client-protocol"));
        assert_eq!(header("x-vsr-outbound-protocol"), header("x-vsr-upstream-protocol"));
        (header("x-vsr-response-path"), header("x-vsr-client-protocol"), header("x-vsr-upstream-protocol"))
    };
    let some = |text: &str| Some(text.to_owned());
    let openai = || some("openai");
    assert_eq!(told(&scene.chat(CHAT)), (some("upstream"), openai(), openai()));
    backend.behave(vsr_testkit::Fault::rate_limited(7));
    let limited = scene.chat(CHAT);
    assert_eq!((limited.status(), told(&limited)), (429, (some("upstream"), openai(), openai())));
    backend.behave(vsr_testkit::Fault::CloseBeforeHead);
    let failed = scene.chat(CHAT);
    assert_eq!((failed.status(), told(&failed)), (502, (some("error"), openai(), openai())));
    let unknown = scene.chat(&CHAT.replace("auto", "nobody"));
    assert_eq!((unknown.status(), told(&unknown)), (404, (some("error"), openai(), None)));
    // Warnings are told with errors too.
    let body = r#"{"model":"auto","max_tokens":64,"top_k":5,"messages":[{"role":"user","content":"hi"}]}"#;
    backend.behave(vsr_testkit::Fault::rate_limited(7));
    let headers = [("anthropic-beta", "b-1")];
    let limited = RawClient::request(scene.port(), "POST", "/v1/messages", &headers, body.as_bytes());
    assert_eq!(
        limited.header("x-vsr-protocol-warnings"),
        Some("lossy;top_k_dropped;top_k,info;beta_dropped;anthropic-beta")
    );
    let quiet = Scene::set(&backend, &Setting::listener("routing_headers: off"));
    assert_eq!(told(&quiet.chat(CHAT)), (None, None, None));
}
