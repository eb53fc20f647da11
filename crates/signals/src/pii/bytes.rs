//! Looking around in a text byte by byte: what recognisers share.

use crate::characters::is_cjk;

/// Whether the byte continues a word: ASCII letters and digits, `_`, and every byte of other characters.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The byte before `at`.
pub(super) fn before(bytes: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|at| bytes.get(at)).copied()
}

/// Whether `start..end` is neither continued by ASCII letters, digits or `_`, nor, through `glue`, by
/// digits further out. Other scripts may touch: `手机13800138000`.
pub(super) fn stands_alone(bytes: &[u8], start: usize, end: usize, glue: &[u8]) -> bool {
    let joins = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let left = before(bytes, start);
    let right = bytes.get(end).copied();
    if left.is_some_and(joins) || right.is_some_and(joins) {
        return false;
    }
    let glued_left = left.is_some_and(|byte| glue.contains(&byte))
        && before(bytes, start - 1).is_some_and(|byte| byte.is_ascii_digit());
    let glued_right =
        right.is_some_and(|byte| glue.contains(&byte)) && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
    !glued_left && !glued_right
}

/// How many bytes from `start` satisfy `holds`, at most `most`.
pub(super) fn run(bytes: &[u8], start: usize, most: usize, holds: impl Fn(u8) -> bool) -> usize {
    bytes[start.min(bytes.len())..].iter().take(most).take_while(|byte| holds(**byte)).count()
}

/// Whether one of `words`, in lower case, occurs in the `reach` bytes before `at`.
pub(super) fn preceded_by(text: &str, at: usize, reach: usize, words: &[&str]) -> bool {
    let context = context(text, at, reach);
    words.iter().any(|word| context.contains(word))
}

/// The same for words that do not begin within a longer word: `tel`, but not in `hotel`.
pub(super) fn preceded_by_word(text: &str, at: usize, reach: usize, words: &[&str]) -> bool {
    let context = context(text, at, reach);
    let begins = |place: usize| {
        let before = context[..place].chars().next_back();
        before.is_none_or(|c| !c.is_alphabetic() || is_cjk(c))
    };
    words.iter().any(|word| context.match_indices(word).any(|(place, _)| begins(place)))
}

fn context(text: &str, at: usize, reach: usize) -> String {
    let mut start = at.saturating_sub(reach);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..at].to_lowercase()
}

/// Digits with single separators between groups, as written in `start..end`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// The first byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
}

impl Group {
    /// The number of digits.
    pub(super) fn len(self) -> usize {
        self.end - self.start
    }
}

/// Calls `visit` with every maximal sequence of digit groups joined by one of `separators` each. A
/// sequence of more than `most` groups is visited in overlapping parts.
pub(super) fn digit_sequences(bytes: &[u8], separators: &[u8], most: usize, mut visit: impl FnMut(&[Group])) {
    let mut groups: Vec<Group> = Vec::with_capacity(most);
    let mut at = 0;
    while let Some(offset) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let start = at + offset;
        let end = start + bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let joined =
            groups.last().is_some_and(|last| last.end + 1 == start && separators.contains(&bytes[last.end]));
        if !joined && !groups.is_empty() {
            visit(&groups);
            groups.clear();
        }
        if groups.len() == most {
            visit(&groups);
            groups.drain(..most / 2);
        }
        groups.push(Group { start, end });
        at = end;
    }
    if !groups.is_empty() {
        visit(&groups);
    }
}
