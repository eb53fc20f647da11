//! Calibration over the models that the binary embeds.

#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod metrics;

use std::path::Path;

use vsr_eval::{Calibration, Policy, Probes, calibrate, unified_diff};
use vsr_reader::{Reader, ReaderModels, ReaderOptions};

const POLICY: &str = r#"version: v0.3
providers:
  defaults: {default_model: small}
  models:
  - {name: small, backend_refs: [{endpoint: "127.0.0.1:1"}]}
routing:
  modelCards: [{name: small}]
  signals:
    embeddings:
    - name: programming # what programmers ask
      threshold: 0.99
      candidates: [sort a list in Python, debug a Rust program]
    - {name: cooking, threshold: 0.99, candidates: [a recipe for bread, how to cook rice]}
  decisions:
  - {name: code, priority: 2, rules: {operator: OR, conditions: [{type: embedding, name: programming}]}, modelRefs: [{model: small}]}
  - {name: food, priority: 1, rules: {operator: OR, conditions: [{type: embedding, name: cooking}]}, modelRefs: [{model: small}]}
"#;

const PROBES: &str = "decisions:
- id: code
  expected_decision: code
  variants:
  - {id: a, query: How do I order a list in Python?}
  - {id: b, query: Help me to debug my Rust program}
  - {id: c, query: Sort this Python list in descending order}
- id: food
  expected_decision: food
  variants:
  - {id: a, query: How long do I cook rice?}
  - {id: b, messages: [{role: user, content: A good recipe for sourdough bread}]}
- id: none
  expected_decision: \"\"
  variants:
  - {id: a, query: Who won the football match yesterday evening?}
  - {id: b, query: The train to Lisbon is late again}
";

fn fit(policy: &str, probes: &str) -> Result<Calibration, vsr_eval::EvalError> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let models = ReaderModels::in_folder(&models).unwrap();
    let reader = Reader::open(models, ReaderOptions::default()).unwrap();
    let policies = Policy::new("policy.yaml", Path::new("."), &|_| None, reader);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let probes = Probes::parse(probes)?;
    runtime.block_on(calibrate(&policies, policy, &probes))
}

#[test]
fn thresholds_out_of_reach_are_lowered_until_probes_reach_their_decision() {
    let fitted = fit(POLICY, PROBES).unwrap();
    assert_eq!((fitted.fitted.probes, fitted.held_out.probes), (4, 3));
    assert_eq!((fitted.fitted.passed_before, fitted.fitted.passed_after), (1, 4));
    assert!(fitted.held_out.passed_after > fitted.held_out.passed_before, "{fitted:?}");
    let rules: Vec<&str> = fitted.changes.iter().map(|change| change.rule.as_str()).collect();
    assert_eq!(rules, ["embedding:programming", "embedding:cooking"]);
    assert_eq!(fitted.changes[0].line, 11);
    let diff = unified_diff("policy.yaml", POLICY, &fitted.text);
    assert!(diff.contains("-      threshold: 0.99\n+      threshold: 0."), "{diff}");
    // All else stays as it is written, comments included.
    assert!(fitted.text.contains("- name: programming # what programmers ask"));
    assert_eq!(fitted.text.lines().count(), POLICY.lines().count());
}

#[test]
fn what_already_holds_is_left_alone() {
    let fitted = fit(POLICY, PROBES).unwrap();
    let again = fit(&fitted.text, PROBES).unwrap();
    assert_eq!(again.changes, []);
    assert_eq!(again.text, fitted.text);
    assert_eq!(unified_diff("policy.yaml", &fitted.text, &again.text), "");
}

#[test]
fn wrong_probes_and_policies_are_told_where_they_are_wrong() {
    let error = |policy: &str, probes: &str| fit(policy, probes).unwrap_err().to_string();
    assert!(error(POLICY, "probes: []").contains("no list `decisions`"));
    let nameless = "decisions:\n- id: a\n  variants: []\n";
    assert!(
        error(POLICY, nameless).contains("line 2") && error(POLICY, nameless).contains("`expected_decision`")
    );
    let empty = "decisions:\n- {id: a, expected_decision: a, variants: [{id: v}]}\n";
    assert!(error(POLICY, empty).contains("neither `query` nor `messages`"), "{}", error(POLICY, empty));
    assert!(error("version: v0.3\nrouting: 7\n", PROBES).contains("cannot run"));
}
