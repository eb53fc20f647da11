//! `config migrate`, `config import` and `init`.

use std::{fs, path::Path, process::Output};

use serde_json::Value;

use crate::{config, run, text};

const OLD: &str = "\
vllm_endpoints: [{name: e, address: 127.0.0.1, port: 8000}]
model_config:
  small: {preferred_endpoints: [e], access_key: hidden-key}
keyword_rules: [{name: code, operator: OR, keywords: [refactor]}]
decisions:
  - name: coding
    rules: {operator: OR, conditions: [{type: keyword, name: code}]}
    modelRefs: [{model: small}]
default_model: small
";

fn scene(file: &str, content: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(file), content).unwrap();
    directory
}

#[track_caller]
fn code(output: &Output, expected: i32) {
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(expected), "{}{told}", text(&output.stdout));
}

fn read(directory: &Path, file: &str) -> String {
    fs::read_to_string(directory.join(file)).unwrap()
}

#[test]
fn a_migrated_file_is_valid_and_the_report_is_apart_from_it() {
    let directory = scene("old.yaml", OLD);
    let output = run(directory.path(), &["config", "migrate", "old.yaml"]);
    code(&output, 0);
    let told = text(&output.stderr);
    assert!(told.contains("old.yaml:4:1: moved: keyword_rules is now routing.signals.keywords"), "{told}");
    assert!(!told.contains("hidden-key"), "{told}");
    fs::write(directory.path().join("config.yaml"), text(&output.stdout)).unwrap();
    code(&run(directory.path(), &["validate"]), 0);
}

#[test]
fn a_file_is_replaced_only_by_force_and_keeps_its_permissions() {
    let directory = scene("old.yaml", OLD);
    #[cfg(unix)]
    let mode = |file: &str| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(directory.path().join(file)).unwrap().permissions().mode() & 0o777
    };
    #[cfg(unix)]
    fs::set_permissions(
        directory.path().join("old.yaml"),
        std::os::unix::fs::PermissionsExt::from_mode(0o640),
    )
    .unwrap();
    let migrate = ["config", "migrate", "--config", "old.yaml", "--output", "new.yaml"];
    code(&run(directory.path(), &migrate), 0);
    #[cfg(unix)]
    assert_eq!(mode("new.yaml"), 0o640, "credentials are not shown to more people than before");
    let first = read(directory.path(), "new.yaml");
    fs::write(directory.path().join("new.yaml"), "mine").unwrap();
    let refused = run(directory.path(), &migrate);
    code(&refused, 1);
    assert!(text(&refused.stderr).contains("new.yaml is there already"), "{}", text(&refused.stderr));
    assert_eq!(read(directory.path(), "new.yaml"), "mine");
    code(&run(directory.path(), &[&migrate[..], &["--force"]].concat()), 0);
    assert_eq!(read(directory.path(), "new.yaml"), first);
    let names = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(names, 2, "no drafts are left");
}

#[test]
fn programs_get_every_step_and_strict_ones_fail_on_keys_without_a_place() {
    let directory = scene("old.yaml", &format!("{OLD}mom_registry: {{a: b}}\n"));
    let output = run(directory.path(), &["config", "migrate", "old.yaml", "--json"]);
    code(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["valid"], &report["complete"]), (&true.into(), &false.into()));
    let steps = report["steps"].as_array().unwrap();
    let lost = steps.iter().find(|step| step["outcome"] == "not_carried").unwrap();
    assert_eq!((&lost["path"], &lost["line"]), (&"mom_registry".into(), &10.into()));
    code(&run(directory.path(), &["config", "migrate", "old.yaml", "--strict"]), 1);
}

#[test]
fn what_cannot_run_after_migration_or_cannot_be_read_is_a_problem() {
    let directory = scene("old.yaml", &OLD.replace("name: code}", "name: other}"));
    let output = run(directory.path(), &["config", "migrate", "old.yaml"]);
    code(&output, 1);
    assert!(text(&output.stderr).contains("(migrated):"), "{}", text(&output.stderr));
    fs::write(directory.path().join("bad.yaml"), "a: 1\na: 2\n").unwrap();
    let bad = run(directory.path(), &["config", "migrate", "bad.yaml"]);
    code(&bad, 1);
    assert!(text(&bad.stderr).contains("bad.yaml:2:1: error: duplicate key `a`"), "{}", text(&bad.stderr));
    code(&run(directory.path(), &["config", "migrate"]), 2);
    code(&run(directory.path(), &["config", "migrate", "old.yaml", "--force"]), 2);
}

