//! E-mail addresses: a local part, `@`, and a domain with a top level.

use std::ops::Range;

use super::{PiiKind, PiiSpan, bytes::before};
use crate::characters::is_cjk;

/// Limits of RFC 5321.
const MOST_LOCAL: usize = 64;
const MOST_DOMAIN: usize = 253;
const MOST_LABEL: usize = 63;
/// Endings of file names that are no top-level domain: `react@next.js` is a package.
const FILE_ENDINGS: [&str; 16] = [
    "js", "ts", "jsx", "tsx", "mjs", "json", "yaml", "yml", "toml", "lock", "css", "html", "txt", "exe",
    "dll", "jar",
];

pub(super) fn find(text: &str, spans: &mut Vec<PiiSpan>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for at in memchr::memchr_iter(b'@', bytes) {
        if at < done {
            continue;
        }
        let Some(start) = local_start(text, at) else { continue };
        let Some(end) = domain_end(text, at + 1) else { continue };
        if is_address_of_a_program(text, start..at, end) {
            continue;
        }
        done = end;
        let kind = PiiKind::EmailAddress;
        spans.push(PiiSpan { bytes: start..end, kind, probability: 0.99, verified: true });
    }
}

/// Whether it is a repository or a package rather than a person's address: `git@host:path`, `react@next.js`.
fn is_address_of_a_program(text: &str, local: Range<usize>, end: usize) -> bool {
    let top = text[local.end + 1..end].rsplit('.').next().unwrap_or_default();
    let is_file = FILE_ENDINGS.iter().any(|ending| top.eq_ignore_ascii_case(ending));
    let rest = text.as_bytes().get(end..).unwrap_or_default();
    let is_repository =
        &text[local] == "git" && matches!(rest, [b':' | b'/', next, ..] if !next.is_ascii_whitespace());
    is_file || is_repository
}

/// Where the local part that ends at `at` starts: letters of all scripts, digits and `._%+-'` and the
/// like, without a dot at either end.
fn local_start(text: &str, at: usize) -> Option<usize> {
    let mut start = at;
    for (position, c) in text[..at].char_indices().rev() {
        let fits = c.is_alphanumeric() || "._%+-'!#$&*/=?^`{|}~".contains(c);
        if !fits || at - position > MOST_LOCAL {
            break;
        }
        start = position;
    }
    let trimmed = text[start..at].trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let is_whole = !trimmed.is_empty() && before(text.as_bytes(), at) != Some(b'.');
    (is_whole && !trimmed.contains("..")).then_some(at - trimmed.len())
}

/// Where the domain that starts at `start` ends: labels of letters, digits and hyphens, the last of
/// letters. Scripts without spaces between words end it.
fn domain_end(text: &str, start: usize) -> Option<usize> {
    let fits = |c: char| c == '-' || c.is_alphanumeric() && !is_cjk(c);
    let mut end = None;
    let mut at = start;
    loop {
        let most = MOST_LABEL.min((start + MOST_DOMAIN).saturating_sub(at));
        let rest = &text[at..];
        let length = rest
            .char_indices()
            .take_while(|(place, c)| *place < most && fits(*c))
            .map(|(_, c)| c.len_utf8())
            .sum();
        let label = &rest[..length];
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            return end;
        }
        let is_top = length >= 2
            && (label.bytes().all(|byte| byte.is_ascii_alphabetic()) || label.starts_with("xn--"));
        if is_top && at > start {
            end = Some(at + length);
        }
        at += length;
        match text[at..].chars().next() {
            Some('.') => at += 1,
            Some(c) if fits(c) => return None,
            _ => return end,
        }
    }
}
