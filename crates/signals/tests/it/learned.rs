//! Families that need a learned model.

use vsr_types::{RequestView, SignalFamily, UnavailableReason};

use crate::policy::Policy;

const EVERY_FAMILY: &str = "
embeddings: [{name: e, candidates: [x]}, {name: e2, on_error: match, candidates: [x]}]
domains: [{name: d, mmlu_categories: [math]}]
fact_check: [{name: needs_fact_check}]
user_feedbacks: [{name: satisfied}]
reasks: [{name: r, on_error: no_match}]
preferences: [{name: p, description: short}]
complexity: [{name: c}]
modality: [{name: AR}]
jailbreak: [{name: j}]
pii: [{name: i}]
kb: [{name: k, kb: privacy_kb, target: {kind: group, value: private}}]";

#[test]
fn every_rule_has_an_atom_and_is_unavailable() {
    let policy = Policy::signals(EVERY_FAMILY);
    let mut request = RequestView::from_prompt("hello");
    request.facts.has_prior_assistant_reply = true;
    let found = policy.on_request(&request);
    for (family, name) in [
        (SignalFamily::Embedding, "e"),
        (SignalFamily::Domain, "d"),
        (SignalFamily::FactCheck, "needs_fact_check"),
        (SignalFamily::UserFeedback, "satisfied"),
        (SignalFamily::Preference, "p"),
        (SignalFamily::Complexity, "c:easy"),
        (SignalFamily::Complexity, "c:medium"),
        (SignalFamily::Complexity, "c:hard"),
        (SignalFamily::Modality, "AR"),
        (SignalFamily::Jailbreak, "j"),
        (SignalFamily::Pii, "i"),
        (SignalFamily::Kb, "k"),
    ] {
        assert!(found.unavailable(family, name), "{family}:{name}");
        let id = policy.atoms.find(family, name).unwrap();
        assert_eq!(found.evidence.reason(id), Some(UnavailableReason::NotActive));
    }
    assert!(found.matched(SignalFamily::Embedding, "e2"));
    assert!(!found.unavailable(SignalFamily::Reask, "r"));
    assert!(!found.matched(SignalFamily::Reask, "r"));
}

#[test]
fn raw_values_that_nobody_measured_are_unavailable_not_zero() {
    let policy = Policy::signals(EVERY_FAMILY);
    let found = policy.on("hello");
    for (family, name) in [
        (SignalFamily::Complexity, "c:margin"),
        (SignalFamily::Complexity, "c:text_margin"),
        (SignalFamily::Kb, "kb_metric:privacy_kb:best_score"),
        (SignalFamily::Kb, "kb_metric:privacy_kb:best_matched_score"),
        (SignalFamily::Kb, "kb_metric:privacy_kb:private_vs_public"),
    ] {
        assert!(found.unavailable(family, name), "{family}:{name}");
        assert_eq!(found.value(family, name), None);
    }
    assert_eq!(vsr_signals::kb_metric_name("My_KB", "Best_Score"), "kb_metric:my_kb:best_score");
}

#[test]
fn each_family_is_announced_once_as_not_active() {
    let policy = Policy::signals(EVERY_FAMILY);
    let announced: Vec<String> =
        policy.diagnostics.iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
    assert_eq!(announced.len(), 11, "{announced:#?}");
    assert_eq!(
        announced[1],
        "routing.signals.embeddings: the embedding family needs a learned model; 2 rules are unavailable"
    );
    assert!(
        announced.contains(
            &"routing.signals.complexity: the complexity family needs a learned model; 1 rule is unavailable"
                .into()
        )
    );
}

#[test]
fn families_that_are_not_asked_for_stay_untouched() {
    let policy = Policy::signals(EVERY_FAMILY);
    assert_eq!(policy.set.families().iter().count(), 11);
    let mut evidence = vsr_types::Evidence::new(&policy.atoms);
    let input = vsr_signals::SignalInput {
        request: &vsr_types::RequestView::from_prompt("hi"),
        identity: &vsr_types::Identity::default(),
        tokens: &vsr_signals::TokenCalibration::new(),
        authz_fail_open: false,
        readings: None,
    };
    policy.set.evaluate(&input, vsr_types::FamilySet::default(), &mut evidence).unwrap();
    assert!(evidence.unavailable().is_empty());
    assert!(evidence.matched().is_empty());
}

#[test]
fn domains_that_only_decisions_name_exist() {
    let policy = Policy::of(
        "
version: v0.3
routing:
  decisions:
    - name: a
      rules: {operator: OR, conditions: [{type: domain, name: math}, {operator: NOT, conditions: [{type: Domain, name: law}]}]}
      modelRefs: [{model: m}]
",
    );
    assert!(policy.on("x").unavailable(SignalFamily::Domain, "math"));
    assert!(policy.on("x").unavailable(SignalFamily::Domain, "law"));
}

#[test]
fn what_can_be_checked_without_a_model_is_checked() {
    let policy = Policy::unchecked(
        "
embeddings: [{name: e, threshold: 1.5}, {name: e}]
jailbreak: [{name: j, threshold: -1}]
complexity: [{name: 'a:b'}, {name: ''}]
domains: [{name: a, mmlu_categories: [math]}, {name: b, mmlu_categories: [Math]}]",
    );
    let problems = policy.problems().join("\n");
    for expected in [
        "routing.signals.embeddings[1].name: the name `e` is taken by routing.signals.embeddings[0]",
        "routing.signals.embeddings[0].threshold: 1.5 is not between 0 and 1",
        "routing.signals.jailbreak[0].threshold: -1 is not between 0 and 1",
        "routing.signals.complexity[0].name: the name has a `:`",
        "routing.signals.complexity[1].name: the name is empty",
        "routing.signals.domains[1].mmlu_categories[0]: the category `Math` is taken from the domain `a`",
    ] {
        assert!(problems.contains(expected), "{expected} is missing in\n{problems}");
    }
}
