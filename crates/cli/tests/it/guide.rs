//! `docs/migrating.md`: its examples are run, and say what it says.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::Command,
};

use crate::text;

const GUIDE: &str = include_str!("../../../../docs/migrating.md");
const FLAT: &str = include_str!("../../../config/tests/legacy/flat.yaml");
const CLAW: &str =
    r#"{"models": {"providers": {"home": {"baseUrl": "http://127.0.0.1:9/v1", "models": [{"id": "m"}]}}}}"#;

/// A command of the guide, and what is printed below it; `…` stands for lines that are left out.
struct Shown {
    command: Vec<String>,
    lines: Vec<&'static str>,
}

/// The console examples of the guide.
fn examples() -> Vec<Vec<Shown>> {
    let blocks = GUIDE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| {
            let mut shown: Vec<Shown> = Vec::new();
            for line in block.lines() {
                match line.strip_prefix("$ vllm-sr ") {
                    Some(command) => {
                        let command = command.split_whitespace().map(str::to_owned).collect();
                        shown.push(Shown { command, lines: Vec::new() });
                    }
                    None => shown.last_mut().unwrap().lines.push(line),
                }
            }
            shown
        })
        .collect()
}

/// Runs an example in `home`; `replace` puts what is on this machine in the place of what the guide names.
fn run(home: &Path, shown: &Shown, replace: &[(&str, &str)]) {
    let mut command = shown.command.clone();
    for word in &mut command {
        replace.iter().for_each(|(from, to)| *word = word.replace(from, to));
    }
    let output = Command::new(env!("CARGO_BIN_EXE_vllm-sr"))
        .args(&command)
        .current_dir(home)
        .env("HOME", home)
        .env_remove("VLLM_SR_CONFIG")
        .output()
        .unwrap();
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command:?}\n{printed}");
    let mut printed_lines = printed.lines();
    for line in shown.lines.iter().filter(|line| **line != "…") {
        assert!(
            printed_lines.any(|printed| printed == *line),
            "{command:?} does not print `{line}`:\n{printed}"
        );
    }
}

#[test]
fn a_file_of_the_first_layout_becomes_what_the_guide_says() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("old.yaml"), FLAT).unwrap();
    let first = &examples()[0];
    assert_eq!(first.len(), 2);
    first.iter().for_each(|shown| run(home.path(), shown, &[]));
}

#[test]
fn models_are_imported_as_the_guide_says() {
    let home = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", server.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        let body = r#"{"object": "list", "data": [{"id": "served"}]}"#;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    fs::create_dir(home.path().join(".openclaw")).unwrap();
    fs::write(home.path().join(".openclaw/openclaw.json"), CLAW).unwrap();
    let folder = home.path().display().to_string();
    let second = &examples()[1];
    assert_eq!(second.len(), 2);
    for shown in second {
        run(home.path(), shown, &[("http://127.0.0.1:8000", &address), ("~", &folder)]);
    }
    answering.join().unwrap();
    let made = fs::read_to_string(home.path().join("config.yaml")).unwrap();
    assert!(made.contains("name: served") && made.contains("name: m"), "{made}");
    assert!(
        home.path().join("config.yaml.bak").exists()
            && home.path().join(".openclaw/openclaw.json.bak").exists()
    );
}

#[test]
fn the_schema_that_the_first_line_names_is_printed() {
    let home = tempfile::tempdir().unwrap();
    assert!(GUIDE.contains("`vllm-sr config schema > vllm-sr.schema.json`"));
    let output = crate::run(home.path(), &["config", "schema"]);
    assert!(text(&output.stdout).starts_with('{'));
}
