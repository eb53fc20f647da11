//! `contract!`: one declaration per mapping of the contract gives its type, defaults, reader and schema.

/// Declares structs of the contract.
///
/// A field without a default is required. `field as "key"` names the key where it differs.
/// Doc comments become descriptions in the schema.
macro_rules! contract {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident $(as $key:literal)? : $type:ty $(= $default:expr)?
            ),* $(,)?
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub struct $name {
            $(
                $(#[doc = $field_doc])*
                $(#[serde(rename = $key)])?
                pub $field: $type,
            )*
        }

        impl $name {
            /// The keys of this mapping.
            pub const KEYS: &'static [&'static str] = &[$(contract!(@key $field $($key)?)),*];
        }

        impl crate::decode::Contract for $name {
            fn decode(
                node: &crate::node::Node,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                #[derive(Default)]
                struct Slots { $($field: Option<Option<$type>>,)* }
                let mut slots = Slots::default();
                for entry in decoder.entries(node)? {
                    match entry.key.as_str() {
                        $(contract!(@key $field $($key)?) => {
                            if entry.value.is_null() {
                                slots.$field = <$type as crate::decode::Contract>::decode_null().map(Some);
                            } else {
                                slots.$field = Some(decoder.in_key(&entry.key, |decoder| {
                                    <$type as crate::decode::Contract>::decode(&entry.value, decoder)
                                }));
                            }
                        })*
                        _ => decoder.unknown(entry, Self::KEYS),
                    }
                }
                $(
                    let $field = match slots.$field {
                        Some(Some(value)) => value,
                        Some(None) => contract!(@fallback $type, $($default)?),
                        None => contract!(@absent decoder, contract!(@key $field $($key)?), $type, $($default)?),
                    };
                )*
                Some(Self { $($field,)* })
            }

            fn placeholder() -> Self {
                Self { $($field: contract!(@fallback $type, $($default)?),)* }
            }

            fn feed(&self, fingerprint: &mut crate::fingerprint::Fingerprint) {
                $(
                    fingerprint.text(contract!(@key $field $($key)?));
                    crate::decode::Contract::feed(&self.$field, fingerprint);
                )*
            }

            fn schema(schemas: &mut crate::decode::Schemas) -> serde_json::Value {
                schemas.define(stringify!($name), |schemas| {
                    let mut properties = serde_json::Map::new();
                    let required: Vec<&str> = [$(contract!(@required contract!(@key $field $($key)?), $($default)?)),*]
                        .into_iter()
                        .flatten()
                        .collect();
                    $(
                        let key = contract!(@key $field $($key)?);
                        let schema = <$type as crate::decode::Contract>::schema(schemas);
                        let described = crate::schema::describe(schema, concat!($($field_doc, "\n",)* ""));
                        contract!(@property described, key, properties, $type, $($default)?);
                    )*
                    serde_json::json!({
                        "type": "object",
                        "description": crate::schema::prose(concat!($($doc, "\n",)* "")),
                        "properties": properties,
                        "required": required,
                        "additionalProperties": false,
                    })
                })
            }
        }

        contract!(@maybe_default $name { $($field: $type $(= $default)?,)* });
    )*};

    (@key $field:ident $key:literal) => { $key };
    (@key $field:ident) => { stringify!($field) };

    (@fallback $type:ty, ) => { <$type as crate::decode::Contract>::placeholder() };
    (@fallback $type:ty, $default:expr) => { $default };

    (@absent $decoder:ident, $key:expr, $type:ty, ) => {{
        $decoder.missing($key);
        <$type as crate::decode::Contract>::placeholder()
    }};
    (@absent $decoder:ident, $key:expr, $type:ty, $default:expr) => { $default };

    (@required $key:expr, ) => { Some($key) };
    (@required $key:expr, $default:expr) => { None };

    (@property $schema:ident, $key:ident, $properties:ident, $type:ty, ) => {
        $properties.insert($key.to_owned(), $schema);
    };
    (@property $schema:ident, $key:ident, $properties:ident, $type:ty, $default:expr) => {
        let default: $type = $default;
        $properties.insert($key.to_owned(), crate::schema::with_default($schema, &default));
    };

    (@maybe_default $name:ident { $($field:ident: $type:ty = $default:expr,)* }) => {
        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
    (@maybe_default $name:ident { $($rest:tt)* }) => {};
}

/// Declares the words a key accepts. The first word of each line is the canonical one; letter case
/// does not matter. With `otherwise Variant`, an unknown word is a warning and means that variant.
macro_rules! contract_enum {
    ($(
        $(#[doc = $doc:literal])*
        pub enum $name:ident $(otherwise $otherwise:ident)? {
            $(
                $(#[doc = $variant_doc:literal])*
                $variant:ident = $word:literal $(| $alias:literal)*
            ),* $(,)?
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
        pub enum $name {
            $(
                $(#[doc = $variant_doc])*
                #[serde(rename = $word)]
                $variant,
            )*
        }

        impl $name {
            /// The canonical words.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The canonical word.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl crate::decode::Contract for $name {
            const BLANK_IS_ABSENT: bool = true;

            fn decode(
                node: &crate::node::Node,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                let Some(text) = node.text() else {
                    decoder.mismatch(&crate::schema::one_of(Self::WORDS), node);
                    return None;
                };
                $(
                    if text.trim().eq_ignore_ascii_case($word) $(|| text.trim().eq_ignore_ascii_case($alias))* {
                        return Some($name::$variant);
                    }
                )*
                contract_enum!(@unknown decoder, node, text, $($otherwise)?)
            }

            fn placeholder() -> Self {
                [$($name::$variant),*][0]
            }

            fn feed(&self, fingerprint: &mut crate::fingerprint::Fingerprint) {
                fingerprint.text(self.as_str());
            }

            fn schema(_: &mut crate::decode::Schemas) -> serde_json::Value {
                let (mut words, mut meanings) = (Vec::new(), Vec::new());
                $(
                    let meaning = crate::schema::prose(concat!($($variant_doc, "\n",)* ""));
                    for word in [$word $(, $alias)*] {
                        words.push(word);
                        meanings.push(meaning.clone());
                    }
                )*
                contract_enum!(@schema words meanings $($otherwise)?)
            }
        }
    )*};

    (@unknown $decoder:ident, $node:ident, $text:ident, ) => {{
        $decoder.unknown_word($node, $text, Self::WORDS);
        None
    }};
    (@unknown $decoder:ident, $node:ident, $text:ident, $otherwise:ident) => {{
        $decoder.ignored_word($node, Self::WORDS, Self::$otherwise.as_str());
        Some(Self::$otherwise)
    }};

    (@schema $words:ident $meanings:ident) => {
        serde_json::json!({ "enum": $words, "enumDescriptions": $meanings })
    };
    (@schema $words:ident $meanings:ident $otherwise:ident) => {
        serde_json::json!({ "type": "string", "examples": $words, "enumDescriptions": $meanings })
    };
}

pub(crate) use {contract, contract_enum};
