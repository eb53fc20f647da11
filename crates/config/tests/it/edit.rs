//! Changes that leave comments, and credentials that nobody sees.

use proptest::prelude::*;
use serde_json::{Value, json};
use vsr_config::{Document, Edit, EditError, Edited, Masks, edit, json_to_yaml, yaml_to_json};

const TEXT: &str = r#"# Who we are.
version: v0.3
listeners:
  # The front door.
  - name: main # for everybody
    address: 127.0.0.1
    api_keys: [key-one, "${SECOND_KEY}"]
providers:
  models:
    # Small and fast.
    - name: small
      backend_refs:
        - {endpoint: "127.0.0.1:1", api_key: sk-small, extra_headers: {X-Org: org-secret}}
    # Large and wise.
    - name: large
      backend_refs:
        - {endpoint: "127.0.0.1:2", api_key: "0123"}
routing:
  modelCards: [{name: small}, {name: large}]
global:
  model_catalog:
    modules:
      classifier:
        mcp: {env: {TOKEN_FOR_IT: mcp-secret}}
"#;

const SECRETS: [&str; 5] = ["key-one", "sk-small", "org-secret", "0123", "mcp-secret"];

fn read(text: &str) -> Document {
    Document::parse("config.yaml", text, &|_| Some("set".to_owned()))
}

fn change(change: &Edit, masks: &Masks) -> Result<Edited, EditError> {
    edit(TEXT, &read(TEXT), change, masks)
}

fn merged(patch: Value) -> Edited {
    change(&Edit::Merge(patch), &Masks::default()).unwrap()
}

#[test]
fn whatever_stands_under_the_name_of_a_credential_is_masked() {
    let text = format!("{TEXT}misplaced: {{api_key: {{openai: sk-deep, others: [sk-deeper]}}}}\n");
    let shown = read(&text).masked(&Masks::default()).unwrap();
    assert!(!shown.to_string().contains("sk-deep"), "{shown}");
    assert!(shown["misplaced"]["api_key"]["openai"].as_str().unwrap().starts_with("********:"), "{shown}");
}

#[test]
fn a_patch_changes_what_it_names_and_leaves_comments_and_style() {
    let edited = merged(json!({
        "listeners": [{"name": "main", "address": "127.0.0.1", "api_keys": ["key-one", "${SECOND_KEY}"], "port": 9000}],
        "providers": {"defaults": {"default_model": "small"}},
    }));
    let expected = TEXT
        .replace("\"${SECOND_KEY}\"]\n", "\"${SECOND_KEY}\"]\n    port: 9000\n")
        .replace("routing:\n", "  defaults:\n    default_model: small\nrouting:\n");
    assert_eq!(edited.text, expected);
    assert_eq!(edited.lost_comments, []);
}

#[test]
fn null_deletes_a_key_and_its_comment_is_told() {
    let edited = merged(json!({"listeners": null, "global": {"model_catalog": null}, "nothing": null}));
    let tree = yaml_to_json(&edited.text).unwrap();
    assert_eq!(tree.get("listeners"), None);
    assert_eq!(tree["global"], json!({}));
    let lost: Vec<&str> = edited.lost_comments.iter().map(|(_, comment)| comment.as_str()).collect();
    assert_eq!(lost, ["# The front door.", "# for everybody"]);
    assert!(edited.text.starts_with("# Who we are.\nversion: v0.3\n"), "{}", edited.text);
}

#[test]
fn an_entry_of_a_list_that_changes_place_keeps_its_comment() {
    let mut content = yaml_to_json(TEXT).unwrap();
    content["providers"]["models"].as_array_mut().unwrap().reverse();
    content["providers"]["models"][1]["provider_model_id"] = json!("small-2");
    let edited = change(&Edit::Content(content.clone()), &Masks::default()).unwrap();
    assert_eq!(yaml_to_json(&edited.text).unwrap(), content);
    let at = |text: &str| edited.text.find(text).unwrap_or_else(|| panic!("no {text} in\n{}", edited.text));
    assert!(at("# Large and wise.") < at("name: large") && at("name: large") < at("# Small and fast."));
    assert_eq!(edited.lost_comments, []);
}

