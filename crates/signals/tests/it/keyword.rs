//! Keyword rules: operators, literals and regular expressions.

use vsr_types::SignalFamily::Keyword;

use crate::policy::Policy;

/// Whether the only keyword of a rule is found.
fn finds(keyword: &str, more: &str, text: &str) -> bool {
    let policy = Policy::signals(&format!(
        "keywords: [{{name: k, keywords: [{}]{more}}}]",
        serde_json::json!(keyword)
    ));
    policy.on(text).matched(Keyword, "k")
}

#[test]
fn every_matching_rule_is_emitted() {
    let policy = Policy::signals(
        "keywords: [{name: a, keywords: [bug]}, {name: b, keywords: [nope]}, {name: c, keywords: [Bug, fix]}]",
    );
    let found = policy.on("please fix this bug");
    assert_eq!(found.names(Keyword), ["a", "c"]);
    assert_eq!(found.notes(Keyword, "c"), ["Bug", "fix"]);
    assert_eq!(found.confidence(Keyword, "a"), Some(1.0));
}

#[test]
fn under_v0_3_compatibility_only_the_first_matching_rule_is_emitted() {
    let policy = Policy::of(
        "
version: v0.3
routing:
  signals:
    keywords: [{name: z, keywords: [nope]}, {name: a, keywords: [bug]}, {name: b, keywords: [fix]}]
global: {router: {compatibility: v0.3}}
",
    );
    assert_eq!(policy.on("fix this bug").names(Keyword), ["a"]);
}

#[test]
fn operators_combine_keywords() {
    let policy = Policy::signals(
        "
keywords:
  - {name: all, operator: AND, keywords: [alpha, beta]}
  - {name: any, operator: OR, keywords: [alpha, beta]}
  - {name: none, operator: NOR, keywords: [alpha, beta]}",
    );
    assert_eq!(policy.on("alpha and beta").names(Keyword), ["all", "any"]);
    assert_eq!(policy.on("beta alone").names(Keyword), ["any"]);
    assert_eq!(policy.on("gamma").names(Keyword), ["none"]);
}

#[test]
fn rules_without_keywords_match_vacuously_and_are_warned_about() {
    let policy = Policy::signals(
        "
keywords:
  - {name: all, operator: AND, keywords: []}
  - {name: any, operator: OR, keywords: []}
  - {name: none, operator: NOR, keywords: []}",
    );
    assert_eq!(policy.problems().len(), 3);
    assert_eq!(policy.on("x").names(Keyword), ["all", "none"]);
}

#[test]
fn literals_are_found_word_by_word() {
    assert!(finds("cat", "", "a CAT sat"));
    assert!(finds("cat", "", "cat"));
    assert!(finds("cat", "", "(cat)"));
    assert!(!finds("cat", "", "concatenate"));
    assert!(!finds("cat", "", "cat_food"));
    assert!(!finds("cat", "", "2cat"));
    assert!(finds("machine learning", "", "about machine learning."));
    assert!(!finds("machine learning", "", "about machine learnings"));
}

#[test]
fn letters_of_every_language_are_word_characters() {
    assert!(!finds("ber", "", "über"));
    assert!(finds("über", "", "Über den Wolken"));
    assert!(!finds("стол", "", "столовая"));
    assert!(finds("стол", "", "СТОЛ, стул"));
}

#[test]
fn a_keyword_that_ends_in_punctuation_needs_no_boundary_there() {
    assert!(finds("c++", "", "I write C++ daily"));
    assert!(finds(".net", "", "use .NET here"));
    assert!(!finds("c++", "", "xc++"));
    assert!(finds("?!", "", "what?!no"));
}

#[test]
fn keywords_in_scripts_without_spaces_are_found_within_text() {
    assert!(finds("退款", "", "我要申请退款吗"));
    assert!(finds("api", "", "调用api接口"));
    assert!(finds("緊急", "", "これは緊急です"));
    assert!(finds("ありがとう", "", "本当にありがとうございます"));
    assert!(finds("오류", "", "오류가 났어요"));
    assert!(finds("เร่งด่วน", "", "เรื่องเร่งด่วนมาก"));
}

