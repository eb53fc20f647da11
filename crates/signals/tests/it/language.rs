//! Language rules.

use vsr_types::{RequestView, SignalFamily::Language, UnavailableReason};

use crate::policy::Policy;

const GERMAN: &str = "Der Bericht muss bis Freitag fertig sein, und höchstens zwei Seiten lang.";

#[test]
fn the_rule_of_the_detected_language_matches() {
    let policy = Policy::signals("language: [{name: en}, {name: de}, {name: zh}]");
    let found = policy.on(GERMAN);
    assert_eq!(found.names(Language), ["de"]);
    assert!(found.value(Language, "de").unwrap() > 0.9);
    assert_eq!(found.value(Language, "zh"), Some(0.0));
    assert!(found.notes(Language, "de")[0].starts_with("de "));
    assert_eq!(policy.on("请先总结问题，然后给出解决方案。").names(Language), ["zh"]);
}

#[test]
fn each_rule_has_its_own_threshold() {
    let policy = Policy::signals("language: [{name: de, threshold: 1.0}, {name: en, threshold: 0.01}]");
    assert!(policy.on(GERMAN).names(Language).is_empty());
}

#[test]
fn what_cannot_be_told_is_no_language() {
    let policy = Policy::signals("language: [{name: en}]");
    assert!(policy.on("12345 ... 67").names(Language).is_empty());
}

#[test]
fn a_blank_text_is_unavailable() {
    let policy = Policy::signals("language: [{name: en}]");
    for request in [RequestView::default(), RequestView::from_prompt(" \n")] {
        let found = policy.on_request(&request);
        assert!(found.unavailable(Language, "en"));
        let id = policy.atoms.find(Language, "en").unwrap();
        assert_eq!(found.evidence.reason(id), Some(UnavailableReason::NoInput));
    }
}

#[test]
fn unknown_languages_are_errors() {
    let policy = Policy::unchecked("language: [{name: english}, {name: xx}, {name: de, threshold: 2}]");
    let problems = policy.problems();
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert_eq!(
        problems[0],
        "routing.signals.language[0].name: `english` is not the code of a language that can be recognised"
    );
    assert_eq!(problems[2], "routing.signals.language[2].threshold: 2 is not between 0 and 1");
    assert!(vsr_signals::supported_languages().contains(&"de"));
}
