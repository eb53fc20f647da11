//! The strict scanner.

use std::collections::HashMap;

use bytes::Bytes;
use proptest::prelude::*;
use vsr_protocol::json::{Document, JsonError, JsonLimits, Kind, Problem, Value};

use crate::documents::{string_literal, value};

fn scan(text: &str) -> Result<Document, JsonError> {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), &JsonLimits::default())
}

#[track_caller]
fn assert_refused(text: &str, problem: Problem, offset: usize, pointer: &str) {
    let error = scan(text).unwrap_err();
    assert_eq!((error.problem, error.offset, error.pointer.as_str()), (problem, offset, pointer));
}

/// The same value through serde_json; numbers as written.
fn convert(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool => value.as_bool().into(),
        Kind::Number => serde_json::from_str(value.raw()).unwrap(),
        Kind::String => value.as_str().unwrap().into_owned().into(),
        Kind::Array => value.items().map(convert).collect(),
        Kind::Object => {
            value.members().map(|member| (member.key.into_owned(), convert(member.value))).collect()
        }
    }
}

#[test]
fn only_the_grammar_is_accepted() {
    let refused = [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "truee",
        "tru",
        "01",
        "-01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "\"",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"\t\"",
        "\"\n\"",
        "\"\u{0}\"",
        "[1] 2",
        "{} {}",
        "// a\n1",
        "/* a */ 1",
        "1 // a",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "]",
        "}",
        "[}",
        "{]",
        "\u{feff}1",
        "\u{a0}1",
        "1\u{0}",
        "\u{c}1",
        "1e400",
        "-1e999",
    ];
    for text in refused {
        assert!(scan(text).is_err(), "accepted {text:?}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "the list is wrong about {text:?}");
    }
    for text in [
        "0",
        "-0",
        "1e10",
        "1E-400",
        " [ ] ",
        "{ }\r\n",
        "\"\\u0000\"",
        "\"\u{7f}\"",
        "9".repeat(308).as_str(),
    ] {
        assert!(scan(text).is_ok(), "refused {text:?}");
    }
}

#[test]
fn errors_say_where_and_why() {
    assert_refused("\u{feff}{}", Problem::ByteOrderMark, 0, "");
    assert_refused(r#"{"a":[1,{"b/~c":tru}]}"#, Problem::Expected("a value"), 16, "/a/1/b~1~0c");
    assert_refused(r#"{"a":1,"b":{"c":NaN}}"#, Problem::Expected("a value"), 16, "/b/c");
    assert_refused("[0,01]", Problem::MalformedNumber, 3, "/1");
    assert_refused("{} x", Problem::TrailingContent, 3, "");
    assert_refused("[\"\\ud800\"]", Problem::LoneSurrogate, 2, "/0");
    assert_refused("[\"\\udc00\\ud800\"]", Problem::LoneSurrogate, 2, "/0");
    assert_refused("[\"\\ud800\\u0041\"]", Problem::LoneSurrogate, 2, "/0");
    assert_refused("[1e999]", Problem::NumberOutOfRange, 1, "/0");
    let error = scan(r#"{"messages":[{"role":"user","role":"system"}]}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the body is not acceptable JSON: duplicate key "role"; send each key once (byte 28, in /messages/0/role)"#
    );
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let error = Document::parse(Bytes::from_static(b"[\"a\xff\"]"), &JsonLimits::default()).unwrap_err();
    assert_eq!((error.problem, error.offset), (Problem::NotUtf8, 3));
    for body in [&b"\xff\xfe{\0}\0"[..], b"\"\xed\xa0\x80\"", b"\"\xc0\xaf\""] {
        let error = Document::parse(Bytes::from_static(body), &JsonLimits::default()).unwrap_err();
        assert_eq!(error.problem, Problem::NotUtf8);
    }
}

#[test]
fn keys_are_compared_after_unescaping() {
    let duplicate = |key: &str| Problem::DuplicateKey(key.to_owned());
    assert_refused(r#"{"model":1,"mod\u0065l":2}"#, duplicate("\"model\""), 11, "/model");
    assert_refused(r#"{"a\/b":1,"a/b":2}"#, duplicate("\"a/b\""), 10, "/a~1b");
    assert_refused(r#"[{"x":{"\u006b":1,"y":2,"k":3}}]"#, duplicate("\"k\""), 24, "/0/x/k");
    assert_refused(r#"{"":1,"":2}"#, duplicate("\"\""), 6, "/");
}

#[test]
fn the_same_key_in_different_objects_is_no_duplicate() {
    assert!(scan(r#"{"a":{"a":{"a":[{"a":1},{"a":2}]}}}"#).is_ok());
}

#[test]
fn duplicates_are_found_in_large_objects() {
    let mut keys: Vec<String> = (0..100_000).map(|index| format!("\"key{index}\":{index}")).collect();
    assert!(scan(&format!("{{{}}}", keys.join(","))).is_ok());
    keys.push("\"\\u006bey77\":0".to_owned());
    let error = scan(&format!("{{{}}}", keys.join(","))).unwrap_err();
    assert_eq!(error.problem, Problem::DuplicateKey("\"key77\"".to_owned()));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(scan(&nested(64)).is_ok());
    assert_eq!(scan(&nested(65)).unwrap_err().problem, Problem::TooDeep(64));
    assert_eq!(scan(&"[".repeat(1_000_000)).unwrap_err().problem, Problem::TooDeep(64));
    assert_eq!(scan(&"{\"a\":".repeat(100_000)).unwrap_err().problem, Problem::TooDeep(64));
    let limits = JsonLimits { max_depth: 1_000_000, ..JsonLimits::default() };
    assert!(Document::parse(Bytes::from(nested(200_000)), &limits).is_ok());
}

#[test]
fn the_number_of_values_is_bounded() {
    let limits = JsonLimits { max_values: 5, ..JsonLimits::default() };
    let scan = |text: &'static str| Document::parse(Bytes::from_static(text.as_bytes()), &limits);
    assert!(scan("[1,2,3,4]").is_ok());
    assert_eq!(scan("[1,2,3,4,5]").unwrap_err().problem, Problem::TooManyValues(5));
    assert!(scan(r#"{"a":1,"b":2}"#).is_ok());
    assert!(scan(r#"{"a":1,"b":2,"c":3}"#).is_err());
}

#[test]
fn long_keys_are_cut_in_errors() {
    let key = "k".repeat(100_000);
    let error = scan(&format!(r#"{{"{key}":1,"{key}":2}}"#)).unwrap_err();
    assert!(error.to_string().len() < 400);
}

/// Refuses a document that has a duplicate key anywhere, by the book.
fn has_duplicate_keys(value: &Owned) -> bool {
    match value {
        Owned::Scalar => false,
        Owned::Array(items) => items.iter().any(has_duplicate_keys),
        Owned::Object(members) => {
            let mut seen = HashMap::new();
            members.iter().any(|(key, value)| seen.insert(key, ()).is_some() || has_duplicate_keys(value))
        }
    }
}

/// A document that keeps all members, duplicates included.
enum Owned {
    Scalar,
    Array(Vec<Owned>),
    Object(Vec<(String, Owned)>),
}

impl<'de> serde::Deserialize<'de> for Owned {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Owned;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Owned, E> {
                Ok(Owned::Scalar)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Owned, E> {
                Ok(Owned::Scalar)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Owned, E> {
                Ok(Owned::Scalar)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Owned, E> {
                Ok(Owned::Scalar)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Owned, E> {
                Ok(Owned::Scalar)
            }
            fn visit_str<E>(self, _: &str) -> Result<Owned, E> {
                Ok(Owned::Scalar)
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Owned, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Owned::Array(items))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Owned, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Owned::Object(members))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Bytes to put into documents to break them.
fn mutation() -> impl Strategy<Value = Vec<u8>> {
    let tokens = vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "\\ud800",
        "0",
        "-",
        ".",
        "e",
        "E9",
        "1e999",
        "true",
        "null",
        "NaN",
        " ",
        "\n",
        "\t",
        "\u{0}",
        "\u{1f}",
        "\u{feff}",
        "\"k0\":1,",
        "/*",
        "é",
        "\u{2028}",
    ];
    prop_oneof![
        4 => prop::sample::select(tokens).prop_map(|token| token.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ]
}

proptest! {
    #[test]
    fn generated_documents_mean_what_serde_json_says(text in value()) {
        let document = scan(&text).unwrap();
        prop_assert_eq!(convert(document.root()), serde_json::from_str::<serde_json::Value>(&text).unwrap());
        prop_assert_eq!(document.root().raw(), text.trim_matches([' ', '\t', '\r', '\n']));
    }

    #[test]
    fn whatever_is_accepted_means_the_same_to_serde_json(
        text in value(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, mutation()), 1..4),
    ) {
        let mut bytes = text.into_bytes();
        for (at, removed, inserted) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, inserted);
        }
        let expected = serde_json::from_slice::<serde_json::Value>(&bytes);
        match Document::parse(Bytes::from(bytes.clone()), &JsonLimits::default()) {
            Ok(document) => prop_assert_eq!(convert(document.root()), expected.unwrap()),
            // What serde_json accepts and we refuse is duplicate keys, and nothing else.
            Err(error) => if expected.is_ok() {
                let owned: Owned = serde_json::from_slice(&bytes).unwrap();
                prop_assert!(has_duplicate_keys(&owned), "{} in {:?}", error, String::from_utf8_lossy(&bytes));
            },
        }
    }

    #[test]
    fn duplicates_are_refused_wherever_they_are(
        value in value(),
        members in prop::collection::vec(string_literal(), 1..30),
        which in any::<prop::sample::Index>(),
        depth in 0_usize..4,
        escape in any::<bool>(),
    ) {
        let key: String = serde_json::from_str(&members[which.index(members.len())]).unwrap();
        let again = match escape {
            true => format!("\"{}\"", key.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<String>()),
            false => serde_json::to_string(&key).unwrap(),
        };
        let mut text = String::new();
        for member in members.iter().chain([&again]) {
            text.push_str(&format!("{}{member}:{value}", if text.is_empty() { "" } else { "," }));
        }
        let mut text = format!("{{{text}}}");
        for _ in 0..depth {
            text = format!("[{{\"outer\":{text}}}]");
        }
        let error = scan(&text).unwrap_err();
        prop_assert!(matches!(error.problem, Problem::DuplicateKey(_)), "{error}");
    }

    #[test]
    fn no_bytes_make_the_scanner_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Document::parse(Bytes::from(bytes), &JsonLimits::default());
    }
}
