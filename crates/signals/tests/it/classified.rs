//! Families that read a classifier's heads: domain, fact_check, user_feedback, modality.

use vsr_signals::Head;
use vsr_types::{
    RequestView,
    SignalFamily::{Domain, FactCheck, Modality, UserFeedback},
    UnavailableReason,
};

use crate::{policy::Policy, reader::Reader};

const COMPAT: &str = "router: {compatibility: v0.3}";

fn domains(classes: &'static [(&'static str, f32)]) -> Reader {
    Reader::new().head(Head::Domain, move |_| classes.to_vec())
}

fn prompt() -> RequestView<'static> {
    RequestView::from_prompt("some question")
}

const RULES: &str = "
domains:
  - {name: science, mmlu_categories: [physics, chemistry]}
  - {name: math}
  - {name: law}";

#[test]
fn a_sure_classifier_names_one_domain_and_an_unsure_one_all_above_the_threshold() {
    let policy = Policy::learned(RULES, "");
    let sure = domains(&[("math", 0.95), ("physics", 0.03), ("chemistry", 0.01), ("law", 0.01)]);
    let found = policy.read_by(&sure, &prompt());
    assert_eq!(found.names(Domain), ["math"]);
    assert!((found.confidence(Domain, "math").unwrap() - 0.95).abs() < 1e-6);
    assert!((found.value(Domain, "science").unwrap() - 0.04).abs() < 1e-6);

    let low = "model_catalog: {modules: {classifier: {domain: {threshold: 0.3}}}}";
    let unsure = domains(&[("math", 0.4), ("physics", 0.2), ("chemistry", 0.2), ("law", 0.2)]);
    let policy = Policy::learned(RULES, low);
    assert_eq!(policy.read_by(&unsure, &prompt()).names(Domain), ["science", "math"]);
}

#[test]
fn the_probabilities_of_a_domains_categories_add_up_except_as_in_the_release() {
    let split = domains(&[("math", 0.1), ("physics", 0.4), ("chemistry", 0.4), ("law", 0.1)]);
    assert_eq!(Policy::learned(RULES, "").read_by(&split, &prompt()).names(Domain), ["science"]);
    assert!(Policy::learned(RULES, COMPAT).read_by(&split, &prompt()).names(Domain).is_empty());
}

#[test]
fn a_label_of_no_domain_wins_over_a_weaker_domain() {
    let other = domains(&[("Other", 0.97), ("math", 0.01), ("law", 0.01), ("physics", 0.01)]);
    let low = "model_catalog: {modules: {classifier: {domain: {threshold: 0.0}}}}";
    assert!(Policy::learned(RULES, low).read_by(&other, &prompt()).names(Domain).is_empty());
}

#[test]
fn the_fallback_category_stands_in_where_nothing_is_probable() {
    let flat = domains(&[("math", 0.25), ("physics", 0.25), ("chemistry", 0.2), ("law", 0.3)]);
    assert!(Policy::learned(RULES, "").read_by(&flat, &prompt()).names(Domain).is_empty());
    let fallback = "model_catalog: {modules: {classifier: {domain: {fallback_category: math}}}}";
    assert_eq!(Policy::learned(RULES, fallback).read_by(&flat, &prompt()).names(Domain), ["math"]);
    let unknown = "model_catalog: {modules: {classifier: {domain: {fallback_category: maths}}}}";
    assert_eq!(
        Policy::learned(RULES, unknown).problems(),
        [
            "global.model_catalog.modules.classifier.domain.fallback_category: no domain has the name or the category `maths`"
        ]
    );
}

#[test]
fn a_domain_that_stands_for_no_class_is_warned_about() {
    let policy = Policy::learned("domains: [{name: math}, {name: coding}]", "");
    assert_eq!(
        policy.problems(),
        [
            "routing.signals.domains[1].name: `coding` is no class of the classifier and lists none, so it never matches"
        ]
    );
}

