//! String bodies: finding their end, unescaping, quoting.

use std::borrow::Cow;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How far a search goes word by word, before it goes block by block. Quotes and escapes come in
/// clusters (line breaks of code and lists), so the near ones are found without setting up more.
const NEAR: usize = 32;

/// Bytes that are looked at together where nothing is near.
const BLOCK: usize = 32;

/// What [`hex4`] reads as no digit.
const NO_DIGIT: u8 = 0xff;

/// The value of each byte as a hexadecimal digit.
const HEX_DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// The position of the next quote, backslash or control character at or after `at`;
/// the length of `bytes` if there is none.
#[inline]
pub(super) fn find_special(bytes: &[u8], at: usize) -> usize {
    let near = at + NEAR;
    let mut at = at;
    while at < near {
        let Some(word) = word_at(bytes, at) else { break };
        if let Some(distance) = special_in(word) {
            return at + distance;
        }
        at += 8;
    }
    find_special_far(bytes, at)
}

fn find_special_far(bytes: &[u8], mut at: usize) -> usize {
    let is_special = |byte: u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    while bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>).is_some_and(is_clean) {
        at += BLOCK;
    }
    while let Some(word) = word_at(bytes, at) {
        if let Some(distance) = special_in(word) {
            return at + distance;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&byte| !is_special(byte)) {
        at += 1;
    }
    at
}

/// Whether a block holds no quote, backslash or control character. Written without an early
/// exit, lane by lane, so that it compiles to vector instructions.
#[inline]
fn is_clean(block: &[u8; BLOCK]) -> bool {
    let mut special = [0_u8; BLOCK];
    for (lane, &byte) in special.iter_mut().zip(block) {
        *lane = u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
    }
    special.iter().fold(0, |any, lane| any | lane) == 0
}

#[inline]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).map(|word| u64::from_le_bytes(*word))
}

/// The index of the first quote, backslash or control character of eight bytes.
///
/// A byte is special if it is zero after xor with a quote or a backslash, or below 0x20. The
/// borrow makes false positives only above a true one, so the lowest set bit is exact.
#[inline]
fn special_in(word: u64) -> Option<usize> {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let special = ((quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word))
        & HIGH_BITS;
    (special != 0).then(|| (special.trailing_zeros() / 8) as usize)
}

/// Four hexadecimal digits as a UTF-16 unit.
#[inline]
pub(super) fn hex4(digits: &[u8]) -> Option<u16> {
    let &[a, b, c, d] = digits.first_chunk::<4>()?;
    let [a, b, c, d] = [a, b, c, d].map(|digit| HEX_DIGITS[digit as usize]);
    if a | b | c | d == NO_DIGIT {
        return None;
    }
    Some(u16::from(a) << 12 | u16::from(b) << 8 | u16::from(c) << 4 | u16::from(d))
}

/// The text that `raw`, the inside of a scanned string, stands for, if it is not `raw` itself.
pub(crate) fn unescaped(raw: &str) -> Option<String> {
    match unescape(raw) {
        Cow::Borrowed(_) => None,
        Cow::Owned(unescaped) => Some(unescaped),
    }
}

/// The text that `raw`, the inside of a scanned string, stands for. Lone surrogates, which only
/// a tolerant scan lets through, become U+FFFD.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    let Some(mut backslash) = memchr::memchr(b'\\', bytes) else {
        return Cow::Borrowed(raw);
    };
    let mut out = String::with_capacity(raw.len());
    let mut copied = 0;
    loop {
        out.push_str(&raw[copied..backslash]);
        copied = backslash;
        while bytes.get(copied) == Some(&b'\\') {
            let (decoded, length) = unescape_one(&bytes[copied..]);
            out.push(decoded);
            copied += length;
        }
        match find_backslash(bytes, copied) {
            Some(next) => backslash = next,
            None => break,
        }
    }
    out.push_str(&raw[copied..]);
    Cow::Owned(out)
}

/// The position of the next backslash at or after `at`.
#[inline]
fn find_backslash(bytes: &[u8], mut at: usize) -> Option<usize> {
    let near = at + NEAR;
    while at < near {
        let Some(word) = word_at(bytes, at) else { break };
        let backslash = word ^ (ONES * b'\\' as u64);
        let found = backslash.wrapping_sub(ONES) & !backslash & HIGH_BITS;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    memchr::memchr(b'\\', &bytes[at..]).map(|distance| at + distance)
}

/// One escape sequence, which starts `bytes`, and its length.
#[inline]
fn unescape_one(bytes: &[u8]) -> (char, usize) {
    let simple = match bytes.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unescape_unicode(bytes),
        Some(&other) => char::from(other),
        None => return (char::REPLACEMENT_CHARACTER, 1),
    };
    (simple, 2)
}

fn unescape_unicode(bytes: &[u8]) -> (char, usize) {
    let unit = |at: usize| bytes.get(at..).and_then(hex4).map(u32::from);
    let Some(high) = unit(2) else {
        return (char::REPLACEMENT_CHARACTER, 2);
    };
    if let Some(scalar) = char::from_u32(high) {
        return (scalar, 6);
    }
    let low = if bytes.get(6..8) == Some(b"\\u") { unit(8) } else { None };
    match low {
        Some(low @ 0xDC00..0xE000) if high < 0xDC00 => {
            let scalar = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// `text` as a JSON string, quotes included, with as few escapes as the grammar allows.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote_into(text, &mut out);
    out
}

/// Appends [`quote`] of `text`.
pub(super) fn quote_into(text: &str, out: &mut String) {
    out.push('"');
    escape_into(text, out);
    out.push('"');
}

/// Appends the inside of [`quote`] of `text`.
pub(super) fn escape_into(text: &str, out: &mut String) {
    let mut copied = 0;
    loop {
        let special = find_special(text.as_bytes(), copied);
        out.push_str(&text[copied..special]);
        let Some(&byte) = text.as_bytes().get(special) else { break };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                out.push_str("\\u00");
                out.push(if control < 0x10 { '0' } else { '1' });
                out.push(char::from_digit(u32::from(control & 0xf), 16).unwrap_or('0'));
            }
        }
        copied = special + 1;
    }
}
