//! What holds for the migration of any text: nothing is lost in silence, and once is enough.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Map, Value};
use vsr_config::{Node, Outcome, Value as NodeValue, migrate, parse_tree};
use vsr_types::Path;

use crate::migrate::EXAMPLES;

/// Keys of all layouts, so that trees made of them get far.
const KEYS: &[&str] = &[
    "version",
    "listeners",
    "providers",
    "routing",
    "global",
    "models",
    "name",
    "model",
    "type",
    "address",
    "port",
    "endpoint",
    "endpoints",
    "backends",
    "backend",
    "backend_refs",
    "model_targets",
    "auth_profiles",
    "auth_ref",
    "access",
    "access_key",
    "api_key",
    "provider_profile",
    "provider_profiles",
    "vllm_endpoints",
    "model_config",
    "preferred_endpoints",
    "base_url",
    "description",
    "tags",
    "loras",
    "decisions",
    "signals",
    "keyword_rules",
    "categories",
    "latency_rules",
    "runtime",
    "router",
    "modules",
    "classifier",
    "category_model",
    "domain",
    "model_catalog",
    "embeddings",
    "semantic",
    "bert",
    "bert_model",
    "threshold",
    "model_id",
    "strategy",
    "modelCards",
    "modelSelectionAlgorithm",
    "algorithm",
    "tool_scope",
    "allow_tools",
    "plugins",
    "configuration",
    "structure",
    "feature",
    "normalize_by",
    "default_model",
    "defaults",
    "headers",
    "url",
    "a",
    "b",
    "a.b",
    "x y",
    "",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => proptest::sample::select(vec!["a", "b", "none", "count", "tools"]).prop_map(Value::from),
        3 => any::<String>().prop_map(Value::from),
        2 => "[ -~\n#:,\\[{'\"]{0,12}".prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i32>().prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 60, 5, |inner| {
        let key = proptest::sample::select(KEYS.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => proptest::collection::vec((key, inner), 0..5).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn root() -> impl Strategy<Value = Value> {
    let key = proptest::sample::select(KEYS.to_vec()).prop_map(str::to_owned);
    proptest::collection::vec((key, tree()), 0..8)
        .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
}

/// An example with another value in one place.
fn changed_example() -> impl Strategy<Value = Value> {
    (0..EXAMPLES.len(), any::<prop::sample::Index>(), tree()).prop_map(|(example, place, put)| {
        let mut root = json(&parse_tree(EXAMPLES[example].1).unwrap());
        let mut places = Vec::new();
        pointers(&root, String::new(), &mut places);
        let place = &places[place.index(places.len())];
        *root.pointer_mut(place).unwrap() = put;
        root
    })
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, format!("{at}/{index}"), found));
        }
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            pointers(value, format!("{at}/{key}"), found);
        }),
        _ => {}
    }
    if !at.is_empty() {
        found.push(at);
    }
}

fn json(node: &Node) -> Value {
    match &node.value {
        NodeValue::Null => Value::Null,
        NodeValue::Scalar { text, .. } => Value::from(text.clone()),
        NodeValue::List(items) => items.iter().map(json).collect(),
        NodeValue::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.clone(), json(&entry.value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// Every scalar that is no word, null or empty, with the places it stands in.
fn leaves(node: &Node, path: &Path, above: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let mut places = above.to_vec();
    places.push(path.to_string());
    match &node.value {
        NodeValue::Null => {}
        NodeValue::Scalar { text, .. } => found.push((text.clone(), places)),
        NodeValue::List(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| leaves(item, &path.index(index), &places, found));
        }
        NodeValue::Map(entries) => {
            entries
                .iter()
                .for_each(|entry| leaves(&entry.value, &path.key(entry.key.as_str()), &places, found));
        }
    }
}

/// Nothing is lost in silence: a scalar is in the result, or a step tells of it or of what it was in.
fn check(text: &str) -> Result<(), TestCaseError> {
    let Ok(before) = parse_tree(text) else { return Ok(()) };
    let Ok(result) = migrate(text) else { return Ok(()) };
    let after = parse_tree(&result.text);
    prop_assert!(after.is_ok(), "{:?}\n{}", after, result.text);
    let after = after.unwrap();
    let (mut had, mut has) = (Vec::new(), Vec::new());
    leaves(&before, &Path::root(), &[], &mut had);
    leaves(&after, &Path::root(), &[], &mut has);
    let has: HashSet<String> = has.into_iter().map(|(text, _)| text).collect();
    let told: HashSet<&str> = result
        .steps
        .iter()
        .filter(|step| matches!(step.outcome, Outcome::NotCarried | Outcome::Changed))
        .map(|step| step.path.as_str())
        .collect();
    for (value, places) in had {
        let is_told = places.iter().any(|place| told.contains(place.as_str()));
        // Hosts and ports are joined.
        let is_joined = places.last().is_some_and(|place| place.ends_with("address"))
            && has.iter().any(|text| text.contains(&value));
        prop_assert!(
            has.contains(&value) || is_told || is_joined,
            "{value:?} at {:?} is gone\n{text}\n{}",
            places.last(),
            result.text
        );
    }
    let again = migrate(&result.text);
    prop_assert!(again.is_ok());
    let again = again.unwrap();
    prop_assert!(!again.changed, "{:?}\n{text}\n{}", again.steps, result.text);
    prop_assert_eq!(again.text, result.text);
    Ok(())
}

#[test]
fn the_examples_lose_nothing_in_silence_and_need_one_migration() {
    for (name, text, _) in EXAMPLES {
        check(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

proptest! {
    #[test]
    fn trees_of_known_keys_lose_nothing_in_silence_and_need_one_migration(root in root()) {
        check(&root.to_string())?;
        check(&format!("{root:#}"))?;
    }

    #[test]
    fn changed_examples_lose_nothing_in_silence_and_need_one_migration(root in changed_example()) {
        check(&format!("{root:#}"))?;
    }

    #[test]
    fn any_text_is_migrated_without_a_panic(text in any::<String>()) {
        check(&text)?;
        check(&format!("decisions: {text}"))?;
        check(&format!("decisions:\n{text}"))?;
    }
}
