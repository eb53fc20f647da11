//! String bodies: finding their end, unescaping, quoting.

use std::borrow::Cow;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The position of the next quote, backslash or control character at or after `at`;
/// the length of `bytes` if there is none.
///
/// Eight bytes at a time: a byte is special if it is zero after xor with a quote or a backslash,
/// or below 0x20. False positives of the borrow only occur above a true one, so the lowest set
/// bit is exact.
#[inline]
pub(super) fn find_special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let special = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGH_BITS;
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Four hexadecimal digits as a UTF-16 unit.
#[inline]
pub(super) fn hex4(digits: &[u8]) -> Option<u16> {
    let mut unit = 0;
    for &digit in digits.first_chunk::<4>()? {
        unit = unit << 4 | char::from(digit).to_digit(16)? as u16;
    }
    Some(unit)
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
        let (decoded, length) = unescape_one(&bytes[backslash..]);
        out.push(decoded);
        copied = backslash + length;
        match memchr::memchr(b'\\', &bytes[copied..]) {
            Some(distance) => backslash = copied + distance,
            None => break,
        }
    }
    out.push_str(&raw[copied..]);
    Cow::Owned(out)
}

/// One escape sequence, which starts `bytes`, and its length.
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
    out.push('"');
}
