//! Small configurations, and what was found wrong in them.

use vsr_config::{Config, Document};

/// A configuration without problems: two models, one of which has an adapter.
pub(crate) const BASE: &str = "\
version: v0.3
listeners:
  - {name: main, address: 127.0.0.1, port: 8899}
providers:
  defaults:
    default_model: small
    reasoning_families:
      qwen3: {type: chat_template_kwargs, parameter: enable_thinking}
  models:
    - name: small
      reasoning_family: qwen3
      backend_refs: [{endpoint: '127.0.0.1:8000'}]
    - name: large
      backend_refs: [{base_url: 'https://api.example.com/v1', provider: openai}]
routing:
  modelCards:
    - {name: small, description: Quick}
    - {name: large, description: Thorough, loras: [{name: law-expert}]}
";

/// Reads `text` with no environment variables set.
pub(crate) fn read(text: &str) -> Document {
    Document::parse("c.yaml", text, &|_| None)
}

/// The problems of `text`, each on a line as it is printed.
pub(crate) fn problems(text: &str) -> Vec<String> {
    shown(&read(text))
}

pub(crate) fn shown(document: &Document) -> Vec<String> {
    document.problems().iter().map(ToString::to_string).collect()
}

/// The configuration of a text without problems.
#[track_caller]
pub(crate) fn config(text: &str) -> Config {
    let document = read(text);
    assert_eq!(shown(&document), Vec::<String>::new());
    document.config().unwrap().clone()
}

/// `BASE` with a decision for both models, and `rest` below the decision, four spaces in.
pub(crate) fn decision(rest: &str) -> String {
    let models = "      modelRefs: [{model: small}, {model: large}]\n";
    let indented: String = rest.lines().map(|line| format!("      {line}\n")).collect();
    format!("{BASE}  decisions:\n    - name: d\n{models}{indented}")
}

/// The problems of `decision(rest)`, without file and position.
pub(crate) fn decision_problems(rest: &str) -> Vec<String> {
    without_places(&read(&decision(rest)))
}

/// The problems of `text`, without file and position.
pub(crate) fn findings(text: &str) -> Vec<String> {
    without_places(&read(text))
}

fn without_places(document: &Document) -> Vec<String> {
    shown(document).iter().map(|line| line.splitn(4, ':').last().unwrap().trim().to_owned()).collect()
}
