//! Policies published with the public release.

use std::path::{Path, PathBuf};

use vsr_config::{Config, Document};
use vsr_policy::Policy;
use vsr_types::{Atom, AtomTable, Diagnostics, SignalFamily};

use crate::fixture::Case;

/// The support policy that introduces projections.
const SUPPORT: &str = "
routing:
  signals:
    embeddings:
      - name: technical_support
        threshold: 0.75
        aggregation_method: max
        candidates:
          - installation guide
          - troubleshooting steps
      - name: account_management
        threshold: 0.72
        aggregation_method: any
        candidates:
          - password reset
          - billing information
    context:
      - name: long_context
        min_tokens: 32K
        max_tokens: 256K
  projections:
    partitions:
      - name: support_intents
        semantics: exclusive
        members:
          - technical_support
          - account_management
        default: technical_support
    scores:
      - name: request_difficulty
        method: weighted_sum
        inputs:
          - type: embedding
            name: technical_support
            weight: 0.18
            value_source: confidence
          - type: context
            name: long_context
            weight: 0.18
    mappings:
      - name: request_band
        source: request_difficulty
        method: threshold_bands
        outputs:
          - name: support_fast
            lte: 0.20
          - name: support_escalated
            gte: 0.45
  decisions:
    - name: escalated_support_route
      rules:
        operator: AND
        conditions:
          - type: projection
            name: support_escalated
";

/// The session-aware policy.
const AGENTIC: &str = "
routing:
  signals:
    conversation:
      - name: active_tool_use
        feature:
          type: count
          source:
            type: assistant_tool_cycle
        predicate:
          gte: 1
  decisions:
    - name: agentic_session_route
      rules:
        operator: AND
        conditions:
          - type: conversation
            name: active_tool_use
      algorithm:
        type: session_aware
        session_aware:
          base_method: hybrid
          tool_loop_hard_lock: true
          context_portability_hard_lock: true
          prefix_cache_weight: 0.20
          handoff_penalty_weight: 1.0
      plugins:
        - type: memory
          configuration:
            enabled: true
            retrieval_limit: 6
            auto_store: true
            hybrid_search: true
";

const SUPPORT_ATOMS: &[&str] =
    &["embedding:technical_support", "embedding:account_management", "context:long_context"];

#[test]
fn the_support_policy_puts_requests_into_bands() {
    // An account question: the partition keeps it, the score is 0.
    let mut account = Case::new(SUPPORT_ATOMS, SUPPORT)
        .matched("embedding:account_management", 0.9)
        .matched("embedding:technical_support", 0.8);
    let trace = account.project();
    assert_eq!(account.confidence("embedding:technical_support"), None);
    assert_eq!(trace.scores[0].value, 0.0);
    assert!(account.confidence("projection:support_fast").unwrap() > 0.9);

    // A long technical question: 0.18 · 0.9 + 0.18 lies in the gap between the bands.
    let mut technical = Case::new(SUPPORT_ATOMS, SUPPORT)
        .matched("embedding:technical_support", 0.9)
        .matched("context:long_context", 1.0);
    let verdict = technical.decide();
    assert!((verdict.projections.scores[0].value - 0.342).abs() < 1e-12);
    assert!(verdict.projections.mappings[0].outputs.is_empty());
    assert_eq!(verdict.winner, None);

    // Nothing known at all: the default of the partition adds nothing.
    let mut nothing = Case::new(SUPPORT_ATOMS, SUPPORT);
    let trace = nothing.project();
    assert!(trace.partitions[0].by_default);
    assert_eq!(trace.scores[0].value, 0.0);
}

#[test]
fn the_support_policy_escalates_once_its_weights_reach_the_band() {
    let text = SUPPORT.replace("weight: 0.18", "weight: 0.28");
    let mut case = Case::new(SUPPORT_ATOMS, &text)
        .matched("embedding:technical_support", 0.9)
        .matched("context:long_context", 1.0);
    let verdict = case.decide();
    let winner = verdict.winner.unwrap();
    assert_eq!(winner.name.as_str(), "escalated_support_route");
    assert_eq!(case.names(&winner.matched_atoms), ["projection:support_escalated"]);
    let expected = 1.0 / (1.0 + (-12.0_f64 * (0.28 * 0.9 + 0.28 - 0.45)).exp());
    assert!((winner.confidence - expected).abs() < 1e-12);
}

