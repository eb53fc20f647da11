//! The JSON Schema: it is the one in the repository, and the release's configurations fit it.

use std::{fs, path::Path};

use serde_json::{Value, json};
use vsr_config::{Node, Value as NodeValue, json_schema, parse_tree};

use crate::conformance::{corpus, documents};

#[test]
fn the_schema_in_the_repository_is_current() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/schema/vllm-sr.schema.json"));
    let committed = fs::read_to_string(path).unwrap_or_default();
    let is_current = committed == format!("{:#}\n", json_schema());
    assert!(is_current, "config/schema/vllm-sr.schema.json is out of date; run `cargo xtask schema`");
}

#[test]
fn the_schema_describes_every_definition_it_refers_to() {
    let schema = json_schema();
    let mut references = Vec::new();
    collect_references(&schema, &mut references);
    for reference in references {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        assert!(schema["$defs"][name].is_object(), "{name}");
    }
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if let Some(properties) = definition["properties"].as_object() {
            for (key, property) in properties {
                assert!(property["description"].is_string() || *property == json!({}), "{name}.{key}");
            }
        }
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            found.extend(entries.get("$ref").and_then(Value::as_str).map(str::to_owned));
            entries.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[test]
fn the_configurations_of_the_release_fit_the_schema() {
    let Some(corpus) = corpus() else { return };
    let schema = json_schema();
    let mut counted = 0;
    for (path, document) in documents(corpus) {
        let has_unknown_keys =
            document.problems().iter().any(|problem| problem.diagnostic.message.starts_with("unknown key"));
        if document.has_errors() || has_unknown_keys {
            continue;
        }
        let text = fs::read_to_string(corpus.join(path)).unwrap();
        let tree = parse_tree(&text).unwrap();
        let tree = if path.ends_with("values.yaml") { tree.get("config").unwrap().clone() } else { tree };
        let value = untyped(&tree);
        let mismatches = mismatches(&schema, &schema, &value, "");
        assert!(mismatches.is_empty(), "{path}: {mismatches:#?}");
        counted += 1;
    }
    assert!(counted > 25, "{counted}");
}

#[test]
fn the_schema_refuses_what_the_contract_refuses() {
    let schema = json_schema();
    for wrong in [
        json!({ "listeners": 7 }),
        json!({ "listeners": [{ "port": 70000 }] }),
        json!({ "unknown": 1 }),
        json!({ "routing": { "decisions": [{}] } }),
        json!({ "routing": { "decisions": [{ "name": "d", "algorithm": { "type": "eloo" } }] } }),
        json!({ "routing": { "decisions": [{ "name": "d", "plugins": [{ "type": "x" }] }] } }),
        json!({ "routing": { "decisions": [{ "name": "d", "plugins": [
            { "type": "memory", "configuration": { "retrieval_limit": "many" } }
        ] }] } }),
    ] {
        assert!(!mismatches(&schema, &schema, &wrong, "").is_empty(), "{wrong}");
    }
}

/// The value as a YAML reader without the contract sees it; absent values left out.
fn untyped(node: &Node) -> Value {
    match &node.value {
        NodeValue::Null => Value::Null,
        NodeValue::List(items) => items.iter().map(untyped).collect(),
        NodeValue::Map(entries) => {
            let written = entries.iter().filter(|entry| !entry.value.is_null());
            written.map(|entry| (entry.key.clone(), untyped(&entry.value))).collect()
        }
        NodeValue::Scalar { text, plain: true } => serde_json::from_str::<Value>(text)
            .ok()
            .filter(|v| !v.is_string())
            .unwrap_or_else(|| text.as_str().into()),
        NodeValue::Scalar { text, plain: false } => text.as_str().into(),
    }
}

/// Where `value` does not fit, by the keywords that the schema uses.
fn mismatches(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return mismatches(root, &root["$defs"][&reference["#/$defs/".len()..]], value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().filter(|choice| mismatches(root, choice, value, place).is_empty()).count();
        return if fits == 1 { Vec::new() } else { vec![format!("{place}: fits {fits} of oneOf: {value}")] };
    }
    let mut found = Vec::new();
    if let Some(words) = schema["enum"].as_array() {
        let text = value.as_str().map(str::to_lowercase);
        let is_word = words.iter().any(|word| word.as_str().map(str::to_lowercase) == text && text.is_some());
        if !is_word {
            found.push(format!("{place}: {value} is none of {words:?}"));
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_kind(value, kind)) {
        found.push(format!("{place}: {value} is no {kinds:?}"));
    }
    if let Some(number) = value.as_f64() {
        let is_below = schema["minimum"].as_f64().is_some_and(|least| number < least);
        let is_above = schema["maximum"].as_f64().is_some_and(|most| number > most);
        if is_below || is_above {
            found.push(format!("{place}: {number} is out of range"));
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(mismatches(root, &schema["items"], item, &format!("{place}[{index}]")));
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(key).is_none() {
            found.push(format!("{place}: no {key}"));
        }
    }
    for (key, entry) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{key}");
        match (schema["properties"].get(key), &schema["additionalProperties"]) {
            (Some(property), _) => found.extend(mismatches(root, property, entry, &place)),
            (None, Value::Bool(false)) => found.push(format!("{place}: unknown")),
            (None, other) => found.extend(mismatches(root, other, entry, &place)),
        }
    }
    found
}

fn is_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        // What is written without quotes may look like a number.
        "string" => value.is_string() || value.is_number(),
        _ => false,
    }
}
