//! Payment card numbers: issuer ranges, lengths, and the Luhn check digit (ISO/IEC 7812-1).

use super::{
    PiiKind, PiiSpan,
    bytes::{Group, digit_sequences, stands_alone},
};

/// The most digits of a card number.
const MOST_DIGITS: usize = 19;
/// How many groups of digits are looked at together.
const MOST_GROUPS: usize = 16;

/// Issuer ranges: the first digits from and to, how many they are, and the lengths issued.
const ISSUERS: &[(u32, u32, usize, &[usize])] = &[
    (4, 4, 1, &[13, 16, 19]),
    (51, 55, 2, &[16]),
    (2221, 2720, 4, &[16]),
    (34, 34, 2, &[15]),
    (37, 37, 2, &[15]),
    (6011, 6011, 4, &[16, 17, 18, 19]),
    (644, 649, 3, &[16, 17, 18, 19]),
    (65, 65, 2, &[16, 17, 18, 19]),
    (300, 305, 3, &[14, 16, 17, 18, 19]),
    (3095, 3095, 4, &[14, 16, 17, 18, 19]),
    (36, 36, 2, &[14, 15, 16, 17, 18, 19]),
    (38, 39, 2, &[14, 16, 17, 18, 19]),
    (3528, 3589, 4, &[16, 17, 18, 19]),
    // Test numbers and leaked lists have the rest of the range too.
    (35, 35, 2, &[16]),
    (2131, 2131, 4, &[15]),
    (1800, 1800, 4, &[15]),
    (62, 62, 2, &[16, 17, 18, 19]),
    (81, 82, 2, &[16, 17, 18, 19]),
    (508, 508, 3, &[16]),
    (2200, 2204, 4, &[16, 17, 18, 19]),
    (5018, 5018, 4, MAESTRO),
    (5020, 5020, 4, MAESTRO),
    (5038, 5038, 4, MAESTRO),
    (5893, 5893, 4, MAESTRO),
    (56, 58, 2, MAESTRO),
    (6304, 6304, 4, MAESTRO),
    (6390, 6390, 4, MAESTRO),
    (6759, 6759, 4, MAESTRO),
    (6761, 6763, 4, MAESTRO),
    (604, 604, 4, MAESTRO),
];
const MAESTRO: &[usize] = &[12, 13, 14, 15, 16, 17, 18, 19];

pub(super) fn find(text: &str, spans: &mut Vec<PiiSpan>) {
    let bytes = text.as_bytes();
    digit_sequences(bytes, b" -.", MOST_GROUPS, |groups| {
        let mut first = 0;
        while first < groups.len() {
            match longest_from(bytes, &groups[first..]) {
                Some(used) => {
                    let found = groups[first].start..groups[first + used - 1].end;
                    let span = PiiSpan {
                        bytes: found,
                        kind: PiiKind::CreditCard,
                        probability: 0.99,
                        verified: true,
                    };
                    if spans.last() != Some(&span) {
                        spans.push(span);
                    }
                    first += used;
                }
                None => first += 1,
            }
        }
    });
}

/// How many of the groups, from the first, make up a card number; the most that do.
fn longest_from(bytes: &[u8], groups: &[Group]) -> Option<usize> {
    let mut digits = [0_u8; MOST_DIGITS];
    let mut filled = 0;
    let mut best = None;
    let separator = bytes.get(groups[0].end);
    for (index, group) in groups.iter().enumerate() {
        if filled + group.len() > MOST_DIGITS {
            break;
        }
        if index > 0 {
            let previous = groups[index - 1];
            // Dots stand in other numbers, too: of those that have them only the usual groups count.
            let least = if separator == Some(&b'.') { 4 } else { 3 };
            let is_too_short = previous.len() < least;
            if bytes.get(previous.end) != separator || is_too_short {
                break;
            }
        }
        for (slot, byte) in digits[filled..].iter_mut().zip(&bytes[group.start..group.end]) {
            *slot = byte - b'0';
        }
        filled += group.len();
        let number = &digits[..filled];
        let (start, end) = (groups[0].start, group.end);
        if is_issued(number) && luhn(number) && stands_alone(bytes, start, end, b".") {
            best = Some(index + 1);
        }
    }
    best
}

fn is_issued(digits: &[u8]) -> bool {
    ISSUERS.iter().any(|(from, to, length, lengths)| {
        let leading = digits.iter().take(*length).fold(0_u32, |value, digit| value * 10 + u32::from(*digit));
        (*from..=*to).contains(&leading) && lengths.contains(&digits.len())
    })
}

/// Whether the last of the digits in `number` is the Luhn check digit of the others. Other characters
/// are skipped; fewer than two digits never hold.
pub fn luhn_holds(number: &str) -> bool {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
    digits.len() > 1 && luhn(&digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(position, digit)| {
            let value = u32::from(*digit) << (position % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}
