//! Requests that go well: to the chosen model, with the routing told in headers.

use vsr_testkit::{Backend, Behaviour, Fault, RawClient};

use crate::scene::{CHAT, STREAM, Scene, Setting};

const DECISIONS: &str = "\
signals:
  keywords:
  - {name: greeting, operator: OR, keywords: [hello]}
  - {name: canned, operator: OR, keywords: [opening hours]}
decisions:
- name: greet
  priority: 10
  rules: {operator: AND, conditions: [{type: keyword, name: greeting}]}
  modelRefs: [{model: small}]
- name: hours
  priority: 20
  rules: {operator: AND, conditions: [{type: keyword, name: canned}]}
  modelRefs: [{model: small}]
  plugins:
  - {type: fast_response, configuration: {message: We open at nine.}}
";

fn setting() -> Setting {
    Setting { routing: DECISIONS.to_owned(), ..Setting::default() }
}

#[test]
fn a_routed_request_reaches_the_model_and_its_answer_the_client() {
    let backend = Backend::start(Behaviour::default().text("Good day."));
    let scene = Scene::set(&backend, &setting());
    let response = scene.chat(CHAT);
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(response.json()["choices"][0]["message"]["content"], "Good day.");
    assert_eq!(response.header("content-type"), Some("application/json"));
    let sent = &backend.requests()[0];
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(sent.body, CHAT.replace("\"auto\"", "\"small-v1\"").as_bytes());
    assert_eq!(response.header("x-vsr-selected-model"), Some("small"));
    assert_eq!(response.header("x-vsr-selected-decision"), Some("greet"));
    assert_eq!(response.header("x-vsr-matched-keywords"), Some("greeting"));
    let timing = response.header("server-timing").unwrap();
    assert!(timing.contains("signals;dur=") && timing.contains("upstream;dur="), "{timing}");
}

#[test]
fn routing_headers_follow_the_listeners_level() {
    let backend = Backend::start(Behaviour::default());
    for (level, has_names, has_details) in
        [("off", false, false), ("names", true, false), ("full", true, true)]
    {
        let listener = format!("routing_headers: {level}");
        let scene = Scene::set(&backend, &Setting { listener, ..setting() });
        for body in [CHAT, STREAM] {
            let response = scene.chat(body);
            assert_eq!(response.header("x-vsr-selected-model").is_some(), has_names, "{level}");
            assert_eq!(response.header("x-vsr-context-token-count").is_some(), has_details, "{level}");
            assert!(response.header("x-request-id").is_some());
        }
    }
}

#[test]
fn errors_carry_no_routing_headers() {
    let backend = Backend::start(Fault::server_error());
    let scene = Scene::set(&backend, &setting());
    let response = scene.chat(CHAT);
    assert_eq!(response.status(), 500);
    let own =
        response.headers().iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("x-vsr-"));
    let mut own: Vec<&str> = own.collect();
    own.sort_unstable();
    // Who speaks what is told with errors too, but not how the request was routed.
    let about_protocols = [
        "x-vsr-client-protocol",
        "x-vsr-inbound-protocol",
        "x-vsr-outbound-protocol",
        "x-vsr-response-path",
        "x-vsr-upstream-protocol",
    ];
    assert_eq!(own, about_protocols);
    assert!(response.header("x-request-id").is_some());
}

#[test]
fn a_fast_response_needs_no_backend() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &setting());
    let question = CHAT.replace("hello there", "your opening hours?");
    let response = scene.chat(&question);
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(response.json()["choices"][0]["message"]["content"], "We open at nine.");
    assert_eq!(response.header("x-vsr-fast-response"), Some("true"));
    assert_eq!(response.header("x-vsr-selected-decision"), Some("hours"));
    let streamed = scene.chat(&question.replace("{\"model", "{\"stream\":true,\"model"));
    assert_eq!(streamed.streamed_text(), "We open at nine.");
    assert!(streamed.header("content-type").unwrap().starts_with("text/event-stream"));
    assert_eq!(streamed.events().last().unwrap().data, "[DONE]");
    assert!(backend.requests().is_empty());
}

#[test]
fn a_model_can_be_named_and_an_unknown_one_is_404() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &setting());
    let named = scene.chat(&CHAT.replace("auto", "small"));
    assert_eq!(named.status(), 200);
    assert_eq!(named.header("x-vsr-selected-algorithm"), Some("pinned"));
    let unknown = scene.chat(&CHAT.replace("auto", "gpt-none"));
    assert_eq!(unknown.status(), 404);
    assert_eq!(unknown.json()["error"]["code"], "model_not_found");
    assert_eq!(unknown.json()["error"]["param"], "model");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn usage_reaches_the_metrics_streamed_or_not() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &setting());
    scene.chat(CHAT);
    let once: u64 = scene.wait_metric("llm_model_prompt_tokens_total{model=\"small\"}").parse().unwrap();
    assert_eq!(once, 2);
    scene.chat(STREAM);
    scene.chat(STREAM);
    let all: u64 = scene.wait_metric("llm_model_prompt_tokens_total{model=\"small\"}").parse().unwrap();
    assert!(all >= 4, "{all}");
    assert_eq!(scene.wait_metric("llm_model_inflight_requests{model=\"small\"}"), "0");
}

#[test]
fn tools_and_unknown_fields_pass_byte_for_byte() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &setting());
    let body = "{ \"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"x\":1.0}}}],\n\
                \"messages\": [{\"role\":\"user\",\"content\":\"hello\"}], \"vendor\": {\"big\": 12345678901234567890}, \"model\":\"auto\"}";
    assert_eq!(scene.chat(body).status(), 200);
    assert_eq!(backend.requests()[0].body, body.replace("\"auto\"", "\"small-v1\"").as_bytes());
}

#[test]
fn a_large_request_is_routed_too() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &setting());
    let padding = "word ".repeat(200_000);
    let body = format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"hello {padding}"}}]}}"#);
    let response = scene.chat(&body);
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("x-vsr-selected-decision"), Some("greet"));
    assert_eq!(backend.requests()[0].body.len(), body.len() + "small-v1".len() - "auto".len());
}

#[test]
fn several_listeners_serve_side_by_side() {
    let backend = Backend::start(Behaviour::default());
    let yaml = setting().yaml(backend.port());
    let yaml = yaml.replace(
        "providers:\n",
        "- {name: second, address: '::1', port: 0, routing_headers: off}\nproviders:\n",
    );
    let scene = Scene::of_yaml(&yaml, std::time::Duration::ZERO);
    assert_eq!(scene.addresses.len(), 2);
    assert!(scene.addresses[1].is_ipv6());
    assert_eq!(RawClient::get(scene.port(), "/health").status(), 200);
}
