//! The model that a body names, in JSON or in a form, found without reading more of it; and the body with another in its
//! place.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::refusal::Refusal;

/// A body that names a model.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    body: Bytes,
    /// Where the name is.
    place: Range<usize>,
    pub(crate) content_type: HeaderValue,
    is_json: bool,
}

#[derive(serde::Deserialize)]
struct Naming<'b> {
    #[serde(borrow)]
    model: Cow<'b, str>,
}

// === impl Named

impl Named {
    /// Finds the name.
    pub(crate) fn parse(headers: &HeaderMap, body: Bytes) -> Result<Self, Refusal> {
        let content_type = headers.get(header::CONTENT_TYPE).cloned();
        let written = content_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = boundary(written);
        let place = match &boundary {
            Some(boundary) => place_in_form(&body, boundary)?,
            None => place_in_json(&body)?,
        };
        let is_json = boundary.is_none();
        let json = HeaderValue::from_static("application/json");
        let content_type = content_type.filter(|_| !is_json).unwrap_or(json);
        if std::str::from_utf8(&body[place.clone()]).is_err() {
            return Err(Refusal::new("parse_error", 400, "the model's name is not UTF-8"));
        }
        Ok(Self { body, place, content_type, is_json })
    }

    pub(crate) fn model(&self) -> &str {
        std::str::from_utf8(&self.body[self.place.clone()]).unwrap_or_default()
    }

    /// The body with this name in place of the one it has.
    pub(crate) fn naming(&self, model: &str) -> Bytes {
        if model == self.model() {
            return self.body.clone();
        }
        let quoted = serde_json::Value::from(model).to_string();
        let name = if self.is_json { &quoted[1..quoted.len() - 1] } else { model };
        Bytes::from([&self.body[..self.place.start], name.as_bytes(), &self.body[self.place.end..]].concat())
    }
}

fn place_in_json(body: &Bytes) -> Result<Range<usize>, Refusal> {
    let naming: Naming<'_> = serde_json::from_slice(body).map_err(|error| {
        Refusal::new("parse_error", 400, format!("the body is no JSON object that names a `model`: {error}"))
    })?;
    let Cow::Borrowed(name) = naming.model else {
        return Err(Refusal::new("parse_error", 400, "the model's name must be written without escapes"));
    };
    let start = name.as_ptr().addr() - body.as_ptr().addr();
    Ok(start..start + name.len())
}

/// The boundary between the parts of a form.
fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let written = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let mut written = written.filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
    let boundary = written.next()?.1.trim().trim_matches('"');
    (!boundary.is_empty() && boundary.len() <= 70).then(|| boundary.to_owned())
}

/// The value of the field `model`, of which there must be one.
fn place_in_form(body: &[u8], boundary: &str) -> Result<Range<usize>, Refusal> {
    let refuse = |message: &str| Refusal::new("parse_error", 400, message);
    let delimiter = format!("--{boundary}");
    let mut found = None;
    let mut at = find(body, 0, delimiter.as_bytes()).ok_or_else(|| refuse("the form has no parts"))?;
    loop {
        let start = at + delimiter.len();
        if body[start..].starts_with(b"--") {
            break;
        }
        let head_end =
            find(body, start, b"\r\n\r\n").ok_or_else(|| refuse("a part of the form has no end"))?;
        let end = find(body, head_end + 2, format!("\r\n{delimiter}").as_bytes())
            .ok_or_else(|| refuse("a part of the form has no end"))?;
        if is_model(&body[start..head_end]) && found.replace((head_end + 4).min(end)..end).is_some() {
            return Err(refuse("the form names more than one `model`"));
        }
        at = end + 2;
    }
    found.ok_or_else(|| refuse("the form has no field `model`"))
}

/// Whether the head of a part is that of the field `model`.
fn is_model(head: &[u8]) -> bool {
    String::from_utf8_lossy(head).lines().any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-disposition:")
            && line
                .split(';')
                .map(str::trim)
                .any(|parameter| matches!(parameter, "name=\"model\"" | "name=model"))
    })
}

fn find(body: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut at = from;
    while at + what.len() <= body.len() {
        at += body[at..].iter().position(|byte| *byte == first)?;
        if body[at..].starts_with(what) {
            return Some(at);
        }
        at += 1;
    }
    None
}
