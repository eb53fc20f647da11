//! Plans are read: windows, budgets, limits, languages, entities.

use std::time::Duration;

use vsr_encoder::PoolOptions;
use vsr_reader::{Reader, ReaderModels, ReaderOptions};
use vsr_signals::{Cover, Head, ReadingPlan, TextReadings, TrunkReading, Wants};
use vsr_types::UnavailableReason;

use crate::{AMPLE, models, reader, reader_with, wait};

const BUDGET: u32 = 16_384;

fn read(reader: &Reader, text: &str, wants: Wants, cover: Cover, budget: u32) -> TextReadings {
    wait(reader.read(ReadingPlan::for_text(text, wants, cover, budget), AMPLE))
}

fn trunk(readings: &TextReadings) -> &TrunkReading {
    readings.outputs()[0].trunk.as_ref().unwrap()
}

fn long_text(sentences: usize) -> String {
    (0..sentences)
        .map(|i| format!("Sentence number {i} tells of nothing but the weather in spring. "))
        .collect()
}

#[test]
fn a_short_text_is_one_window_with_all_that_is_wanted() {
    let text = "Compute the derivative of x^3 + 2x.";
    let wants = Wants::head(Head::Domain).union(Wants::EMBEDDING);
    let readings = read(&reader(), text, wants, Cover::Ends, BUDGET);
    let trunk = trunk(&readings);
    let [window] = trunk.windows.as_slice() else { panic!("{trunk:?}") };
    assert_eq!(window.bytes, 0..text.len());
    assert_eq!(trunk.tokens_seen, trunk.tokens_present);
    let length: f32 = window.embedding.as_ref().unwrap().iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-3, "{length}");
    let classes = readings.text_probabilities(Head::Domain).unwrap();
    assert!((classes.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-3, "{classes:?}");
    let best = classes.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert_eq!(&*best.0, "math");
}

#[test]
fn a_long_text_is_read_whole_in_windows_that_overlap() {
    let text = long_text(60);
    let readings = read(&reader(), &text, Wants::head(Head::Jailbreak), Cover::Whole, BUDGET);
    let trunk = trunk(&readings);
    assert!(trunk.windows.len() > 4, "{}", trunk.windows.len());
    assert_eq!(trunk.windows[0].bytes.start, 0);
    assert_eq!(trunk.windows.last().unwrap().bytes.end, text.len());
    assert!(trunk.windows.windows(2).all(|pair| pair[1].bytes.start < pair[0].bytes.end));
    assert_eq!(trunk.tokens_seen, trunk.tokens_present);
}

#[test]
fn of_a_long_text_whose_ends_are_wanted_two_windows_are_read() {
    let text = long_text(60);
    let reader = reader();
    let readings = read(&reader, &text, Wants::head(Head::Domain), Cover::Ends, BUDGET);
    let trunk = trunk(&readings);
    let [first, last] = trunk.windows.as_slice() else { panic!("{}", trunk.windows.len()) };
    assert_eq!((first.bytes.start, last.bytes.end), (0, text.len()));
    assert!(trunk.tokens_seen < trunk.tokens_present / 2);
    assert_eq!(reader.counters().done, 2);
}

#[test]
fn nothing_is_read_beyond_the_budget_and_the_reading_says_so() {
    let text = long_text(200);
    let readings = read(&reader(), &text, Wants::head(Head::Jailbreak), Cover::Whole, 500);
    let trunk = trunk(&readings);
    assert!(trunk.tokens_seen <= 520, "{}", trunk.tokens_seen);
    assert!(trunk.tokens_present > 2_000, "{}", trunk.tokens_present);
    assert!(trunk.windows.last().unwrap().bytes.end < text.len() / 3);
}