#[test]
fn a_language_that_a_head_does_not_know_is_unavailable() {
    let silent = Reader::new().silent_head(Head::Domain, UnavailableReason::UnsupportedLanguage);
    let policy = Policy::learned("domains: [{name: math}, {name: law, on_error: match}]", "");
    let found = policy.read_by(&silent, &prompt());
    assert_eq!(found.reason(Domain, "math"), Some(UnavailableReason::UnsupportedLanguage));
    assert!(found.unavailable(Domain, "math") && found.matched(Domain, "law"));
}

#[test]
fn a_text_is_judged_by_its_first_and_last_window() {
    let policy = Policy::learned(RULES, "");
    let reader = Reader::new().head(Head::Domain, |text| match text.contains("integral") {
        true => vec![("math", 1.0), ("law", 0.0)],
        false => vec![("math", 0.2), ("law", 0.8)],
    });
    let words = |head: &str, tail: &str| format!("{head} {} {tail}", "filler ".repeat(22).trim());
    let on =
        |text: &str| policy.read_by(&reader, &RequestView::from_prompt(text)).value(Domain, "math").unwrap();
    assert!((on(&words("integral", "integral")) - 1.0).abs() < 1e-6);
    assert!((on(&words("integral", "end")) - 0.6).abs() < 1e-6);
    assert!(
        (on(&format!("start {} integral {} end", "a ".repeat(11).trim(), "b ".repeat(10).trim())) - 0.2)
            .abs()
            < 1e-6
    );
}

fn fact_check(needed: f32) -> Reader {
    Reader::new().head(Head::FactCheck, move |_| {
        vec![("no_fact_check_needed", 1.0 - needed), ("needs_fact_check", needed)]
    })
}

#[test]
fn one_of_the_two_classes_of_fact_checking_holds() {
    let policy = Policy::learned("fact_check: [{name: needs_fact_check}, {name: no_fact_check_needed}]", "");
    let on = |needed| policy.read_by(&fact_check(needed), &prompt());
    assert_eq!(on(0.9).names(FactCheck), ["needs_fact_check"]);
    assert!((on(0.9).confidence(FactCheck, "needs_fact_check").unwrap() - 0.9).abs() < 1e-6);
    let unsure = on(0.55);
    assert_eq!(unsure.names(FactCheck), ["no_fact_check_needed"]);
    assert!((unsure.confidence(FactCheck, "no_fact_check_needed").unwrap() - 0.45).abs() < 1e-6);
    assert!((unsure.value(FactCheck, "needs_fact_check").unwrap() - 0.55).abs() < 1e-6);
    let release = Policy::learned("fact_check: [{name: needs_fact_check}]", COMPAT);
    assert_eq!(
        release.read_by(&fact_check(0.9), &prompt()).confidence(FactCheck, "needs_fact_check"),
        Some(1.0)
    );
}

#[test]
fn rules_that_name_no_class_are_warned_about() {
    let policy =
        Policy::learned("fact_check: [{name: need_fact_check}]\nuser_feedbacks: [{name: angry}]", "");
    assert_eq!(
        policy.problems(),
        [
            "routing.signals.fact_check[0].name: the classifier has no class `need_fact_check`, so the rule never matches",
            "routing.signals.user_feedbacks[0].name: the classifier has no class `angry`, so the rule never matches",
        ]
    );
}

fn feedback(label: &'static str, probability: f32) -> Reader {
    Reader::new().head(Head::UserFeedback, move |_| vec![(label, probability), ("filler", 1.0 - probability)])
}

#[test]
fn feedback_needs_an_answer_to_judge_and_enough_confidence() {
    let rules = "user_feedbacks: [{name: satisfied}, {name: wrong_answer}]";
    let policy = Policy::learned(rules, "");
    let mut request = prompt();
    assert!(policy.read_by(&feedback("WRONG_ANSWER", 0.9), &request).names(UserFeedback).is_empty());
    request.facts.has_prior_assistant_reply = true;
    assert_eq!(
        policy.read_by(&feedback("WRONG_ANSWER", 0.9), &request).names(UserFeedback),
        ["wrong_answer"]
    );
    assert_eq!(policy.read_by(&feedback("SAT", 0.9), &request).names(UserFeedback), ["satisfied"]);
    assert!(policy.read_by(&feedback("wrong_answer", 0.6), &request).names(UserFeedback).is_empty());
    let release = Policy::learned(rules, COMPAT);
    assert_eq!(release.read_by(&feedback("wrong_answer", 0.6), &request).names(UserFeedback), ["satisfied"]);
}

