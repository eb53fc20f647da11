//! Moves any text to the canonical layout: what comes out is a tree, and stays as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vsr_config::{migrate, parse_tree};

fuzz_target!(|text: &str| {
    let Ok(migrated) = migrate(text) else { return };
    assert!(parse_tree(&migrated.text).is_ok(), "{}", migrated.text);
    let again = migrate(&migrated.text);
    assert!(again.is_ok_and(|again| !again.changed && again.text == migrated.text), "{}", migrated.text);
});
