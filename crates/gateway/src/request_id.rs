//! The id of a request: the client's, if it is one that logs can hold, or a new one.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use vsr_types::RequestId;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where clients of Messages look for it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const MAX_BYTES: usize = 128;

/// Makes ids that no other source makes: a random half per source, and a half that never repeats within it.
pub(crate) struct IdSource {
    source: u64,
    next: AtomicU64,
}

/// An id, as text and as a header.
#[derive(Clone)]
pub(crate) struct Id {
    pub(crate) text: RequestId,
    pub(crate) header: HeaderValue,
}

// === impl IdSource ===

impl IdSource {
    pub(crate) fn new() -> Self {
        // The standard library seeds its hashers from the system's randomness.
        let random = RandomState::new();
        Self { source: random.hash_one(0), next: AtomicU64::new(random.hash_one(1)) }
    }

    /// The client's id if it sent one that is short and printable; otherwise a new one.
    pub(crate) fn id_for(&self, headers: &HeaderMap) -> Id {
        stated(headers).unwrap_or_else(|| self.fresh())
    }

    /// An id of the router's own, which no client can choose.
    pub(crate) fn fresh(&self) -> Id {
        // Multiplying by an odd number maps the counter one to one, so that ids do not look like a sequence.
        let count = self.next.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut text = [0; 32];
        for (place, half) in text.chunks_exact_mut(16).zip([self.source, count]) {
            for (index, digit) in place.iter_mut().enumerate() {
                *digit = b"0123456789abcdef"[(half >> (60 - 4 * index)) as usize & 15];
            }
        }
        Id::new(&text)
    }
}

fn stated(headers: &HeaderMap) -> Option<Id> {
    let mut values = headers.get_all(X_REQUEST_ID).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let bytes = value.as_bytes();
    let is_printable = bytes.iter().all(u8::is_ascii_graphic);
    (is_printable && (1..=MAX_BYTES).contains(&bytes.len())).then(|| Id::new(bytes))
}

// === impl Id ===

impl Id {
    /// `printable` holds visible ASCII characters only.
    fn new(printable: &[u8]) -> Self {
        let text = String::from_utf8_lossy(printable);
        let header =
            HeaderValue::from_bytes(printable).unwrap_or_else(|_| HeaderValue::from_static("invalid"));
        Self { text: RequestId::from(&*text), header }
    }
}
