//! Request bodies: read to their end within a size and a time, or let go.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{timeout, timeout_at};

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It has, or announces, more bytes than accepted.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// It ended early, or its framing is broken.
    Broken,
}

/// What is set aside for a body before it arrives, at most: an announcement is not a body.
const MAX_RESERVED_BYTES: u64 = 256 * 1024;

/// Bodies up to this size are read even where nobody wants them, so that their connection can be used again.
const MAX_DRAINED_BYTES: usize = 64 * 1024;
const DRAIN_LIMIT: Duration = Duration::from_millis(500);

/// Reads `body` into one buffer of at most `max_bytes`, waiting no longer than `stall_limit` for each part.
pub(crate) async fn read(
    body: &mut Incoming,
    max_bytes: usize,
    deadline: Option<Instant>,
    stall_limit: Duration,
) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(BodyError::TooLarge);
    }
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), collect(body, max_bytes, stall_limit))
            .await
            .unwrap_or(Err(BodyError::TooSlow)),
        None => collect(body, max_bytes, stall_limit).await,
    }
}

/// Reads what nobody wants if that is quickly done; says whether the body has been read to its end.
pub(crate) async fn drain(body: &mut Incoming) -> bool {
    let deadline = Instant::now() + DRAIN_LIMIT;
    read(body, MAX_DRAINED_BYTES, Some(deadline), DRAIN_LIMIT).await.is_ok()
}

async fn collect(body: &mut Incoming, max_bytes: usize, stall_limit: Duration) -> Result<Bytes, BodyError> {
    let Some(first) = next(body, stall_limit).await? else { return Ok(Bytes::new()) };
    if first.len() > max_bytes {
        return Err(BodyError::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let reserved = body.size_hint().lower().min(MAX_RESERVED_BYTES) as usize;
    let mut whole = BytesMut::with_capacity(first.len() + reserved);
    whole.extend_from_slice(&first);
    while let Some(data) = next(body, stall_limit).await? {
        if whole.len() + data.len() > max_bytes {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The next data, which must come within `stall_limit`; trailers are skipped.
async fn next(body: &mut Incoming, stall_limit: Duration) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = timeout(stall_limit, body.frame()).await.map_err(|_| BodyError::TooSlow)? {
        match frame.map_err(|_| BodyError::Broken)?.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}
