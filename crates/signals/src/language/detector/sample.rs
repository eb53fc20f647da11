//! Chooses which parts of a text are looked at: prose, bounded, without code, links or numbers.

use memchr::memmem;

use super::script::{Glyph, glyph, group_of_slot};

/// Most letters looked at in one text, over all windows.
pub(crate) const LETTER_BUDGET: usize = 160;
/// Texts up to this many bytes are read from start to end.
const WHOLE_BYTES: usize = 256;
/// Most bytes scanned in one window of a longer text.
const WINDOW_BYTES: usize = 512;
/// Windows (head, middle, tail) of a longer text.
const WINDOWS: usize = 3;
/// Longest stretch searched for code fences.
const FENCE_SCAN_BYTES: usize = 64 * 1024;
/// Longest run without white space handled as one token.
const TOKEN_BYTES: usize = 192;
/// An ASCII run longer than this is encoded data, not a word.
const LONGEST_WORD_BYTES: usize = 48;
const FENCE: &str = "```";

/// Receives the letters of the sample, in order.
pub(crate) trait Sink {
    /// A letter of a grouped script, by group and class.
    fn letter(&mut self, group: usize, class: u8);
    /// The end of a word (may be repeated).
    fn word_end(&mut self);
    /// A character of a single-language script, Han or kana.
    fn other_script(&mut self, glyph: Glyph);
    /// Bytes that look like program text, weighed against the letters seen.
    fn code(&mut self, weight: usize);
}

/// Feeds the sampled prose of `text` to `sink`; `classes` is the model's letter table.
pub(crate) fn scan(text: &str, classes: &[u8], sink: &mut impl Sink) {
    if text.len() <= WHOLE_BYTES {
        let mut budget = LETTER_BUDGET;
        scan_range(text, 0, text.len(), classes, &mut budget, sink);
        return;
    }
    let mut budget = 0;
    let mut done = 0;
    for index in 0..WINDOWS {
        budget += LETTER_BUDGET / WINDOWS;
        let start = window_start(text, index).max(done);
        let end = (start + WINDOW_BYTES).min(text.len());
        done = scan_range(text, start, end, classes, &mut budget, sink);
    }
}

/// Where window `index` begins: on a word, outside fenced code.
fn window_start(text: &str, index: usize) -> usize {
    let wanted = match index {
        0 => return 0,
        1 => text.len() / 2,
        _ => text.len() - text.len().min(WHOLE_BYTES / 2),
    };
    let bytes = text.as_bytes();
    let mut start = wanted;
    while start < bytes.len() && start < wanted + 32 && !bytes[start].is_ascii_whitespace() {
        start += 1;
    }
    if start == wanted + 32 {
        start = wanted;
    }
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let inside =
        start <= FENCE_SCAN_BYTES && memmem::find_iter(&bytes[..start], FENCE.as_bytes()).count() % 2 == 1;
    if inside { after_fence(text, start) } else { start }
}

/// The position after the next fence at or after `from`, or the end of the text if none is near.
fn after_fence(text: &str, from: usize) -> usize {
    let near = text.len().min(from + FENCE_SCAN_BYTES);
    let found = memmem::find(&text.as_bytes()[from..near], FENCE.as_bytes());
    found.map_or(text.len(), |at| from + at + FENCE.len())
}

/// Scans tokens from `start` until `end`, the letter budget or the text runs out; returns where it stopped.
fn scan_range(
    text: &str,
    start: usize,
    end: usize,
    classes: &[u8],
    budget: &mut usize,
    sink: &mut impl Sink,
) -> usize {
    let bytes = text.as_bytes();
    let mut at = start;
    let mut end = end;
    while at < end && *budget > 0 {
        if has(bytes[at], WHITE) {
            at += 1;
            continue;
        }
        if bytes[at] == b'`' && text[at..].starts_with(FENCE) {
            let resumed = after_fence(text, at + FENCE.len());
            end = text.len().min(end + (resumed - at));
            at = resumed;
            sink.word_end();
            continue;
        }
        let stop = token_end(text, at);
        read_token(&text[at..stop], classes, budget, sink);
        sink.word_end();
        at = stop;
    }
    at
}

fn token_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut stop = start + 1;
    let limit = bytes.len().min(start + TOKEN_BYTES).max(stop);
    stop += bytes[stop..limit].iter().position(|b| has(*b, WHITE)).unwrap_or(limit - stop);
    while !text.is_char_boundary(stop) {
        stop += 1;
    }
    stop
}

