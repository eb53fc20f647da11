//! Problems and atoms of whole configurations.

use std::path::PathBuf;

use vsr_config::Document;
use vsr_signals::{SignalInput, SignalSet, TokenCalibration};
use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView, SignalFamily};

use crate::policy::Policy;

#[test]
fn names_are_unique_and_not_empty_in_every_family() {
    let policy = Policy::unchecked(
        "
keywords: [{name: a, keywords: [x]}, {name: a, keywords: [y]}, {name: '', keywords: ['']}]
context: [{name: c}, {name: c}]
structure: []",
    );
    assert_eq!(
        policy.problems(),
        [
            "routing.signals.keywords[1].name: the name `a` is taken by routing.signals.keywords[0]; names are unique within a family",
            "routing.signals.keywords[2].name: the name is empty; decisions refer to the rule by it",
            "routing.signals.keywords[2].keywords[0]: the keyword is empty, so it is found in every text",
            "routing.signals.context[1].name: the name `c` is taken by routing.signals.context[0]; names are unique within a family",
        ]
    );
}

#[test]
fn a_name_may_be_used_in_several_families() {
    let policy = Policy::signals("keywords: [{name: a, keywords: [x]}]\ncontext: [{name: a}]");
    let found = policy.on("y");
    assert!(!found.matched(SignalFamily::Keyword, "a"));
    assert!(found.matched(SignalFamily::Context, "a"));
}

#[test]
fn the_time_of_each_family_is_booked() {
    let policy = Policy::signals("keywords: [{name: a, keywords: [x]}]\ncontext: [{name: a}]");
    let found = policy.on("y");
    assert!(found.evidence.family_nanos(SignalFamily::Keyword) > 0);
    assert_eq!(found.evidence.family_nanos(SignalFamily::Structure), 0);
}

#[test]
fn the_public_release_configurations_compile_without_errors() {
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance"));
    if !corpus.is_dir() {
        println!("skipped: the conformance corpus is not beside this checkout");
        return;
    }
    for file in ["config/config.yaml", "deploy/recipes/balance.yaml"] {
        let document = Document::read(&corpus.join(file), &|_| Some("x".into())).unwrap();
        let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
        let set = SignalSet::compile(document.config().unwrap(), &mut atoms, &mut diagnostics);
        let problems: Vec<String> =
            diagnostics.iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
        assert!(!diagnostics.has_errors(), "{file}\n{}", problems.join("\n"));

        let identity = Identity {
            user: Some("ann".into()),
            groups: vec!["platform-admins".into()],
            ..Identity::default()
        };
        let mut evidence = Evidence::new(&atoms);
        let input = SignalInput {
            request: &RequestView::from_prompt("First explain this function, then debug it."),
            identity: &identity,
            tokens: &TokenCalibration::new(),
            authz_fail_open: false,
            readings: None,
        };
        set.evaluate(&input, FamilySet::ALL, &mut evidence).unwrap();
        let matched: Vec<String> = evidence.matched().iter().map(|id| atoms.atom(id).to_string()).collect();
        let expected: &[&str] = match file {
            "config/config.yaml" => &["keyword:code_keywords", "structure:first_then_flow", "authz:admin"],
            _ => &["keyword:code_request_markers", "structure:first_then_flow", "language:en"],
        };
        for expected in expected {
            assert!(matched.iter().any(|atom| atom == expected), "{file}: {matched:#?}");
        }
    }
}
