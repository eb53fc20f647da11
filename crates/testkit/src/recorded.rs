//! What a backend received.

use serde_json::Value;

/// One request as it arrived at a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Number of the connection it came on, counted from 1 per backend.
    pub connection: usize,
    /// Method, for example `POST`.
    pub method: String,
    /// Request target as sent, with its query.
    pub path: String,
    /// Headers in the order and spelling sent.
    pub headers: Vec<(String, String)>,
    /// Body with any transfer coding removed.
    pub body: Vec<u8>,
    /// Every byte of the request as it came over the wire: head, body, chunk framing.
    pub received: Vec<u8>,
}

impl Recorded {
    /// First value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When the body is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("recorded body is not JSON: {error}: {}", String::from_utf8_lossy(&self.body))
        })
    }
}

pub(crate) fn find_header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
