//! Random JSON documents with the layout variety that clients produce.

use proptest::prelude::*;

/// White space where the grammar allows it.
pub(crate) fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 2 => Just(" ".to_owned()), 1 => "[ \t\r\n]{0,3}"]
}

/// A string literal: plain characters, short escapes, unicode escapes, surrogate pairs.
pub(crate) fn string_literal() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[ -!#-\\[\\]-~]{0,6}",
        2 => "[à-ÿΑ-Ωא-ת一-三😀-😂]{1,3}",
        1 => prop::sample::select(vec!["\\n", "\\\"", "\\\\", "\\/", "\\t", "\\r", "\\b", "\\f"]).prop_map(str::to_owned),
        1 => (0_u32..0xd800).prop_map(|unit| format!("\\u{unit:04x}")),
        1 => Just("\\ud83d\\uDE00".to_owned()),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?"
}

/// A value with at most three levels and distinct keys.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        3 => string_literal(),
        2 => number(),
        1 => prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned),
    ];
    scalar.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec((space(), inner.clone(), space()), 0..4).prop_map(|items| {
                let items: Vec<String> = items.into_iter().map(|(a, value, b)| a + &value + &b).collect();
                format!("[{}]", items.join(","))
            }),
            members(prop::collection::vec(inner, 0..4)),
        ]
    })
}

/// An object of the given values under distinct keys.
fn members(values: impl Strategy<Value = Vec<String>>) -> impl Strategy<Value = String> {
    (values, space(), space(), space()).prop_map(|(values, a, b, c)| {
        let members: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                format!("{a}\"{}{index}\"{b}:{c}{value}{a}", ["k", "é", "\\n", "\\u0041"][index % 4])
            })
            .collect();
        format!("{{{}}}", members.join(","))
    })
}
