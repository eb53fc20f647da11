//! Long texts in windows.

use proptest::prelude::*;
use vsr_encoder::{Scratch, WindowPlan};

use crate::golden_model;

const WHOLE: usize = usize::MAX;

#[test]
fn a_short_text_is_one_window_and_an_empty_one_none() {
    let model = golden_model("bert");
    let plan = WindowPlan { tokens: 64, overlap: 8, budget: WHOLE };
    let windows = model.windows("the cat", plan).unwrap();
    assert_eq!((windows.ranges.len(), windows.ranges[0].clone()), (1, 0..7));
    assert!(model.windows("", plan).unwrap().ranges.is_empty());
}

#[test]
fn a_budget_ends_the_windows_and_what_is_not_covered_is_told() {
    let model = golden_model("bert");
    let text = "the cat is not in paris. ".repeat(10_000);
    let windows = model.windows(&text, WindowPlan { tokens: 32, overlap: 4, budget: 100 }).unwrap();
    assert!(windows.tokens <= 100);
    assert!(windows.covered < 1000 && windows.covered == windows.ranges.last().unwrap().end);
}

#[test]
fn a_text_with_hardly_any_tokens_still_ends() {
    let model = golden_model("bert");
    for text in [" ".repeat(100_000), "x".repeat(100_000), "é\u{200b}".repeat(30_000)] {
        let windows = model.windows(&text, WindowPlan { tokens: 32, overlap: 8, budget: WHOLE }).unwrap();
        assert_eq!(windows.covered, text.len());
        for range in windows.ranges {
            assert!(text.get(range).is_some());
        }
    }
}

#[test]
fn a_long_text_is_cut_to_the_model_and_what_it_saw_is_told() {
    let model = golden_model("bert");
    let text = "paris is. ".repeat(1000);
    let encoded = model.encode(&text, &mut Scratch::default()).unwrap();
    assert_eq!(encoded.token_count, 64);
    assert!(encoded.covered > 100 && encoded.covered < 300, "{}", encoded.covered);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn windows_cover_the_text_overlap_and_fit_the_model(
        text in "([a-z]{1,9}|[A-Zü.,-]|日本|\\PC)( ([a-z]{1,9}|[ß.,-]|\\PC)){0,80}",
        tokens in 12_usize..64,
        overlap in 0_usize..20,
    ) {
        let model = golden_model("bert");
        let windows = model.windows(&text, WindowPlan { tokens, overlap, budget: WHOLE }).unwrap();
        prop_assert_eq!(windows.covered, text.len());
        let mut end = 0;
        for range in &windows.ranges {
            prop_assert!(range.start <= end && range.end > end, "{:?}", windows);
            prop_assert!(range.start == 0 || overlap == 0 || range.start < end, "{:?} do not overlap", windows);
            let encoded = model.encode(&text[range.clone()], &mut Scratch::default()).unwrap();
            prop_assert!(encoded.token_count <= tokens.max(5));
            prop_assert_eq!(encoded.covered, range.len());
            end = range.end;
        }
    }
}