#[test]
fn no_credential_is_shown_and_references_are() {
    let shown = read(TEXT).masked(&Masks::default()).unwrap();
    let text = shown.to_string() + &json_to_yaml(&shown);
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(shown["listeners"][0]["api_keys"][1], "${SECOND_KEY}");
    assert_eq!(shown["listeners"][0]["name"], "main");
    assert_eq!(shown["providers"]["models"][0]["backend_refs"][0]["endpoint"], "127.0.0.1:1");
    assert_eq!(yaml_to_json(&json_to_yaml(&shown)).unwrap(), shown);
}

#[test]
fn a_default_behind_a_reference_is_a_credential() {
    let text = TEXT.replace("${SECOND_KEY}", "${SECOND_KEY:-fallback-key}");
    let shown = read(&text).masked(&Masks::default()).unwrap();
    assert!(!shown.to_string().contains("fallback-key"), "{shown}");
}

#[test]
fn masks_that_are_sent_back_are_the_credentials_wherever_they_stand() {
    let masks = Masks::default();
    let mut shown = read(TEXT).masked(&masks).unwrap();
    assert_eq!(change(&Edit::Content(shown.clone()), &masks).unwrap().text, TEXT);
    shown["providers"]["models"].as_array_mut().unwrap().reverse();
    shown["listeners"][0]["api_keys"].as_array_mut().unwrap().reverse();
    for edit in [Edit::Content(shown.clone()), Edit::Text(json_to_yaml(&shown)), Edit::Merge(shown.clone())] {
        let tree = yaml_to_json(&change(&edit, &masks).unwrap().text).unwrap();
        assert_eq!(tree["providers"]["models"][0]["backend_refs"][0]["api_key"], "0123");
        assert_eq!(tree["providers"]["models"][1]["backend_refs"][0]["api_key"], "sk-small");
        assert_eq!(tree["listeners"][0]["api_keys"], json!(["${SECOND_KEY}", "key-one"]));
    }
}

#[test]
fn a_mask_is_never_written() {
    let masks = Masks::default();
    let other = read(TEXT).masked(&Masks::default()).unwrap();
    for value in [other["listeners"][0]["api_keys"][0].clone(), json!("********"), json!("********:0")] {
        let patch = json!({"listeners": [{"name": "main", "api_keys": [value]}]});
        let error = change(&Edit::Merge(patch.clone()), &masks).unwrap_err();
        assert!(error.to_string().contains("listeners[0].api_keys[0]"), "{error}");
        assert!(change(&Edit::Text(json_to_yaml(&patch)), &masks).is_err());
    }
}

#[test]
fn a_text_is_taken_as_it_is_and_what_is_no_mapping_is_refused() {
    let text = "# mine\nversion:   v0.3\n";
    assert_eq!(change(&Edit::Text(text.to_owned()), &Masks::default()).unwrap().text, text);
    for edit in [
        Edit::Text("- a\n".into()),
        Edit::Text("a: [".into()),
        Edit::Merge(json!(7)),
        Edit::Content(json!([])),
    ] {
        assert!(matches!(change(&edit, &Masks::default()), Err(EditError::Syntax(_))), "{edit:?}");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_shows_nothing() {
    assert_eq!(read("listeners: [").masked(&Masks::default()), None);
}

/// What RFC 7396 says a patch does.
fn patched(target: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut entries = match target {
        Value::Object(entries) => entries,
        _ => serde_json::Map::new(),
    };
    for (key, change) in changes {
        let before = entries.remove(key).unwrap_or_default();
        if !change.is_null() {
            entries.insert(key.clone(), patched(before, change));
        }
    }
    entries.into()
}

/// Mappings of few keys, so that patches meet what is there.
fn mapping() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c0-1:#{}\\[\\]&*!|>'\"%@` \\n-]{0,8}".prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    let tree = scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]|name", inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-d]", tree, 0..4)
        .prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_patch_does_what_the_standard_says_and_a_content_is_what_is_written(old in mapping(), new in mapping()) {
        let text = format!("# head\n{}", json_to_yaml(&old));
        let document = read(&text);
        let masks = Masks::default();
        let merged = edit(&text, &document, &Edit::Merge(new.clone()), &masks).unwrap();
        prop_assert_eq!(yaml_to_json(&merged.text).unwrap(), patched(old, &new));
        let replaced = edit(&text, &document, &Edit::Content(new.clone()), &masks).unwrap();
        prop_assert_eq!(yaml_to_json(&replaced.text).unwrap(), new);
    }
}
