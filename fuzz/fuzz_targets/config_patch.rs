//! Patches and replaces configurations: the result says what the change says, and nothing else is changed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vsr_config::{Document, Edit, Masks, edit, yaml_to_json};

fuzz_target!(|text: &str| {
    let Some((old, change)) = text.split_once('\0') else { return };
    let (Ok(before), Ok(change)) = (yaml_to_json(old), serde_json::from_str::<Value>(change)) else { return };
    let (document, masks) = (Document::parse("config.yaml", old, &|_| None), Masks::default());
    let changed = |change: Edit| edit(old, &document, &change, &masks).ok();
    if let Some(edited) = changed(Edit::Merge(change.clone())) {
        let mut expected = before.clone();
        merge(&mut expected, &change);
        assert_eq!(yaml_to_json(&edited.text).ok(), Some(expected), "{}", edited.text);
    }
    if let Some(edited) = changed(Edit::Content(change.clone())) {
        assert_eq!(yaml_to_json(&edited.text).ok(), Some(change), "{}", edited.text);
    }
});

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else { return *target = patch.clone() };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(entries) = target else { return };
    for (key, change) in changes {
        if change.is_null() {
            entries.remove(key);
        } else {
            merge(entries.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}
