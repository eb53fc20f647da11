//! Segments of a text that hide text: base64, hexadecimal digits, escapes, rotation by 13, tag characters.

use super::View;

/// The most segments that are decoded.
const MOST_SEGMENTS: usize = 64;
/// The most bytes that come out.
const MOST_DECODED: usize = 4096;
/// The shortest base64 segment; shorter ones are words and identifiers.
const LEAST_BASE64: usize = 20;
/// The shortest hexadecimal segment.
const LEAST_HEX: usize = 24;
/// The fewest escapes in a row; fewer stand in addresses and code.
const LEAST_ESCAPES: usize = 8;
/// The line length from which a base64 segment may go on in the next line.
const WRAPPED_LINE: usize = 40;
/// Frequent English words rotated by 13, of which a rotated text has several.
const ROTATED: &[&str] = &[
    "gur", "naq", "lbh", "gung", "lbhe", "nyy", "sbe", "jvgu", "abg", "guvf", "vtaber", "ehyrf", "cebzcg",
    "flfgrz",
];
const LEAST_ROTATED: usize = 3;

pub(super) fn decode(text: &str) -> Option<View> {
    let mut decoded = Decoded::default();
    tags(text, &mut decoded);
    segments(text.as_bytes(), &mut decoded);
    escapes(text.as_bytes(), &mut decoded);
    rotated(text, &mut decoded);
    (!decoded.text.is_empty()).then_some(View { text: decoded.text, is_whole: !decoded.has_more })
}

#[derive(Default)]
struct Decoded {
    text: String,
    segments: usize,
    /// Whether something was found that there was no room for.
    has_more: bool,
}

impl Decoded {
    fn add(&mut self, segment: &str) {
        if self.segments >= MOST_SEGMENTS || self.text.len() >= MOST_DECODED {
            self.has_more = true;
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let mut end = segment.len().min(MOST_DECODED - self.text.len().min(MOST_DECODED));
        while !segment.is_char_boundary(end) {
            end -= 1;
        }
        self.has_more |= end < segment.len();
        self.text.push_str(&segment[..end]);
        self.segments += 1;
    }
}

/// Tag characters are invisible copies of ASCII.
fn tags(text: &str, decoded: &mut Decoded) {
    let hidden: String = text
        .chars()
        .filter_map(|c| u32::from(c).checked_sub(0xE0000).filter(|code| (0x20..0x7F).contains(code)))
        .filter_map(char::from_u32)
        .collect();
    if hidden.len() >= 4 {
        decoded.add(hidden.trim());
    }
}

fn segments(bytes: &[u8], decoded: &mut Decoded) {
    let mut at = 0;
    while at < bytes.len() && !decoded.has_more {
        if !is_base64(bytes[at]) {
            at += 1;
            continue;
        }
        let end = segment_end(bytes, at);
        if end - at >= LEAST_BASE64
            && let Some(text) = hex(&bytes[at..end]).or_else(|| base64(&bytes[at..end]))
        {
            decoded.add(text.trim());
        }
        at = end;
    }
}

/// Runs of escaped characters: `\u0069`, `\x69`, `%69`, `&#105;`, `&#x69;`.
fn escapes(bytes: &[u8], decoded: &mut Decoded) {
    let mut at = 0;
    while let Some(offset) = memchr::memchr3(b'\\', b'%', b'&', &bytes[at..])
        && !decoded.has_more
    {
        let start = at + offset;
        let mut values: Vec<u32> = Vec::new();
        let mut end = start;
        while let Some((value, length)) = escape(&bytes[end..]).filter(|_| values.len() <= MOST_DECODED) {
            values.push(value);
            end += length;
        }
        at = end.max(start + 1);
        if values.len() < LEAST_ESCAPES {
            continue;
        }
        let octets: Option<Vec<u8>> = values.iter().map(|value| u8::try_from(*value).ok()).collect();
        let text = octets.and_then(readable).or_else(|| {
            let text: Option<String> = values.into_iter().map(char::from_u32).collect();
            text.and_then(|text| readable(text.into_bytes()))
        });
        if let Some(text) = text {
            decoded.add(text.trim());
        }
    }
}

/// The number that an escape at the beginning of `rest` stands for, and its length.
fn escape(rest: &[u8]) -> Option<(u32, usize)> {
    let (prefix, most, radix, suffix): (usize, usize, u32, usize) = match rest {
        [b'\\', b'u', ..] => (2, 4, 16, 0),
        [b'\\', b'x', ..] => (2, 2, 16, 0),
        [b'%', ..] => (1, 2, 16, 0),
        [b'&', b'#', b'x' | b'X', ..] => (3, 6, 16, 1),
        [b'&', b'#', ..] => (2, 7, 10, 1),
        _ => return None,
    };
    let digits = rest[prefix..].iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix));
    let (count, value) = digits.fold((0, 0_u32), |(count, value), digit| (count + 1, value * radix + digit));
    let is_whole =
        if suffix == 0 { count == most } else { count > 0 && rest.get(prefix + count) == Some(&b';') };
    is_whole.then_some((value, prefix + count + suffix))
}

