//! Which families are needed.

use vsr_types::SignalFamily;

use crate::fixture::Case;

const ATOMS: &[&str] = &[
    "keyword:a",
    "domain:law",
    "context:long",
    "language:de",
    "authz:admin",
    "jailbreak:attack",
    "complexity:code:hard",
    "kb:kb_metric:docs:best_score",
];

fn used(text: &str) -> Vec<SignalFamily> {
    Case::new(ATOMS, text).policy.used_families().iter().collect()
}

#[test]
fn leaves_count_wherever_they_are() {
    let text = "
routing:
  decisions:
    - {name: d, rules: {operator: OR, conditions: [{type: keyword, name: a}, {operator: NOT, conditions: [{type: authz, name: admin}]}]}}
";
    assert_eq!(used(text), [SignalFamily::Keyword, SignalFamily::Authz]);
}

#[test]
fn composers_count_if_complexity_does() {
    let composer = "signals: {complexity: [{name: code, composer: {type: domain, name: law}}]}";
    let unused =
        format!("routing:\n  {composer}\n  decisions: [{{name: d, rules: {{type: keyword, name: a}}}}]\n");
    assert_eq!(used(&unused), [SignalFamily::Keyword]);
    let direct = unused.replace("type: keyword, name: a", "type: complexity, name: 'code:hard'");
    assert_eq!(used(&direct), [SignalFamily::Domain, SignalFamily::Complexity]);
}

#[test]
fn projections_count_with_everything_they_are_derived_from() {
    let text = "
routing:
  signals: {complexity: [{name: code, composer: {type: domain, name: law}}]}
  projections:
    scores:
      - {name: unused, inputs: [{type: jailbreak, name: attack, weight: 1}]}
      - {name: top, inputs: [{type: projection, name: inner, weight: 1}, {type: projection, name: out, weight: 1, value_source: confidence}]}
      - {name: inner, inputs: [{type: complexity, name: 'code:hard', weight: 1}, {type: kb_metric, kb: docs, metric: best_score, weight: 1}]}
      - {name: other, inputs: [{type: context, name: long, weight: 1}]}
    mappings:
      - {name: m, source: top, outputs: [{name: on, gt: 0}]}
      - {name: n, source: other, outputs: [{name: out, gt: 0}]}
  decisions: [{name: d, rules: {type: projection, name: on}}]
";
    assert_eq!(
        used(text),
        [
            SignalFamily::Domain,
            SignalFamily::Context,
            SignalFamily::Complexity,
            SignalFamily::Kb,
            SignalFamily::Projection,
        ]
    );
}
