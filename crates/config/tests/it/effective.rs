//! The effective configuration as text, and the content hash.

use proptest::prelude::*;
use serde_json::{Value, json};
use vsr_config::Document;

use crate::sample::{BASE, read, shown};

#[track_caller]
fn reads_back(document: &Document) {
    let text = document.effective_yaml();
    let again = read(&text);
    assert!(again.config().is_some(), "{:?}", shown(&again));
    assert_eq!(again.effective_yaml(), text);
    assert!(again.config() == document.config(), "another configuration was read back");
    assert_eq!(again.hash(), document.hash());
}

#[test]
fn the_effective_text_has_defaults_and_reads_back_as_itself() {
    let document = read(BASE);
    let text = document.effective_yaml();
    assert!(text.starts_with("version: \"v0.3\"\n") || text.starts_with("version: v0.3\n"), "{text}");
    assert!(text.contains("auto_model_name: MoM"), "{text}");
    reads_back(&document);
}

#[test]
fn text_that_looks_like_something_else_is_quoted() {
    for strange in [
        "no",
        "1",
        "1e3",
        "~",
        "null",
        "",
        " x ",
        "- x",
        "a: b",
        "#x",
        "*a",
        "&a",
        "'",
        "\"",
        "\\n",
        "line\nbreak",
        "tab\t",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "日本",
        "😀",
        "!x",
        "%x",
        "@x",
        "`x",
        "{x}",
        "[x]",
        "x:",
        "true",
        "Infinity",
        ".nan",
        "0x10",
        "2020-01-01",
        "<<",
        "=",
        "?",
        "|",
        ">",
    ] {
        let escaped: String = strange.chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
        let card = format!("{{name: m, description: \"{escaped}\", tags: [\"{escaped}\"]}}");
        let document = read(&format!("version: v0.3\nrouting: {{modelCards: [{card}]}}\n"));
        assert_eq!(document.config().unwrap().routing.model_cards[0].tags, [strange]);
        reads_back(&document);
    }
}

#[test]
fn credentials_are_masked_wherever_they_stand() {
    let text = BASE.replace("port: 8899}", "port: 8899, api_keys: [hush]}").replace(
        "{endpoint: '127.0.0.1:8000'}",
        "{endpoint: 'a:1', api_key: hush, extra_headers: {X-Auth-Token: hush, X-Tenant: t}}",
    ) + "  decisions:\n    - name: d\n      modelRefs: [{model: small}]\n      plugins:\n        - {type: header_mutation, configuration: {add: [{name: Authorization, value: hush}]}}\n"
        + "global: {stores: {memory: {redis_cache: {password: hush}}}}\n";
    let document = read(&text);
    assert_eq!(shown(&document), Vec::<String>::new());
    let effective = document.effective_yaml();
    assert!(!effective.contains("hush"), "{effective}");
    assert!(!effective.contains("X-Tenant: t"), "any header may hold a credential: {effective}");
    assert_eq!(effective.matches("********").count(), 6, "{effective}");
    assert_eq!(read(&effective).effective_yaml(), effective);
}

#[test]
fn the_hash_follows_the_meaning_and_not_the_writing() {
    let hash = read(BASE).hash().unwrap();
    assert_eq!(hash.len(), 64);
    let rewritten = format!("# a comment\n{BASE}global: {{router: {{auto_model_name: MoM}}}}\n");
    assert_eq!(read(&rewritten).hash().unwrap(), hash);
    let other = BASE.replace("description: Quick", "description: Quicker");
    assert_ne!(read(&other).hash().unwrap(), hash);
}

#[test]
fn the_hash_follows_credentials_without_showing_them() {
    let with = |key: &str| read(&BASE.replace("port: 8899}", &format!("port: 8899, api_keys: [{key}]}}")));
    assert_ne!(with("one").hash(), with("two").hash());
    assert_eq!(with("one").effective_yaml(), with("two").effective_yaml());
}

/// Any JSON value under keys that name no credential.
fn opaque() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("k[0-9]{0,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn configuration() -> impl Strategy<Value = Value> {
    let texts = proptest::collection::vec("\\PC{0,20}", 1..4);
    let numbers = (0.0..=1.0, any::<u32>(), any::<i64>(), 1..100_000_u64);
    (
        "\\PC{1,12}",
        texts,
        numbers,
        opaque(),
        any::<bool>(),
        proptest::sample::select(vec!["priority", "confidence"]),
    )
        .prop_map(|(name, texts, (share, count, priority, milliseconds), own, flag, strategy)| {
            json!({
                "version": "v0.3",
                "listeners": [{ "name": name, "timeout": format!("{milliseconds}ms") }],
                "providers": { "models": [{ "name": name, "external_model_ids": { "x": texts[0] } }] },
                "routing": {
                    "strategy": strategy,
                    "modelCards": [{ "name": name, "quality_score": share, "tags": texts }],
                    "signals": {
                        "keywords": [{ "name": name, "keywords": texts, "case_sensitive": flag }],
                        "context": [{ "name": name, "max_tokens": count }],
                    },
                    "decisions": [{
                        "name": name,
                        "priority": priority,
                        "rules": { "operator": "NOT", "conditions": [{ "type": "keyword", "name": name }] },
                        "modelRefs": [{ "model": name, "use_reasoning": flag, "weight": share }],
                        "algorithm": { "type": "elo", "elo": { "k_factor": share } },
                        "plugins": [{
                            "type": "rag",
                            "configuration": { "enabled": flag, "backend": "milvus", "backend_config": own },
                        }],
                    }],
                },
                "global": { "stores": { "vector_store": { "enabled": flag } } },
            })
        })
}

proptest! {
    #[test]
    fn any_configuration_reads_back_as_itself(configuration in configuration()) {
        let document = read(&configuration.to_string());
        prop_assert!(document.config().is_some(), "{:?}", shown(&document));
        reads_back(&document);
    }
}
