//! Figures of merit, by hand.

use vsr_eval::metrics::{accuracy, auroc, calibration_error, macro_f1, spearman, threshold_at};

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

#[test]
fn the_area_under_the_curve_counts_ordered_pairs_and_half_of_ties() {
    let labels = [true, false, true, false];
    assert!(near(auroc(&[0.9, 0.1, 0.8, 0.2], &labels).unwrap(), 1.0));
    assert!(near(auroc(&[0.5, 0.5, 0.5, 0.5], &labels).unwrap(), 0.5));
    assert!(near(auroc(&[0.9, 0.5, 0.1, 0.2], &labels).unwrap(), 0.5));
    assert_eq!(auroc(&[0.1], &[true]), None);
}

#[test]
fn recall_is_at_the_threshold_that_lets_so_many_negatives_pass() {
    let scores: Vec<f64> = (0..200).map(|i| f64::from(i) / 200.0).collect();
    let labels: Vec<bool> = (0..200).map(|i| i >= 150 || i == 10).collect();
    // 149 negatives, one per cent of which is one: the highest may pass, the second may not.
    let (threshold, recall) = threshold_at(&scores, &labels, 0.01).unwrap();
    assert!(threshold > 148.0 / 200.0 && threshold <= 149.0 / 200.0, "{threshold}");
    assert!(near(recall, 50.0 / 51.0), "{recall}");
    assert_eq!(threshold_at(&[1.0], &[true], 0.01), None);
}

#[test]
fn accuracy_f1_and_calibration() {
    let (predicted, labels) = ([0, 0, 1, 1], [0, 1, 1, 1]);
    assert!(near(accuracy(&predicted, &labels), 0.75));
    assert!(near(macro_f1(&predicted, &labels, 3), (2.0 / 3.0 + 0.8) / 2.0));
    assert!(near(calibration_error(&[0.95, 0.95, 0.55, 0.55], &[true, true, true, false]), 0.05));
}

#[test]
fn rank_correlation_sees_order_alone() {
    assert!(near(spearman(&[1.0, 2.0, 3.0, 4.0], &[10.0, 100.0, 1e3, 1e4]), 1.0));
    assert!(near(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0));
}
