//! How backends are picked, and what a reload keeps.

use std::{collections::BTreeMap, sync::Arc};

use vsr_config::Document;
use vsr_router::{Draw, Health, Model, Surroundings};
use vsr_types::Timestamp;

use crate::scene::compile;

const NOW: Timestamp = Timestamp(1_000);
const GOLDEN_RATIO: f64 = 0.618_033_988_749_894_9;

fn policy(reliability: &str) -> String {
    format!(
        "providers: {{defaults: {{default_model: m}}, models: [{{name: m, reliability: {{{reliability}}}, backend_refs: [\
         {{name: a, endpoint: 'h:1', weight: 3}}, {{name: b, endpoint: 'h:2', weight: 1}}, {{name: c, endpoint: 'h:3', weight: 1}}]}}]}}\n\
         routing: {{modelCards: [{{name: m}}]}}\n"
    )
}

fn shares(model: &Model, caller: impl Fn(u32) -> Option<u64>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for pick in 0..10_000_u32 {
        let point = (f64::from(pick) * GOLDEN_RATIO).fract();
        let backend = model.pick(Draw { point, now: NOW, caller: caller(pick) }).unwrap();
        *counts.entry(backend.name.to_string()).or_default() += 1;
    }
    counts
}

fn is_near(counts: &BTreeMap<String, u32>, name: &str, share: u32) -> bool {
    counts.get(name).is_some_and(|count| count.abs_diff(share) <= 200)
}

#[test]
fn callers_are_hashed_to_backends_in_proportion_to_the_weights_and_stay_there() {
    let snapshot = compile(&policy("lb_policy: consistent_hash")).unwrap();
    let model = snapshot.models().find("m").unwrap();
    let counts = shares(model, |pick| Some(u64::from(pick).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let near = |name, share| is_near(&counts, name, share);
    assert!(near("m/a", 6_000) && near("m/b", 2_000) && near("m/c", 2_000), "{counts:?}");
    for caller in 0..50 {
        let at = |point| {
            let draw = Draw { point, now: NOW, caller: Some(caller) };
            Arc::clone(&model.pick(draw).unwrap().name)
        };
        assert_eq!(at(0.1), at(0.9));
    }
}

#[test]
fn without_a_caller_a_hash_policy_shares_by_weight() {
    let snapshot = compile(&policy("lb_policy: ring_hash")).unwrap();
    let counts = shares(snapshot.models().find("m").unwrap(), |_| None);
    assert!(is_near(&counts, "m/a", 6_000) && is_near(&counts, "m/c", 2_000), "{counts:?}");
}

#[test]
fn idle_backends_share_by_weight_under_least_request() {
    // Loads for weights 3, 1, 1 with nothing in flight: 1/3, 1, 1.
    let snapshot = compile(&policy("lb_policy: least_request")).unwrap();
    let counts = shares(snapshot.models().find("m").unwrap(), |_| None);
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("m/a".to_owned(), 10_000)]);
}

#[test]
fn words_that_mean_nothing_are_errors_with_their_place() {
    for (written, key) in [
        ("lb_policy: best", "lb_policy"),
        ("retry_on: '5xx,whatever'", "retry_on"),
        ("health_check_path: health", "health_check_path"),
        ("health_check_path: '/a b'", "health_check_path"),
        ("health_check_path: /h, health_check_unhealthy_threshold: 0", "health_check_unhealthy_threshold"),
    ] {
        let problems = compile(&policy(written)).err().unwrap();
        let place = format!("providers.models[0].reliability.{key}");
        assert!(problems.iter().any(|problem| problem.contains(&place)), "{problems:?}");
    }
}

#[test]
fn a_reload_keeps_what_is_known_of_backends_that_are_the_same() {
    let reader = vsr_reader::Reader::without_models();
    let surroundings = Surroundings { variables: &|_| None, reader: &reader };
    let before = compile(&policy("")).unwrap();
    let mut document = Document::parse("test", &policy("").replace("h:3", "h:4"), &|_| None);
    let after = vsr_router::compile_after(&mut document, &surroundings, Some(&before)).unwrap();
    let health = |snapshot: &vsr_router::Snapshot, index: usize| -> Arc<Health> {
        Arc::clone(&snapshot.models().find("m").unwrap().backends[index].health)
    };
    assert!(Arc::ptr_eq(&health(&before, 0), &health(&after, 0)));
    assert!(!Arc::ptr_eq(&health(&before, 2), &health(&after, 2)));
}
