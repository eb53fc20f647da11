//! Users' own keys for providers.

use vsr_testkit::{Backend, Behaviour, RawClient, Response};

use crate::scene::{CHAT, CHAT_PATH, Scene, Setting};

const TRUSTED: &str = "trusted_peers: [127.0.0.1]";

fn scene(backend: &Backend, listener: &str, key: &str, authz: &str) -> Scene {
    let global = format!("services: {{authz: {{{authz}}}}}");
    let backend_lines = format!("provider: openai\n{key}");
    Scene::set(backend, &Setting { backend: backend_lines, global, ..Setting::listener(listener) })
}

fn chat(scene: &Scene, headers: &[(&str, &str)]) -> Response {
    RawClient::request(scene.port(), "POST", CHAT_PATH, headers, CHAT.as_bytes())
}

fn key_at(backend: &Backend) -> Option<String> {
    let requests = backend.requests();
    let last = requests.last().unwrap();
    assert_eq!(last.header("x-user-openai-key").or(last.header("x-mine")), None);
    last.header("authorization").map(str::to_owned)
}

#[test]
fn a_users_key_from_a_trusted_peer_replaces_the_configured_one() {
    let backend = Backend::start(Behaviour::default());
    let theirs = [("x-user-openai-key", "theirs")];
    let trusting = scene(&backend, TRUSTED, "api_key: ours", "");
    assert_eq!(chat(&trusting, &theirs).status(), 200);
    assert_eq!(key_at(&backend).as_deref(), Some("Bearer theirs"));
    assert_eq!(chat(&trusting, &[]).status(), 200);
    assert_eq!(key_at(&backend).as_deref(), Some("Bearer ours"));
    let doubting = scene(&backend, "", "api_key: ours", "");
    assert_eq!(chat(&doubting, &theirs).status(), 200);
    assert_eq!(key_at(&backend).as_deref(), Some("Bearer ours"));
}

#[test]
fn the_chain_is_followed_in_its_order_and_headers_have_the_names_it_gives_them() {
    let backend = Backend::start(Behaviour::default());
    let chain = "providers: [{type: static-config}, {type: header-injection, headers: {openai: x-mine}}]";
    for (key, expected) in [("api_key: ours", "Bearer ours"), ("", "Bearer theirs")] {
        let scene = scene(&backend, TRUSTED, key, chain);
        assert_eq!(chat(&scene, &[("x-mine", "theirs")]).status(), 200);
        assert_eq!(key_at(&backend).as_deref(), Some(expected));
    }
}

#[test]
fn a_missing_key_is_401_unless_the_policy_is_open() {
    let backend = Backend::start(Behaviour::default());
    let chain = "providers: [{type: header-injection}]";
    let closed = scene(&backend, TRUSTED, "api_key: ours", chain);
    let refused = chat(&closed, &[("authorization", "Bearer mine")]);
    assert_eq!(
        (refused.status(), refused.json()["error"]["code"].as_str()),
        (401, Some("provider_key_missing"))
    );
    assert_eq!(chat(&closed, &[("x-user-openai-key", "a"), ("x-user-openai-key", "b")]).status(), 400);
    assert_eq!(backend.requests().len(), 0);
    let open = scene(&backend, TRUSTED, "api_key: ours", &format!("fail_open: true, {chain}"));
    assert_eq!(chat(&open, &[]).status(), 200);
    assert_eq!(key_at(&backend), None);
}
