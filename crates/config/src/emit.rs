//! Values as YAML text that reads back as the same values.

use std::fmt::Write;

use serde_json::Value;
use vsr_types::Secret;

use crate::scalars::names_credential;

/// The value as YAML text. Absent values are left out; credentials are masked.
pub(crate) fn yaml(value: &Value) -> String {
    shown(value).as_ref().map(as_it_is).unwrap_or_default()
}

/// The value as YAML text, with all that it says.
pub(crate) fn as_it_is(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(entries) if !entries.is_empty() => mapping(&mut text, entries, 0, false),
        other => inline(&mut text, other),
    }
    text
}

/// The value without absent entries, and with masks in place of credentials that header and
/// environment mappings carry.
pub(crate) fn shown(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => Some(items.iter().map(|item| shown(item).unwrap_or(Value::Null)).collect()),
        Value::Object(entries) => {
            let names_secret = entries.get("name").and_then(Value::as_str).is_some_and(names_credential);
            let masked = |(key, value): (&String, &Value)| {
                let is_secret = names_credential(key) || (names_secret && key == "value");
                match value {
                    Value::String(text) if is_secret && !text.is_empty() => {
                        Some((key.clone(), Secret::MASK.into()))
                    }
                    other => shown(other).map(|value| (key.clone(), value)),
                }
            };
            Some(entries.iter().filter_map(masked).collect())
        }
        other => Some(other.clone()),
    }
}

/// Keys that readers look for first.
const FIRST: &[&str] =
    &["version", "listeners", "providers", "routing", "global", "name", "type", "operator", "model"];

/// One line per key; the first continues the line of a list item's dash.
fn mapping(text: &mut String, entries: &serde_json::Map<String, Value>, depth: usize, continues: bool) {
    let mut ordered: Vec<_> = entries.iter().collect();
    ordered.sort_by_key(|(key, _)| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()));
    for (position, (key, value)) in ordered.into_iter().enumerate() {
        if position > 0 || !continues {
            indent(text, depth);
        }
        scalar(text, key);
        text.push(':');
        nested(text, value, depth);
    }
}

/// What follows a key: on the same line, or on lines of its own.
fn nested(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            text.push('\n');
            mapping(text, entries, depth + 1, false);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            list(text, items, depth + 1);
        }
        other => {
            text.push(' ');
            inline(text, other);
            text.push('\n');
        }
    }
}

fn list(text: &mut String, items: &[Value], depth: usize) {
    for item in items {
        indent(text, depth);
        text.push('-');
        match item {
            Value::Object(entries) if !entries.is_empty() => {
                text.push(' ');
                mapping(text, entries, depth + 1, true);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                list(text, items, depth + 1);
            }
            other => {
                text.push(' ');
                inline(text, other);
                text.push('\n');
            }
        }
    }
}

fn inline(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(text, "{number}");
        }
        Value::String(string) => scalar(text, string),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Text as a plain scalar where nothing could mistake it, else in double quotes.
pub(crate) fn scalar(text: &mut String, string: &str) {
    if is_plain(string) {
        text.push_str(string);
    } else {
        quoted(text, string);
    }
}

/// Text in double quotes.
pub(crate) fn quoted(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(text, "\\U{:08X}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

fn is_plain(string: &str) -> bool {
    const RESERVED: &[&str] = &["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    string.starts_with(|first: char| first.is_ascii_alphabetic())
        && string.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !RESERVED.contains(&string.to_ascii_lowercase().as_str())
}
