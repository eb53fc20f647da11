//! Structure rules.

use vsr_types::{RequestView, SignalFamily::Structure};

use crate::policy::Policy;

fn rule(fields: &str) -> Policy {
    Policy::signals(&format!("structure: [{{name: s, {fields}}}]"))
}

fn value(policy: &Policy, text: &str) -> f64 {
    policy.on(text).value(Structure, "s").unwrap()
}

const QUESTIONS: &str = "feature: {type: count, source: {type: regex, pattern: '[?？]'}}";

#[test]
fn counts_are_bounded_by_the_predicate() {
    let policy = rule(&format!("{QUESTIONS}, predicate: {{gte: 2, lt: 4}}"));
    assert!(!policy.on("one?").matched(Structure, "s"));
    assert!(policy.on("one? two？").matched(Structure, "s"));
    assert!(!policy.on("????").matched(Structure, "s"));
    assert_eq!(value(&policy, "????"), 4.0);
}

#[test]
fn without_a_predicate_a_value_above_zero_matches() {
    let policy = rule(QUESTIONS);
    assert!(policy.on("why?").matched(Structure, "s"));
    assert_eq!(policy.on("why?").confidence(Structure, "s"), Some(1.0));
    assert!(!policy.on("because").matched(Structure, "s"));
}

#[test]
fn confidence_is_a_sigmoid_of_the_distance_to_the_first_bound() {
    let policy = rule(&format!("{QUESTIONS}, predicate: {{gte: 1, lte: 9}}"));
    assert_eq!(policy.on("a?").confidence(Structure, "s"), Some(0.5));
    let sure = policy.on("a? b?").confidence(Structure, "s").unwrap();
    assert!((sure - 1.0 / (1.0 + (-4.0f64).exp())).abs() < 1e-12);
}

#[test]
fn numbered_lists_exist_or_not() {
    let policy = rule(r"feature: {type: exists, source: {type: regex, pattern: '(?m)^\s*\d+\.\s+'}}");
    assert!(policy.on("Steps:\n 1. read\n 2. write").matched(Structure, "s"));
    assert!(!policy.on("version 1.5 is out").matched(Structure, "s"));
}

#[test]
fn keywords_are_counted_without_overlaps_and_within_word_bounds() {
    let policy = rule(
        "feature: {type: count, source: {type: keyword_set, keywords: [at most, json, 不超过]}}, predicate: {gt: 0}",
    );
    assert_eq!(value(&policy, "at most 3, AT MOST 4, jsonl, json_file, 字数不超过百"), 4.0);
}

#[test]
fn case_matters_where_the_rule_says_so() {
    let policy =
        rule("feature: {type: count, source: {type: keyword_set, keywords: [JSON], case_sensitive: true}}");
    assert_eq!(value(&policy, "JSON json Json JSON"), 2.0);
}

#[test]
fn density_counts_words_and_cjk_characters() {
    let policy =
        rule("feature: {type: density, source: {type: regex, pattern: '[?？]'}}, predicate: {gt: 0.2}");
    assert_eq!(value(&policy, "what is this?"), 1.0 / 3.0);
    assert_eq!(value(&policy, "为什么？"), 1.0 / 3.0);
    assert_eq!(value(&policy, "Größe und 多少?"), 1.0 / 4.0);
    assert_eq!(value(&policy, "?!"), 0.0);
}

#[test]
fn sequences_need_their_markers_in_order() {
    let policy = rule(
        "feature: {type: sequence, source: {type: sequence, sequences: [[first, then], [首先, 然后], [a, b, c]]}}",
    );
    assert!(policy.on("First do this, THEN that").matched(Structure, "s"));
    assert!(!policy.on("then do this first").matched(Structure, "s"));
    assert!(policy.on("首先分析，然后总结").matched(Structure, "s"));
    assert!(policy.on("xaxbxcx").matched(Structure, "s"));
    assert!(!policy.on("c b a").matched(Structure, "s"));
}

#[test]
fn sequence_markers_do_not_share_characters() {
    let policy =
        rule("feature: {type: sequence, source: {type: sequence, sequences: [[abc, cde], [xx, xx]]}}");
    assert!(!policy.on("abcde").matched(Structure, "s"));
    assert!(policy.on("abc cde").matched(Structure, "s"));
    assert!(!policy.on("xxx").matched(Structure, "s"));
    assert!(policy.on("xxxx").matched(Structure, "s"));
}

#[test]
fn text_bytes_measure_length() {
    let policy = rule("feature: {type: count, source: {type: text_bytes}}, predicate: {gte: 5}");
    assert!(!policy.on("four").matched(Structure, "s"));
    assert!(policy.on("größe").matched(Structure, "s"));
    assert_eq!(value(&policy, "größe"), 7.0);
}

#[test]
fn a_blank_text_has_no_shape() {
    let policy = rule(&format!("{QUESTIONS}, predicate: {{lte: 1}}"));
    assert!(policy.on("fine").matched(Structure, "s"));
    assert!(!policy.on(" \n").matched(Structure, "s"));
    assert!(!policy.on_request(&RequestView::default()).matched(Structure, "s"));
}

#[test]
fn impossible_rules_are_errors() {
    let policy = Policy::unchecked(
        "
structure:
  - {name: a, feature: {type: count, source: {type: regex, pattern: x}}, predicate: {gt: 1, gte: 2}}
  - {name: b, feature: {type: count, source: {type: regex, pattern: x}}, predicate: {lt: 1, lte: 2}}
  - {name: c, feature: {type: exists, source: {type: regex, pattern: x}}, predicate: {gt: 0}}
  - {name: d, feature: {type: count, source: {type: regex, pattern: x}}, predicate: {}}
  - {name: e, feature: {type: sequence, source: {type: regex, pattern: x}}}
  - {name: f, feature: {type: density, source: {type: text_bytes}}}
  - {name: g, feature: {type: sequence, source: {type: sequence, sequences: [[one]]}}}
  - {name: h, feature: {type: count, source: {type: regex}}}
  - {name: i, feature: {type: count, source: {type: keyword_set}}}
  - {name: j, feature: {type: count, source: {type: regex, pattern: '('}}}
  - {name: k, feature: {type: count, source: {type: regex, pattern: x}}, predicate: {gt: 3, lt: 2}}",
    );
    let problems = policy.problems();
    let expected = [
        "structure[0].predicate: `gt` and `gte` exclude each other",
        "structure[1].predicate: `lt` and `lte` exclude each other",
        "structure[2].predicate: `exists` takes no predicate",
        "structure[3].predicate: the predicate has no bound",
        "structure[4].feature.source.type: a `sequence` feature needs a `sequence` source",
        "structure[5].feature.source.type: a `text_bytes` source needs a `count` feature",
        "structure[6].feature.source.sequences[0]: a sequence needs at least two markers",
        "structure[7].feature.source: a `regex` source needs a `pattern`",
        "structure[8].feature.source: a `keyword_set` source needs `keywords`",
        "structure[9].feature.source.pattern: `(` is not a valid regular expression: unclosed group",
        "structure[10].predicate: no number is within these bounds",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(&format!("routing.signals.{expected}")), "{problem}");
    }
}
