//! Decisions' algorithms.

use vsr_config::AlgorithmKind;

use crate::sample::{config, decision, decision_problems, findings};

#[test]
fn a_block_belongs_to_its_type() {
    assert_eq!(
        decision_problems("algorithm: {type: elo, hybrid: {elo_weight: 1}}"),
        [
            "error: routing.decisions[0].algorithm.hybrid: the block `hybrid` does not belong to an algorithm of type `elo` (remove it, or change the type)"
        ]
    );
    assert_eq!(
        decision_problems("algorithm: {type: knn, knn: {k: 3}}"),
        [
            "error: routing.decisions[0].algorithm.knn: an algorithm of type `knn` takes no block (trained selectors are set up under global.router.model_selection.ml)"
        ]
    );
}

#[test]
fn an_unknown_type_is_an_error_with_the_nearest_known_one() {
    let found = decision_problems("algorithm: {type: latency_awre}");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("error: routing.decisions[0].algorithm.type: expected `static`, "),
        "{found:?}"
    );
    assert!(found[0].ends_with("(did you mean `latency_aware`?)"), "{found:?}");
}

#[test]
fn latency_aware_needs_percentiles() {
    assert_eq!(
        decision_problems("algorithm: {type: latency_aware}"),
        [
            "error: routing.decisions[0].algorithm: an algorithm of type `latency_aware` needs the block `latency_aware` (set tpot_percentile and ttft_percentile)"
        ]
    );
    assert_eq!(
        decision_problems("algorithm: {type: latency_aware, latency_aware: {}}"),
        [
            "error: routing.decisions[0].algorithm.latency_aware: no percentile is set (set tpot_percentile and ttft_percentile)"
        ]
    );
    assert_eq!(
        decision_problems("algorithm: {type: latency_aware, latency_aware: {tpot_percentile: 101}}"),
        [
            "warning: routing.decisions[0].algorithm.latency_aware: only one of the two percentiles is set; the other latency does not count",
            "error: routing.decisions[0].algorithm.latency_aware.tpot_percentile: expected a value from 1 to 100, found 101",
        ]
    );
}

#[test]
fn settings_keep_their_ranges() {
    assert_eq!(
        decision_problems(
            "algorithm: {type: session_aware, session_aware: {base_method: confidence, switch_margin: -1, max_cache_cost_multiplier: 0.5, remaining_turn_prior_horizon: 0}}"
        ),
        [
            "error: routing.decisions[0].algorithm.session_aware.base_method: `confidence` cannot propose the one model that a session stays with",
            "error: routing.decisions[0].algorithm.session_aware.switch_margin: expected a value at least 0, found -1",
            "error: routing.decisions[0].algorithm.session_aware.max_cache_cost_multiplier: expected a value at least 1, found 0.5",
            "error: routing.decisions[0].algorithm.session_aware.remaining_turn_prior_horizon: expected a value above 0, found 0",
        ]
    );
    assert_eq!(
        decision_problems("algorithm: {type: remom, remom: {breadth_schedule: [3, 0]}}"),
        [
            "error: routing.decisions[0].algorithm.remom.breadth_schedule[1]: expected a value at least 1, found 0"
        ]
    );
    assert_eq!(
        decision_problems("algorithm: {type: router_dc, router_dc: {temperature: 0}}"),
        ["error: routing.decisions[0].algorithm.router_dc.temperature: expected a value above 0, found 0"]
    );
}

#[test]
fn a_partial_block_keeps_the_other_defaults() {
    let config = config(&decision("algorithm: {type: elo, elo: {k_factor: 8}}"));
    let algorithm = config.routing.decisions[0].algorithm.as_ref().unwrap();
    assert_eq!(algorithm.kind, AlgorithmKind::Elo);
    let elo = algorithm.elo.as_ref().unwrap();
    assert_eq!((elo.k_factor, elo.initial_rating, elo.category_weighted), (8.0, 1500.0, true));
}

#[test]
fn a_decision_inherits_what_its_block_leaves_out() {
    let global = "global: {router: {model_selection: {elo: {k_factor: 8, initial_rating: 1000}}}}\n";
    let own = config(&(decision("algorithm: {type: elo, elo: {k_factor: 16}}") + global));
    let elo = own.routing.decisions[0].algorithm.as_ref().unwrap().elo.clone().unwrap();
    assert_eq!((elo.k_factor, elo.initial_rating), (16.0, 1000.0));
    let inherited = config(&(decision("algorithm: {type: elo}") + global));
    let elo = inherited.routing.decisions[0].algorithm.as_ref().unwrap().elo.clone().unwrap();
    assert_eq!((elo.k_factor, elo.initial_rating), (8.0, 1000.0));
}

#[test]
fn a_mistake_that_is_inherited_is_told_once() {
    let global = "global: {router: {model_selection: {elo: {k_factor: many}}}}\n";
    assert_eq!(findings(&(decision("algorithm: {type: elo}") + global)).len(), 1);
}
