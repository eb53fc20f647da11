//! Edits of a body.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use vsr_protocol::json::{Document, JsonLimits};
use vsr_protocol::{ChatRequest, Edits, RequestLimits};

use crate::documents::{space, value};

fn request(body: &str) -> ChatRequest {
    ChatRequest::parse(Bytes::copy_from_slice(body.as_bytes()), &RequestLimits::default()).unwrap()
}

/// The body with `members` after the required fields, edited.
#[track_caller]
fn assert_edit(edit: impl Fn(&mut Edits), before: &str, after: &str) {
    let body = |members: &str| format!(r#"{{"model":"m","messages":[{{"role":"user"}}]{members}}}"#);
    let mut edits = Edits::default();
    edit(&mut edits);
    let edited = edits.apply(&request(&body(before)));
    assert_eq!(String::from_utf8_lossy(&edited), body(after));
}

#[test]
fn only_the_model_changes() {
    let body = "{ \"x\" : 1.0e+2,\n\t\"model\" : \"auto\" , \"messages\":[{\"role\":\"user\",\"content\":\"\\u0068i\"}],\"y\":{} }\n";
    let mut edits = Edits::default();
    edits.set_model("a \"b\"\\\n\u{1}é");
    let edited = edits.apply(&request(body));
    let expected = body.replace("\"auto\"", r#""a \"b\"\\\n\u0001é""#);
    assert_eq!(String::from_utf8_lossy(&edited), expected);
}

#[test]
fn nothing_to_change_returns_the_same_bytes() {
    let request = request(
        r#"{"model":"m","messages":[{"role":"user"}],"stream_options":{"include_usage":true},"chat_template_kwargs":{"a":1}}"#,
    );
    assert_eq!(Edits::default().apply(&request).as_ptr(), request.body().as_ptr());
    let mut edits = Edits::default();
    edits.set_model("m");
    edits.include_usage();
    edits.remove_reasoning_effort();
    edits.set_template_kwarg("a", &json!(1));
    edits.remove(&["chat_template_kwargs", "b"]);
    edits.remove(&["absent", "b"]);
    assert!(!edits.is_empty());
    assert_eq!(edits.apply(&request).as_ptr(), request.body().as_ptr());
}

#[test]
fn fields_are_set_inserted_and_removed() {
    let high = |edits: &mut Edits| edits.set_reasoning_effort("high");
    assert_edit(high, "", r#","reasoning_effort":"high""#);
    assert_edit(high, " \n", ",\"reasoning_effort\":\"high\" \n");
    assert_edit(high, r#","reasoning_effort":null,"z":1"#, r#","reasoning_effort":"high","z":1"#);
    let remove = Edits::remove_reasoning_effort;
    assert_edit(remove, r#" , "reasoning_effort" : "low""#, "");
    assert_edit(remove, r#" , "reasoning_effort" : "low" , "z":1"#, r#" , "z":1"#);
}

#[test]
fn objects_keep_their_other_members() {
    let think = |edits: &mut Edits| edits.set_template_kwarg("think", &json!(true));
    assert_edit(think, "", r#","chat_template_kwargs":{"think":true}"#);
    assert_edit(think, r#","chat_template_kwargs":null"#, r#","chat_template_kwargs":{"think":true}"#);
    assert_edit(think, r#","chat_template_kwargs":{ }"#, r#","chat_template_kwargs":{"think":true }"#);
    assert_edit(
        think,
        r#","chat_template_kwargs":{ "a" : 1.50 , "think":false,"b":[ ] }"#,
        r#","chat_template_kwargs":{ "a" : 1.50 , "think":true,"b":[ ] }"#,
    );
    let usage = Edits::include_usage;
    assert_edit(usage, "", r#","stream_options":{"include_usage":true}"#);
    assert_edit(usage, r#","stream_options":{"a":1}"#, r#","stream_options":{"a":1,"include_usage":true}"#);
    assert_edit(
        usage,
        r#","stream_options":{"include_usage":null}"#,
        r#","stream_options":{"include_usage":true}"#,
    );
}

#[test]
fn removals_take_one_comma_wherever_they_are() {
    let remove = |keys: &'static [&'static str]| {
        move |edits: &mut Edits| keys.iter().for_each(|key| edits.remove(&["o", key]))
    };
    let object = r#","o":{ "a" : 1 , "b" : 2 , "c" : 3 }"#;
    assert_edit(remove(&["a"]), object, r#","o":{ "b" : 2 , "c" : 3 }"#);
    assert_edit(remove(&["b"]), object, r#","o":{ "a" : 1 , "c" : 3 }"#);
    assert_edit(remove(&["c"]), object, r#","o":{ "a" : 1 , "b" : 2 }"#);
    assert_edit(remove(&["a", "b"]), object, r#","o":{ "c" : 3 }"#);
    assert_edit(remove(&["b", "c"]), object, r#","o":{ "a" : 1 }"#);
    assert_edit(remove(&["c", "a"]), object, r#","o":{ "b" : 2 }"#);
    assert_edit(remove(&["a", "b", "c"]), object, r#","o":{  }"#);
    let replace_all = |edits: &mut Edits| {
        ["a", "b", "c"].iter().for_each(|key| edits.remove(&["o", key]));
        edits.set(&["o", "d"], &json!([]));
        edits.set(&["o", "e"], &json!({}));
    };
    assert_edit(replace_all, object, r#","o":{ "d":[],"e":{} }"#);
}

#[test]
fn later_edits_of_a_field_win() {
    let edit = |edits: &mut Edits| {
        edits.set_reasoning_effort("low");
        edits.remove_reasoning_effort();
        edits.set(&["o"], &json!(1));
        edits.set(&["o", "a", "b"], &json!(2));
        edits.set(&["o", "a", "c"], &json!(3));
    };
    assert_edit(edit, "", r#","o":{"a":{"b":2,"c":3}}"#);
}

#[test]
fn only_whole_keys_are_edited() {
    let edit = |edits: &mut Edits| edits.set(&["a"], &json!(2));
    assert_edit(edit, r#","b":{"a":1},"aa":1,"A":1"#, r#","b":{"a":1},"aa":1,"A":1,"a":2"#);
}

/// What a random edit does to one top-level key.
#[derive(Debug, Clone)]
enum Change {
    Set(Value),
    Remove,
    SetInside(String, Value),
    RemoveInside(String),
}

fn change() -> impl Strategy<Value = Change> {
    let scalar = prop_oneof![any::<i64>().prop_map(Value::from), "[a-z\"\\\\é\n]{0,5}".prop_map(Value::from)];
    let inner = prop::sample::select(vec!["k0", "é1", "\n2", "A3", "new"]).prop_map(str::to_owned);
    prop_oneof![
        2 => scalar.clone().prop_map(Change::Set),
        2 => Just(Change::Remove),
        1 => (inner.clone(), scalar).prop_map(|(key, value)| Change::SetInside(key, value)),
        1 => inner.prop_map(Change::RemoveInside),
    ]
}

/// The members of an object as written, in order.
fn raw_members(document: &Document) -> Vec<(String, String)> {
    let members = document.root().members();
    members.map(|member| (member.key.into_owned(), member.value.raw().to_owned())).collect()
}

fn document(bytes: Bytes) -> Document {
    Document::parse(bytes, &JsonLimits::default()).unwrap()
}

/// What `change` makes of a member's value.
fn expected(old: Option<&str>, change: &Change) -> Option<Value> {
    let old = old.map(|raw| serde_json::from_str::<Value>(raw).unwrap());
    match change {
        Change::Set(value) => Some(value.clone()),
        Change::Remove => None,
        Change::SetInside(key, value) => {
            let mut object = old.filter(Value::is_object).unwrap_or_else(|| json!({}));
            object[key] = value.clone();
            Some(object)
        }
        Change::RemoveInside(key) => {
            let mut old = old;
            if let Some(Value::Object(members)) = &mut old {
                members.remove(key);
            }
            old
        }
    }
}

proptest! {
    #[test]
    fn a_splice_changes_only_what_it_should(
        values in prop::collection::vec((value(), space(), space()), 0..6),
        required_at in any::<prop::sample::Index>(),
        changes in prop::collection::hash_map("f[0-7]", change(), 0..5),
        model in prop::option::of("[a-zé\"\\\\/]{1,6}"),
    ) {
        let mut members: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(index, (value, a, b))| format!("{a}\"f{index}\"{b}:{a}{value}{b}"))
            .collect();
        let at = required_at.index(members.len() + 1);
        members.insert(at, r#" "model" : "auto" ,"messages":[{"role":"user"}]"#.to_owned());
        let request = request(&format!(" {{{}}}\n", members.join(",")));
        let before = raw_members(&document(request.body().clone()));

        let mut edits = Edits::default();
        for (key, change) in &changes {
            match change {
                Change::Set(value) => edits.set(&[key], value),
                Change::Remove => edits.remove(&[key]),
                Change::SetInside(inner, value) => edits.set(&[key, inner], value),
                Change::RemoveInside(inner) => edits.remove(&[key, inner]),
            }
        }
        model.iter().for_each(|model| edits.set_model(model));
        let after = raw_members(&document(edits.apply(&request)));

        // Members that were there keep their order, and their bytes unless they were edited.
        let mut after = after.into_iter();
        for (key, raw) in &before {
            let wanted = match (&**key, &model, changes.get(key)) {
                ("model", Some(model), _) => Some(json!(model)),
                (_, _, Some(change)) => expected(Some(raw), change),
                _ => {
                    prop_assert_eq!(after.next(), Some((key.clone(), raw.clone())));
                    continue;
                }
            };
            if let Some(wanted) = wanted {
                let (found, raw) = after.next().unwrap();
                prop_assert_eq!(&found, key);
                prop_assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), wanted);
            }
        }
        // New members follow.
        let mut added: Vec<(String, Value)> =
            after.map(|(key, raw)| (key, serde_json::from_str(&raw).unwrap())).collect();
        added.sort_by(|a, b| a.0.cmp(&b.0));
        let is_new = |key: &str| before.iter().all(|(old, _)| old != key);
        let mut wanted: Vec<(String, Value)> = changes
            .iter()
            .filter(|(key, _)| is_new(key))
            .filter_map(|(key, change)| Some((key.clone(), expected(None, change)?)))
            .collect();
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        prop_assert_eq!(added, wanted);
    }
}
