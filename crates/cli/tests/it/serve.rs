//! `serve` and `chat`.

use std::{fs, net::TcpListener, path::PathBuf};

use vsr_testkit::{Backend, Behaviour, RawClient, RouterSpec, free_port};

use crate::{config, run, text};

const BINARY: &str = env!("CARGO_BIN_EXE_vllm-sr");

#[test]
fn a_message_goes_through_and_the_routing_is_shown() {
    let backend = Backend::start(Behaviour::default().text("it is done"));
    let port = free_port();
    let router =
        RouterSpec::serve(BINARY, &config(port, free_port(), free_port(), backend.port()), port).start();
    let directory = tempfile::tempdir().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    for streamed in [
        &["chat", "--base-url", &base, "refactor", "this"][..],
        &["chat", "--no-stream", "--base-url", &base, "refactor"],
    ] {
        let output = run(directory.path(), streamed);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout).trim(), "it is done");
        assert!(text(&output.stderr).contains("x-vsr-selected-decision: coding"), "{}", text(&output.stderr));
    }
    let request = &backend.wait_for_requests(2)[1];
    assert_eq!(request.json()["model"], "large");
    router.terminate();
}

#[test]
fn a_configuration_with_errors_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), "version: v0.3\nlisteners: 3\n").unwrap();
    let output = run(directory.path(), &["serve"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("config.yaml:2:"), "{}", text(&output.stderr));
}

#[test]
fn a_busy_port_is_an_error_that_names_the_key() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), config(port, free_port(), free_port(), 9)).unwrap();
    let output = run(directory.path(), &["serve"]);
    assert_eq!(output.status.code(), Some(1));
    let err = text(&output.stderr);
    assert!(err.contains("listeners[0].port") && err.contains(&port.to_string()), "{err}");
}

#[test]
fn an_unprotected_management_address_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let open = config(free_port(), free_port(), free_port(), 9).replace("api: {", "api: {address: 0.0.0.0, ");
    fs::write(directory.path().join("config.yaml"), open).unwrap();
    let output = run(directory.path(), &["serve"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("token_file"), "{}", text(&output.stderr));
}

#[test]
fn an_empty_directory_is_served_the_demonstration_and_told_what_to_do() {
    let router = RouterSpec::new(BINARY).arg("serve").ready_http(8899, "/ready").start();
    let _ = router.wait_for_log("There is no config.yaml here");
    let body = r#"{"model":"auto","messages":[{"role":"user","content":"production is down"}]}"#;
    let answer = RawClient::post_json(8899, "/v1/chat/completions", body);
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("x-vsr-selected-decision"), Some("incident"));
    assert_eq!(fs::read_dir(router.directory()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn the_reference_configuration_starts() {
    let reference =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/config/config.yaml"));
    let Ok(written) = fs::read_to_string(&reference) else {
        println!("skipped: the conformance corpus is not beside this checkout");
        return;
    };
    let (port, api, metrics) = (free_port(), free_port(), free_port());
    let moved = written
        .replacen("address: 0.0.0.0\n    port: 8899", &format!("address: 127.0.0.1\n    port: {port}"), 1)
        .replacen("  services:\n    api:\n", &format!("  services:\n    api:\n      port: {api}\n"), 1)
        .replacen(
            "      metrics:\n        enabled: true\n",
            &format!("      metrics:\n        enabled: true\n        port: {metrics}\n"),
            1,
        );
    let router = RouterSpec::serve(BINARY, &moved, port).start();
    assert_eq!(RawClient::get(port, "/v1/models").json()["data"][0]["id"], "exhaustive-reference");
    assert_eq!(RawClient::get(metrics, "/health").status(), 200);
    drop(router);
}

#[test]
fn a_router_that_is_killed_keeps_the_responses_whose_end_was_seen() {
    let backend = Backend::start(Behaviour::default().text("it is done"));
    let state = tempfile::tempdir().unwrap();
    let start = || {
        let port = free_port();
        let global = format!("global:\n  router: {{state_dir: '{}'}}\n", state.path().display());
        let text = config(port, free_port(), free_port(), backend.port()).replace("global:\n", &global);
        (RouterSpec::serve(BINARY, &text, port).start(), port)
    };
    let (router, port) = start();
    let mut client = RawClient::connect(port);
    let body = r#"{"model":"auto","stream":true,"input":"hello"}"#;
    client.send_request("POST", "/v1/responses", &[("content-type", "application/json")], body.as_bytes());
    assert_eq!(client.read_head().status(), 200);
    let told = loop {
        let event = client.read_event().unwrap().unwrap();
        if event.event.as_deref() == Some("response.completed") {
            break event.json().unwrap()["response"].clone();
        }
    };
    // Dropping it kills it, without a chance to save anything.
    drop(router);
    let (_router, port) = start();
    let stored = RawClient::get(port, &format!("/v1/responses/{}", told["id"].as_str().unwrap()));
    assert_eq!((stored.status(), stored.json()), (200, told));
}
