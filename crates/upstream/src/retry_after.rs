//! Owns when a server wants to be asked again.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// Longer than this nobody is left alone, whatever a server says.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// When a server wants to be asked again, counted from `now` (seconds since 1970): `retry-after-ms`, else `retry-after` in seconds or as a date
/// (RFC 9110 §10.2.3), which is compared with the server's own `date` if it states one. A day at most; a date that has
/// passed is no wait. None if it does not say, or says something else.
pub fn retry_after(headers: &HeaderMap, now: u64) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // So many digits that they are no number any more say: very long.
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let asked = if let Some(millis) = text("retry-after-ms").and_then(number) {
        Duration::from_millis(millis)
    } else {
        let written = text(header::RETRY_AFTER.as_str())?;
        match number(written) {
            Some(seconds) => Duration::from_secs(seconds),
            None => {
                let until = date(written)?;
                let now = || SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(now));
                let from = text(header::DATE.as_str()).and_then(date).or_else(now)?;
                until.duration_since(from).unwrap_or_default()
            }
        }
    };
    Some(asked.min(LONGEST))
}
