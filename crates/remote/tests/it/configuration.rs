//! What compiling says of a configuration.

use crate::scene::problems;

/// The problems of `global.model_catalog`, a flow mapping, with a preference rule beside it.
fn of(catalog: &str) -> Vec<String> {
    problems(&format!(
        "version: v0.3\nrouting: {{signals: {{preferences: [{{name: p, description: d}}]}}}}\nglobal:\n  model_catalog: {catalog}\n"
    ))
}

fn entry(role: &str, endpoint: &str, more: &str) -> String {
    format!(
        "{{llm_provider: vllm, model_role: {role}, llm_model_name: m, llm_endpoint: {{{endpoint}}}{more}}}"
    )
}

fn guardrail(endpoint: &str, more: &str) -> Vec<String> {
    of(&format!(
        "{{modules: {{prompt_guard: {{use_vllm: true}}}}, external: [{}]}}",
        entry("guardrail", endpoint, more)
    ))
}

fn mcp(keys: &str) -> Vec<String> {
    of(&format!("{{modules: {{classifier: {{mcp: {{enabled: true, {keys}}}}}}}}}"))
}

fn says(problems: &[String], expected: &str) {
    assert!(
        problems.len() == 1 && problems[0].contains(expected),
        "expected one problem with `{expected}`: {problems:#?}"
    );
}

#[test]
fn an_address_is_a_host_with_or_without_port_or_a_url() {
    for endpoint in [
        "address: guard.internal, port: 8000",
        "address: 'guard.internal:8000'",
        "address: guard.internal, protocol: https",
        "address: 'https://guard.internal/openai/v1'",
        "address: '::1', port: 8000",
        "address: '[::1]', port: 8000",
        "address: 10.0.0.1, port: 0",
    ] {
        assert_eq!(guardrail(endpoint, ""), Vec::<String>::new(), "{endpoint}");
    }
    says(&guardrail("address: ''", ""), "address: the address is empty");
    says(&guardrail("address: 'guard:1', port: 2", ""), "the port stands in `address` too");
    says(&guardrail("address: 'ftp://guard'", ""), "llm_endpoint.address");
    says(&guardrail("address: 'a b'", ""), "llm_endpoint.address");
    says(&guardrail("address: 'http://user:hunter2@guard'", ""), "llm_endpoint.address");
    assert!(!guardrail("address: 'http://user:hunter2@guard'", "")[0].contains("hunter2"));
}

#[test]
fn what_nobody_asks_and_who_is_missing_is_said() {
    let external = |role: &str, more: &str| format!("{{external: [{}]}}", entry(role, "address: a", more));
    says(&of(&external("guardrail", "")), "model_role: nothing asks it");
    says(&of(&external("preference", "")), "model_role: nothing asks it");
    says(&of(&external("classification", "")), "model_role: nothing asks it");
    assert_eq!(of(&external("classification", ", parser_type: classify")), Vec::<String>::new());
    for role in ["scoring", "memory_rewrite", "memory_extraction"] {
        says(
            &of(&external(role, "")),
            &format!("NotActive global.model_catalog.external[0].model_role: models with the role `{role}`"),
        );
    }
    says(&of("{modules: {prompt_guard: {use_vllm: true}}}"), "no model has the role `guardrail`");
    says(
        &of("{modules: {classifier: {preference: {use_contrastive: false}}}}"),
        "no model has the role `preference`",
    );
    let two = entry("guardrail", "address: a", "");
    says(
        &of(&format!("{{modules: {{prompt_guard: {{use_vllm: true}}}}, external: [{two}, {two}]}}")),
        "external[1].model_role: an earlier entry has this role",
    );
}

#[test]
fn keys_without_effect_and_values_that_cannot_be_are_reported() {
    says(&guardrail("address: a, use_chat_template: true, prompt_template: 'x %s'", ""), "prompt_template");
    says(&guardrail("address: a, prompt_template: 'x %s'", ", parser_type: classify"), "prompt_template");
    says(
        &guardrail("address: a", ", access_key: \"a\\nb\""),
        "Error global.model_catalog.external[0].access_key",
    );
    says(&guardrail("address: a", ", access_key: abc"), "in the clear");
    assert_eq!(guardrail("address: a, protocol: https", ", access_key: abc"), Vec::<String>::new());
    let preference = |more: &str| {
        of(&format!(
            "{{modules: {{classifier: {{preference: {{use_contrastive: false}}}}}}, external: [{}]}}",
            entry("preference", "address: a", more)
        ))
    };
    says(&preference(", threshold: 0.5"), "threshold");
    says(&preference(", parser_type: classify"), "parser_type");
}

#[test]
fn an_mcp_server_needs_one_way_to_reach_it() {
    assert_eq!(mcp("command: sh"), Vec::<String>::new());
    assert_eq!(mcp("transport_type: stdio, command: /bin/sh, args: ['-c', 'exit']"), Vec::<String>::new());
    assert_eq!(mcp("url: 'http://127.0.0.1:1/mcp'"), Vec::<String>::new());
    says(&mcp(""), "how the MCP server is reached");
    says(&mcp("command: sh, url: 'http://a'"), "how the MCP server is reached");
    says(&mcp("transport_type: stdio"), "needs a program");
    says(&mcp("transport_type: http"), "needs a URL");
    says(
        &mcp("command: there-is-no-such-program"),
        "Warning global.model_catalog.modules.classifier.mcp.command: there is no program",
    );
    says(&mcp("transport_type: stdio, command: sh, url: 'http://a'"), "does not use it");
    says(&mcp("transport_type: http, url: 'http://a', env: {A: b}"), "does not use it");
    says(&mcp("url: 'http://a/?q=1'"), "mcp.url");
}

#[test]
fn a_configuration_that_names_nobody_asks_nobody() {
    let config = crate::scene::config("version: v0.3\nrouting: {}\n");
    let mut diagnostics = vsr_types::Diagnostics::default();
    let models = vsr_remote::RemoteModels::compile(&config, &|_| None, &mut diagnostics);
    assert!(models.is_empty() && diagnostics.is_empty());
}
