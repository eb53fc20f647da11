//! Keys, trusted peers, and headers that clients must not send.

use vsr_testkit::{Backend, Behaviour, RawClient, Response};

use crate::scene::{CHAT, CHAT_PATH, Scene, Setting};

const AUTHZ: &str = "\
signals:
  role_bindings:
  - {name: staff-binding, role: staff, subjects: [{kind: Group, name: staff}]}
decisions:
- name: for_staff
  priority: 10
  rules: {operator: AND, conditions: [{type: authz, name: staff}]}
  modelRefs: [{model: small}]
";

fn ask(scene: &Scene, headers: &[(&str, &str)]) -> Response {
    RawClient::request(scene.port(), "POST", CHAT_PATH, headers, CHAT.as_bytes())
}

#[test]
fn a_listener_with_keys_lets_nobody_in_without_one() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener("api_keys: [first-key, second-key]"));
    for headers in [
        &[][..],
        &[("authorization", "Bearer wrong")],
        &[("authorization", "first-key")],
        &[("authorization", "Basic first-key")],
        &[("authorization", "Bearer first-key2")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer first-key"), ("authorization", "Bearer wrong")],
        &[("x-api-key", "wrong")],
        &[("x-api-key", "first-key"), ("authorization", "Bearer first-key")],
    ] {
        let response = ask(&scene, headers);
        assert_eq!(response.status(), 401, "{headers:?}");
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        assert_eq!(response.json()["error"]["type"], "authentication_error");
        assert_eq!(response.json()["error"]["code"], "invalid_api_key");
    }
    scene.wait_metric("llm_request_errors_total{model=\"unknown\",reason=\"unauthorized\"}");
    for path in ["/v1/models", "/v1/none"] {
        assert_eq!(RawClient::get(scene.port(), path).status(), 401, "{path}");
    }
    assert!(backend.requests().is_empty());
    for key in ["Bearer first-key", "bearer second-key"] {
        assert_eq!(ask(&scene, &[("authorization", key)]).status(), 200, "{key}");
    }
    assert_eq!(ask(&scene, &[("x-api-key", "second-key")]).status(), 200);
    for request in backend.requests() {
        assert_eq!((request.header("authorization"), request.header("x-api-key")), (None, None));
    }
}

#[test]
fn probes_need_no_key() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener("api_keys: [k]"));
    for path in ["/health", "/ready", "/startup-status"] {
        assert_eq!(RawClient::get(scene.port(), path).status(), 200, "{path}");
    }
}

#[test]
fn a_trusted_peer_says_who_asks() {
    let backend = Backend::start(Behaviour::default());
    let listener = "trusted_peers: [10.0.0.0/8, 127.0.0.1]".to_owned();
    let scene = Scene::set(&backend, &Setting { listener, routing: AUTHZ.to_owned(), ..Setting::default() });
    let staff = ask(&scene, &[("x-authz-user-id", "ada"), ("x-authz-user-groups", "guests, staff")]);
    assert_eq!(staff.status(), 200, "{}", staff.text());
    assert_eq!(staff.header("x-vsr-selected-decision"), Some("for_staff"));
    let guest = ask(&scene, &[("x-authz-user-id", "bob"), ("x-authz-user-groups", "guests")]);
    assert_eq!(guest.header("x-vsr-selected-decision"), None);
    for request in backend.requests() {
        assert!(request.headers.iter().all(|(name, _)| !name.starts_with("x-authz")), "{request:?}");
    }
}

#[test]
fn nobody_is_trusted_unless_the_configuration_says_so() {
    let backend = Backend::start(Behaviour::default());
    for listener in ["", "trusted_peers: [10.0.0.0/8, '::1']"] {
        let scene = Scene::set(
            &backend,
            &Setting { listener: listener.to_owned(), routing: AUTHZ.to_owned(), ..Setting::default() },
        );
        let response = ask(&scene, &[("x-authz-user-id", "ada"), ("x-authz-user-groups", "staff")]);
        assert_ne!(response.header("x-vsr-selected-decision"), Some("for_staff"));
        assert_eq!(response.status(), 403, "{}", response.text());
        assert_eq!(response.json()["error"]["type"], "permission_error");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn identity_headers_that_can_be_read_in_two_ways_are_refused() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::set(&backend, &Setting::listener("trusted_peers: [127.0.0.0/8]"));
    let twice = ask(&scene, &[("x-authz-user-id", "ada"), ("x-authz-user-id", "bob")]);
    assert_eq!(twice.status(), 400, "{}", twice.text());
    assert!(twice.json()["error"]["message"].as_str().unwrap().contains("x-authz-user-id"));
    let mut client = scene.connect();
    client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-authz-user-id: \xff\xfe\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(client.read_response().status(), 400);
    assert!(backend.requests().is_empty());
}

#[test]
fn identity_headers_can_have_other_names() {
    let backend = Backend::start(Behaviour::default());
    let setting = Setting {
        listener: "trusted_peers: [127.0.0.1/32]".to_owned(),
        routing: AUTHZ.to_owned(),
        global: "services: {authz: {identity: {user_id_header: x-who, user_groups_header: X-Teams}}}"
            .to_owned(),
        ..Setting::default()
    };
    let scene = Scene::set(&backend, &setting);
    let staff = ask(&scene, &[("x-who", "ada"), ("x-teams", "staff")]);
    assert_eq!(staff.header("x-vsr-selected-decision"), Some("for_staff"));
    let sent = &backend.requests()[0];
    assert_eq!((sent.header("x-who"), sent.header("x-teams")), (None, None));
}
