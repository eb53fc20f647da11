//! Reads any text as recognisers, views and compression do.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vsr_config::PromptCompression;
use vsr_signals::{
    compression::{Compressor, estimate_tokens},
    pii, views,
};

fuzz_target!(|input: (u8, &str)| {
    let (max_tokens, text) = input;
    let spans = pii::recognise(text);
    for pair in spans.windows(2) {
        assert!(pair[0].bytes.end <= pair[1].bytes.start);
    }
    assert!(spans.iter().all(|span| text.get(span.bytes.clone()).is_some_and(|found| !found.is_empty())));

    let _ = views::plain(text);
    assert!(views::decoded(text).is_none_or(|decoded| decoded.text.len() < 8192));

    let settings = PromptCompression { enabled: true, max_tokens: max_tokens.into(), ..PromptCompression::default() };
    let Some(compressor) = Compressor::new(&settings, false) else { return };
    let short = compressor.compress(text);
    assert!(short.tokens <= usize::from(max_tokens));
    assert_eq!(short.tokens, estimate_tokens(&short.text));
    assert_eq!(short, compressor.compress(text));
});
