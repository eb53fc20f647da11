//! Backends: shares, addresses, model ids.

use std::collections::BTreeMap;

use serde_json::json;
use vsr_types::Identity;

use crate::scene::{Scene, compile};

fn policy(backends: &str) -> String {
    format!(
        "providers: {{defaults: {{default_model: m}}, models: [{{name: m, provider_model_id: upstream-m, backend_refs: [{backends}]}}]}}\n\
         routing: {{modelCards: [{{name: m}}]}}\n"
    )
}

#[test]
fn weighted_backends_hold_their_shares() {
    let scene = Scene::new(&policy(
        r#"{name: a, endpoint: "h:1", weight: 70}, {name: b, endpoint: "h:2", weight: 29}, {name: c, endpoint: "h:3", weight: 1}, {name: off, endpoint: "h:4", weight: 0}"#,
    ));
    let body = json!({ "model": "auto", "messages": [{ "role": "user", "content": "hi" }] });
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        *counts.entry(scene.sent(&body, Identity::default()).backend).or_default() += 1;
    }
    let near = |name: &str, share: u32| counts.get(name).is_some_and(|count| count.abs_diff(share) <= 20);
    assert!(near("m/a", 7_000) && near("m/b", 2_900) && near("m/c", 100), "{counts:?}");
    assert!(!counts.contains_key("m/off"));
}

#[test]
fn addresses_and_paths_follow_the_provider() {
    let cases = [
        (r#"{endpoint: "h:8000"}"#, "http://h:8000", "/v1/chat/completions"),
        (r#"{endpoint: "https://h"}"#, "https://h:443", "/v1/chat/completions"),
        (r#"{endpoint: "h", protocol: https}"#, "https://h:443", "/v1/chat/completions"),
        (r#"{endpoint: "[::1]:8000"}"#, "http://[::1]:8000", "/v1/chat/completions"),
        (r#"{base_url: "https://h/v1", provider: openai}"#, "https://h:443", "/v1/chat/completions"),
        (r#"{base_url: "https://h"}"#, "https://h:443", "/v1/chat/completions"),
        (
            r#"{base_url: "https://h/openai/deployments/d", provider: azure-openai, api_version: "2025-03-01"}"#,
            "https://h:443",
            "/openai/deployments/d/chat/completions?api-version=2025-03-01",
        ),
        (r#"{base_url: "https://h/v1", chat_path: /other}"#, "https://h:443", "/other"),
    ];
    for (backend, endpoint, path) in cases {
        let snapshot = compile(&policy(backend)).unwrap();
        let backend = &snapshot.models().find("m").unwrap().backends[0];
        assert_eq!((backend.endpoint.to_string().as_str(), backend.chat_path.as_str()), (endpoint, path));
    }
}

#[test]
fn the_upstream_id_is_found_by_type_or_provider() {
    let text = |backend: &str| {
        format!(
            "providers: {{models: [{{name: m, provider_model_id: fallback, external_model_ids: {{openai: by-provider, chat: by-type}}, backend_refs: [{backend}]}}]}}\n\
             routing: {{modelCards: [{{name: m}}]}}\n"
        )
    };
    for (backend, id) in [
        (r#"{endpoint: "h:1", provider: openai}"#, "by-provider"),
        (r#"{endpoint: "h:1", type: chat}"#, "by-type"),
        (r#"{endpoint: "h:1"}"#, "fallback"),
    ] {
        let snapshot = compile(&text(backend)).unwrap();
        assert_eq!(snapshot.models().find("m").unwrap().backends[0].upstream_model.as_str(), id);
    }
}

#[test]
fn an_address_that_cannot_be_called_is_an_error_with_its_place() {
    let problems = compile(&policy(r#"{base_url: "ftp://h/v1"}"#)).err().unwrap();
    assert!(problems.iter().any(|problem| problem.contains("backend_refs[0].base_url")), "{problems:?}");
}

#[test]
fn what_could_not_be_served_or_would_do_nothing_is_told() {
    for (text, path) in [
        ("listeners: [{address: nonsense}]", "listeners[0].address"),
        ("listeners: [{tls: {cert_file: a, key_file: b}}]", "listeners[0].tls.cert_file"),
        ("global: {services: {api: {address: 0.0.0.0}}}", "global.services.api.address"),
        (
            "global: {services: {observability: {metrics: {address: '::'}}}}",
            "global.services.observability.metrics.address",
        ),
    ] {
        let problems = compile(&format!("routing: {{}}\n{text}\n")).err().unwrap();
        assert!(problems.iter().any(|problem| problem.contains(path)), "{text}: {problems:?}");
    }
    let problems = compile(&policy(r#"{endpoint: "h:1", extra_headers: {Host: other}}"#)).err().unwrap();
    assert!(problems.iter().any(|problem| problem.contains("extra_headers")), "{problems:?}");
}