const MODALITY: &str = "modality: [{name: AR}, {name: DIFFUSION}, {name: BOTH}]";

fn detector(method: &str) -> String {
    format!(
        "
model_catalog:
  modules:
    modality_detector:
      enabled: true
      method: {method}
      classifier: {{model_path: m}}
      keywords: [draw, paint]
      both_keywords: [and explain]
      confidence_threshold: 0.7
      lower_threshold_ratio: 0.7"
    )
}

fn modality(label: &'static str, probability: f32) -> Reader {
    Reader::new().head(Head::Modality, move |_| {
        vec![(label, probability), ("filler", (1.0 - probability) / 2.0), ("more", (1.0 - probability) / 2.0)]
    })
}

#[test]
fn modality_by_keywords_needs_no_model() {
    let policy = Policy::learned(MODALITY, &detector("keyword"));
    for (text, class, confidence) in
        [("Draw a cat", "DIFFUSION", 0.8), ("draw a cat and explain it", "BOTH", 0.75), ("hello", "AR", 0.8)]
    {
        let found = policy.on(text);
        assert_eq!(found.names(Modality), [class], "{text}");
        assert_eq!(found.confidence(Modality, class), Some(confidence), "{text}");
    }
}

#[test]
fn modality_by_classifier_keeps_its_threshold() {
    let policy = Policy::learned(MODALITY, &detector("classifier"));
    assert_eq!(policy.read_by(&modality("DIFFUSION", 0.9), &prompt()).names(Modality), ["DIFFUSION"]);
    assert!(policy.read_by(&modality("DIFFUSION", 0.6), &prompt()).names(Modality).is_empty());
    let release = Policy::learned(MODALITY, &format!("{COMPAT}{}", detector("classifier")));
    assert_eq!(release.read_by(&modality("DIFFUSION", 0.6), &prompt()).names(Modality), ["DIFFUSION"]);
    assert_eq!(policy.on("draw").reason(Modality, "AR"), Some(UnavailableReason::NotActive));
}

#[test]
fn modality_by_both_lets_the_surer_decide() {
    let policy = Policy::learned(MODALITY, &detector("hybrid"));
    let on = |reader: &Reader, text: &'static str| {
        let found = policy.read_by(reader, &RequestView::from_prompt(text));
        let name = found.names(Modality)[0].to_owned();
        let confidence = found.confidence(Modality, &name).unwrap();
        (name, (confidence * 1000.0).round() / 1000.0)
    };
    assert_eq!(on(&modality("BOTH", 0.8), "draw"), ("BOTH".into(), 0.8));
    assert_eq!(on(&modality("DIFFUSION", 0.52), "draw"), ("DIFFUSION".into(), 0.66));
    assert_eq!(on(&modality("BOTH", 0.55), "draw"), ("BOTH".into(), 0.55));
    assert_eq!(on(&modality("BOTH", 0.48), "draw"), ("DIFFUSION".into(), 0.8));
    let silent = Reader::new().silent_head(Head::Modality, UnavailableReason::Overloaded);
    assert_eq!(on(&silent, "draw"), ("DIFFUSION".into(), 0.8));
}

#[test]
fn modality_without_its_detector_is_unavailable() {
    let policy = Policy::learned(MODALITY, "");
    assert_eq!(policy.on("draw").reason(Modality, "AR"), Some(UnavailableReason::NotActive));
    let paths: Vec<String> = policy.diagnostics.iter().map(|it| it.path.to_string()).collect();
    assert_eq!(paths, ["global.model_catalog.modules.modality_detector"]);
}
