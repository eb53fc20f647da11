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
fn spans_cover_the_tokens_above_the_minimum_and_no_others() {
    let model = golden_model("bert-token");
    let text = "Ça is not Zürich - Paris";
    let encoded = model.encode(text, &mut Scratch::default()).unwrap();
    let (tokens, labels) = (encoded.tokens.unwrap(), model.token_head().unwrap().labels());
    for minimum in [0.0, 0.5, 0.9, 1.1] {
        let spans = tokens.spans(labels, minimum);
        for (range, p) in tokens.iter() {
            let inside = spans.iter().any(|s| s.range.start <= range.start && range.end <= s.range.end);
            assert_eq!(inside, p[1] + p[2] >= minimum, "{range:?} at {minimum}: {spans:?}");
        }
        assert!(spans.iter().all(|s| text.get(s.range.clone()).is_some() && s.score >= minimum));
        assert!(spans.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
    }
}
