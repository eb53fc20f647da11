//! Spans made of token labels.

use vsr_encoder::{Scratch, span_types};

use crate::golden_model;

#[test]
fn types_are_labels_without_their_position() {
    let labels = ["O", "B-EMAIL", "I-EMAIL", "PHONE", "X-RAY"].map(str::to_owned);
    let (types, of_label) = span_types(&labels);
    assert_eq!(types, ["EMAIL", "PHONE", "X-RAY"]);
    assert_eq!(of_label, [None, Some(0), Some(0), Some(1), Some(2)]);
}

#[test]
fn spans_cover_the_words_that_are_likelier_something_than_nothing() {
    let model = golden_model("bert-token");
    for text in ["Ça is not Zürich - Paris", "is the cat in paris", "paris paris, paris is paris"] {
        let encoded = model.encode(text, &mut Scratch::default()).unwrap();
        let (tokens, labels) = (encoded.tokens.unwrap(), model.token_head().unwrap().labels());
        let spans = tokens.spans(text, labels);
        assert!(spans.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start), "{spans:?}");
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            let range = start..start + word.len();
            let pieces: Vec<&[f32]> = tokens
                .iter()
                .filter(|(r, _)| range.start <= r.start && r.end <= range.end)
                .map(|(_, p)| p)
                .collect();
            let outside = pieces.iter().map(|p| p[0]).sum::<f32>();
            let inside = pieces.iter().map(|p| p[1] + p[2]).sum::<f32>();
            let is_covered = spans.iter().any(|s| s.range.start <= range.start && range.end <= s.range.end);
            assert_eq!(is_covered, inside > outside, "{word} in {text}: {spans:?}");
        }
    }
}
