//! The JSON Schema of the contract, from the same declarations that read it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    contract::Config,
    decode::{Contract, Schemas},
};

/// The JSON Schema (draft 2020-12) of a canonical configuration file.
pub fn json_schema() -> Value {
    let mut schemas = Schemas::default();
    let root = Config::schema(&mut schemas);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vllm-sr configuration",
        "$ref": root["$ref"],
        "$defs": schemas.into_definitions(),
    })
}

/// Adds a description to a schema.
pub(crate) fn describe(schema: Value, doc: &str) -> Value {
    let text = prose(doc);
    if text.is_empty() {
        return schema;
    }
    match schema {
        Value::Object(mut object) => {
            object.insert("description".into(), text.into());
            Value::Object(object)
        }
        other => other,
    }
}

/// Adds a default to a schema; absent and empty defaults are left out.
pub(crate) fn with_default(mut schema: Value, default: &impl Serialize) -> Value {
    let default = serde_json::to_value(default).unwrap_or(Value::Null);
    let is_plain = matches!(&default, Value::Bool(_) | Value::Number(_) | Value::String(_));
    if let Value::Object(object) = &mut schema
        && is_plain
        && default != Value::String(String::new())
    {
        object.insert("default".into(), default);
    }
    schema
}

/// Doc comment lines as one paragraph.
pub(crate) fn prose(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// "`a`, `b` or `c`".
pub(crate) fn one_of(words: &[&str]) -> String {
    let shown = words.iter().filter(|word| !word.is_empty());
    let quoted: Vec<String> = shown.map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
