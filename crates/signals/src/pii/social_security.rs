//! Social security numbers of the United States: the ranges that were issued.

use super::{
    PiiKind, PiiSpan,
    bytes::{digit_sequences, preceded_by, stands_alone},
};

/// Words before a number that is written without separators.
const CONTEXT: &[&str] = &["ssn", "social security", "soc sec", "social sec"];
const CONTEXT_BYTES: usize = 40;
/// Numbers that advertisements made unusable.
const VOID: &[(u32, u32, u32)] = &[(78, 5, 1120), (219, 9, 9999)];

pub(super) fn find(text: &str, spans: &mut Vec<PiiSpan>) {
    let bytes = text.as_bytes();
    digit_sequences(bytes, b" -", 16, |groups| {
        for parts in groups.windows(3) {
            let [area, group, serial] = parts else { continue };
            let is_shape = area.len() == 3 && group.len() == 2 && serial.len() == 4;
            let same = bytes[area.end] == bytes[group.end];
            let number = |part: &super::bytes::Group| text[part.start..part.end].parse().unwrap_or(0);
            if is_shape
                && same
                && is_issued(number(area), number(group), number(serial))
                && stands_alone(bytes, area.start, serial.end, b"-.")
                && (bytes[area.end] == b'-' || preceded_by(text, area.start, CONTEXT_BYTES, CONTEXT))
            {
                push(area.start, serial.end, spans);
            }
        }
        for part in groups.iter().filter(|part| part.len() == 9) {
            let digits = &text[part.start..part.end];
            let number = |from: usize, to: usize| digits[from..to].parse().unwrap_or(0);
            if is_issued(number(0, 3), number(3, 5), number(5, 9))
                && stands_alone(bytes, part.start, part.end, b"-.")
                && preceded_by(text, part.start, CONTEXT_BYTES, CONTEXT)
            {
                push(part.start, part.end, spans);
            }
        }
    });
}

fn push(start: usize, end: usize, spans: &mut Vec<PiiSpan>) {
    let span = PiiSpan { bytes: start..end, kind: PiiKind::UsSsn, probability: 0.97, verified: true };
    // Windows over the same digits find a number again at once.
    if spans.last() != Some(&span) {
        spans.push(span);
    }
}

fn is_issued(area: u32, group: u32, serial: u32) -> bool {
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0 && !VOID.contains(&(area, group, serial))
}
