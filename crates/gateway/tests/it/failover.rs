//! Requests that are sent again: where, when, and when not.

use std::time::Duration;

use vsr_testkit::{Backend, Behaviour, Fault, Gate, free_port};

use crate::scene::{CHAT, STREAM, Scene};

/// Two backends of one model; the first gets nearly everything.
fn scene(first: u16, second: u16, reliability: &str) -> Scene {
    let yaml = format!(
        "version: v0.3\n\
         listeners: [{{name: main, address: 127.0.0.1, port: 0}}]\n\
         providers:\n\
         \x20 defaults: {{default_model: small}}\n\
         \x20 models:\n\
         \x20 - name: small\n\
         \x20   reliability: {{{reliability}}}\n\
         \x20   provider_model_id: small-v1\n\
         \x20   external_model_ids: {{other: other-v1}}\n\
         \x20   backend_refs:\n\
         \x20   - {{name: first, endpoint: '127.0.0.1:{first}', weight: 1000000}}\n\
         \x20   - {{name: second, endpoint: '127.0.0.1:{second}', weight: 0.000001, type: other}}\n\
         routing: {{modelCards: [{{name: small}}]}}\n\
         global: {{router: {{worker_threads: 2}}}}\n"
    );
    Scene::of_yaml(&yaml, Duration::ZERO)
}

fn model_of(backend: &Backend, request: usize) -> String {
    let json: serde_json::Value = serde_json::from_slice(&backend.requests()[request].body).unwrap();
    json["model"].as_str().unwrap().to_owned()
}

#[test]
fn a_backend_that_cannot_be_reached_is_passed_over_for_another_that_gets_its_own_model_id() {
    let second = Backend::start(Behaviour::default());
    let scene = scene(free_port(), second.port(), "");
    for body in [CHAT, STREAM] {
        assert_eq!(scene.chat(body).status(), 200);
    }
    assert_eq!(model_of(&second, 0), "other-v1");
    scene.wait_metric("vsr_upstream_failovers_total{backend=\"small/first\"} 2");
    scene.wait_metric("llm_model_inflight_requests{model=\"small\"} 0");
}

#[test]
fn a_request_that_a_model_may_have_seen_is_not_sent_again_unless_configured() {
    for (reliability, status, seen) in [("", 502, 0), ("retry_on: reset", 200, 1)] {
        let first = Backend::start(Fault::CloseBeforeHead);
        let second = Backend::start(Behaviour::default());
        let scene = scene(first.port(), second.port(), reliability);
        assert_eq!(scene.chat(CHAT).status(), status, "{reliability}");
        assert_eq!((first.requests().len(), second.requests().len()), (1, seen), "{reliability}");
    }
}

#[test]
fn an_answer_that_has_begun_is_never_begun_again() {
    let first = Backend::start(Fault::Reset { after_events: 1, gate: None });
    let second = Backend::start(Behaviour::default());
    let scene = scene(first.port(), second.port(), "retry_count: 3, retry_on: '5xx'");
    let answer = scene.chat(STREAM);
    assert!(answer.text().contains("upstream_truncated"), "{}", answer.text());
    assert_eq!(second.requests().len(), 0);
}

#[test]
fn a_backend_that_is_rate_limited_is_left_alone_as_long_as_it_asks() {
    let first = Backend::start(Fault::rate_limited(30));
    let second = Backend::start(Behaviour::default());
    let scene = scene(first.port(), second.port(), "");
    for _ in 0..3 {
        assert_eq!(scene.chat(CHAT).status(), 200);
    }
    assert_eq!((first.requests().len(), second.requests().len()), (1, 3));
    first.behave(Behaviour::default());
    scene.clock.advance(Duration::from_secs(31));
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!(first.requests().len(), 2);
}

#[test]
fn a_backend_that_fails_again_and_again_is_left_out_and_comes_back() {
    let first = Backend::start(Fault::server_error());
    let second = Backend::start(Behaviour::default());
    let scene = scene(first.port(), second.port(), "consecutive_5xx: 2, base_ejection_time: 10s");
    let statuses = |count| (0..count).map(|_| scene.chat(CHAT).status()).collect::<Vec<_>>();
    assert_eq!(statuses(4), [500, 500, 200, 200]);
    scene.wait_metric("vsr_upstream_ejections_total{backend=\"small/first\"} 1");
    // One request tries it; it fails, so that the others need not.
    scene.clock.advance(Duration::from_secs(11));
    assert_eq!(statuses(3), [500, 200, 200]);
    // The second time it is left out for twice as long.
    scene.clock.advance(Duration::from_secs(11));
    assert_eq!(statuses(1), [200]);
    first.behave(Behaviour::default());
    scene.clock.advance(Duration::from_secs(10));
    assert_eq!(statuses(2), [200, 200]);
    assert_eq!(first.requests().len(), 5);
}

#[test]
fn while_one_request_tries_a_backend_that_was_left_out_the_others_go_elsewhere() {
    let first = Backend::start(Fault::server_error());
    let second = Backend::start(Behaviour::default());
    let scene = scene(first.port(), second.port(), "consecutive_5xx: 1, base_ejection_time: 10s");
    assert_eq!(scene.chat(CHAT).status(), 500);
    let gate = Gate::new();
    first.behave(Fault::HoldFirstByte(gate.clone()));
    scene.clock.advance(Duration::from_secs(11));
    let mut trial = scene.connect();
    let json = [("content-type", "application/json")];
    trial.send_request("POST", "/v1/chat/completions", &json, CHAT.as_bytes());
    first.wait_for_requests(2);
    for _ in 0..3 {
        assert_eq!(scene.chat(CHAT).status(), 200);
    }
    assert_eq!((first.requests().len(), second.requests().len()), (2, 3));
    gate.open();
    assert_eq!(trial.read_response().status(), 200);
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!(first.requests().len(), 3, "it is trusted again");
}

#[test]
fn the_last_backend_is_never_left_out() {
    let first = Backend::start(Fault::server_error());
    let second = Backend::start(Fault::server_error());
    let scene = scene(first.port(), second.port(), "consecutive_5xx: 1, max_ejection_percent: 100");
    for _ in 0..4 {
        assert_eq!(scene.chat(CHAT).status(), 500);
    }
    assert_eq!((first.requests().len(), second.requests().len()), (1, 3));
}

#[test]
fn a_short_retry_after_is_waited_for_where_there_is_no_other_backend() {
    let backend = Backend::start(Behaviour::default().faults([Fault::rate_limited(0), Fault::None]));
    let scene = scene(backend.port(), backend.port(), "retry_count: 1");
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn repetitions_have_a_budget() {
    let first = Backend::start(Fault::server_error());
    let second = Backend::start(Behaviour::default());
    let scene = scene(
        first.port(),
        second.port(),
        "retry_on: '5xx', retry_budget_percent: 0, min_retry_concurrency: 0",
    );
    assert_eq!(scene.chat(CHAT).status(), 500);
    scene.wait_metric("vsr_upstream_retries_over_budget_total{model=\"small\"} 1");
}
