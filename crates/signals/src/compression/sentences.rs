//! Sentences of a text in any script, without a dictionary.

use std::ops::Range;

use super::terms::Weight;
use crate::characters::is_cjk;

/// Ends of sentences after which white space must follow: they also stand in numbers and names.
const SPACED: &[char] = &['.', '!', '?'];
/// Ends of sentences of scripts that put no space after them.
const UNSPACED: &[char] = &['。', '！', '？', '؟', '।', '॥', '።', '։', '…', '۔', '។', '။'];
/// What may stand between the end and the white space.
const CLOSING: &[char] = &['"', '\'', ')', ']', '}', '”', '’', '»', '」', '』', '）', '】', '*', '`'];

/// The sentences of `text`, in bytes, white space around them left out. A line break ends a sentence too;
/// a dot in a number, after a single capital letter, or before a lower-case letter does not.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    let (mut before, mut before_that) = (None, None);
    while let Some((at, c)) = chars.next() {
        let mut end = at + c.len_utf8();
        let is_break = c == '\n' || c == '\u{2029}';
        let is_end = UNSPACED.contains(&c) || SPACED.contains(&c) && !is_initial(c, before, before_that);
        (before_that, before) = (before, Some(c));
        if !is_break && !is_end {
            continue;
        }
        let mut is_spaced = true;
        if is_end {
            while let Some((_, next)) =
                chars.next_if(|(_, c)| CLOSING.contains(c) || SPACED.contains(c) || UNSPACED.contains(c))
            {
                end += next.len_utf8();
                (before_that, before) = (before, Some(next));
            }
            is_spaced = UNSPACED.contains(&c) || is_followed_by_sentence(&text[end..], c);
        }
        if is_spaced {
            push_trimmed(text, start..end, &mut found);
            start = end;
        }
    }
    push_trimmed(text, start..text.len(), &mut found);
    found
}

/// `J.` in `J. Smith`.
fn is_initial(c: char, before: Option<char>, before_that: Option<char>) -> bool {
    c == '.'
        && before.is_some_and(char::is_uppercase)
        && before_that.is_none_or(|c| c.is_whitespace() || c == '.')
}

/// White space follows, and after a dot no lower-case letter.
fn is_followed_by_sentence(rest: &str, end: char) -> bool {
    let Some(next) = rest.chars().next() else { return true };
    let first = rest.trim_start().chars().next();
    next.is_whitespace() && !(end == '.' && first.is_some_and(char::is_lowercase))
}

fn push_trimmed(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let written = &text[range.clone()];
    let start = range.start + written.len() - written.trim_start().len();
    let end = start + written.trim().len();
    if start < end {
        found.push(start..end);
    }
}

/// The sentences of `text`, those of more than `longest` tokens cut into parts at white space or, without
/// any, between characters.
pub(super) fn parts(text: &str, longest: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    for sentence in sentences(text) {
        if Weight::of(&text[sentence.clone()]).tokens() <= longest {
            parts.push(sentence);
            continue;
        }
        cut(text, sentence, longest, &mut parts);
    }
    parts
}

fn cut(text: &str, sentence: Range<usize>, longest: usize, parts: &mut Vec<Range<usize>>) {
    let mut start = sentence.start;
    let mut weight = Weight::default();
    for piece in pieces(text, sentence.clone()) {
        let own = Weight::of(&text[piece.clone()]);
        let with = weight.plus(own);
        if with.tokens() > longest && piece.start > start {
            push_trimmed(text, start..piece.start, parts);
            start = piece.start;
            weight = own;
        } else {
            weight = with;
        }
    }
    push_trimmed(text, start..sentence.end, parts);
}

/// Words with the white space after them, and single characters of Chinese, Japanese and Korean.
fn pieces(text: &str, sentence: Range<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = sentence.start;
    let mut ends = false;
    for (offset, c) in text[sentence.clone()].char_indices() {
        let at = sentence.start + offset;
        if at > start && (is_cjk(c) || ends && !c.is_whitespace()) {
            pieces.push(start..at);
            start = at;
        }
        ends = is_cjk(c) || c.is_whitespace();
    }
    pieces.push(start..sentence.end);
    pieces
}
