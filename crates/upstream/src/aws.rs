//! Owns AWS Signature Version 4: requests that are signed with a key instead of carrying it.

use std::fmt;

use http::{HeaderName, HeaderValue, header};
use ring::{digest, hmac};

use crate::{Error, ErrorKind, Request};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs requests to one service in one region (the "AWS Signature Version 4 for API requests" of the IAM user guide).
#[derive(Clone)]
pub struct AwsSigner {
    access_key_id: String,
    /// `AWS4` and the secret key.
    secret: Vec<u8>,
    session_token: Option<HeaderValue>,
    region: String,
    service: String,
}

/// What an [`AwsSigner`] signs with.
#[derive(Clone, Copy)]
pub struct AwsKeys<'k> {
    /// Names the key.
    pub access_key_id: &'k str,
    /// The key.
    pub secret_access_key: &'k str,
    /// Comes with keys that expire.
    pub session_token: Option<&'k str>,
}

// === impl AwsSigner ===

impl AwsSigner {
    /// A signer for `service`, such as `bedrock`, in `region`, such as `us-east-1`.
    ///
    /// # Errors
    /// If a part is empty or cannot stand in a header. No message shows a key.
    pub fn new(keys: AwsKeys<'_>, region: &str, service: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::new(ErrorKind::InvalidCertificates, "aws keys", reason);
        let is_word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b',')
        };
        if !is_word(keys.access_key_id) {
            return Err(refuse("the access key id is empty or holds characters that it cannot"));
        }
        if keys.secret_access_key.is_empty() {
            return Err(refuse("the secret access key is empty"));
        }
        if !is_word(region) || !is_word(service) {
            return Err(refuse("region or service is empty or holds characters that it cannot"));
        }
        let session_token = keys.session_token.filter(|token| !token.is_empty()).map(|token| {
            let mut value = HeaderValue::from_str(token)
                .map_err(|_| refuse("the session token holds characters that no header can"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self {
            access_key_id: keys.access_key_id.to_owned(),
            secret: [b"AWS4", keys.secret_access_key.as_bytes()].concat(),
            session_token: session_token.transpose()?,
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// Signs `request` as it is now, for a quarter of an hour around `now`, in seconds since 1970. Host, content type, the body and all headers
    /// `x-amz-…` are signed; others may be added afterwards.
    pub fn sign(&self, request: &mut Request, now: u64) {
        // The year 9999 is the last that the format holds.
        let seconds = now.min(253_402_300_799);
        let (date, time) = (Date::of(seconds), seconds % 86_400);
        let date = format!("{:04}{:02}{:02}", date.year, date.month, date.day);
        let stamp = format!("{date}T{:02}{:02}{:02}Z", time / 3600, time / 60 % 60, time % 60);
        let headers = &mut request.headers;
        headers.remove(header::AUTHORIZATION);
        if let Ok(value) = HeaderValue::try_from(&stamp) {
            headers.insert(X_AMZ_DATE, value);
        }
        match &self.session_token {
            Some(token) => headers.insert(X_AMZ_SECURITY_TOKEN, token.clone()),
            None => headers.remove(X_AMZ_SECURITY_TOKEN),
        };
        let (canonical, signed) = canonical(request);
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{stamp}\n{scope}\n{}", hex_digest(&canonical));
        let signature = hex(self.key(&date, to_sign.as_bytes()).as_ref());
        let value = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.access_key_id
        );
        if let Ok(mut value) = HeaderValue::try_from(value) {
            value.set_sensitive(true);
            request.headers.insert(header::AUTHORIZATION, value);
        }
    }

    /// The signature of `to_sign`, by a key derived for the day, region and service.
    fn key(&self, date: &str, to_sign: &[u8]) -> hmac::Tag {
        let parts =
            [date.as_bytes(), self.region.as_bytes(), self.service.as_bytes(), b"aws4_request", to_sign];
        let (first, rest) = (parts[0], &parts[1..]);
        let keyed = |key: &[u8], data: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
        rest.iter().fold(keyed(&self.secret, first), |key, part| keyed(key.as_ref(), part))
    }
}

impl fmt::Debug for AwsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSigner")
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// The canonical form of a request, and the names of the headers in it.
fn canonical(request: &Request) -> (Vec<u8>, String) {
    let mut names: Vec<&HeaderName> = request
        .headers
        .keys()
        .filter(|name| **name == header::CONTENT_TYPE || name.as_str().starts_with("x-amz-"))
        .collect();
    names.push(&header::HOST);
    names.sort_unstable_by_key(|name| name.as_str());
    names.dedup();
    let mut lines = Vec::with_capacity(1024);
    lines.extend_from_slice(request.method.as_str().as_bytes());
    lines.push(b'\n');
    // Every service but S3 takes the path as it is on the wire and encodes it once more.
    encode_into(&mut lines, request.path_and_query.path().as_bytes(), b"/");
    lines.push(b'\n');
    lines.extend_from_slice(canonical_query(request.path_and_query.query().unwrap_or_default()).as_bytes());
    lines.push(b'\n');
    for name in &names {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.push(b':');
        if *name == header::HOST {
            lines.extend_from_slice(request.endpoint.host_header().as_bytes());
        } else {
            for (index, value) in request.headers.get_all(*name).iter().enumerate() {
                if index > 0 {
                    lines.push(b',');
                }
                push_trimmed(&mut lines, value.as_bytes());
            }
        }
        lines.push(b'\n');
    }
    let signed = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(";");
    lines.push(b'\n');
    lines.extend_from_slice(signed.as_bytes());
    lines.push(b'\n');
    lines.extend_from_slice(hex_digest(&request.body).as_bytes());
    (lines, signed)
}

/// The parameters, encoded anew and sorted.
fn canonical_query(query: &str) -> String {
    let encoded = |text: &str| {
        let mut encoded = Vec::with_capacity(text.len());
        encode_into(&mut encoded, &crate::proxy::percent_decoded(text), b"");
        String::from_utf8(encoded).unwrap_or_default()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Percent-encodes what is neither unreserved (RFC 3986 §2.3) nor in `kept`.
fn encode_into(into: &mut Vec<u8>, bytes: &[u8], kept: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || kept.contains(byte) {
            into.push(*byte);
        } else {
            into.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// Without spaces around it, and with one where there are several.
fn push_trimmed(into: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            into.push(b' ');
        }
        into.extend_from_slice(word);
    }
}

fn hex_digest(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// A day of the Gregorian calendar.
struct Date {
    year: u64,
    month: u64,
    day: u64,
}

// === impl Date ===

impl Date {
    /// The day of a time since 1970, by eras of 400 years that begin in March (Hinnant 2013, `civil_from_days`).
    fn of(seconds: u64) -> Self {
        let days = seconds / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self { year: year_of_era + era * 400 + u64::from(month <= 2), month, day }
    }
}
