//! `validate`, `config` and `model`.

use std::fs;

use serde_json::Value;

use crate::{config, run, text};

#[test]
fn a_good_file_is_valid_and_a_bad_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), config(8899, 8080, 9190, 8000)).unwrap();
    let good = run(directory.path(), &["validate"]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stdout));
    let broken = config(8899, 8080, 9190, 8000).replace("name: code}]}", "name: cod}]}").replace("OR", "XOR");
    fs::write(directory.path().join("bad.yaml"), broken).unwrap();
    let bad = run(directory.path(), &["validate", "--config", "bad.yaml"]);
    assert_eq!(bad.status.code(), Some(1));
    let out = text(&bad.stdout);
    assert!(out.contains("bad.yaml:11:") && out.contains("`OR`"), "{out}");
    assert!(out.contains("bad.yaml:13:") && out.contains("code"), "all problems at once: {out}");
}

#[test]
fn problems_are_told_to_programs_too() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), "version: v0.3\nlistners: []\nrouting: {decisions: 3}\n")
        .unwrap();
    let output = run(directory.path(), &["validate", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["valid"], false);
    let problems = report["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem["path"] == "routing.decisions" && problem["line"] == 3));
    assert!(problems.iter().any(|problem| problem["help"] == "did you mean `listeners`?"));
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run(directory.path(), &["validate", "--no-such-option"]).status.code(), Some(2));
    assert_eq!(run(directory.path(), &["eval"]).status.code(), Some(2));
    assert_eq!(run(directory.path(), &["validate"]).status.code(), Some(1), "there is no file");
}

#[test]
fn the_effective_configuration_masks_secrets_and_is_itself_valid() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), config(8899, 8080, 9190, 8000)).unwrap();
    let shown = run(directory.path(), &["config", "show"]);
    assert_eq!(shown.status.code(), Some(0));
    let shown = text(&shown.stdout);
    assert!(!shown.contains("hidden-key") && shown.contains("********"), "{shown}");
    assert!(shown.contains("explicit_models: allow"), "defaults are filled in: {shown}");
    fs::write(directory.path().join("shown.yaml"), shown).unwrap();
    let again = run(directory.path(), &["validate", "--config", "shown.yaml"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stdout));
}

#[test]
fn the_schema_is_a_schema() {
    let directory = tempfile::tempdir().unwrap();
    let schema: Value = serde_json::from_slice(&run(directory.path(), &["config", "schema"]).stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn models_are_listed_without_credentials() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), config(8899, 8080, 9190, 8000)).unwrap();
    let listed = text(&run(directory.path(), &["model", "list"]).stdout);
    assert!(
        listed.contains("small (default)") && listed.contains("http://127.0.0.1:8000/v1/chat/completions"),
        "{listed}"
    );
    let json = run(directory.path(), &["model", "list", "--json"]);
    let models: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(models[0]["backends"][0]["authenticated"], true);
    assert!(!listed.contains("hidden-key") && !text(&json.stdout).contains("hidden-key"));
}