#[test]
fn the_agentic_policy_routes_tool_loops() {
    let case = || Case::new(&["conversation:active_tool_use"], AGENTIC);
    let routed = case()
        .value("conversation:active_tool_use", 2.0)
        .matched("conversation:active_tool_use", 1.0)
        .winner();
    assert_eq!(routed, Some(("agentic_session_route".into(), "only match")));
    assert_eq!(case().winner(), None);
}

/// The atoms that the signals of `config` stand for.
fn declared(config: &Config) -> AtomTable {
    use SignalFamily::*;
    let signals = &config.routing.signals;
    let mut atoms = AtomTable::default();
    let mut declare = |family, name: &str| {
        atoms.declare(Atom::new(family, name));
    };
    signals.keywords.iter().for_each(|rule| declare(Keyword, &rule.name));
    signals.embeddings.iter().for_each(|rule| declare(Embedding, &rule.name));
    signals.domains.iter().for_each(|rule| declare(Domain, &rule.name));
    signals.fact_check.iter().for_each(|rule| declare(FactCheck, &rule.name));
    signals.user_feedbacks.iter().for_each(|rule| declare(UserFeedback, &rule.name));
    signals.reasks.iter().for_each(|rule| declare(Reask, &rule.name));
    signals.preferences.iter().for_each(|rule| declare(Preference, &rule.name));
    signals.language.iter().for_each(|rule| declare(Language, &rule.name));
    signals.context.iter().for_each(|rule| declare(Context, &rule.name));
    signals.structure.iter().for_each(|rule| declare(Structure, &rule.name));
    for rule in &signals.complexity {
        for level in ["easy", "medium", "hard", "margin"] {
            declare(Complexity, &format!("{}:{level}", rule.name));
        }
    }
    signals.modality.iter().for_each(|rule| declare(Modality, &rule.name));
    signals.role_bindings.iter().for_each(|binding| declare(Authz, &binding.role));
    signals.jailbreak.iter().for_each(|rule| declare(Jailbreak, &rule.name));
    signals.pii.iter().for_each(|rule| declare(Pii, &rule.name));
    signals.kb.iter().for_each(|rule| declare(Kb, &rule.name));
    for (kb, metric) in [("privacy_kb", "private_vs_public"), ("privacy_kb", "best_score")] {
        declare(Kb, &format!("kb_metric:{kb}:{metric}"));
    }
    signals.conversation.iter().for_each(|rule| declare(Conversation, &rule.name));
    signals.events.iter().for_each(|rule| declare(Event, &rule.name));
    atoms
}

fn corpus() -> Option<PathBuf> {
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance"));
    if !corpus.is_dir() {
        println!("skipped: the conformance corpus is not beside this checkout");
        return None;
    }
    Some(corpus)
}

/// `None` for a file that is not a canonical configuration.
fn compile(path: &Path) -> Option<(Policy, Vec<String>)> {
    let document = Document::read(path, &|_| Some("x".into())).unwrap();
    let config = document.config()?;
    let mut atoms = declared(config);
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::compile(config, &mut atoms, &mut diagnostics);
    let lines = diagnostics
        .iter()
        .map(|problem| format!("{:?} {}: {}", problem.severity, problem.path, problem.message));
    Some((policy, lines.collect()))
}

#[test]
fn the_reference_configuration_compiles_and_what_does_nothing_in_it_is_named() {
    let Some(corpus) = corpus() else { return };
    let (policy, problems) = compile(&corpus.join("config/config.yaml")).unwrap();
    assert_eq!(
        problems,
        [
            "Warning routing.projections.partitions[0].temperature: \
             the temperature does nothing under `semantics: exclusive`",
            "Warning routing.projections.scores[0].inputs[0].match: \
             `match` does nothing with `value_source: confidence`",
            "Warning routing.projections.scores[0].inputs[0].miss: \
             `miss` does nothing with `value_source: confidence`",
        ]
    );
    assert!(policy.used_families().contains(SignalFamily::Keyword));
}

#[test]
fn every_complete_configuration_of_the_release_compiles_or_says_why() {
    let Some(corpus) = corpus() else { return };
    let mut open = vec![corpus.join("e2e/config"), corpus.join("deploy")];
    let mut checked = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let Some((_, problems)) = compile(&path) else { continue };
                assert_eq!(problems, [""; 0], "{}", path.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 5, "{checked} files");
}