#[test]
fn case_folding_is_unicode_unless_case_matters() {
    assert!(finds("ΟΔΟΣ", "", "η οδος"));
    assert!(finds("straße", "", "Große STRAẞE"));
    assert!(finds("kelvin", "", "\u{212A}ELVIN"));
    assert!(!finds("asap", ", case_sensitive: true", "ASAP"));
    assert!(finds("ASAP", ", case_sensitive: true", "do it ASAP"));
    assert!(!finds("ASAP", ", case_sensitive: true", "ASAPs"));
}

#[test]
fn overlapping_keywords_of_several_rules_are_all_found() {
    let policy = Policy::signals(
        "
keywords:
  - {name: long, keywords: [machine learning model]}
  - {name: middle, keywords: [learning]}
  - {name: short, keywords: [machine]}
  - {name: exact, keywords: [Machine], case_sensitive: true}",
    );
    assert_eq!(policy.on("Machine learning model").names(Keyword), ["long", "middle", "short", "exact"]);
    assert_eq!(policy.on("machine learning").names(Keyword), ["middle", "short"]);
}

#[test]
fn regexes_are_taken_as_written() {
    let regex = ", method: regex";
    assert!(finds("refund(ed)?|charge\\s*back", regex, "The Charge  Back"));
    assert!(finds("\\bcve-\\d{4}-\\d+", regex, "see CVE-2024-3094"));
    assert!(!finds("\\bcve-\\d{4}-\\d+", regex, "see CVE-24"));
    assert!(finds("cat", regex, "concatenate"));
    assert!(!finds("ASAP", ", method: regex, case_sensitive: true", "asap"));
    assert!(finds("^\\s*hello", regex, "  hello"));
}

#[test]
fn regex_classes_and_boundaries_are_ascii() {
    let regex = ", method: regex";
    assert!(finds("\\bapi\\b", regex, "调用api接口"));
    assert!(!finds("^\\w+$", regex, "über"));
    assert!(!finds("\\d", regex, "٣"));
    assert!(finds("[\\w-]+@x", regex, "a-b@x"));
    assert!(finds("x\\B.", regex, "xy"));
}

#[test]
fn a_regex_is_found_where_only_case_folding_shows_its_literal() {
    let regex = ", method: regex";
    assert!(finds("kelvin scale", regex, "the \u{212A}ELVIN SCALE"));
    assert!(finds("(?:urgent|dringend)e?", regex, "Das ist DRINGEND"));
    assert!(finds("(a|bc)+refund{2}", regex, "xbcrefundd"));
    assert!(finds("re-?fund(able|ed)", regex, "a REfunded order"));
}

#[test]
fn broken_and_oversized_regexes_are_reported_where_they_stand() {
    let policy = Policy::unchecked(
        r#"
keywords:
  - {name: a, method: regex, keywords: ["ok", "(unclosed"]}
  - {name: b, method: regex, keywords: ["(?=look)"]}
  - {name: c, method: regex, keywords: ["(\\pL{1000}){1000}"]}"#,
    );
    let problems = policy.problems();
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert_eq!(
        problems[0],
        "routing.signals.keywords[0].keywords[1]: `(unclosed` is not a valid regular expression: unclosed group at character 1"
    );
    assert!(problems[1].contains("look-around"), "{}", problems[1]);
    assert!(problems[2].contains("bytes when compiled"), "{}", problems[2]);
    assert!(policy.on("ok").matched(Keyword, "a"));
}

#[test]
fn a_blank_text_has_no_keywords() {
    let policy =
        Policy::signals("keywords: [{name: any, keywords: [x]}, {name: none, operator: NOR, keywords: [x]}]");
    assert_eq!(policy.on("  \n").names(Keyword), ["none"]);
}
