//! Older layouts, moved to the canonical one.

use std::fs;

use vsr_config::{Document, Migrated, Outcome, migrate};

use crate::{
    conformance::{corpus, yaml_files},
    sample::{BASE, shown},
};

/// The examples of the layouts that came before v0.3, with what becomes of them.
pub(crate) const EXAMPLES: &[(&str, &str, &str)] = &[
    ("flat", include_str!("../legacy/flat.yaml"), include_str!("../legacy/flat.migrated.yaml")),
    ("cli", include_str!("../legacy/cli.yaml"), include_str!("../legacy/cli.migrated.yaml")),
    ("draft", include_str!("../legacy/draft.yaml"), include_str!("../legacy/draft.migrated.yaml")),
];

#[track_caller]
fn migrated(text: &str) -> Migrated {
    migrate(text).unwrap()
}

/// The steps with this outcome, as they are printed.
#[track_caller]
fn steps(text: &str, outcome: Outcome) -> Vec<String> {
    let steps = migrated(text).steps;
    steps.iter().filter(|step| step.outcome == outcome).map(ToString::to_string).collect()
}

fn not_carried(text: &str) -> Vec<String> {
    steps(text, Outcome::NotCarried)
}

#[test]
fn every_example_becomes_the_expected_file() {
    for (name, before, after) in EXAMPLES {
        assert_eq!(migrated(before).text, *after, "{name}");
    }
}

