//! The public release's own files, where they lie beside the checkout.

use std::{fs, path::Path};

use vsr_config::Document;

use crate::sample::shown;

/// A file, and the problems that reading it finds: none for most.
struct Row {
    path: &'static str,
    problems: &'static [&'static str],
}

const fn ok(path: &'static str) -> Row {
    Row { path, problems: &[] }
}

const fn with(path: &'static str, problems: &'static [&'static str]) -> Row {
    Row { path, problems }
}

const NO_VERSION: &str = "10:1: warning: no `version`; v0.3 is assumed (write `version: v0.3`)";
const NO_DEFAULT_MODEL: &str = "17:1: warning: providers.defaults.default_model: there is no default model; requests that no decision claims fail";

/// Full configurations. Those of k8s/testdata come from Kubernetes resources.
const FULL: &[Row] = &[
    with(
        "config/config.yaml",
        &[
            "572:15: warning: routing.decisions[0].candidateIterations[0].models[0].lora_name: the model card `qwen3-8b` declares no adapter `business-adapter`",
            "656:11: warning: routing.decisions[1].algorithm.confidence.token_filter: expected `all` or `tool_call_args`, found `alpha_numeric`; `all` is taken instead",
            "747:11: warning: routing.decisions[3].algorithm.remom.compaction_strategy: expected `full` or `last_n_tokens`, found `summarize`; `full` is taken instead",
            "763:13: warning: routing.decisions[3].plugins[0].configuration.hybrid_mode: expected `weighted` or `rrf`, found `rerank`; `weighted` is taken instead",
            "766:15: warning: routing.decisions[3].plugins[0].configuration.reflection.algorithm: expected `heuristic` or `noop`, found `recency_semantic`; `heuristic` is taken instead",
            "1757:7: warning: global.stores.memory.hybrid_mode: expected `weighted` or `rrf`, found `rerank`; `weighted` is taken instead",
            "1765:9: warning: global.stores.memory.reflection.algorithm: expected `heuristic` or `noop`, found `recency_semantic`; `heuristic` is taken instead",
        ],
    ),
    ok("deploy/recipes/balance.yaml"),
    ok("e2e/config/config.agent-smoke.cpu.yaml"),
    ok("e2e/config/config.authz-rbac.yaml"),
    ok("e2e/config/config.hallucination.yaml"),
    ok("e2e/config/config.memory-user-redis-enabled.yaml"),
    ok("e2e/config/config.memory-user.yaml"),
    ok("e2e/config/config.multi-endpoint.yaml"),
    ok("e2e/config/config.response-api-redis.yaml"),
    ok("e2e/config/config.testing.yaml"),
    with(
        "e2e/config/onnx-binding/config.onnx-binding-test.yaml",
        &[
            "4:3: warning: providers.defaults.default_model: there is no default model; requests that no decision claims fail",
            "47:11: warning: global.model_catalog.modules.classifier.domain.enabled: unknown key `enabled`; it has no effect",
            "49:11: warning: global.model_catalog.modules.classifier.pii.enabled: unknown key `enabled`; it has no effect",
            "80:7: warning: global.integrations.tools.model_type: unknown key `model_type`; it has no effect",
            "81:7: warning: global.integrations.tools.target_dim: unknown key `target_dim`; it has no effect",
        ],
    ),
    with(
        "e2e/profiles/routing-strategies/config-with-embedding.yaml",
        &[
            "256:9: warning: routing.signals.embeddings[0].model: unknown key `model`; it has no effect",
            "265:9: warning: routing.signals.embeddings[1].model: unknown key `model`; it has no effect",
            "275:9: warning: routing.signals.embeddings[2].model: unknown key `model`; it has no effect",
        ],
    ),
    ok("src/semantic-router/pkg/k8s/testdata/base-config.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/01-basic.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/03-embedding-only.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/05-keyword-embedding.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/07-domain-embedding.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/09-keyword-plugin.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/11-domain-plugin.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/13-keyword-domain-plugin.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/15-keyword-embedding-domain-plugin.yaml"),
    ok("src/semantic-router/pkg/k8s/testdata/output/17-embedding-multimodal.yaml"),
];

/// Pieces of configurations that name models and backends which they do not declare.
const PARTIAL: &[Row] = &[
    with(
        "e2e/config/authz-profile-c-static-only.yaml",
        &[
            NO_VERSION,
            NO_DEFAULT_MODEL,
            "19:7: error: providers.models[0].name: there is no model card `gpt-4o-mini`",
            "21:11: error: providers.models[0].backend_refs[0]: the backend has no address (set endpoint or base_url)",
            "23:7: error: providers.models[1].name: there is no model card `claude-sonnet-4-5-20250929`",
            "25:11: error: providers.models[1].backend_refs[0]: the backend has no address (set endpoint or base_url)",
        ],
    ),
    with(
        "e2e/config/authz-profile-e-local-vllm.yaml",
        &[
            NO_VERSION,
            NO_DEFAULT_MODEL,
            "19:7: error: providers.models[0].name: there is no model card `my-local-llama`",
            "22:11: error: providers.models[0].backend_refs[0]: the backend has no address (set endpoint or base_url)",
        ],
    ),
];

/// Helm values with a configuration under `config`.
const HELM_VALUES: &[Row] = &[
    ok("e2e/profiles/ai-gateway/values.yaml"),
    ok("e2e/profiles/anthropic-shim/values.yaml"),
    ok("e2e/profiles/dynamic-config/values.yaml"),
    ok("e2e/profiles/llm-d/values.yaml"),
    ok("e2e/profiles/multi-endpoint/values.yaml"),
    ok("e2e/profiles/response-api-redis-cluster/values.yaml"),
    ok("e2e/profiles/response-api/values.yaml"),
    ok("e2e/profiles/routing-strategies/values.yaml"),
    ok("e2e/profiles/vectorstore-registry/values.yaml"),
];

/// The folder of the release's files, if it is there.
pub(crate) fn corpus() -> Option<&'static Path> {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance"));
    if !corpus.is_dir() {
        println!("skipped: the conformance corpus is not beside this checkout");
        return None;
    }
    Some(corpus)
}

