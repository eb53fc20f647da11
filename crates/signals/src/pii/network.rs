//! IPv4 and IPv6 addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    PiiKind, PiiSpan,
    bytes::{before, preceded_by, run},
};

/// The longest IPv6 address as text.
const MOST: usize = 45;
/// Words before dotted numbers that are no addresses.
const VERSIONS: &[&str] = &["version", "release", "v.", "section", "§"];

pub(super) fn find(text: &str, spans: &mut Vec<PiiSpan>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_part(bytes[at]) {
            at += 1;
            continue;
        }
        let length = run(bytes, at, usize::MAX, is_part);
        let touches = before(bytes, at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            || bytes.get(at + length).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !touches && length >= 2 {
            candidate(text, at, at + length, spans);
        }
        at += length;
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
}

fn candidate(text: &str, start: usize, end: usize, spans: &mut Vec<PiiSpan>) {
    let written = &text[start..end];
    let trimmed = written.trim_end_matches('.');
    let trimmed = if trimmed.ends_with("::") { trimmed } else { trimmed.trim_end_matches(':') };
    let colons = trimmed.bytes().filter(|byte| *byte == b':').count();
    if colons < 2 {
        let address = trimmed.split(':').next().unwrap_or_default();
        if is_v4(address) && !is_release(text, start) && !preceded_by(text, start, 12, VERSIONS) {
            push(start, start + address.len(), spans);
        }
    } else if trimmed.len() <= MOST && is_v6(trimmed) {
        push(start, start + trimmed.len(), spans);
    }
}

fn is_v4(text: &str) -> bool {
    let is_address = text.len() <= 15 && text.parse::<Ipv4Addr>().is_ok();
    is_address && !text.starts_with("0.") && !text.starts_with("255.")
}

/// Whether a name stands before dotted numbers: `Chrome/120.0.0.0`, `numpy==1.26.4.1`.
fn is_release(text: &str, start: usize) -> bool {
    let before = &text[..start];
    let name = before.strip_suffix("==").or_else(|| before.strip_suffix('/'));
    name.is_some_and(|name| name.ends_with(|c: char| c.is_alphanumeric()))
}

/// An address of three groups or with a whole one, and a digit, or this machine's: `a::b` and `[::2]` are code.
fn is_v6(text: &str) -> bool {
    let groups = || text.split(':').filter(|group| !group.is_empty());
    let has_shape = groups().count() >= 3 || groups().any(|group| group.len() == 4);
    let is_telling = has_shape && text.bytes().any(|byte| byte.is_ascii_digit());
    (is_telling || text == "::1") && text.parse::<Ipv6Addr>().is_ok()
}

fn push(start: usize, end: usize, spans: &mut Vec<PiiSpan>) {
    spans.push(PiiSpan { bytes: start..end, kind: PiiKind::IpAddress, probability: 0.97, verified: false });
}