#[test]
fn entities_are_placed_in_the_original_text_wherever_they_stand() {
    let name = "Margaret Thompson";
    for before in [0, 3, 40] {
        let text = format!("{}Please call {name} in Berlin today. {}", long_text(before), long_text(10));
        let readings = read(&reader(), &text, Wants::TAGS, Cover::Whole, BUDGET);
        let tags = readings.outputs()[0].tags.as_ref().unwrap();
        let found: Vec<&str> = tags
            .spans
            .iter()
            .filter(|span| &*span.kind == "PERSON")
            .map(|span| &text[span.bytes.clone()])
            .collect();
        assert!(found.contains(&name), "after {before} sentences: {found:?}");
        assert_eq!(tags.tokens_seen, tags.tokens_present);
    }
}

#[test]
fn what_is_not_read_in_time_is_unavailable() {
    let plan = || {
        ReadingPlan::for_text(
            "hello there",
            Wants::head(Head::Domain).union(Wants::TAGS),
            Cover::Whole,
            BUDGET,
        )
    };
    let readings = wait(reader().read(plan(), Duration::ZERO));
    assert_eq!(readings.outputs()[0].trunk.as_ref().err(), Some(&UnavailableReason::Overloaded));
    assert_eq!(readings.outputs()[0].tags.as_ref().err(), Some(&UnavailableReason::Overloaded));
}

#[test]
fn a_full_queue_refuses_and_later_requests_are_served() {
    let reader = reader_with(PoolOptions { queue: 1, workers: 1, ..PoolOptions::default() });
    let readings = read(&reader, &long_text(100), Wants::head(Head::Domain), Cover::Whole, BUDGET);
    // Some windows were read and some refused: the heads of the refused say why.
    let refused = match &readings.outputs()[0].trunk {
        Ok(trunk) => trunk.windows.iter().filter(|window| window.heads[0].output.is_err()).count(),
        Err(reason) => panic!("{reason:?}"),
    };
    assert!(refused > 0);
    assert_eq!(readings.text_probabilities(Head::Domain).is_err(), refused > 0);
    let readings = read(&reader, "hello there", Wants::head(Head::Domain), Cover::Whole, BUDGET);
    assert!(readings.text_probabilities(Head::Domain).is_ok());
}

#[test]
fn a_head_is_not_asked_about_languages_it_was_not_evaluated_on() {
    let georgian = "საქართველოს დედაქალაქი არის თბილისი და ის ძალიან ლამაზი ქალაქია მდინარის პირას.";
    let readings = read(&reader(), georgian, Wants::head(Head::Domain), Cover::Ends, BUDGET);
    assert_eq!(readings.text_probabilities(Head::Domain), Err(UnavailableReason::UnsupportedLanguage));
    assert!(read(&reader(), georgian, Wants::EMBEDDING, Cover::Ends, BUDGET).text_embedding().is_ok());
}

#[test]
fn a_blank_text_is_no_input_and_a_router_without_models_says_that_they_are_not_active() {
    let blank = read(&reader(), "  \n", Wants::head(Head::Domain), Cover::Ends, BUDGET);
    assert_eq!(blank.text_probabilities(Head::Domain), Err(UnavailableReason::NoInput));
    let readings = read(&Reader::without_models(), "text", Wants::head(Head::Domain), Cover::Ends, BUDGET);
    assert_eq!(readings.text_probabilities(Head::Domain), Err(UnavailableReason::NotActive));
    let models = ReaderModels { trunk: None, ..models() };
    let tagger_only = Reader::open(models, ReaderOptions::default()).unwrap();
    let readings =
        read(&tagger_only, "text", Wants::head(Head::Domain).union(Wants::TAGS), Cover::Ends, BUDGET);
    assert_eq!(readings.text_probabilities(Head::Domain), Err(UnavailableReason::NotActive));
    assert!(readings.outputs()[0].tags.is_ok());
}

#[test]
fn a_text_read_again_costs_nothing() {
    let reader = reader();
    let text = long_text(30);
    let first = read(&reader, &text, Wants::head(Head::Jailbreak), Cover::Whole, BUDGET);
    let done = reader.counters().done;
    let second = read(&reader, &text, Wants::head(Head::Jailbreak), Cover::Whole, BUDGET);
    assert_eq!(reader.counters().done, done);
    assert_eq!(first.outputs(), second.outputs());
}
