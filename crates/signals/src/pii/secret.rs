//! Keys of known services, signed tokens, private key blocks, and credentials in URLs.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;

use super::{
    PiiKind, PiiSpan,
    bytes::{before, run},
    secret_formats::{Alphabet, FORMATS},
};

/// The most bytes of a signed token's part.
const MOST_TOKEN_PART: usize = 8192;
/// The most bytes of a URL's authority.
const MOST_AUTHORITY: usize = 512;
/// The most bytes of a private key block.
const MOST_BLOCK: usize = 16 << 10;
/// URL parameters whose value is a secret.
const PARAMETERS: &[&str] = &[
    "access_token=",
    "api_key=",
    "api-key=",
    "apikey=",
    "auth_token=",
    "client_secret=",
    "password=",
    "passwd=",
    "refresh_token=",
    "x-amz-signature=",
    "sig=",
    "secret=",
];
const TOKEN_START: &str = "eyJ";
const URL_START: &str = "://";
const BLOCK_START: &[u8] = b"-----BEGIN ";

/// What every kind begins with, in one automaton. It is a constant list; without it nothing is found,
/// which a test would tell.
static STARTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let prefixes = FORMATS.iter().map(|format| format.prefix).chain([TOKEN_START, URL_START]);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(prefixes).ok()
});

pub(super) fn find(text: &str, spans: &mut Vec<PiiSpan>) {
    let bytes = text.as_bytes();
    blocks(bytes, spans);
    let Some(starts) = STARTS.as_ref() else { return };
    let mut at = 0;
    while let Some(found) = starts.find(aho_corasick::Input::new(bytes).range(at..)) {
        at = found.start() + 1;
        let index = found.pattern().as_usize();
        let end = match FORMATS.get(index) {
            Some(_) => key_end(bytes, found.start()),
            None if index == FORMATS.len() => token_end(bytes, found.start()),
            None => {
                at = found.end();
                url(text, found.end(), spans);
                None
            }
        };
        if let Some(end) = end {
            push(PiiKind::ApiKey, found.start(), end, spans);
            at = end;
        }
    }
}

fn push(kind: PiiKind, start: usize, end: usize, spans: &mut Vec<PiiSpan>) {
    spans.push(PiiSpan { bytes: start..end, kind, probability: 0.99, verified: true });
}

/// Where the key that begins at `start` ends, if one of the formats fits there.
fn key_end(bytes: &[u8], start: usize) -> Option<usize> {
    if before(bytes, start).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let formats = FORMATS.iter().filter(|format| bytes[start..].starts_with(format.prefix.as_bytes()));
    let mut ends = formats.filter_map(|format| {
        let body = start + format.prefix.len();
        let length = run(bytes, body, format.most, |byte| format.alphabet.has(byte));
        let goes_on = bytes.get(body + length).is_some_and(|byte| Alphabet::Alphanumeric.has(*byte));
        let written = &bytes[body..body + length];
        (length >= format.least && !goes_on && is_random(written)).then_some(body + length)
    });
    ends.next()
}

/// Whether a key's characters are not all the same few: `sk-xxxxxxxx…` is a placeholder.
fn is_random(written: &[u8]) -> bool {
    let mut seen = [false; 256];
    written.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count() >= 6
}

/// Where the signed token (RFC 7519) that begins at `start` ends: header and claims begin as JSON objects
/// do in base64, and a signature follows.
fn token_end(bytes: &[u8], start: usize) -> Option<usize> {
    if before(bytes, start).is_some_and(|byte| Alphabet::Dotted.has(byte)) {
        return None;
    }
    let mut at = start;
    for part in 0..3 {
        let length = run(bytes, at, MOST_TOKEN_PART, |byte| Alphabet::Url.has(byte));
        let is_object = part == 2 || bytes[at..].starts_with(TOKEN_START.as_bytes());
        if length < 10 || !is_object {
            return None;
        }
        at += length;
        if part < 2 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
    }
    Some(at)
}

/// Private keys in PEM form (RFC 7468), to their end or to the end of what is there.
fn blocks(bytes: &[u8], spans: &mut Vec<PiiSpan>) {
    let mut done = 0;
    for start in memmem::find_iter(bytes, BLOCK_START) {
        let label = start + BLOCK_START.len();
        let length = run(bytes, label, 40, |byte| byte.is_ascii_uppercase() || byte == b' ');
        let is_private = bytes[label..label + length].ends_with(b"PRIVATE KEY");
        if start < done || !is_private || !bytes[label + length..].starts_with(b"-----") {
            continue;
        }
        let body = label + length + 5;
        let base64 = run(bytes, body, MOST_BLOCK, |byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b' ' | b'\\' | b':' | b',')
        });
        if base64 < 32 {
            continue;
        }
        let rest = &bytes[body + base64..];
        let closing: &[u8] = b"-----END ";
        let end = match rest.starts_with(closing) {
            true => {
                let label = run(rest, closing.len(), 40, |byte| byte.is_ascii_uppercase() || byte == b' ');
                let dashes = run(rest, closing.len() + label, 5, |byte| byte == b'-');
                body + base64 + closing.len() + label + dashes
            }
            false => body + base64,
        };
        push(PiiKind::ApiKey, start, end, spans);
        done = end;
    }
}

/// Credentials of the URL whose authority begins at `authority`: before an `@`, or in its parameters.
fn url(text: &str, authority: usize, spans: &mut Vec<PiiSpan>) {
    let bytes = text.as_bytes();
    let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`');
    let length = run(bytes, authority, MOST_AUTHORITY, |byte| !ends(byte));
    let mut stop = authority + length;
    while !text.is_char_boundary(stop) {
        stop -= 1;
    }
    let rest = &text[authority..stop];
    // What follows another scheme is that URL's, and read with it.
    let rest = &rest[..rest.find("://").unwrap_or(rest.len())];
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if let Some(at) = rest[..host_end].rfind('@')
        && let Some(colon) = rest[..at].find(':')
        && colon + 1 < at
        && !is_placeholder(&rest[colon + 1..at])
    {
        push(PiiKind::Credential, authority, authority + at, spans);
    }
    for parameter in rest[host_end..].split(['?', '&', '#']).skip(1) {
        let lower = parameter.to_ascii_lowercase();
        let Some(name) = PARAMETERS.iter().find(|name| lower.starts_with(**name)) else { continue };
        let value = &parameter[name.len()..];
        if value.len() >= 8 && !is_placeholder(value) {
            let start = value.as_ptr() as usize - text.as_ptr() as usize;
            push(PiiKind::Credential, start, start + value.len(), spans);
        }
    }
}

/// Whether a value stands for one: `${PASSWORD}`, `<password>`, `{{ token }}`, `***`.
fn is_placeholder(value: &str) -> bool {
    value.starts_with(['$', '<', '{', '%']) && !value.starts_with("%2")
        || value.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.'))
}
