//! Scalars of the contract that are more than text: durations, token counts, expanded text, secrets.

use std::{fmt, ops::Deref, time::Duration};

use serde::{Serialize, Serializer};
use serde_json::json;
use vsr_types::Secret;

use crate::{
    decode::{Contract, Decoder, Schemas},
    fingerprint::Fingerprint,
    node::{Node, Value},
};

/// A span of time: `300s`, `5m`, `1h30m`, `250ms`; a bare number means seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub Duration);

/// A number of tokens: `1200`, `32K`, `1.5M` (K = 1,000, M = 1,000,000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenCount(pub u64);

/// Text in which `${VAR}` and `${VAR:-default}` were replaced: addresses, URLs, file paths.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Expanded(pub String);

/// A value the contract does not look into.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Opaque(pub serde_json::Value);

// === impl TimeSpan

impl TimeSpan {
    /// Whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    fn parse(text: &str) -> Option<Self> {
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Self(Duration::from_secs(seconds)));
        }
        let mut total = 0.0;
        let mut rest = text.trim();
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let number: f64 = rest[..number_end].parse().ok()?;
            rest = &rest[number_end..];
            let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            total += number
                * match &rest[..unit_end] {
                    "ms" => 0.001,
                    "s" => 1.0,
                    "m" => 60.0,
                    "h" => 3600.0,
                    "d" => 86400.0,
                    _ => return None,
                };
            rest = &rest[unit_end..];
        }
        Duration::try_from_secs_f64(total).ok().map(Self)
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{}s", self.0.as_secs())
        } else {
            write!(f, "{}ms", self.0.as_millis())
        }
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Contract for TimeSpan {
    const BLANK_IS_ABSENT: bool = true;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = node.text().and_then(TimeSpan::parse);
        if span.is_none() {
            decoder.mismatch("a time span such as `300s`, `5m` or `250ms`", node);
        }
        span
    }

    fn placeholder() -> Self {
        Self::seconds(0)
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.number(self.0.as_nanos());
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({ "type": ["string", "integer"], "examples": ["300s", "5m", "250ms"] })
    }
}

// === impl TokenCount

impl TokenCount {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (number, factor) = match text.as_bytes().last()?.to_ascii_uppercase() {
            b'K' => (&text[..text.len() - 1], 1e3),
            b'M' => (&text[..text.len() - 1], 1e6),
            _ => (text, 1.0),
        };
        let count = number.trim().parse::<f64>().ok()? * factor;
        (count.is_finite() && (0.0..=1e15).contains(&count)).then_some(Self(count as u64))
    }
}

impl Serialize for TokenCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl Contract for TokenCount {
    const BLANK_IS_ABSENT: bool = true;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let count = node.text().and_then(TokenCount::parse);
        if count.is_none() {
            decoder.mismatch("a number of tokens such as `1200`, `32K` or `1.5M`", node);
        }
        count
    }

    fn placeholder() -> Self {
        Self(0)
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.number(self.0);
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({ "type": ["string", "integer"], "examples": ["32K", "1.5M", 1200] })
    }
}

// === impl Expanded

impl Deref for Expanded {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Expanded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Contract for Expanded {
    const BLANK_IS_ABSENT: bool = true;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        decoder.expand(&text).map(Self)
    }

    fn placeholder() -> Self {
        Self::default()
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.text(self);
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({ "type": "string", "description": "${VAR} and ${VAR:-default} are replaced." })
    }
}

// === impl Contract for Secret

impl Contract for Secret {
    const BLANK_IS_ABSENT: bool = true;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Value::Scalar { text, .. } = &node.value else {
            // The value is not shown: a credential may stand there.
            decoder.error("expected a credential as text");
            return None;
        };
        decoder.expand(text).map(Secret::new)
    }

    fn placeholder() -> Self {
        Secret::default()
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.secret(self.expose());
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({ "type": "string", "description": "A credential. ${VAR} and ${VAR:-default} are replaced." })
    }
}

// === impl Opaque

impl Opaque {
    fn of(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::List(items) => items.iter().map(Opaque::of).collect(),
            Value::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), Opaque::of(&entry.value))).collect()
            }
            Value::Scalar { text, plain: false } => text.as_str().into(),
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" => true.into(),
                "false" | "False" => false.into(),
                number => match (number.parse::<i64>(), number.parse::<f64>()) {
                    (Ok(whole), _) => whole.into(),
                    (_, Ok(real)) if real.is_finite() => real.into(),
                    _ => text.as_str().into(),
                },
            },
        }
    }
}

impl Contract for Opaque {
    fn decode(node: &Node, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Self(Opaque::of(node)))
    }

    fn placeholder() -> Self {
        Self(serde_json::Value::Null)
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        // Credentials may stand anywhere in it.
        fingerprint.secret(&self.0.to_string());
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({})
    }
}
