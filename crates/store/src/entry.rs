//! The stored form of a value: eight bytes of expiry in milliseconds since the epoch (0 = never), then the value.

use std::time::Duration;

use vsr_types::Timestamp;

const HEADER: usize = 8;

/// Puts the expiry before the value.
pub(crate) fn encode(value: &[u8], time_to_live: Option<Duration>, now: Timestamp) -> Vec<u8> {
    let expires = time_to_live
        .map_or(0, |span| now.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)).max(1));
    let mut entry = expires.to_le_bytes().to_vec();
    entry.extend_from_slice(value);
    entry
}

/// Whether the entry has expired by `now`. An entry too short to have an expiry counts as expired.
pub(crate) fn is_expired(entry: &[u8], now: Timestamp) -> bool {
    match entry.first_chunk::<HEADER>() {
        Some(header) => {
            let expires = u64::from_le_bytes(*header);
            expires != 0 && expires <= now.0
        }
        None => true,
    }
}

/// The value, unless it has expired by `now`.
pub(crate) fn decode(entry: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    (!is_expired(entry, now)).then(|| entry[HEADER..].to_vec())
}

/// The value and when it expires, unless it has expired by `now`.
pub(crate) fn open(entry: &[u8], now: Timestamp) -> Option<(&[u8], Option<Timestamp>)> {
    let expires = u64::from_le_bytes(*entry.first_chunk::<HEADER>()?);
    (!is_expired(entry, now)).then(|| (&entry[HEADER..], (expires != 0).then_some(Timestamp(expires))))
}
