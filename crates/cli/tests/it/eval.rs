//! `eval`, without and with a server.

use std::fs;

use serde_json::Value;
use vsr_testkit::{Backend, RouterSpec, free_port};

use crate::{config, run, text};

#[test]
fn a_prompt_is_explained_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), config(8899, 8080, 9190, 8000)).unwrap();
    let args = ["eval", "--config", "config.yaml", "--prompt", "refactor this"];
    let output = run(directory.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    assert!(out.contains("coding") && out.contains("large") && out.contains("[refactor]"), "{out}");
    let output = run(directory.path(), &[&args[..], &["--json"]].concat());
    let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(explanation["routing_decision"], "coding");
}

#[test]
fn a_conversation_is_read_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), config(8899, 8080, 9190, 8000)).unwrap();
    let messages = r#"[{"role": "user", "content": "refactor"}, {"role": "user", "content": "no, wait"}]"#;
    fs::write(directory.path().join("messages.json"), messages).unwrap();
    let args = ["eval", "--config", "config.yaml", "--messages", "messages.json", "--json"];
    let explanation: Value = serde_json::from_slice(&run(directory.path(), &args).stdout).unwrap();
    assert_eq!(explanation["model"]["name"], "small");
    fs::write(directory.path().join("messages.json"), "{\"x\": 1}").unwrap();
    assert_eq!(run(directory.path(), &args).status.code(), Some(1));
}

#[test]
fn the_demonstration_policy_can_be_asked_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["eval", "--demo", "--prompt", "production is down", "--json"]);
    let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(explanation["routing_decision"], "incident");
}

#[test]
fn a_running_router_explains_what_it_would_do() {
    let backend = Backend::start(vsr_testkit::Behaviour::default());
    let (port, api, metrics) = (free_port(), free_port(), free_port());
    let text_of_config = config(port, api, metrics, backend.port());
    let router = RouterSpec::serve(env!("CARGO_BIN_EXE_vllm-sr"), &text_of_config, port).start();
    let endpoint = format!("http://127.0.0.1:{api}");
    let directory = tempfile::tempdir().unwrap();
    let args = ["eval", "--endpoint", &endpoint, "--prompt", "refactor", "--json"];
    let output = run(directory.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(explanation["routing_decision"], "coding");
    drop(router);
    let output = run(directory.path(), &args);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no router answers"), "{}", text(&output.stderr));
}
