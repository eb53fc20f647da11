//! Models from a hub: `serve`, `model download` and `model list --own`, against a hub on this machine.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use vsr_testkit::{Backend, Behaviour, Gate, HubFault, ModelHub, RawClient, RouterSpec, free_port};

use crate::{config, run, text};

const BINARY: &str = env!("CARGO_BIN_EXE_vllm-sr");
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with a small checkpoint that judges pairs, and one that classifies.
fn hub() -> ModelHub {
    let hub = ModelHub::start();
    for golden in ["modernbert-pair", "modernbert-sequence"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/goldens").join(golden);
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let files = ["config.json", "tokenizer.json", "model.safetensors"].map(|name| (name, read(name)));
        let mut files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        files.push((
            "category_mapping.json",
            br#"{"category_to_idx": {"law": 0, "math": 1, "other": 2, "physics": 3}}"#,
        ));
        hub.add(&format!("owner/{golden}"), "main", COMMIT, &files);
    }
    hub
}

/// A policy with one learned rule, whose catalogue has these lines, and models from `hub` kept beside it.
fn catalog(ports: [u16; 3], backend: u16, hub: &ModelHub, lines: &str) -> String {
    let [port, api, metrics] = ports;
    let text = config(port, api, metrics, backend)
        .replace("listeners: [{name: main,", "listeners: [{name: main, routing_headers: full,")
        .replace("  signals:\n", "  signals:\n    domains: [{name: maths, mmlu_categories: [math]}]\n")
        .replace("{type: keyword, name: code}]", "{type: keyword, name: code}, {type: domain, name: maths}]");
    format!("{text}  model_catalog:\n    hub: {{endpoint: \"{}\", cache_dir: kept}}\n{lines}", hub.url())
}

const JUDGE: &str =
    "    modules: {hallucination_mitigation: {explainer: {model_id: \"hf://owner/modernbert-pair\"}}}\n";
const SUBJECTS: &str = "    system: {domain_classifier: \"hf://owner/modernbert-sequence\"}\n";
const CHAT: &str = r#"{"model":"auto","messages":[{"role":"user","content":"refactor this"}]}"#;

#[test]
fn a_router_listens_while_it_downloads_and_is_ready_when_it_has() {
    let (backend, hub, gate) = (Backend::start(Behaviour::default()), hub(), Gate::new());
    hub.fail("model.safetensors", HubFault::Hold(gate.clone()), 1);
    let ports @ [port, api, _] = [free_port(), free_port(), free_port()];
    let text = catalog(ports, backend.port(), &hub, JUDGE);
    let router = RouterSpec::serve(BINARY, &text, port).ready_http(api, "/health").start();
    gate.wait_arrived(1);
    let status = RawClient::get(api, "/startup-status");
    assert_eq!(status.status(), 503);
    let status = status.json();
    assert_eq!(status["phase"], "downloading_models", "{status}");
    assert_eq!(status["downloading_model"], "hf://owner/modernbert-pair@main");
    assert_eq!(status["download"]["file"], "model.safetensors");
    assert!(status["download"]["bytes"].as_u64() < status["download"]["total_bytes"].as_u64(), "{status}");
    assert_eq!(
        RawClient::post_json(port, "/v1/chat/completions", CHAT).status(),
        200,
        "it serves what it can"
    );
    let pair = r#"{"premise": "the cat is in paris", "hypothesis": "the dog is not"}"#;
    assert_eq!(RawClient::post_json(api, "/api/v1/nli", pair).status(), 503);
    gate.open();
    let _ = router.wait_for_log("the router's models are ready");
    assert_eq!(RawClient::get(api, "/ready").status(), 200);
    assert_eq!(RawClient::post_json(api, "/api/v1/nli", pair).status(), 200);
    assert_eq!(RawClient::get(api, "/ready").json()["downloading_model"], "");
    let asked = hub.requests().len();
    let directory = router.directory().to_owned();
    let listed = run(&directory, &["model", "list", "--own", "--json"]);
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let judge = listed.iter().find(|model| model["role"] == "inference").unwrap();
    assert_eq!((judge["source"].as_str(), judge["commit"].as_str()), (Some("hub"), Some(COMMIT)));
    assert!(listed.iter().any(|model| model["source"] == "embedded"));
    assert_eq!(hub.requests().len(), asked, "what is here is not asked for again");
}

#[test]
fn a_classifier_from_a_hub_classifies_under_the_names_that_come_with_it() {
    let (backend, hub) = (Backend::start(Behaviour::default()), hub());
    let ports @ [port, api, _] = [free_port(), free_port(), free_port()];
    let router = RouterSpec::serve(BINARY, &catalog(ports, backend.port(), &hub, SUBJECTS), port).start();
    let answer = RawClient::post_json(
        api,
        "/api/v1/classify/intent",
        r#"{"text": "the cat", "options": {"return_probabilities": true}}"#,
    );
    let answer = answer.json();
    let classes: Vec<&String> = answer["probabilities"].as_object().unwrap().keys().collect();
    assert_eq!(classes, ["law", "math", "other", "physics"]);
    assert_eq!(RawClient::get(api, "/health").json()["substituted_for"], Value::Null);
    drop(router);
}

