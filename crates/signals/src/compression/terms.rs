//! The terms of a text, and how many tokens they are.

use crate::characters::is_cjk;

/// Tokens that a character of Chinese, Japanese or Korean counts for.
const CJK_TOKENS: f64 = 1.5;
/// Tokens that a word counts for.
const WORD_TOKENS: f64 = 1.3;

/// What an estimate of tokens is made from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weight {
    cjk: usize,
    words: usize,
}

/// About how many tokens `text` is: 1.5 a Chinese, Japanese or Korean character, 1.3 a word, rounded down.
pub fn estimate_tokens(text: &str) -> usize {
    Weight::of(text).tokens()
}

// === impl Weight

impl Weight {
    pub(super) fn of(text: &str) -> Self {
        let mut weight = Self::default();
        let mut in_word = false;
        for c in text.chars() {
            if is_cjk(c) {
                weight.cjk += 1;
                in_word = false;
            } else if c.is_whitespace() {
                in_word = false;
            } else if !in_word {
                weight.words += 1;
                in_word = true;
            }
        }
        weight
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { cjk: self.cjk + other.cjk, words: self.words + other.words }
    }

    pub(super) fn tokens(self) -> usize {
        (CJK_TOKENS * self.cjk as f64 + WORD_TOKENS * self.words as f64) as usize
    }
}

/// Calls `visit` with every term of `text`: words in lower case, and of Chinese, Japanese and Korean
/// every character and every two neighbours.
pub(super) fn for_each_term(text: &str, mut visit: impl FnMut(&str)) {
    let mut word = String::new();
    let mut before: Option<char> = None;
    for c in text.chars() {
        if is_cjk(c) {
            flush(&mut word, &mut visit);
            let mut pair = [0; 8];
            let length = c.encode_utf8(&mut pair).len();
            visit(str::from_utf8(&pair[..length]).unwrap_or_default());
            if let Some(before) = before {
                let first = before.encode_utf8(&mut pair).len();
                let length = first + c.encode_utf8(&mut pair[first..]).len();
                visit(str::from_utf8(&pair[..length]).unwrap_or_default());
            }
            before = Some(c);
            continue;
        }
        before = None;
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else {
            flush(&mut word, &mut visit);
        }
    }
    flush(&mut word, &mut visit);
}

fn flush(word: &mut String, visit: &mut impl FnMut(&str)) {
    if !word.is_empty() {
        visit(word);
        word.clear();
    }
}
