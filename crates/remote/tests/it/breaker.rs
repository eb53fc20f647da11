//! The breaker, at given times.

use std::time::{Duration, Instant};

use vsr_remote::{Breaker, BreakerSettings};

const SECOND: Duration = Duration::from_secs(1);

fn breaker(failures: u32) -> Breaker {
    Breaker::new(BreakerSettings { failures, pause: SECOND, longest_pause: 3 * SECOND })
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_them_does_not_let_it() {
    let (breaker, now) = (breaker(2), Instant::now());
    breaker.admit(now).unwrap().fail(now);
    breaker.admit(now).unwrap().succeed();
    breaker.admit(now).unwrap().fail(now);
    assert!(breaker.is_closed());
    breaker.admit(now).unwrap().fail(now);
    assert!(!breaker.is_closed());
    assert!(breaker.admit(now).is_none());
}

#[test]
fn after_the_pause_one_call_probes_and_its_success_closes_it() {
    let (breaker, now) = (breaker(1), Instant::now());
    breaker.admit(now).unwrap().fail(now);
    let later = now + SECOND;
    let probe = breaker.admit(later).unwrap();
    assert!(breaker.admit(later).is_none(), "a second call beside the probe");
    probe.succeed();
    assert!(breaker.is_closed());
}

#[test]
fn a_probe_that_fails_doubles_the_pause_up_to_the_longest() {
    let (breaker, mut now) = (breaker(1), Instant::now());
    breaker.admit(now).unwrap().fail(now);
    for pause in [1, 2, 3, 3] {
        let almost = now + pause * SECOND - Duration::from_millis(1);
        assert!(breaker.admit(almost).is_none(), "admitted before {pause} s");
        now += pause * SECOND;
        breaker.admit(now).unwrap().fail(now);
    }
}

#[test]
fn a_probe_that_is_given_up_leaves_the_next_call_to_probe() {
    let (breaker, now) = (breaker(1), Instant::now());
    breaker.admit(now).unwrap().fail(now);
    drop(breaker.admit(now + SECOND).unwrap());
    assert!(!breaker.is_closed());
    breaker.admit(now + SECOND).unwrap().succeed();
    assert!(breaker.is_closed());
}

#[test]
fn a_call_from_before_it_opened_neither_closes_it_nor_lengthens_the_pause() {
    let (breaker, now) = (breaker(1), Instant::now());
    let (early, late, other) =
        (breaker.admit(now).unwrap(), breaker.admit(now).unwrap(), breaker.admit(now).unwrap());
    early.fail(now);
    late.succeed();
    assert!(!breaker.is_closed());
    other.fail(now + SECOND / 2);
    assert!(breaker.admit(now + SECOND).is_some());
}
