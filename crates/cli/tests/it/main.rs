//! The binary, run as a person runs it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod environment;
mod envoy;
mod eval;
mod guide;
mod hub;
mod migrate;
mod reload;
mod serve;
mod validate;

use std::process::{Command, Output};

/// Runs the binary in a directory of its own, without the caller's settings.
fn run(directory: &std::path::Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vllm-sr"))
        .args(args)
        .current_dir(directory)
        .env_remove("VLLM_SR_CONFIG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A small policy whose one backend is at `backend`, on these ports.
fn config(port: u16, api: u16, metrics: u16, backend: u16) -> String {
    format!(
        r#"version: v0.3
listeners: [{{name: main, address: 127.0.0.1, port: {port}}}]
providers:
  defaults: {{default_model: small}}
  models:
    - {{name: small, backend_refs: [{{endpoint: "127.0.0.1:{backend}", api_key: hidden-key}}]}}
    - {{name: large, backend_refs: [{{endpoint: "127.0.0.1:{backend}"}}]}}
routing:
  modelCards: [{{name: small}}, {{name: large}}]
  signals:
    keywords: [{{name: code, operator: OR, keywords: [refactor]}}]
  decisions:
    - {{name: coding, priority: 10, rules: {{operator: AND, conditions: [{{type: keyword, name: code}}]}}, modelRefs: [{{model: large}}]}}
global:
  services:
    api: {{port: {api}}}
    observability: {{metrics: {{port: {metrics}}}}}
"#
    )
}
