//! Whole answers compressed for clients that accept it, where a listener is told to. Streams never are: each event would
//! have to be flushed by itself.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};

use crate::answer::Answer;

/// Larger answers stay as they are, so that the other connections of the thread need not wait for them: at this size
/// compression takes about ten milliseconds.
const MAX_BYTES: usize = 1024 * 1024;

/// Whether the client takes gzip: it names it, or everything, and does not weigh it with zero (RFC 9110 §12.5.3).
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let mut by_name = None;
    let mut by_star = None;
    for entry in values.flat_map(|value| value.split(',')) {
        let mut parts = entry.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let is_wanted = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            by_name = Some(is_wanted);
        } else if coding == "*" {
            by_star = Some(is_wanted);
        }
    }
    by_name.or(by_star).unwrap_or(false)
}

/// Compresses an answer of at least `from_bytes` that is all there and not encoded yet.
pub(crate) fn compress(answer: &mut Answer, from_bytes: usize) {
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        return;
    }
    let Some(body) = answer.body().whole().filter(|body| (from_bytes..=MAX_BYTES).contains(&body.len()))
    else {
        return;
    };
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    let Ok(compressed) = encoder.write_all(body).and_then(|()| encoder.finish()) else { return };
    answer.body_mut().replace_whole(Bytes::from(compressed));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    // It was the length of what is not sent.
    headers.remove(header::CONTENT_LENGTH);
}
