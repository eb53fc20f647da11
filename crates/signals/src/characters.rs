//! What signals need to know about single characters: case folding, scripts, word characters.

use std::sync::LazyLock;

/// The end of the part of Unicode whose case folding is looked up in a table.
const FOLD_TABLE_END: usize = 0x600;

static FOLD_TABLE: LazyLock<Vec<char>> = LazyLock::new(|| {
    (0..FOLD_TABLE_END as u32).map(|code| char::from_u32(code).map_or('\0', derive_fold)).collect()
});

/// `text` with every character replaced by its simple case folding.
///
/// Characters keep their order and number; byte lengths may change.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (ascii, others) = rest.split_at(ascii_length(rest));
        folded.push_str(ascii);
        let end = others.bytes().position(|byte| byte.is_ascii()).unwrap_or(others.len());
        folded.extend(others[..end].chars().map(fold_char));
        rest = &others[end..];
    }
    folded.make_ascii_lowercase();
    folded
}

/// How many bytes of ASCII a text begins with.
pub(crate) fn ascii_length(text: &str) -> usize {
    const BLOCK: usize = 32;
    let blocks = text.as_bytes().chunks_exact(BLOCK).take_while(|block| block.is_ascii()).count();
    let start = blocks * BLOCK;
    let rest = &text.as_bytes()[start..];
    start + rest.iter().position(|byte| !byte.is_ascii()).unwrap_or(rest.len())
}

/// The simple case folding of `c`: one character for one character, in no particular language.
pub(crate) fn fold_char(c: char) -> char {
    match c as u32 {
        code if (code as usize) < FOLD_TABLE_END => FOLD_TABLE[code as usize],
        0x0600..=0x109F | 0x1100..=0x139F | 0x1400..=0x1C7F | 0x2E80..=0xA63F | 0xAC00..=0xFAFF => c,
        _ => derive_fold(c),
    }
}

/// The lower case of the upper case unifies what the lower case alone does not, such as `σ` and `ς`.
fn derive_fold(c: char) -> char {
    if c == 'ı' {
        return c;
    }
    let upper = only(c.to_uppercase()).unwrap_or(c);
    only(upper.to_lowercase()).unwrap_or(c)
}

fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    chars.next().filter(|_| chars.next().is_none())
}

/// Whether `c` is a Han character.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c as u32,
        0x2E80..=0x2FDF | 0x3005 | 0x3007 | 0x3021..=0x3029 | 0x3038..=0x303B
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF)
}

fn is_kana(c: char) -> bool {
    matches!(c as u32, 0x3041..=0x309F | 0x30A1..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9F)
}

fn is_hangul(c: char) -> bool {
    matches!(c as u32, 0xAC00..=0xD7A3 | 0x1100..=0x11FF | 0x3130..=0x318F | 0xA960..=0xA97F | 0xD7B0..=0xD7FF)
}

/// Whether `c` is Han, Hiragana, Katakana or Hangul.
pub(crate) fn is_cjk(c: char) -> bool {
    (c as u32) >= 0x1100 && (is_han(c) || is_kana(c) || is_hangul(c))
}

/// Whether `c` belongs to a script that is written without spaces between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    (c as u32) >= 0x0E00
        && (is_han(c)
            || is_kana(c)
            || matches!(c as u32, 0x0E01..=0x0E7F | 0x0E81..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF))
}

/// Whether `c` is a letter or digit, or a mark that is written upon one.
pub(crate) fn is_letter_or_digit(c: char) -> bool {
    match c as u32 {
        0..0x80 => c.is_ascii_alphanumeric(),
        0xD7 | 0xF7 => false,
        0xC0..=0x24F | 0x300..=0x36F | 0x3B1..=0x3C9 | 0x400..=0x52F | 0x5D0..=0x5EA | 0x620..=0x64A => true,
        0x4E00..=0x9FFF | 0xAC00..=0xD7A3 => true,
        0x2000..=0x206F | 0x3000..=0x3004 => false,
        _ => c.is_alphanumeric(),
    }
}

/// Whether `c` continues a word of a script that separates words, so that a keyword beside it is a
/// part of a longer word. In unspaced scripts and in Hangul, where particles follow a word at once,
/// no character does.
pub(crate) fn is_word_letter(c: char) -> bool {
    is_letter_or_digit(c) && !is_unspaced(c) && !is_hangul(c)
}
