//! Long texts in windows.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use vsr_encoder::{Error, Scratch, WindowPlan};

use crate::golden_model;

const WHOLE: usize = usize::MAX;

fn plan(tokens: usize, overlap: usize, budget: usize) -> WindowPlan {
    WindowPlan { tokens, overlap, budget, deadline: None }
}

#[test]
fn a_short_text_is_one_window_and_an_empty_one_none() {
    let model = golden_model("bert");
    let plan = plan(64, 8, WHOLE);
    let windows = model.windows("the cat", plan).unwrap();
    assert_eq!((windows.ranges.len(), windows.ranges[0].clone()), (1, 0..7));
    assert!(model.windows("", plan).unwrap().ranges.is_empty());
}

#[test]
fn a_budget_ends_the_windows_and_what_is_not_covered_is_told() {
    let model = golden_model("bert");
    let text = "the cat is not in paris. ".repeat(10_000);
    let windows = model.windows(&text, plan(32, 4, 100)).unwrap();
    assert!(windows.tokens <= 100);
    assert!(windows.covered < 1000 && windows.covered == windows.ranges.last().unwrap().end);
}

#[test]
fn a_text_with_hardly_any_tokens_still_ends() {
    let model = golden_model("bert");
    for text in [" ".repeat(100_000), "x".repeat(100_000), "é\u{200b}".repeat(30_000)] {
        let windows = model.windows(&text, plan(32, 8, WHOLE)).unwrap();
        assert_eq!(windows.covered, text.len());
        for range in windows.ranges {
            assert!(text.get(range).is_some());
        }
    }
}

#[test]
fn the_last_windows_end_with_the_text_and_stand_where_they_stand_whatever_the_budget() {
    let model = golden_model("bert");
    let text: String = (0..3000).map(|i| format!("the cat number {i} is not in paris. ")).collect();
    let few = model.last_windows(&text, plan(32, 4, 100)).unwrap();
    let more = model.last_windows(&text, plan(32, 4, 1000)).unwrap();
    assert!(few.tokens <= 100 && few.covered < 1000, "{few:?}");
    assert_eq!(few.ranges.last().unwrap().end, text.len());
    assert_eq!(few.ranges[0].start, text.len() - few.covered);
    let whole_windows = few.ranges.len() - 1;
    assert!(more.ranges.ends_with(&few.ranges[few.ranges.len() - whole_windows..]), "{few:?}\n{more:?}");
}

#[test]
fn tokens_are_counted_once_however_many_windows_they_are_in() {
    let model = golden_model("bert");
    let text = "the cat is in paris ".repeat(100);
    let narrow = model.windows(&text, plan(32, 12, WHOLE)).unwrap();
    let wide = model.windows(&text, plan(64, 0, WHOLE)).unwrap();
    assert!(narrow.tokens > narrow.distinct());
    assert_eq!(narrow.distinct(), wide.distinct());
    assert_eq!(wide.distinct(), wide.tokens);
    assert_eq!(model.last_windows(&text, plan(32, 12, WHOLE)).unwrap().distinct(), wide.distinct());
}

#[test]
fn cutting_is_given_up_at_the_deadline() {
    let model = golden_model("bert");
    let text = "the cat is not in paris. ".repeat(10_000);
    let past = Instant::now().checked_sub(Duration::from_millis(1)).unwrap();
    let plan = WindowPlan { deadline: Some(past), ..plan(32, 4, WHOLE) };
    assert!(matches!(model.windows(&text, plan), Err(Error::Overloaded(_))));
    assert!(matches!(model.last_windows(&text, plan), Err(Error::Overloaded(_))));
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
        let windows = model.windows(&text, plan(tokens, overlap, WHOLE)).unwrap();
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

    #[test]
    fn last_windows_cover_the_text_as_well(
        text in "([a-z]{1,9}|[A-Zü.,-]|日本|\\PC)( ([a-z]{1,9}|[ß.,-]|\\PC)){0,80}",
        tokens in 12_usize..64,
        overlap in 0_usize..20,
    ) {
        let model = golden_model("bert");
        let windows = model.last_windows(&text, plan(tokens, overlap, WHOLE)).unwrap();
        prop_assert_eq!(windows.covered, text.len());
        let mut end = 0;
        for range in &windows.ranges {
            prop_assert!(range.start <= end && range.end > end, "{:?}", windows);
            let encoded = model.encode(&text[range.clone()], &mut Scratch::default()).unwrap();
            prop_assert!(encoded.token_count <= tokens.max(5));
            end = range.end;
        }
        prop_assert_eq!(end, text.len());
    }
}