#[test]
fn a_canonical_file_comes_out_as_it_is() {
    let canonical = config(8899, 8080, 9190, 8000);
    let directory = scene("config.yaml", &canonical);
    let output = run(directory.path(), &["config", "migrate", "config.yaml"]);
    code(&output, 0);
    assert_eq!(text(&output.stdout), canonical);
}

#[test]
fn openclaw_is_put_behind_the_router_and_both_files_are_kept() {
    let claw = r#"{"models": {"providers": {"home": {"baseUrl": "http://127.0.0.1:8000/v1", "models": [{"id": "m"}]}}}}"#;
    let directory = scene("openclaw.json", claw);
    fs::write(directory.path().join("config.yaml"), OLD).unwrap();
    let import = ["config", "import", "--from", "openclaw", "--source", "openclaw.json"];
    let no_listener = run(directory.path(), &import);
    code(&no_listener, 1);
    assert!(text(&no_listener.stderr).contains("has no listener"), "{}", text(&no_listener.stderr));
    assert_eq!(read(directory.path(), "openclaw.json"), claw);
    let with_listener = format!("{OLD}listeners: [{{name: a, address: 0.0.0.0, port: 8901}}]\n");
    fs::write(directory.path().join("config.yaml"), &with_listener).unwrap();
    code(&run(directory.path(), &import), 0);
    assert!(read(directory.path(), "openclaw.json").contains("\"baseUrl\": \"http://127.0.0.1:8901/v1\""));
    assert_eq!(read(directory.path(), "openclaw.json.bak"), claw);
    assert_eq!(read(directory.path(), "config.yaml.bak"), with_listener);
    code(&run(directory.path(), &["validate"]), 0);
    let again = run(directory.path(), &import);
    code(&again, 1);
    assert!(text(&again.stderr).contains("served by this router already"), "{}", text(&again.stderr));
    fs::write(directory.path().join("openclaw.json"), claw).unwrap();
    let kept = run(directory.path(), &import);
    code(&kept, 1);
    assert!(text(&kept.stderr).contains("is there already"), "{}", text(&kept.stderr));
    code(&run(directory.path(), &[&import[..], &["--force"]].concat()), 0);
}

#[test]
fn no_backup_is_left_where_one_of_the_two_is_not_possible() {
    let claw = r#"{"models": {"providers": {"home": {"baseUrl": "http://127.0.0.1:8000/v1", "models": [{"id": "m"}]}}}}"#;
    let directory = scene("openclaw.json", claw);
    fs::write(directory.path().join("openclaw.json.bak"), "earlier").unwrap();
    let before = config(8899, 8080, 9190, 8000);
    fs::write(directory.path().join("config.yaml"), &before).unwrap();
    let output =
        run(directory.path(), &["config", "import", "--from", "openclaw", "--source", "openclaw.json"]);
    code(&output, 1);
    assert!(text(&output.stderr).contains("openclaw.json.bak is there already"), "{}", text(&output.stderr));
    assert_eq!(read(directory.path(), "config.yaml"), before);
    assert_eq!(read(directory.path(), "openclaw.json"), claw);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "no config.yaml.bak");
}

#[test]
fn the_models_of_a_running_server_make_a_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let (mut stream, _) = server.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().unwrap();
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        let body = r#"{"object":"list","data":[{"id":"served","max_model_len":4096},{"id":"other"}]}"#;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        first
    });
    let source = format!("http://127.0.0.1:{port}");
    let output = run(directory.path(), &["config", "import", "--from", "openai", "--source", &source]);
    code(&output, 0);
    assert_eq!(answering.join().unwrap(), "GET /v1/models HTTP/1.1");
    let made = read(directory.path(), "config.yaml");
    assert!(made.contains("context_window_size: 4096") && made.contains(&format!("{source}/v1")), "{made}");
    code(&run(directory.path(), &["validate"]), 0);
    code(&run(directory.path(), &["config", "import", "--from", "openai"]), 2);
}

#[test]
fn init_is_refused_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["init", "--force"]);
    code(&output, 2);
    assert!(text(&output.stderr).contains("vllm-sr config import"), "{}", text(&output.stderr));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
