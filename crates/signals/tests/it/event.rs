//! Event rules.

use vsr_types::SignalFamily::Event;

use crate::policy::Policy;

fn rule(more: &str) -> Policy {
    Policy::signals(&format!(
        "events: [{{name: e, event_types: [payment_failed], severities: [critical, high], action_codes: [TXN_DECLINE], temporal: true{more}}}]"
    ))
}

#[test]
fn one_criterion_is_enough_and_more_are_surer() {
    let policy = rule("");
    let one = policy.on("do it now");
    assert_eq!(one.confidence(Event, "e"), Some(0.625));
    assert_eq!(one.notes(Event, "e"), ["temporal"]);
    let all = policy.on("CRITICAL: payment_failed with code txn_decline, ASAP");
    assert_eq!(all.confidence(Event, "e"), Some(1.0));
    assert_eq!(all.value(Event, "e"), Some(4.0));
    assert!(!policy.on("the highest known payment_failed_twice").matched(Event, "e"));
}

#[test]
fn all_criteria_or_a_number_of_them_may_be_asked_for() {
    let text = "payment_failed, severity high";
    assert!(!rule(", match: all").on(text).matched(Event, "e"));
    assert!(rule(", min_criteria: 2").on(text).matched(Event, "e"));
    assert!(!rule(", min_criteria: 3").on(text).matched(Event, "e"));
    assert!(rule(", match: all, min_criteria: 1").on(text).matched(Event, "e"));
    assert_eq!(rule(", match: all").on(text).value(Event, "e"), Some(2.0));
}

#[test]
fn words_of_urgency_may_have_a_character_between_their_parts() {
    let policy = Policy::signals("events: [{name: e, temporal: true}]");
    for text in ["urgent", "Immediate!", "a deadline", "time-sensitive", "Time Sensitive", "critical_window"]
    {
        assert!(policy.on(text).matched(Event, "e"), "{text}");
    }
    for text in ["timesensitive", "time and sensitive", "known", "critical", "critical windows", ""] {
        assert!(!policy.on(text).matched(Event, "e"), "{text}");
    }
}

#[test]
fn rules_that_cannot_match_are_reported() {
    let policy = Policy::unchecked(
        "
events:
  - {name: a}
  - {name: b, temporal: true, min_criteria: 2}
  - {name: c, event_types: ['']}",
    );
    let problems = policy.problems();
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(problems[0].starts_with("routing.signals.events[0]: the rule has no criteria"));
    assert_eq!(
        problems[1],
        "routing.signals.events[1].min_criteria: 2 is not between 1 and the number of criteria, 1"
    );
    assert_eq!(problems[2], "routing.signals.events[2].event_types[0]: the term is empty");
}
