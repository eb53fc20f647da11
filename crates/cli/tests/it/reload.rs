//! A router that follows its configuration file while clients use it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use vsr_testkit::{Backend, Behaviour, RawClient, Response, Router, RouterSpec, free_port};

use crate::config;

const BINARY: &str = env!("CARGO_BIN_EXE_vllm-sr");
const RELOADS: usize = 100;

/// The policy in its `number`th version: the decision and the model that it chooses are called alike.
fn version(text: &str, number: usize) -> String {
    text.replace("name: coding,", &format!("name: coding-{number},")).replace(
        "{name: large, backend_refs",
        &format!("{{name: large, provider_model_id: large-{number}, backend_refs"),
    )
}

/// Replaces a file as editors do.
fn replace(directory: &Path, text: &str) {
    fs::write(directory.join("draft"), text).unwrap();
    fs::rename(directory.join("draft"), directory.join("config.yaml")).unwrap();
}

fn health(api: u16) -> serde_json::Value {
    RawClient::get(api, "/health").json()["config"].clone()
}

/// Waits until the management API tells something.
fn wait(router: &Router, api: u16, is_it: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let deadline = std::time::Instant::now() + vsr_testkit::DEADLINE;
    loop {
        let health = health(api);
        if is_it(&health) {
            return health;
        }
        assert!(std::time::Instant::now() < deadline, "{health:#}\n{}", router.log().join("\n"));
    }
}

/// Asks until it is told to stop. Every answer must be whole, and of one version of the policy.
fn traffic(port: u16, stop: &Arc<AtomicBool>, answered: &Arc<AtomicUsize>, kind: usize) -> JoinHandle<()> {
    let (stop, answered) = (Arc::clone(stop), Arc::clone(answered));
    thread::spawn(move || {
        let body = format!(
            r#"{{"model":"auto","stream":{},"messages":[{{"role":"user","content":"refactor this"}}]}}"#,
            kind % 2 == 1
        );
        let mut kept = RawClient::connect(port);
        while !stop.load(Ordering::Relaxed) {
            let answer = if kind < 2 {
                kept.send_request("POST", "/v1/chat/completions", &[], body.as_bytes());
                kept.read_response()
            } else {
                RawClient::post_json(port, "/v1/chat/completions", &body)
            };
            check(&answer, kind % 2 == 1);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    })
}

fn check(answer: &Response, is_stream: bool) {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let decision = answer.header("x-vsr-selected-decision").unwrap().to_owned();
    let number = decision.strip_prefix("coding-").unwrap();
    let model = if is_stream {
        let events = answer.events();
        assert_eq!(events.last().unwrap().data, "[DONE]");
        serde_json::from_str::<serde_json::Value>(&events[0].data).unwrap()["model"].clone()
    } else {
        answer.json()["model"].clone()
    };
    assert_eq!(model, format!("large-{number}"), "the decision is of version {number}");
}

#[test]
fn no_request_fails_while_the_configuration_is_replaced_a_hundred_times() {
    let backend = Backend::start(Behaviour::default());
    let (port, api, metrics) = (free_port(), free_port(), free_port());
    let text = config(port, api, metrics, backend.port());
    let router = RouterSpec::serve(BINARY, &version(&text, 0), port).start();
    let (stop, answered) = (Arc::default(), Arc::default());
    let clients: Vec<_> = (0..4).map(|kind| traffic(port, &stop, &answered, kind)).collect();
    let mut hash = health(api)["hash"].clone();
    for number in 1..=RELOADS {
        replace(router.directory(), &version(&text, number));
        router.hang_up();
        let before = answered.load(Ordering::Relaxed);
        hash = wait(&router, api, |health| health["hash"] != hash)["hash"].clone();
        while answered.load(Ordering::Relaxed) == before && clients.iter().all(|client| !client.is_finished())
        {
            thread::yield_now();
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    let counted = RawClient::get(metrics, "/metrics").text();
    let applied = "vsr_config_reload_total{result=\"applied\"} ";
    let times = counted.lines().find_map(|line| line.strip_prefix(applied)).unwrap();
    assert!(times.parse::<usize>().unwrap() >= RELOADS, "{times}");
    assert!(counted.contains("vsr_config_reload_total{result=\"refused\"} 0\n"), "{counted}");
    assert!(answered.load(Ordering::Relaxed) >= RELOADS);
    router.terminate();
}

#[test]
fn a_file_that_changes_is_followed_and_one_that_cannot_run_is_told_and_left_alone() {
    let backend = Backend::start(Behaviour::default());
    let (port, api, metrics) = (free_port(), free_port(), free_port());
    let text = config(port, api, metrics, backend.port());
    let router = RouterSpec::serve(BINARY, &version(&text, 1), port).start();
    let first = health(api);
    assert_eq!(
        (first["current"].clone(), first["restart_needed"].clone()),
        (true.into(), serde_json::json!([]))
    );

    replace(router.directory(), &text.replace("type: keyword", "type: keywort"));
    let refused = wait(&router, api, |health| health["current"] == false);
    assert_eq!(refused["hash"], first["hash"]);
    assert_eq!(refused["refused"]["problems"], 1, "{refused:#}");
    router.wait_for_log("keywort");
    router.wait_for_log("config.yaml:13:");
    router.wait_for_log("stays in force");
    check(
        &RawClient::post_json(
            port,
            "/v1/chat/completions",
            r#"{"model":"auto","messages":[{"role":"user","content":"refactor"}]}"#,
        ),
        false,
    );

    // An address that somebody else has is not taken, and nothing else of the configuration either.
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = format!("port: {}", other.local_addr().unwrap().port());
    replace(router.directory(), &version(&text, 2).replace(&format!("port: {port}"), &taken));
    router.wait_for_log("the port is in use by another process");
    assert_eq!(health(api)["hash"], first["hash"]);

    let ask = |port: u16| {
        let body = r#"{"model":"auto","messages":[{"role":"user","content":"refactor"}]}"#;
        check(&RawClient::post_json(port, "/v1/chat/completions", body), false);
    };
    ask(port);
    let moved_to = free_port();
    let moved = version(&text, 2).replace(&format!("port: {port}"), &format!("port: {moved_to}"));
    replace(router.directory(), &moved);
    let moved = wait(&router, api, |health| health["current"] == true);
    assert_ne!(moved["hash"], first["hash"]);
    assert_eq!(moved["restart_needed"], serde_json::json!([]), "{moved:#}");
    ask(moved_to);
    let deadline = std::time::Instant::now() + vsr_testkit::DEADLINE;
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(std::time::Instant::now() < deadline, "the old port stays open");
    }

    let more = version(&text, 3).replace(&format!("port: {port}"), &format!("port: {moved_to}"))
        + "  router: {worker_threads: 7}\n";
    replace(router.directory(), &more);
    let more = wait(&router, api, |health| health["hash"] != moved["hash"]);
    assert_eq!(more["restart_needed"][0], "global.router.worker_threads", "{more:#}");
    router.wait_for_log("need a restart");
    router.terminate();
}
