//! Reads any bytes as a configuration, and reads its effective text again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vsr_config::Document;

fuzz_target!(|bytes: &[u8]| {
    let document = Document::parse_bytes("config.yaml", bytes, &|_| None);
    for problem in document.problems() {
        assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
    }
    assert!(document.config().is_some() || document.has_errors());
    if document.has_errors() {
        return;
    }
    let effective = document.effective_yaml();
    let again = Document::parse("effective.yaml", &effective, &|_| None);
    assert!(!again.has_errors(), "{:?}\n{effective}", again.problems());
    assert_eq!(again.effective_yaml(), effective);
});