#[test]
fn a_model_that_a_hub_does_not_give_is_substituted_and_every_answer_tells() {
    let (backend, hub) = (Backend::start(Behaviour::default()), hub());
    hub.demand_token("another");
    let ports @ [port, api, _] = [free_port(), free_port(), free_port()];
    let spec = RouterSpec::serve(BINARY, &catalog(ports, backend.port(), &hub, SUBJECTS), port);
    let router = spec.env("HF_TOKEN", "hf_hidden").start();
    let name = "hf://owner/modernbert-sequence";
    assert_eq!(RawClient::get(api, "/health").json()["substituted_for"][0], name);
    let answer = RawClient::post_json(port, "/v1/chat/completions", CHAT);
    assert_eq!(answer.header("x-vsr-substituted-for"), Some(name));
    let line = router.wait_for_log("\"substituted_for\"");
    assert!(line.contains(name) && line.contains("\"access\""), "{line}");
    let log = router.log().join("\n");
    assert!(log.contains("gated") && !log.contains("hf_hidden"), "{log}");
}

#[test]
fn two_processes_at_once_fetch_every_file_once() {
    let hub = hub();
    let directory = tempfile::tempdir().unwrap();
    let text_of_config = catalog([1, 2, 3], 4, &hub, JUDGE);
    fs::write(directory.path().join("config.yaml"), text_of_config).unwrap();
    let start = || {
        let mut command = Command::new(BINARY);
        let piped = std::process::Stdio::piped;
        command.args(["model", "download"]).current_dir(directory.path()).stdout(piped()).stderr(piped());
        command.spawn().unwrap()
    };
    for process in [start(), start()] {
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let told = text(&output.stdout);
        assert!(
            told.contains(COMMIT) && told.contains(&format!("hf://owner/modernbert-pair@{COMMIT}")),
            "{told}"
        );
    }
    let fetched = hub.requests().into_iter().filter(|request| request.path.contains("/resolve/")).count();
    assert_eq!(fetched, 4);
}

#[test]
fn offline_nothing_is_asked_and_the_configuration_is_still_valid() {
    let hub = hub();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), catalog([1, 2, 3], 4, &hub, SUBJECTS)).unwrap();
    let offline = |args: &[&str]| {
        Command::new(BINARY)
            .args(args)
            .current_dir(directory.path())
            .env("HF_HUB_OFFLINE", "1")
            .output()
            .unwrap()
    };
    let output = offline(&["model", "download"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("offline"), "{}", text(&output.stderr));
    let output = offline(&["validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(said.contains("hf://owner/modernbert-sequence") && said.contains("model download"), "{said}");
    let output = offline(&["model", "list", "--own"]);
    assert!(text(&output.stdout).contains("not on this machine"), "{}", text(&output.stdout));
    assert_eq!(hub.requests(), []);
}

#[test]
fn a_name_that_is_none_is_an_error_with_its_place() {
    let hub = hub();
    let directory = tempfile::tempdir().unwrap();
    let broken = catalog([1, 2, 3], 4, &hub, "    system: {domain_classifier: \"hf://../etc\"}\n");
    fs::write(directory.path().join("config.yaml"), broken).unwrap();
    let output = run(directory.path(), &["validate"]);
    assert_eq!(output.status.code(), Some(1));
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(said.contains("hf://owner/model") && said.contains("domain_classifier"), "{said}");
}

#[test]
fn a_changed_configuration_is_put_in_force_once_its_models_are_here() {
    let (backend, hub) = (Backend::start(Behaviour::default()), hub());
    let ports @ [port, api, _] = [free_port(), free_port(), free_port()];
    let with = |lines: &str| catalog(ports, backend.port(), &hub, lines);
    let mut router = RouterSpec::serve(BINARY, &with(""), port).start();
    let pair = r#"{"premise": "the cat is in paris", "hypothesis": "the dog is not"}"#;
    assert_eq!(RawClient::post_json(api, "/api/v1/nli", pair).status(), 503);
    let file = router.directory().join("config.yaml");
    fs::write(&file, with(JUDGE)).unwrap();
    router.hang_up();
    let _ = router.wait_for_log("the configuration is in force");
    assert_eq!(RawClient::post_json(api, "/api/v1/nli", pair).status(), 200);
    // A model that does not suit its role is refused when it is here, and the one before stays.
    fs::write(&file, with(&JUDGE.replace("modernbert-pair", "modernbert-sequence"))).unwrap();
    router.hang_up();
    let refused = router.wait_for_log("was not taken over");
    assert!(refused.contains("it has errors"), "{refused}");
    assert_eq!(RawClient::post_json(api, "/api/v1/nli", pair).status(), 200);
    router.terminate();
    assert!(router.wait_exit().success());
}