fn read_token(token: &str, classes: &[u8], budget: &mut usize, sink: &mut impl Sink) {
    if token.is_ascii() {
        match ascii_token(token.as_bytes()) {
            Token::Plain { code } => {
                if code > 0 {
                    sink.code(code);
                }
                for byte in token.bytes() {
                    if *budget == 0 {
                        return;
                    }
                    read_letter(usize::from(byte), classes, budget, sink);
                }
            }
            Token::Skip { code } => sink.code(code),
        }
        return;
    }
    if token.as_bytes().windows(3).any(|bytes| bytes == b"://") {
        return;
    }
    for c in token.chars() {
        if *budget == 0 {
            return;
        }
        match glyph(c) {
            Glyph::Slot(slot) => read_letter(slot, classes, budget, sink),
            Glyph::Other => sink.word_end(),
            found => {
                *budget -= 1;
                sink.word_end();
                sink.other_script(found);
            }
        }
    }
}

/// Reads what has a slot in the letter table.
fn read_letter(slot: usize, classes: &[u8], budget: &mut usize, sink: &mut impl Sink) {
    match classes.get(slot) {
        Some(&class) if class != 0 => {
            *budget -= 1;
            sink.letter(group_of_slot(slot), class);
        }
        _ => sink.word_end(),
    }
}

enum Token {
    /// Words, with the weight of program punctuation around them.
    Plain { code: usize },
    /// A link, number, identifier or sign: not prose.
    Skip { code: usize },
}

/// Judges a token of ASCII bytes.
fn ascii_token(token: &[u8]) -> Token {
    let is_inner = |b: &u8| has(*b, INNER);
    let is_sign = |b: &&u8| has(**b, SIGN);
    let (Some(first), Some(last)) = (token.iter().position(is_inner), token.iter().rposition(is_inner))
    else {
        return Token::Skip { code: token.iter().filter(is_sign).count() * 2 };
    };
    let inner = &token[first..=last];
    let kinds = inner.iter().fold(0, |kinds, b| kinds | KINDS[usize::from(*b)]);
    let drawn_out = inner.len() > 3 && inner.iter().all(|b| *b == inner[0]);
    let is_code_like = || {
        kinds & (DIGIT | SIGN | PARENTHESIS) != 0
            || kinds & LOWER != 0
                && kinds & UPPER != 0
                && inner.windows(2).any(|pair| has(pair[0], LOWER) && has(pair[1], UPPER))
    };
    if kinds & LINK != 0 || drawn_out || inner.len() > LONGEST_WORD_BYTES {
        return Token::Skip { code: if is_code_like() { inner.len() / 2 } else { 0 } };
    }
    if is_code_like() {
        let number = inner.iter().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'+' | b'-'));
        return Token::Skip { code: if number { 0 } else { inner.len() / 2 } };
    }
    let after = &token[last + 1..];
    let called_or_keyed = after.starts_with(b"(") || after.starts_with(b"\":");
    if called_or_keyed || is_code_word(inner) {
        return Token::Skip { code: inner.len() };
    }
    let edges = token[..first].iter().chain(after);
    Token::Plain { code: 2 * edges.filter(|b| has(**b, SIGN) || **b == b';').count() }
}

/// Words of program text that are hardly ever prose.
#[rustfmt::skip]
fn is_code_word(word: &[u8]) -> bool {
    matches!(
        word,
        b"INSERT" | b"JOIN" | b"SELECT" | b"async" | b"await" | b"bool" | b"const" | b"def" | b"df" | b"elif"
            | b"enum" | b"fn" | b"func" | b"impl" | b"import" | b"int" | b"len" | b"mut" | b"nil" | b"np"
            | b"null" | b"numpy" | b"pandas" | b"pd" | b"printf" | b"println" | b"pub" | b"return" | b"str"
            | b"struct" | b"sudo" | b"typeof" | b"var" | b"void"
    )
}

/// Letters and digits.
const INNER: u8 = 1;
const DIGIT: u8 = 1 << 1;
const UPPER: u8 = 1 << 2;
const LOWER: u8 = 1 << 3;
/// Signs that are common in program text and rare in prose.
const SIGN: u8 = 1 << 4;
/// Signs that links, paths and addresses have inside.
const LINK: u8 = 1 << 5;
const PARENTHESIS: u8 = 1 << 6;
const WHITE: u8 = 1 << 7;

/// What each byte is.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'0'..=b'9' => INNER | DIGIT,
            b'A'..=b'Z' => INNER | UPPER,
            b'a'..=b'z' => INNER | LOWER,
            b'_' | b'\\' | b'=' | b'<' | b'>' | b'{' | b'}' | b'[' | b']' | b'$' | b'&' | b'^' | b'|'
            | b'~' | b'+' | b'`' => SIGN,
            b'/' | b':' | b'.' | b'@' | b'%' => LINK,
            b'(' => PARENTHESIS,
            _ if byte.is_ascii_whitespace() => WHITE,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

fn has(byte: u8, kind: u8) -> bool {
    KINDS[usize::from(byte)] & kind != 0
}
