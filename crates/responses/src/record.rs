//! The stored forms: JSON documents whose items stay as they came, byte for byte.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Error;

/// Items as JSON texts.
pub type Items = Vec<String>;

/// One turn: what the client said, and the response to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Record {
    /// The turn before it, of the same owner.
    pub previous: Option<String>,
    /// The conversation it belongs to.
    pub conversation: Option<String>,
    /// How many turns are before it.
    pub depth: u32,
    /// When it began, in seconds since the epoch.
    pub created_seconds: u64,
    /// The client's own items.
    #[serde(with = "raw_items")]
    pub input: Items,
    /// The response as its client got it. Absent where the turn only holds items, or the response was deleted.
    #[serde(with = "raw_body")]
    pub body: Option<String>,
    /// What the model said, where the response was deleted and its conversation goes on.
    #[serde(with = "raw_items", default, skip_serializing_if = "Vec::is_empty")]
    pub kept_output: Items,
    /// Where the upstream keeps a copy, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
}

/// A response at the backend that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The backend's name in the configuration.
    pub backend: String,
    /// The model as that backend knows it.
    pub model: String,
    /// The response's id there.
    pub id: String,
    /// Whether all of the chain can be said anew to any model. Where it cannot, because reasoning or a tool's work is
    /// kept by the upstream, the session is bound to that backend.
    pub is_portable: bool,
}

/// A conversation: a name for the newest turn of a chain.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// When it was made, in seconds since the epoch.
    pub created_seconds: u64,
    /// The client's own notes: a JSON object.
    #[serde(with = "raw_text")]
    pub metadata: String,
    /// The newest turn.
    pub head: Option<String>,
    /// How many turns there are.
    pub turns: u32,
}

/// The part of a response that is said again in the next turn.
#[derive(Deserialize)]
struct Said<'b> {
    #[serde(borrow, default)]
    output: Vec<&'b RawValue>,
}

// === impl Record

impl Record {
    /// What the model said, as items.
    ///
    /// # Errors
    /// If the stored response cannot be read.
    pub fn output(&self) -> Result<Items, Error> {
        let Some(body) = &self.body else { return Ok(self.kept_output.clone()) };
        let said: Said<'_> = serde_json::from_str(body)?;
        Ok(said.output.into_iter().map(|item| item.get().to_owned()).collect())
    }

    /// Forgets the response, and keeps what its conversation needs.
    pub(crate) fn without_body(mut self) -> Result<Self, Error> {
        self.kept_output = self.output()?;
        self.body = None;
        self.upstream = None;
        Ok(self)
    }
}

/// Values of `T` as stored.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(value)?)
}

/// Reads what [`write`] wrote.
pub(crate) fn read<'b, T: Deserialize<'b>>(stored: &'b [u8]) -> Result<T, Error> {
    Ok(serde_json::from_slice(stored)?)
}

mod raw_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(text: &str, out: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(text).map_err(ser::Error::custom)?;
        raw.serialize(out)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<String, D::Error> {
        let raw = Box::<RawValue>::deserialize(from).map_err(de::Error::custom)?;
        Ok(raw.get().to_owned())
    }
}

mod raw_items {
    use serde::{Deserialize, Deserializer, Serializer, ser};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(items: &[String], out: S) -> Result<S::Ok, S::Error> {
        let raw: Result<Vec<&RawValue>, _> = items.iter().map(|item| serde_json::from_str(item)).collect();
        out.collect_seq(raw.map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<String>, D::Error> {
        let raw = Vec::<Box<RawValue>>::deserialize(from)?;
        Ok(raw.into_iter().map(|item| item.get().to_owned()).collect())
    }
}

mod raw_body {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(body: &Option<String>, out: S) -> Result<S::Ok, S::Error> {
        let raw: Option<&RawValue> =
            body.as_deref().map(serde_json::from_str).transpose().map_err(ser::Error::custom)?;
        raw.serialize(out)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Option<String>, D::Error> {
        let raw = Option::<Box<RawValue>>::deserialize(from)?;
        Ok(raw.map(|body| body.get().to_owned()))
    }
}
