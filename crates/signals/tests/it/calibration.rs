//! The token estimate and what it learns.

use vsr_signals::{CalibrationState, TokenCalibration};
use vsr_types::RequestView;

fn observed(times: u64, bytes: u64, tokens: u64) -> TokenCalibration {
    let calibration = TokenCalibration::new();
    (0..times).for_each(|_| calibration.observe(bytes, tokens));
    calibration
}

#[test]
fn the_ratio_is_four_until_ten_requests_were_observed() {
    assert_eq!(observed(9, 3000, 1000).ratio(), 4.0);
    assert_eq!(observed(10, 3000, 1000).ratio(), 3.0);
    assert_eq!(observed(10, 3000, 1000).samples(), 10);
}

#[test]
fn the_ratio_moves_fast_toward_more_tokens_and_slowly_toward_fewer() {
    let calibration = observed(10, 4000, 1000);
    calibration.observe(2000, 1000);
    assert!((calibration.ratio() - 2.2).abs() < 1e-9);
    calibration.observe(4200, 1000);
    assert!((calibration.ratio() - 2.4).abs() < 1e-9);
    let mean = calibration.snapshot().mean_ratio;
    assert!((mean - ((4.0 * 0.995 + 2.0 * 0.005) * 0.995 + 4.2 * 0.005)).abs() < 1e-9);
}

#[test]
fn absurd_observations_count_as_the_nearest_sane_ones() {
    assert_eq!(observed(10, 100, 1000).ratio(), 1.0);
    assert_eq!(observed(10, 100_000, 10).ratio(), 8.0);
    let calibration = observed(10, 0, 10);
    calibration.observe(10, 0);
    assert_eq!(calibration.samples(), 0);
}

#[test]
fn what_was_learned_survives_a_restart() {
    let calibration = observed(12, 3500, 1000);
    let json = serde_json::to_string(&calibration.snapshot()).unwrap();
    let restored = TokenCalibration::restore(serde_json::from_str(&json).unwrap());
    assert_eq!(restored.ratio(), calibration.ratio());
    assert_eq!(restored.snapshot(), calibration.snapshot());
}

#[test]
fn a_state_that_cannot_be_true_is_not_restored() {
    for state in [
        CalibrationState { samples: 0, mean_ratio: 3.0, conservative_ratio: 3.0 },
        CalibrationState { samples: 20, mean_ratio: f64::NAN, conservative_ratio: 3.0 },
        CalibrationState { samples: 20, mean_ratio: 3.0, conservative_ratio: 0.0 },
        CalibrationState { samples: 20, mean_ratio: 1e9, conservative_ratio: 3.0 },
    ] {
        assert_eq!(TokenCalibration::restore(state).samples(), 0, "{state:?}");
    }
}

#[test]
fn more_text_never_needs_fewer_tokens() {
    let calibration = observed(10, 3700, 1000);
    let mut last = 0;
    for length in 0..500 {
        let text = "x".repeat(length);
        let tokens = calibration.estimate(&RequestView::from_prompt(&text));
        assert!(tokens >= last);
        last = tokens;
    }
    assert_eq!(TokenCalibration::prompt_bytes(&RequestView::from_prompt("größe")), 7);
}

#[test]
fn threads_may_observe_at_once() {
    let calibration = TokenCalibration::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| calibration.observe(3000, 1000)));
        }
    });
    assert_eq!(calibration.samples(), 4000);
    assert!((calibration.ratio() - 3.0).abs() < 1e-9);
}