type Parse = fn(&str, &str, vsr_config::Variables<'_>) -> Document;

/// All rows with the way they are read, and their texts.
pub(crate) fn documents(corpus: &Path) -> impl Iterator<Item = (&'static str, Document)> {
    rows().map(|(row, parse)| {
        let text = fs::read_to_string(corpus.join(row.path)).unwrap();
        (row.path, parse(row.path, &text, &|_| Some("set".to_owned())))
    })
}

fn rows() -> impl Iterator<Item = (&'static Row, Parse)> {
    let full = FULL.iter().chain(PARTIAL).map(|row| (row, Document::parse as Parse));
    full.chain(HELM_VALUES.iter().map(|row| (row, Document::parse_helm_values as Parse)))
}

#[test]
fn every_configuration_of_the_release_has_the_expected_outcome() {
    let Some(corpus) = corpus() else { return };
    for ((path, document), (row, _)) in documents(corpus).zip(rows()) {
        let expected: Vec<String> = row.problems.iter().map(|problem| format!("{path}:{problem}")).collect();
        assert_eq!(shown(&document), expected, "{path}");
        let has_errors = row.problems.iter().any(|problem| problem.contains(": error: "));
        assert_eq!(document.has_errors(), has_errors, "{path}");
    }
}

#[test]
fn every_configuration_of_the_release_reads_back_from_its_effective_text() {
    let Some(corpus) = corpus() else { return };
    for (path, document) in documents(corpus) {
        let text = document.effective_yaml();
        let again = Document::parse(path, &text, &|_| Some("set".to_owned()));
        assert_eq!(again.effective_yaml(), text, "{path}");
    }
}

#[test]
fn every_configuration_of_the_release_has_a_row() {
    let Some(corpus) = corpus() else { return };
    let mut found = Vec::new();
    for folder in ["config", "deploy/recipes", "e2e/config", "e2e/config/onnx-binding"] {
        found.extend(yaml_files(corpus, folder));
    }
    for folder in ["", "/output"] {
        found.extend(yaml_files(corpus, &format!("src/semantic-router/pkg/k8s/testdata{folder}")));
    }
    let profiles = corpus.join("e2e/profiles");
    for profile in fs::read_dir(profiles).unwrap() {
        let name = profile.unwrap().file_name().into_string().unwrap();
        found.extend(yaml_files(corpus, &format!("e2e/profiles/{name}")));
    }
    let others = ["balance.probes.yaml", "dashboard-deployment.yaml", "prometheus-config.yaml"];
    found.retain(|path| !others.iter().any(|other| path.ends_with(other)));
    let rows: Vec<&str> = rows().map(|(row, _)| row.path).collect();
    let missing: Vec<&String> = found.iter().filter(|path| !rows.contains(&path.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(found.len(), rows.len());
}

/// The YAML files of one folder, by their paths in the corpus.
pub(crate) fn yaml_files(corpus: &Path, folder: &str) -> Vec<String> {
    let names = fs::read_dir(corpus.join(folder)).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<String> =
        names.filter(|name| name.ends_with(".yaml")).map(|name| format!("{folder}/{name}")).collect();
    paths.sort();
    paths
}
