//! How the basic types are read: text, numbers, options, lists, mappings.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    decode::{Contract, Decoder, Schemas},
    fingerprint::Fingerprint,
    node::{Entry, Node, Value},
};

impl Contract for String {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar { text, .. } => Some(text.clone()),
            _ => {
                decoder.mismatch("text", node);
                None
            }
        }
    }

    fn placeholder() -> Self {
        String::new()
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.text(self);
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({ "type": "string" })
    }
}

impl Contract for bool {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Value::Scalar { text, plain: true } = &node.value {
            match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => return Some(true),
                "false" | "no" | "off" => return Some(false),
                _ => {}
            }
        }
        decoder.mismatch("true or false", node);
        None
    }

    fn placeholder() -> Self {
        false
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.number(u8::from(*self));
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({ "type": "boolean" })
    }
}

impl Contract for f64 {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Value::Scalar { text, plain: true } = &node.value
            && let Ok(number) = text.parse::<f64>()
            && number.is_finite()
        {
            return Some(number);
        }
        decoder.mismatch("a finite number", node);
        None
    }

    fn placeholder() -> Self {
        0.0
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.number(self);
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({ "type": "number" })
    }
}

macro_rules! integer {
    ($($type:ty)*) => {$(
        impl Contract for $type {
            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                if let Value::Scalar { text, plain: true } = &node.value
                    && let Ok(number) = text.parse::<$type>()
                {
                    return Some(number);
                }
                decoder.mismatch(
                    &format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX),
                    node,
                );
                None
            }

            fn placeholder() -> Self {
                0
            }

            fn feed(&self, fingerprint: &mut Fingerprint) {
                fingerprint.number(self);
            }

            fn schema(_: &mut Schemas) -> serde_json::Value {
                json!({ "type": "integer", "minimum": <$type>::MIN, "maximum": <$type>::MAX })
            }
        }
    )*};
}

integer! { u16 u32 u64 i32 i64 }

impl<T: Contract> Contract for Option<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if T::BLANK_IS_ABSENT && node.text().is_some_and(|text| text.trim().is_empty()) {
            return Some(None);
        }
        T::decode(node, decoder).map(Some)
    }

    fn decode_null() -> Option<Self> {
        Some(None)
    }

    fn placeholder() -> Self {
        None
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        match self {
            Some(value) => {
                fingerprint.length(Some(1));
                value.feed(fingerprint);
            }
            None => fingerprint.length(None),
        }
    }

    fn schema(schemas: &mut Schemas) -> serde_json::Value {
        let mut schema = T::schema(schemas);
        if let Some(words) = schema.get_mut("enum").and_then(serde_json::Value::as_array_mut)
            && T::BLANK_IS_ABSENT
            && !words.iter().any(|word| word == "")
        {
            words.push("".into());
            if let Some(meanings) =
                schema.get_mut("enumDescriptions").and_then(serde_json::Value::as_array_mut)
            {
                meanings.push("As if absent.".into());
            }
        }
        schema
    }
}

impl<T: Contract> Contract for Box<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        T::decode(node, decoder).map(Box::new)
    }

    fn placeholder() -> Self {
        Box::new(T::placeholder())
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        T::feed(self, fingerprint);
    }

    fn schema(schemas: &mut Schemas) -> serde_json::Value {
        T::schema(schemas)
    }
}

impl<T: Contract> Contract for Vec<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Some(items) = node.items() else {
            if T::IS_CREDENTIAL {
                decoder.error("expected a list of credentials");
            } else {
                decoder.mismatch("a list", node);
            }
            return None;
        };
        let decode_item = |(index, item)| {
            decoder.in_item(index, |decoder| T::decode(item, decoder)).unwrap_or_else(T::placeholder)
        };
        Some(items.iter().enumerate().map(decode_item).collect())
    }

    fn decode_null() -> Option<Self> {
        Some(Vec::new())
    }

    fn placeholder() -> Self {
        Vec::new()
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.length(Some(self.len()));
        for item in self {
            item.feed(fingerprint);
        }
    }

    fn schema(schemas: &mut Schemas) -> serde_json::Value {
        json!({ "type": "array", "items": T::schema(schemas) })
    }
}

impl<T: Contract> Contract for BTreeMap<String, T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if T::IS_CREDENTIAL && node.entries().is_none() {
            decoder.error("expected a mapping of names to credentials");
            return None;
        }
        let entries = decoder.entries(node)?;
        let decode_entry = |entry: &Entry| {
            let value = decoder.in_key(&entry.key, |decoder| T::decode(&entry.value, decoder));
            (entry.key.clone(), value.unwrap_or_else(T::placeholder))
        };
        Some(entries.iter().map(decode_entry).collect())
    }

    fn decode_null() -> Option<Self> {
        Some(BTreeMap::new())
    }

    fn placeholder() -> Self {
        BTreeMap::new()
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.length(Some(self.len()));
        for (key, value) in self {
            fingerprint.text(key);
            value.feed(fingerprint);
        }
    }

    fn schema(schemas: &mut Schemas) -> serde_json::Value {
        json!({ "type": "object", "additionalProperties": T::schema(schemas) })
    }
}