#[test]
fn what_became_of_the_examples_has_no_problems() {
    for (name, before, _) in EXAMPLES {
        let document = Document::parse(name, &migrated(before).text, &|_| Some("set".into()));
        assert_eq!(shown(&document), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn keys_without_a_place_are_told_with_position_and_reason() {
    let (_, flat, _) = EXAMPLES[0];
    assert_eq!(
        not_carried(flat),
        [
            "38:5: not carried: vllm_endpoints[2]: no model prefers this endpoint",
            "59:5: not carried: model_config.qwen3-8b.pii_policy: write a rule of the family routing.signals.pii and name it in decisions",
            "96:1: not carried: latency_rules: there is no latency signal; give the decision the algorithm `latency_aware`",
            "144:1: not carried: mom_registry: models are named by path; set them in global.model_catalog",
        ]
    );
    assert_eq!(
        steps(flat, Outcome::CommentLost),
        ["28:1: comment left out: # Where the models run.", "38:1: comment left out: # nobody uses this one",]
    );
    let (_, draft, _) = EXAMPLES[2];
    assert_eq!(
        not_carried(draft),
        [
            "6:7: not carried: providers.auth_profiles[0].type: the header and its prefix say how the key is sent",
            "60:66: not carried: global.models.embeddings.bert.pooling: the semantic embeddings have no such key",
        ]
    );
    let (_, cli, _) = EXAMPLES[1];
    assert_eq!(not_carried(cli), Vec::<String>::new());
    assert!(migrated(cli).is_complete() && !migrated(flat).is_complete());
}

#[test]
fn moved_keys_are_told_once_with_their_old_and_new_places() {
    let moved = steps("decisions: [{name: a}]\napi: {port: 1}\n", Outcome::Moved);
    assert_eq!(
        moved,
        ["1:1: moved: decisions is now routing.decisions", "2:1: moved: api is now global.services.api",]
    );
}

#[test]
fn a_canonical_file_stays_as_it_is_byte_by_byte() {
    let odd = format!("\u{feff}# Ours.\r\n{}unknown: {{b: 1,   a: 'x'}}\n", BASE.replace('\n', "\r\n"));
    for text in [BASE, &odd, "", "version: v0.3\nrouting: {}\n"] {
        let result = migrated(text);
        assert_eq!((result.text.as_str(), result.changed, result.steps.len()), (text, false, 0));
    }
}

#[test]
fn every_canonical_configuration_of_the_release_stays_as_it_is() {
    let Some(corpus) = corpus() else { return };
    let folders = ["config", "deploy/recipes", "e2e/config", "e2e/config/onnx-binding"];
    let k8s = ["src/semantic-router/pkg/k8s/testdata", "src/semantic-router/pkg/k8s/testdata/output"];
    let mut seen = 0;
    let paths = folders.iter().chain(&k8s).flat_map(|folder| yaml_files(corpus, folder));
    for path in paths.filter(|path| !path.ends_with("probes.yaml")) {
        let text = fs::read_to_string(corpus.join(&path)).unwrap();
        let result = migrated(&text);
        assert!(!result.changed, "{path}: {:?}", result.steps);
        assert_eq!(result.text, text, "{path}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn what_stands_in_the_canonical_place_wins_and_the_other_is_told() {
    let text = "\
version: v0.3
strategy: confidence
keyword_rules:
  - {name: a, keywords: [old]}
  - {name: b, keywords: [b]}
global:
  router: {strategy: priority}
routing:
  signals:
    keywords: [{name: a, keywords: [new]}]
";
    let result = migrated(text);
    let document = Document::parse("c.yaml", &result.text, &|_| None);
    let keywords = &document.config().unwrap().routing.signals.keywords;
    let found: Vec<(&str, &str)> =
        keywords.iter().map(|rule| (rule.name.as_str(), rule.keywords[0].as_str())).collect();
    assert_eq!(found, [("a", "new"), ("b", "b")]);
    assert_eq!(
        not_carried(text),
        [
            "2:1: not carried: strategy: `global.router.strategy` is set already, and wins",
            "4:5: not carried: keyword_rules[0]: `routing.signals.keywords` has an entry of that name already, which wins",
        ]
    );
}

#[test]
fn credentials_are_carried_and_never_told() {
    let text = "\
providers:
  models:
    - {name: a, access_key: first-secret}
    - {name: b, access_key: second-secret, endpoints: [{endpoint: 'x:1', api_key: third-secret}]}
";
    let result = migrated(text);
    let told: Vec<String> = result.steps.iter().map(ToString::to_string).collect();
    assert!(!told.iter().any(|step| step.contains("secret")), "{told:?}");
    assert_eq!(
        not_carried(text),
        [
            "3:17: not carried: providers.models[0].access_key: the model has no backend that could hold it",
            "4:17: not carried: providers.models[1].access_key: every backend of the model has its own, which wins",
        ]
    );
    assert!(result.text.contains("third-secret"));
}

#[test]
fn a_restriction_of_tools_is_never_loosened_in_silence() {
    let decision = |keys: &str| format!("version: v0.3\nrouting:\n  decisions: [{{name: d, {keys}}}]\n");
    let none = migrated(&decision("tool_scope: none"));
    assert!(none.text.contains("mode: none"), "{}", none.text);
    let filtered = migrated(&decision("block_tools: [shell], plugins: [{type: tools}]"));
    assert!(filtered.text.contains("mode: filtered"), "{}", filtered.text);
    assert_eq!(
        not_carried(&decision("tool_scope: standard")),
        [
            "3:25: not carried: routing.decisions[0].tool_scope: write a plugin of type `tools` with the tools that may pass"
        ]
    );
    let open = "tool_scope: none, plugins: [{type: tools, configuration: {mode: passthrough}}]";
    assert_eq!(
        not_carried(&decision(open)),
        [
            "3:25: not carried: routing.decisions[0].tool_scope: the decision has a plugin of type `tools` already, which wins"
        ]
    );
}

#[test]
fn what_aliases_repeat_is_written_out_and_each_copy_is_accounted_for() {
    let text = "\
keyword_rules:
  - &rule {name: a, keywords: [x]}
  - {<<: *rule, name: b}
latency_rules: [*rule]
";
    let result = migrated(text);
    assert!(result.text.contains("- name: b\n        keywords:\n          - x\n"), "{}", result.text);
    assert_eq!(result.count(Outcome::NotCarried), 1);
}

#[test]
fn comments_and_the_way_collections_were_written_are_kept() {
    let text = "\
# About this file.

# The words.
decisions: # all of them
  # The first.
  - name: a # one
    priority: 1
    description: \"# no comment\"
    rules: {operator: AND, conditions: []}
# Last.
";
    let expected = "\
# yaml-language-server: $schema=vllm-sr.schema.json
# About this file.
# The words.
version: v0.3
routing:
  decisions: # all of them
    # The first.
    - name: a # one
      priority: 1
      description: \"# no comment\"
      rules: {operator: AND, conditions: []}
# Last.
";
    let result = migrated(text);
    assert_eq!(result.text, expected);
    assert_eq!(result.count(Outcome::CommentLost), 0);
}

#[test]
fn what_is_no_mapping_is_refused_with_its_place() {
    assert_eq!(migrate("[1]\n").unwrap_err()[0].to_string(), "expected a mapping, found a list");
    assert_eq!(migrate("a: 1\na: 2\n").unwrap_err()[0].span.line, 2);
    assert!(migrate(&"x".repeat(9 << 20)).unwrap_err()[0].message.contains("larger than"));
}
