//! Prompt compression.

use proptest::prelude::*;
use vsr_config::{CompressionProfile, PromptCompression};
use vsr_signals::compression::{CompressionWeights, Compressor, estimate_tokens, sentences};

fn settings(max_tokens: u32) -> PromptCompression {
    PromptCompression { enabled: true, max_tokens, ..PromptCompression::default() }
}

fn compressor(max_tokens: u32) -> Compressor {
    Compressor::new(&settings(max_tokens), false).unwrap()
}

fn split(text: &str) -> Vec<&str> {
    sentences(text).into_iter().map(|range| &text[range]).collect()
}

#[test]
fn sentences_end_in_every_script() {
    for (text, expected) in [
        ("One. Two! Three? Four", &["One.", "Two!", "Three?", "Four"][..]),
        ("你好。今天天气很好！对吗？", &["你好。", "今天天气很好！", "对吗？"]),
        ("यह एक है। यह दो है।", &["यह एक है।", "यह दो है।"]),
        ("هل أنت هنا؟ نعم", &["هل أنت هنا؟", "نعم"]),
        ("Pi is 3.14 or so. See J. Smith. It ends.", &["Pi is 3.14 or so.", "See J. Smith.", "It ends."]),
        ("He said \"stop.\" Then left.", &["He said \"stop.\"", "Then left."]),
        ("a line\nanother line\n\n", &["a line", "another line"]),
        ("use e.g. this one", &["use e.g. this one"]),
        ("Wait... what?!", &["Wait... what?!"]),
        ("  ", &[]),
    ] {
        assert_eq!(split(text), expected, "{text}");
    }
}

#[test]
fn short_texts_are_left_alone() {
    let text = "A few words. Nothing more.";
    let short = compressor(100).compress(text);
    assert_eq!((short.text.as_ref(), short.tokens), (text, short.tokens_before));
    let patient = PromptCompression { min_length: 1000, ..settings(1) };
    assert_eq!(Compressor::new(&patient, false).unwrap().compress(text).text, text);
    assert!(Compressor::new(&settings(0), false).is_none());
    assert!(Compressor::new(&PromptCompression { enabled: false, ..settings(9) }, false).is_none());
}

#[test]
fn profiles_differ_and_explicit_zeros_count() {
    let of = CompressionWeights::of;
    assert_eq!((of(CompressionProfile::Coding).first, of(CompressionProfile::Coding).last), (2, 4));
    let none = PromptCompression { textrank_weight: Some(0.0), preserve_first_n: Some(0), ..settings(9) };
    let weights = CompressionWeights::from_settings(&none, false);
    assert_eq!((weights.textrank, weights.first), (0.0, 0));
    assert!((weights.position + weights.tfidf + weights.novelty - 1.0).abs() < 1e-12);
    let as_v0_3 = CompressionWeights::from_settings(&none, true);
    assert_eq!((as_v0_3.textrank, as_v0_3.first), (0.2, 3));
    let multi = PromptCompression { profile: CompressionProfile::MultiTurn, ..settings(9) };
    let multi = CompressionWeights::from_settings(&multi, false);
    assert!((multi.textrank + multi.position + multi.tfidf + multi.novelty - 1.0).abs() < 1e-12);
}

#[test]
fn position_alone_keeps_the_ends() {
    let only = |position, novelty| PromptCompression {
        textrank_weight: Some(0.0),
        tfidf_weight: Some(0.0),
        position_weight: Some(position),
        novelty_weight: Some(novelty),
        preserve_first_n: Some(0),
        preserve_last_n: Some(0),
        ..settings(6)
    };
    let text = "Rain fell today. Rain fell again. Dragons ate cheese. Rain fell again. Rain fell today.";
    let by_position = Compressor::new(&only(1.0, 0.0), false).unwrap().compress(text);
    assert_eq!((by_position.kept.len(), by_position.text.as_ref()), (1, "Rain fell today."));
    let by_novelty = Compressor::new(&only(0.0, 1.0), false).unwrap().compress(text);
    assert_eq!(by_novelty.text, "Dragons ate cheese.");
}

#[test]
fn a_central_sentence_outranks_an_isolated_one() {
    let only = PromptCompression {
        textrank_weight: Some(1.0),
        tfidf_weight: Some(0.0),
        position_weight: Some(0.0),
        novelty_weight: Some(0.0),
        preserve_first_n: Some(0),
        preserve_last_n: Some(0),
        ..settings(6)
    };
    let text = "Zebras sleep upright. The dam leaks water. Water from the dam floods. The dam holds water.";
    let short = Compressor::new(&only, false).unwrap().compress(text);
    assert!(short.text.contains("dam"), "{}", short.text);
}

#[test]
fn one_endless_sentence_is_cut_too() {
    let text = "word ".repeat(5000);
    let short = compressor(512).compress(&text);
    assert!(short.tokens <= 512 && short.tokens > 300, "{}", short.tokens);
    let chinese = "字".repeat(5000);
    let short = compressor(512).compress(&chinese);
    assert!(short.tokens <= 512 && short.tokens > 300, "{}", short.tokens);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_left_fits_and_keeps_its_order(
        words in prop::collection::vec("[a-zA-Z]{1,8}[.!?。\n]?|[一-鿿]{1,6}。?|[a-z][一-鿿][a-z]|\u{1F600}", 0..300),
        max_tokens in 1..80_u32,
    ) {
        let text = words.join(" ");
        let compressor = compressor(max_tokens);
        let short = compressor.compress(&text);
        prop_assert!(short.tokens <= max_tokens as usize || short.tokens == short.tokens_before && short.text == text);
        prop_assert!(short.tokens <= max_tokens as usize);
        prop_assert_eq!(short.tokens, estimate_tokens(&short.text));
        for pair in short.kept.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start);
        }
        if short.text != text {
            let kept: Vec<&str> = short.kept.iter().map(|range| &text[range.clone()]).collect();
            prop_assert_eq!(kept.join(" "), short.text.as_ref());
        }
        if !text.trim().is_empty() {
            prop_assert!(!short.text.trim().is_empty());
        }
        prop_assert_eq!(compressor.compress(&text), short.clone());
    }

    #[test]
    fn sentences_cover_all_but_white_space(text in any::<String>()) {
        let found = sentences(&text);
        let kept: String = found.iter().map(|range| &text[range.clone()]).collect();
        let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        prop_assert_eq!(bare(&kept), bare(&text));
    }
}
