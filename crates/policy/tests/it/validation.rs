//! Everything wrong with a policy, each with its place and what to do.

use crate::fixture::{problems, with_rules};

const ATOMS: &[&str] = &[
    "keyword:urgent",
    "keyword:math_terms",
    "embedding:support",
    "embedding:billing",
    "domain:law",
    "domain:math",
    "authz:premium",
    "complexity:code:easy",
    "complexity:code:medium",
    "complexity:code:hard",
    "complexity:code:margin",
    "kb:private",
    "kb:kb_metric:docs:best_score",
];

const RULES: &str = "routing.decisions[0].rules";

/// The one problem of these rules.
fn rule(rules: &str) -> String {
    one(&with_rules(rules))
}

fn one(text: &str) -> String {
    let found = problems(ATOMS, text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

fn projections(text: &str) -> String {
    format!("routing: {{projections: {{{text}}}}}\n")
}

#[test]
fn a_leaf_is_not_an_operator() {
    assert_eq!(
        rule("{type: keyword, name: urgent, operator: AND, conditions: [{type: keyword, name: urgent}]}"),
        format!(
            "{RULES}: this is both a leaf and an operator over conditions \
             (keep `type` and `name`, or `operator` and `conditions`)"
        )
    );
    assert_eq!(
        rule("{operator: AND, name: urgent, conditions: [{type: keyword, name: urgent}]}"),
        format!("{RULES}.name: `name` belongs to a condition with a `type` (add `type:`, or remove it)")
    );
    assert_eq!(
        rule("{name: urgent}"),
        format!("{RULES}.name: `name` belongs to a condition with a `type` (add `type:`, or remove it)")
    );
}

#[test]
fn operators_are_required_and_need_conditions() {
    assert_eq!(
        rule("{conditions: [{type: keyword, name: urgent}]}"),
        format!(
            "{RULES}: the conditions have no operator \
             (write `operator: AND` or `operator: OR`; v0.3 reads it as OR)"
        )
    );
    assert_eq!(
        rule("{operator: OR}"),
        format!(
            "{RULES}.conditions: OR over no conditions never holds \
             (leave `rules` empty for a decision that always matches)"
        )
    );
    assert_eq!(rule("{operator: NOT}"), format!("{RULES}.conditions: NOT needs conditions"));
    assert_eq!(
        rule("{operator: OR, conditions: [{type: keyword, name: urgent}, {operator: AND}]}"),
        format!("{RULES}.conditions[1].conditions: AND needs conditions")
    );
    assert_eq!(
        rule("{operator: OR, conditions: [{}]}"),
        format!(
            "{RULES}.conditions[0]: this condition is empty (write `type` and `name`, or `operator` and `conditions`)"
        )
    );
    assert_eq!(
        rule("{operator: NOT, conditions: [{type: keyword, name: urgent}, {type: domain, name: law}]}"),
        format!(
            "{RULES}.conditions: NOT takes one condition, found 2 \
             (put them under an OR below the NOT to say that none of them holds)"
        )
    );
}

#[test]
fn types_and_names_must_be_known() {
    assert_eq!(
        rule("{type: keywrod, name: urgent}"),
        format!("{RULES}.type: `keywrod` is not a signal type (did you mean `keyword`?)")
    );
    assert_eq!(
        rule("{type: role_bindings, name: premium}"),
        format!("{RULES}.type: `role_bindings` is not a signal type (did you mean `authz`?)")
    );
    assert_eq!(
        rule("{type: latency, name: fast}"),
        format!(
            "{RULES}.type: `latency` is not a signal type \
             (latency conditions were removed: use the algorithm `latency_aware`)"
        )
    );
    assert_eq!(
        rule("{operator: AND, conditions: [{type: keyword, name: urgnet}]}"),
        format!("{RULES}.conditions[0].name: there is no keyword rule `urgnet` (did you mean `urgent`?)")
    );
    assert_eq!(
        rule("{type: keyword}"),
        format!("{RULES}: a condition of type keyword needs a name (write `name:`)")
    );
    assert_eq!(
        rule("{type: embedding, name: math_terms}"),
        format!(
            "{RULES}.name: there is no embedding rule `math_terms` (`math_terms` is of type keyword: write `type: keyword`)"
        )
    );
    assert_eq!(
        rule("{type: pii, name: strict}"),
        format!("{RULES}.name: there is no pii rule `strict` (declare it under routing.signals.pii)")
    );
    assert_eq!(
        rule("{type: projection, name: band}"),
        format!(
            "{RULES}.name: there is no projection output `band` (declare it under routing.projections.mappings)"
        )
    );
}

#[test]
fn a_role_is_named_not_its_binding() {
    let text = "
routing:
  signals:
    role_bindings: [{name: premium-users, role: premium, subjects: [{kind: Group, name: paying}]}]
  projections:
    scores: [{name: s, inputs: [{type: authz, name: premium-users, weight: 1}]}]
  decisions: [{name: d, rules: {type: authz, name: premium-users}}]
";
    let advice = "there is no role `premium-users` (`premium-users` is a binding; write its role: `premium`)";
    assert_eq!(
        problems(ATOMS, text),
        [
            format!("routing.projections.scores[0].inputs[0].name: {advice}"),
            format!("routing.decisions[0].rules.name: {advice}"),
        ]
    );
}

#[test]
fn a_complexity_leaf_names_a_level() {
    assert_eq!(
        rule("{type: complexity, name: code}"),
        format!(
            "{RULES}.name: `code` is a complexity rule; one of its levels must be named \
             (write `code:easy`, `code:medium` or `code:hard`)"
        )
    );
    assert_eq!(
        rule("{type: complexity, name: 'code:hrad'}"),
        format!("{RULES}.name: there is no complexity rule `code:hrad` (did you mean `code:hard`?)")
    );
    let number =
        "which never matches by itself (use it as an input of a projection score, with `value_source: raw`)";
    assert_eq!(
        rule("{type: complexity, name: 'code:margin'}"),
        format!("{RULES}.name: `code:margin` is a number of the complexity signals, {number}")
    );
    assert_eq!(
        rule("{type: kb, name: 'kb_metric:docs:best_score'}"),
        format!("{RULES}.name: `kb_metric:docs:best_score` is a number of the kb signals, {number}")
    );
}

#[test]
fn predicates_need_one_bound_per_side() {
    assert_eq!(
        rule("{type: keyword, name: urgent, predicate: {gt: 1, gte: 2}}"),
        format!("{RULES}.predicate.gte: `gt` and `gte` exclude each other: keep one")
    );
    assert_eq!(
        rule("{type: keyword, name: urgent, predicate: {}}"),
        format!("{RULES}.predicate: there is no bound: write at least one of `gt`, `gte`, `lt` and `lte`")
    );
    assert_eq!(
        rule("{type: keyword, name: urgent, predicate: {gt: 1, lte: 1}}"),
        format!("warning: {RULES}.predicate: no number is within these bounds")
    );
}

#[test]
fn decisions_have_names_of_their_own_and_tiers_from_one() {
    assert_eq!(
        problems(ATOMS, "routing: {decisions: [{name: a}, {name: b, tier: 0}, {name: a}, {name: ''}]}"),
        [
            "warning: routing.decisions[1].tier: tier 0 counts as no tier \
             (tiers start at 1, and decisions without one come last)",
            "routing.decisions[2].name: there is another decision `a` \
             (the first is decisions[0]; names of decisions are unique)",
            "routing.decisions[3].name: a decision needs a name",
        ]
    );
}

#[test]
fn composers_depend_on_signals_only() {
    let text = |composer: &str| {
        format!("routing: {{signals: {{complexity: [{{name: code, composer: {composer}}}]}}}}\n")
    };
    let place = "routing.signals.complexity[0].composer";
    assert_eq!(
        one(&text("{type: complexity, name: 'code:hard'}")),
        format!("{place}.type: a composer cannot depend on complexity, which is known only after it")
    );
    assert_eq!(
        one(&text("{operator: AND, conditions: [{type: domain, name: lw}]}")),
        format!("{place}.conditions[0].name: there is no domain `lw` (did you mean `law`?)")
    );
    assert_eq!(
        one(&text("{conditions: [{type: domain, name: law}]}")),
        format!(
            "{place}: the conditions have no operator \
             (write `operator: AND` or `operator: OR`; v0.3 reads it as AND)"
        )
    );
}

#[test]
fn partitions_have_members_of_one_family_a_default_and_a_temperature() {
    let partition = |text: &str| one(&projections(&format!("partitions: [{{name: p, {text}}}]")));
    let place = "routing.projections.partitions[0]";
    assert_eq!(
        partition("members: [], default: law"),
        format!("{place}.members: a partition needs members: domains, or embedding rules")
    );
    assert_eq!(
        partition("members: [law, mth], default: law"),
        format!("{place}.members[1]: there is no embedding rule and no domain `mth` (did you mean `math`?)")
    );
    assert_eq!(
        partition("members: [law, support], default: law"),
        format!(
            "{place}.members: the members mix embedding rules and domains (make one partition of each family)"
        )
    );
    assert_eq!(
        partition("members: [law, math], default: mathh"),
        format!("{place}.default: `mathh` is not a member (did you mean `math`?)")
    );
    assert_eq!(
        partition("members: [law, math], default: ''"),
        format!("{place}.default: a partition needs a default (name one of its members)")
    );
    assert_eq!(
        partition("members: [law, math], default: law, semantics: softmax_exclusive"),
        format!(
            "{place}: `softmax_exclusive` needs a temperature \
             (write `temperature:`, such as 0.2: the lower, the surer the winner)"
        )
    );
    assert_eq!(
        partition("members: [law, math], default: law, semantics: softmax_exclusive, temperature: 0"),
        format!("{place}.temperature: the temperature must be above 0, found 0")
    );
    assert_eq!(
        partition("members: [law, math], default: law, temperature: 0.2"),
        format!(
            "warning: {place}.temperature: the temperature does nothing under `semantics: exclusive` \
             (write `semantics: softmax_exclusive`, or remove it)"
        )
    );
    assert_eq!(
        partition("members: [law, law], default: law"),
        format!("warning: {place}.members: a partition of one member does nothing")
    );
}

#[test]
fn score_inputs_are_checked() {
    let input =
        |text: &str| one(&projections(&format!("scores: [{{name: s, inputs: [{{{text}, weight: 1}}]}}]")));
    let place = "routing.projections.scores[0].inputs[0]";
    assert_eq!(
        input("type: keyword, name: urgnet"),
        format!("{place}.name: there is no keyword rule `urgnet` (did you mean `urgent`?)")
    );
    assert_eq!(
        input("type: kb_metrics, kb: docs, metric: best_score"),
        format!("{place}.type: `kb_metrics` is not a signal type (did you mean `kb_metric`?)")
    );
    assert_eq!(input("type: keyword"), format!("{place}: an input of type keyword needs a name"));
    assert_eq!(
        input("type: keyword, name: urgent, value_source: score"),
        format!(
            "{place}.value_source: `score` cannot be had of type keyword (write `binary`, `confidence` or `raw`)"
        )
    );
    assert_eq!(
        input("type: keyword, name: urgent, value_source: confidence, miss: 1"),
        format!("warning: {place}.miss: `miss` does nothing with `value_source: confidence`")
    );
    assert_eq!(
        input("type: keyword, name: urgent, kb: docs"),
        format!("warning: {place}.kb: `kb` means nothing for type keyword")
    );
    assert_eq!(
        input("type: complexity, name: 'code:margin'"),
        format!(
            "{place}.name: `code:margin` is a number of the complexity signals, which never matches by itself \
             (use it as an input of a projection score, with `value_source: raw`)"
        )
    );
    assert_eq!(input("type: kb_metric, kb: docs"), format!("{place}: type kb_metric needs `metric`"));
    assert_eq!(
        input("type: kb_metric, kb: docs, metric: best_scroe"),
        format!(
            "{place}.metric: knowledge base `docs` has no metric `best_scroe` (did you mean `best_score`?)"
        )
    );
    assert_eq!(
        input("type: kb_metric, kb: doc, metric: best_score"),
        format!("{place}.kb: there is no knowledge base `doc` with metrics (did you mean `docs`?)")
    );
    assert_eq!(
        input("type: kb_metric, kb: docs, metric: best_score, value_source: confidence"),
        format!("{place}.value_source: `confidence` cannot be had of type kb_metric (write `score`)")
    );
    assert_eq!(
        input("type: projection, name: other"),
        format!("{place}.name: there is no score `other` (declare it under routing.projections.scores)")
    );
}

#[test]
fn scores_have_inputs_and_names_of_their_own() {
    let input = "inputs: [{type: keyword, name: urgent, weight: 1}]";
    let text = format!(
        "scores: [{{name: s, {input}}}, {{name: s, {input}}}, {{name: '', {input}}}, {{name: t, inputs: []}}]"
    );
    assert_eq!(
        problems(ATOMS, &projections(&text)),
        [
            "routing.projections.scores[1].name: there is another score `s` \
             (the first is scores[0]; names of scores are unique)",
            "routing.projections.scores[2].name: a score needs a name",
            "routing.projections.scores[3].inputs: a score needs inputs",
        ]
    );
}

#[test]
fn circles_of_scores_are_shown() {
    let text = "
routing:
  projections:
    scores:
      - {name: a, inputs: [{type: projection, name: b, weight: 1}]}
      - {name: b, inputs: [{type: projection, name: out, weight: 1, value_source: confidence}]}
      - {name: c, inputs: [{type: projection, name: c, weight: 1}]}
    mappings:
      - {name: m, source: a, outputs: [{name: out, gt: 0}]}
";
    assert_eq!(
        problems(ATOMS, text),
        [
            "routing.projections.scores[0]: scores depend on each other in a circle: a -> b -> a \
             (remove one of these inputs)",
            "routing.projections.scores[2]: scores depend on each other in a circle: c -> c \
             (remove one of these inputs)",
        ]
    );
}

#[test]
fn a_long_chain_of_scores_is_walked() {
    let chain = |index: usize| {
        format!("{{name: s{index}, inputs: [{{type: projection, name: s{}, weight: 1}}]}}", index + 1)
    };
    let mut scores: Vec<String> = (0..20_000).map(chain).collect();
    scores.push("{name: s20000, inputs: [{type: keyword, name: urgent, weight: 1}]}".into());
    assert_eq!(problems(ATOMS, &projections(&format!("scores: [{}]", scores.join(", ")))), [""; 0]);
}

#[test]
fn mappings_are_checked() {
    let score = "scores: [{name: s, inputs: [{type: keyword, name: urgent, weight: 1}]}]";
    let mapping = |text: &str| one(&projections(&format!("{score}, mappings: [{{{text}}}]")));
    let place = "routing.projections.mappings[0]";
    assert_eq!(
        mapping("name: m, source: ss, outputs: [{name: o, gt: 0}]"),
        format!("{place}.source: there is no score `ss` (did you mean `s`?)")
    );
    assert_eq!(
        mapping("name: m, source: s, outputs: []"),
        format!("{place}.outputs: a mapping needs outputs")
    );
    assert_eq!(
        mapping("name: m, source: s, method: multi_emit, outputs: [{name: o, gt: 0}]"),
        format!("{place}.outputs: multi_emit needs at least 2 outputs, found 1")
    );
    assert_eq!(
        mapping("name: m, source: s, outputs: [{name: o}]"),
        format!("{place}.outputs[0]: there is no bound: write at least one of `gt`, `gte`, `lt` and `lte`")
    );
    assert_eq!(
        mapping("name: m, source: s, outputs: [{name: o, lt: 1, lte: 2}]"),
        format!("{place}.outputs[0].lte: `lt` and `lte` exclude each other: keep one")
    );
    assert_eq!(
        mapping("name: m, source: s, outputs: [{name: o, lt: 1}, {name: o, gte: 1}]"),
        format!(
            "{place}.outputs[1].name: there is another output `o` \
             (the first is at {place}.outputs[0].name; names of outputs are unique)"
        )
    );
    assert_eq!(
        mapping("name: '', source: s, outputs: [{name: o, gt: 0}]"),
        format!("{place}.name: a mapping needs a name")
    );
    assert_eq!(
        mapping("name: m, source: s, outputs: [{name: '', gt: 0}]"),
        format!("{place}.outputs[0].name: an output needs a name")
    );
    assert_eq!(
        mapping("name: m, source: s, calibration: {slope: -1}, outputs: [{name: o, gt: 0}]"),
        format!("{place}.calibration.slope: the slope must be above 0, found -1")
    );
    assert_eq!(
        mapping("name: m, source: s, calibration: {slope: 0}, outputs: [{name: o, gt: 0}]"),
        format!("warning: {place}.calibration.slope: a slope of 0 is read as 12")
    );
}

#[test]
fn scores_and_outputs_are_not_confused() {
    let text = "
routing:
  projections:
    scores:
      - {name: s, inputs: [{type: keyword, name: urgent, weight: 1}]}
      - {name: t, inputs: [{type: projection, name: out, weight: 1}, {type: projection, name: s, weight: 1, value_source: confidence}]}
    mappings:
      - {name: m, source: s, outputs: [{name: out, gt: 0}, {name: other, lte: 0}]}
  decisions:
    - {name: d, rules: {type: projection, name: s}}
    - {name: e, rules: {type: projection, name: t}}
";
    assert_eq!(
        problems(ATOMS, text),
        [
            "routing.projections.scores[1].inputs[0].name: there is no score `out` \
             (`out` is an output: write `value_source: confidence`)",
            "routing.projections.scores[1].inputs[1].name: `s` is a score, which has no confidence \
             (write `value_source: score`, or name an output of a mapping)",
            "routing.decisions[0].rules.name: there is no projection output `s` \
             (`s` is a score; name an output of its mappings: `out`, `other`)",
            "routing.decisions[1].rules.name: there is no projection output `t` \
             (`t` is a score: give it a mapping, and name one of its outputs)",
        ]
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = "
routing:
  projections:
    partitions: [{name: p, members: [law, nope], default: law}]
    scores: [{name: s, inputs: [{type: keyword, name: nope, weight: 1}]}]
    mappings: [{name: m, source: none, outputs: [{name: o}]}]
  decisions:
    - {name: d, rules: {operator: AND, conditions: [{type: keyword, name: nope}, {type: nope, name: nope}]}}
    - {name: d, rules: {operator: NOT}}
";
    assert_eq!(problems(ATOMS, text).len(), 8);
}
