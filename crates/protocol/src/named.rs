//! The model that a body names, in JSON or in a form, found without reading more of it; and the body with another in its
//! place.
//!
//! What every backend does not read alike is refused: one that finds another name than was found here would run a model
//! that nobody routed to.

mod form;

use std::{borrow::Cow, fmt, ops::Range};

use bytes::Bytes;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::error::RequestError;

/// A body that names a model.
#[derive(Debug, Clone)]
pub struct NamedBody {
    body: Bytes,
    /// Where the name is.
    place: Range<usize>,
    is_form: bool,
}

/// The name in a JSON object.
struct Named<'b>(Cow<'b, str>);

struct NamedVisitor;

// === impl NamedBody

impl NamedBody {
    /// Finds the name: in the field `model` of a form where `content_type` says that the body is one, else in the member
    /// `model` of a JSON object.
    ///
    /// # Errors
    ///
    /// There is no such name, or not only one, or readers could disagree on which it is.
    pub fn parse(content_type: Option<&[u8]>, body: Bytes) -> Result<Self, RequestError> {
        let boundary = form::boundary(content_type.unwrap_or_default())?;
        let place = match &boundary {
            Some(boundary) => form::place(&body, boundary)?,
            None => place_in_json(&body)?,
        };
        if std::str::from_utf8(&body[place.clone()]).is_err() {
            return Err(RequestError::unnamed("the model's name is not UTF-8"));
        }
        Ok(Self { body, place, is_form: boundary.is_some() })
    }

    /// The name.
    pub fn model(&self) -> &str {
        std::str::from_utf8(&self.body[self.place.clone()]).unwrap_or_default()
    }

    /// Whether the body is a form.
    pub fn is_form(&self) -> bool {
        self.is_form
    }

    /// The body with `model` in place of the name it has; all else stays as it came.
    pub fn naming(&self, model: &str) -> Bytes {
        if model == self.model() {
            return self.body.clone();
        }
        let quoted = crate::json::quote(model);
        let name = if self.is_form { model } else { &quoted[1..quoted.len() - 1] };
        Bytes::from([&self.body[..self.place.start], name.as_bytes(), &self.body[self.place.end..]].concat())
    }
}

fn place_in_json(body: &Bytes) -> Result<Range<usize>, RequestError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = reader.deserialize_map(NamedVisitor).and_then(|named| reader.end().map(|()| named));
    let Named(name) = read.map_err(|error| {
        RequestError::unnamed(format!("the body is no JSON object that names a `model`: {error}"))
    })?;
    let Cow::Borrowed(name) = name else {
        return Err(RequestError::unnamed("the model's name must be written without escapes"));
    };
    let start = name.as_ptr().addr() - body.as_ptr().addr();
    Ok(start..start + name.len())
}

impl<'b> Visitor<'b> for NamedVisitor {
    type Value = Named<'b>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error as _;
        let mut found = None;
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "model" => {
                    let Name(name) = map.next_value()?;
                    if found.replace(name).is_some() {
                        return Err(A::Error::duplicate_field("model"));
                    }
                }
                // Some readers do not tell it from the name.
                other if other.eq_ignore_ascii_case("model") => {
                    return Err(A::Error::custom(format_args!("`{other}` must be written `model`")));
                }
                _ => {
                    let IgnoredAny = map.next_value()?;
                }
            }
        }
        found.map(Named).ok_or_else(|| A::Error::missing_field("model"))
    }
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'b>(#[serde(borrow)] Cow<'b, str>);

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'b>(#[serde(borrow)] Cow<'b, str>);