/// Where the run of base64 characters ends; lines of one length belong together.
fn segment_end(bytes: &[u8], start: usize) -> usize {
    let mut line = start;
    loop {
        let end = line + bytes[line..].iter().take_while(|byte| is_base64(**byte)).count();
        let next = match &bytes[end..] {
            [b'\r', b'\n', ..] => end + 2,
            [b'\n', ..] => end + 1,
            _ => return end,
        };
        let goes_on = end - line >= WRAPPED_LINE && bytes.get(next).is_some_and(|byte| is_base64(*byte));
        if !goes_on {
            return end;
        }
        line = next;
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// The text that a base64 segment encodes, if it encodes text; both alphabets, with padding or without.
fn base64(segment: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in segment.iter().filter(|byte| !byte.is_ascii_whitespace()).take_while(|byte| **byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xFF) as u8);
        }
        if bytes.len() > MOST_DECODED {
            break;
        }
    }
    readable(bytes)
}

fn hex(segment: &[u8]) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if segment.len() < LEAST_HEX || !segment.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pairs = segment.chunks_exact(2).take(MOST_DECODED + 1);
    readable(pairs.filter_map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect())
}

/// The bytes as text, if they are text: UTF-8 without control characters, mostly letters and spaces.
fn readable(mut bytes: Vec<u8>) -> Option<String> {
    if let Err(error) = std::str::from_utf8(&bytes) {
        let is_cut = error.error_len().is_none();
        bytes.truncate(if is_cut { error.valid_up_to() } else { 0 });
    }
    let text = String::from_utf8(bytes).ok()?;
    let is_control = |c: char| c.is_control() && !c.is_whitespace();
    let letters = text.chars().filter(|c| c.is_alphabetic() || *c == ' ').count();
    let count = text.chars().count();
    (count >= 8 && !text.chars().any(is_control) && letters * 10 >= count * 7).then_some(text)
}

fn rotated(text: &str, decoded: &mut Decoded) {
    let words = text.split(|c: char| !c.is_ascii_alphabetic());
    let is_rotated = |word: &&str| ROTATED.iter().any(|known| known.eq_ignore_ascii_case(word));
    if words.filter(is_rotated).take(LEAST_ROTATED).count() < LEAST_ROTATED {
        return;
    }
    let rotate = |c: char| match c {
        'a'..='z' => char::from((c as u8 - b'a' + 13) % 26 + b'a'),
        'A'..='Z' => char::from((c as u8 - b'A' + 13) % 26 + b'A'),
        _ => c,
    };
    let plain: String = text.chars().take(MOST_DECODED + 1).map(rotate).collect();
    decoded.add(&plain);
}
