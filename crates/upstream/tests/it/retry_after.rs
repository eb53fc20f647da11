//! When a server wants to be asked again.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use vsr_upstream::retry_after;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;

fn of(headers: &[(&'static str, &str)]) -> Option<Duration> {
    let pairs = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    retry_after(&pairs.collect::<HeaderMap>(), NOW)
}

#[test]
fn seconds_milliseconds_and_dates_are_understood() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (headers, expected) in [
        (&[("retry-after", "120")][..], seconds(120)),
        (&[("retry-after", " 0 ")], seconds(0)),
        (&[("retry-after-ms", "250"), ("retry-after", "1")], Some(Duration::from_millis(250))),
        (&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], seconds(60)),
        (&[("retry-after", "Sunday, 06-Nov-94 08:50:37 GMT")], seconds(60)),
        (&[("retry-after", "Sun Nov  6 08:50:37 1994")], seconds(60)),
        // The server's clock is the one its date is by.
        (
            &[("retry-after", "Mon, 07 Nov 2044 00:00:30 GMT"), ("date", "Mon, 07 Nov 2044 00:00:00 GMT")],
            seconds(30),
        ),
        (&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")], seconds(0)),
    ] {
        assert_eq!(of(headers), expected, "{headers:?}");
    }
}

#[test]
fn what_is_too_long_is_a_day_and_what_makes_no_sense_is_nothing() {
    let day = Some(Duration::from_secs(86_400));
    for written in ["99999999", "18446744073709551616000", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        assert_eq!(of(&[("retry-after", written)]), day, "{written}");
    }
    assert_eq!(of(&[("retry-after-ms", "99999999999999999999999")]), day);
    for written in ["", "-1", "+5", "1.5", "soon", "1e9", "Sun, 99 Nov 1994 08:49:37 GMT", "\u{1}"] {
        let value = HeaderValue::from_bytes(written.as_bytes());
        let Ok(value) = value else { continue };
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, value)]);
        assert_eq!(retry_after(&headers, NOW), None, "{written:?}");
    }
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[("retry-after-ms", "soon"), ("retry-after", "5")]), Some(Duration::from_secs(5)));
}
