//! International bank account numbers (ISO 13616): country lengths and check digits modulo 97.

use super::{
    PiiKind, PiiSpan,
    bytes::{before, is_word},
};

/// The longest IBAN, in characters without spaces.
const MOST: usize = 34;

/// Total lengths by country.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

pub(super) fn find(text: &str, spans: &mut Vec<PiiSpan>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at + 4 <= bytes.len() {
        let is_start = bytes[at].is_ascii_alphabetic()
            && bytes[at + 1].is_ascii_alphabetic()
            && bytes[at + 2].is_ascii_digit()
            && !before(bytes, at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match is_start.then(|| account_at(bytes, at)).flatten() {
            Some(end) => {
                let kind = PiiKind::IbanCode;
                spans.push(PiiSpan { bytes: at..end, kind, probability: 0.99, verified: true });
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Where the account number that begins at `start` ends, if one does.
fn account_at(bytes: &[u8], start: usize) -> Option<usize> {
    let length = length_of([bytes[start], bytes[start + 1]])?;
    let mut number = [0_u8; MOST];
    let mut filled = 0;
    let mut at = start;
    while filled < length {
        let byte = *bytes.get(at)?;
        if byte.is_ascii_alphanumeric() {
            number[filled] = byte.to_ascii_uppercase();
            filled += 1;
        } else if !(matches!(byte, b' ' | b'-')
            && filled >= 4
            && bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphanumeric()))
        {
            return None;
        }
        at += 1;
    }
    let ends = !bytes.get(at).is_some_and(|byte| is_word(*byte) && byte.is_ascii());
    (ends && checks(&number[..length])).then_some(at)
}

fn length_of(country: [u8; 2]) -> Option<usize> {
    let country = country.map(|byte| byte.to_ascii_uppercase());
    let position = LENGTHS.binary_search_by(|(known, _)| (**known).cmp(&country)).ok()?;
    Some(LENGTHS[position].1)
}

/// Whether `number`, spaces and hyphens aside, is an IBAN: of its country's length, with valid check
/// digits.
pub fn iban_holds(number: &str) -> bool {
    let plain: Vec<u8> = number
        .bytes()
        .filter(|byte| !matches!(byte, b' ' | b'-'))
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    let is_plain = plain.len() > 4 && plain.iter().all(u8::is_ascii_alphanumeric);
    is_plain && length_of([plain[0], plain[1]]) == Some(plain.len()) && checks(&plain)
}

/// Modulo 97 of the number with its first four characters moved to the end, letters as 10 to 35.
fn checks(number: &[u8]) -> bool {
    if !number[2].is_ascii_digit() || !number[3].is_ascii_digit() {
        return false;
    }
    let rotated = number[4..].iter().chain(&number[..4]);
    let remainder = rotated.fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    remainder == 1
}
