//! What health checks make of backends.

use std::sync::Arc;

use crate::scene::{Scene, compile};

const TWO: &str = "providers: {defaults: {default_model: m}, models: [{name: m, reliability: {health_check_path: /health, \
                   health_check_unhealthy_threshold: 3, health_check_healthy_threshold: 2}, backend_refs: [\
                   {name: a, endpoint: 'h:1'}, {name: b, endpoint: 'h:2'}, {name: none, endpoint: 'h:3', weight: 0}]}]}\n\
                   routing: {modelCards: [{name: m, loras: [{name: adapter}]}]}\n";

fn left_out(scene: &Scene) -> Vec<Arc<str>> {
    scene.router.unwell_backends().0
}

#[test]
fn every_backend_that_may_be_asked_for_is_checked_once() {
    let snapshot = compile(TWO).unwrap();
    let checked = snapshot.models().checked_backends();
    assert_eq!(checked.len(), 2, "neither those without weight, nor adapters' again");
    let first = snapshot.models().checked_backend(checked[0]).unwrap();
    assert_eq!((&*first.backend.name, first.check.path.as_str()), ("m/a", "/health"));
    assert!(snapshot.models().checked_backend(0).is_none());
}

#[test]
fn a_backend_that_flaps_changes_sides_only_after_enough_in_a_row() {
    let scene = Scene::new(TWO);
    let checked = scene.snapshot.models().checked_backends();
    let tell = |results: &[bool]| {
        for is_well in results {
            scene.router.checked(checked[0], if *is_well { Ok(()) } else { Err("status 503") });
        }
        left_out(&scene).len()
    };
    for _ in 0..50 {
        assert_eq!(tell(&[true, false, false, true]), 0);
    }
    assert_eq!(tell(&[false, false, false]), 1);
    for _ in 0..50 {
        assert_eq!(tell(&[true, false]), 1);
    }
    assert_eq!(tell(&[true, true]), 0);
    assert_eq!(tell(&[false, false]), 0);
}

#[test]
fn a_backend_that_never_was_well_is_left_out_and_the_last_one_is_not() {
    let scene = Scene::new(TWO);
    let checked = scene.snapshot.models().checked_backends();
    for _ in 0..3 {
        for identity in &checked {
            scene.router.checked(*identity, Err("it cannot be reached"));
        }
    }
    assert_eq!(left_out(&scene), [Arc::from("m/a")]);
    scene.router.checked(checked[0], Ok(()));
    scene.router.checked(checked[0], Ok(()));
    assert_eq!(left_out(&scene), Vec::<Arc<str>>::new());
    scene.router.checked(checked[1], Err("it cannot be reached"));
    assert_eq!(left_out(&scene), [Arc::from("m/b")]);
    // What is told of backends that are gone counts for nothing.
    scene.router.checked(42, Err("whatever"));
}
