//! The process handle, with the backend's own binary in the role of the router.

use std::os::unix::process::ExitStatusExt;

use vsr_testkit::{RawClient, RouterSpec, free_port};

const SHELL: &str = "/bin/sh";

/// A process that prints a line and then waits for its standard input, which never ends, or a signal.
fn waiting(script: &str) -> RouterSpec {
    RouterSpec::new(SHELL).arg("-c").arg(format!("{script}; while :; do read -r _ < wait; done"))
}

#[test]
fn a_process_is_ready_when_it_says_so_and_its_output_is_kept() {
    let router = RouterSpec::new(SHELL)
        .file("config.yaml", "greeting: hello\n")
        .env("WHO", "testkit")
        .arg("-c")
        .arg("echo out $WHO; cat config.yaml >&2; echo listening >&2; mkfifo wait; read -r _ < wait")
        .start();
    assert_eq!(router.wait_for_log("out "), "out testkit");
    assert_eq!(router.wait_for_log("greeting"), "greeting: hello");
    assert!(router.directory().join("config.yaml").exists());
}

#[test]
fn a_process_ends_by_a_signal_and_is_waited_for() {
    let mut router = waiting("mkfifo wait; echo listening").start();
    router.terminate();
    assert_eq!(router.wait_exit().signal(), Some(15));
}

#[test]
fn a_process_that_ends_early_fails_with_its_output() {
    let start = || RouterSpec::new(SHELL).arg("-c").arg("echo no such key; exit 3").start();
    let panic = std::panic::catch_unwind(start).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("ended before it was ready"), "{message}");
}

#[test]
fn the_backend_binary_serves_the_control_paths() {
    let port = free_port();
    let script = format!(
        "mkfifo wait; exec 3<>wait; exec {} --port {port} --behaviour server-error <&3",
        env!("CARGO_BIN_EXE_testkit-backend")
    );
    let router = RouterSpec::new(SHELL).arg("-c").arg(script).ready_http(port, "/health").start();
    router.wait_for_log(&format!("listening on 127.0.0.1:{port}"));
    assert_eq!(RawClient::post_json(port, crate::CHAT, crate::PLAIN).status(), 500);
    assert_eq!(RawClient::post_json(port, "/__testkit/behaviour?name=hold-first-byte", "").status(), 200);
    let mut client = RawClient::connect(port);
    client.send_request("POST", crate::CHAT, &[], crate::PLAIN.as_bytes());
    let state = RawClient::get(port, "/__testkit/wait?requests=1").json();
    assert_eq!(state["requests"][0]["path"], crate::CHAT);
    assert_eq!(RawClient::post_json(port, "/__testkit/release", "").status(), 200);
    assert_eq!(client.read_response().status(), 200);
    assert_eq!(RawClient::get(port, "/__testkit/behaviour?name=nonsense").status(), 400);
}
