//! What a raw client received.

use std::time::Duration;

use serde_json::Value;

use crate::recorded::find_header;
use crate::sse::{SseEvent, parse_events};

/// A response, as far as it has been read.
#[derive(Clone, Debug)]
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) ending: Ending,
}

/// One piece of a body: an HTTP chunk, or what one read returned where the body is not chunked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes, without framing.
    pub data: Vec<u8>,
    /// When it was complete, since the client connected.
    pub at: Duration,
}

/// How a body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Not read to its end.
    Open,
    /// As its framing says it should.
    Clean,
    /// The connection was closed before the framing says the body ends.
    Truncated,
    /// The connection broke.
    Broken(std::io::ErrorKind),
}

impl Response {
    /// Status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Headers in the order and spelling received.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// First value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The pieces of the body in the order they came.
    #[must_use]
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// How the body ended.
    #[must_use]
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The whole body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| chunk.data.iter().copied()).collect()
    }

    /// The whole body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }

    /// The whole body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap_or_else(|error| {
            panic!("status {} with a body that is not JSON: {error}: {}", self.status, self.text())
        })
    }

    /// The events of the body.
    #[must_use]
    pub fn events(&self) -> Vec<SseEvent> {
        parse_events(&self.body())
    }

    /// The text that the content deltas of the stream add up to.
    #[must_use]
    pub fn streamed_text(&self) -> String {
        let deltas = self.events().into_iter().filter_map(|event| event.json());
        deltas
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect()
    }
}
