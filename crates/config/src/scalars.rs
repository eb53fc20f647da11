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

/// A span of time: `300s`, `5m`, `1h30m`, `250ms`; a bare number means seconds. Whole milliseconds,
/// rounded up; ten years at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub Duration);

/// A number of tokens: `1200`, `32K`, `1.5M` (K = 1,000, M = 1,000,000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenCount(pub u64);

/// Text in which `${VAR}` and `${VAR:-default}` were replaced: addresses, URLs, file paths.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Expanded(pub String);

/// A value the contract does not look into. Printed and serialised, it shows a mask in place of whatever
/// stands under a key that names a credential.
#[derive(Clone, PartialEq)]
pub struct Opaque(pub serde_json::Value);

// === impl TimeSpan

impl TimeSpan {
    /// Whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Ten years: long enough for any setting, and safe to add to any clock.
    const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let milliseconds = match text.parse::<u32>() {
            Ok(seconds) => f64::from(seconds) * 1000.0,
            Err(_) => Self::sum_of_units(text)?,
        };
        // Rounded up, but for what the decimal fraction lost on its way to a binary one.
        let milliseconds = (milliseconds - 1e-6).ceil();
        (milliseconds <= Self::LONGEST.as_millis() as f64)
            .then(|| Self(Duration::from_millis(milliseconds as u64)))
    }

    /// The milliseconds of `1h30m` and the like.
    fn sum_of_units(text: &str) -> Option<f64> {
        let mut total = 0.0;
        let mut rest = text;
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let number: f64 = rest[..number_end].parse().ok()?;
            rest = &rest[number_end..];
            let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            total += number
                * match &rest[..unit_end] {
                    "ms" => 1.0,
                    "s" => 1e3,
                    "m" => 60e3,
                    "h" => 3600e3,
                    "d" => 86_400e3,
                    _ => return None,
                };
            rest = &rest[unit_end..];
        }
        (!text.is_empty()).then_some(total)
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
            decoder.mismatch("a time span such as `300s`, `5m` or `250ms`, ten years at most", node);
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
        json!({
            "type": "string",
            "description": "${VAR} and ${VAR:-default} are replaced.",
            "$comment": "${VAR} and ${VAR:-default} are replaced.",
        })
    }
}

// === impl Contract for Secret

impl Contract for Secret {
    const BLANK_IS_ABSENT: bool = true;
    const IS_CREDENTIAL: bool = true;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Value::Scalar { text, .. } = &node.value else {
            // The value is not shown: a credential may stand there.
            decoder.error("expected a credential as text");
            return None;
        };
        decoder.note_credential();
        decoder.expand(text).map(Secret::new)
    }

    fn placeholder() -> Self {
        Secret::default()
    }

    fn feed(&self, fingerprint: &mut Fingerprint) {
        fingerprint.secret(self.expose());
    }

    fn schema(_: &mut Schemas) -> serde_json::Value {
        json!({
            "type": ["string", "number"],
            "description": "A credential. ${VAR} and ${VAR:-default} are replaced.",
            "$comment": "${VAR} and ${VAR:-default} are replaced.",
            "writeOnly": true,
        })
    }
}

// === impl Opaque

impl Opaque {
    /// The value with masks in place of credentials.
    pub fn masked(&self) -> serde_json::Value {
        mask(&self.0)
    }

    /// The value as JSON: plain scalars that are numbers or truth values are read as such.
    pub(crate) fn of(node: &Node) -> serde_json::Value {
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
                number => match (number.parse::<i64>(), number.parse::<u64>(), number.parse::<f64>()) {
                    (Ok(whole), ..) => whole.into(),
                    (_, Ok(large), _) => large.into(),
                    (.., Ok(real)) if real.is_finite() => real.into(),
                    _ => text.as_str().into(),
                },
            },
        }
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.masked().fmt(f)
    }
}

impl Serialize for Opaque {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.masked().serialize(serializer)
    }
}

fn mask(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(items) => items.iter().map(mask).collect(),
        serde_json::Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| {
                let is_blank = value.is_null() || value.as_str().is_some_and(str::is_empty);
                let is_secret = names_credential(key) && !is_blank;
                (key.clone(), if is_secret { Secret::MASK.into() } else { mask(value) })
            })
            .collect(),
        other => other.clone(),
    }
}

/// Whether a key names a credential: `api_key`, `X-Auth-Token`, `Authorization`, `dbPassword`. Names of
/// headers (`auth_header`) and of environment variables (`api_key_env`) do not.
pub(crate) fn names_credential(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace(['-', ' '], "_");
    let endings =
        ["key", "token", "secret", "password", "passwd", "credential", "credentials", "authorization"];
    endings.iter().any(|ending| key.ends_with(ending))
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
