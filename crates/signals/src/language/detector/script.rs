//! Which writing system a character belongs to, and its place in the letter table.

/// The number of letter groups that share a script and need n-gram statistics.
pub(crate) const GROUPS: usize = 4;
/// The group of the Latin script.
pub(crate) const LATIN: usize = 0;
/// Length of the letter table: one byte for every code point of the grouped scripts.
pub(crate) const LETTER_SLOTS: usize = DEVANAGARI_SLOT + 0x80;

const LATIN_ADDITIONAL_SLOT: usize = 0x250;
const CYRILLIC_SLOT: usize = LATIN_ADDITIONAL_SLOT + 0x100;
const ARABIC_SLOT: usize = CYRILLIC_SLOT + 0x130;
const DEVANAGARI_SLOT: usize = ARABIC_SLOT + 0x100;

/// First code point of the unified Han block that has a Chinese/Japanese weight.
pub(crate) const HAN_FIRST: u32 = 0x4E00;
/// Number of weighted Han code points.
pub(crate) const HAN_COUNT: usize = 0x5200;

/// Languages that own their script: the script alone decides.
pub(crate) const SINGLE_SCRIPT_LANGUAGES: [&str; 18] = [
    "el", "he", "th", "ko", "ka", "hy", "bn", "gu", "pa", "ta", "te", "kn", "ml", "or", "si", "km", "lo",
    "my",
];

/// What the detector does with one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glyph {
    /// A code point of a grouped script: look the slot up in the letter table.
    Slot(usize),
    /// A letter of the only supported language written in this script.
    Single(usize),
    /// A Han character, as an offset from [`HAN_FIRST`] where it has a weight.
    Han(Option<usize>),
    /// Hiragana or katakana.
    Kana,
    /// A combining mark, digit, sign or letter of no supported script.
    Other,
}

/// Classifies `c`; cheap enough to call for every sampled character.
pub(crate) fn glyph(c: char) -> Glyph {
    let code = c as usize;
    match code {
        0..0x250 => Glyph::Slot(code),
        0x370..0x400 | 0x1F00..0x2000 => Glyph::Single(0),
        0x400..=0x52F => Glyph::Slot(CYRILLIC_SLOT + code - 0x400),
        0x531..0x590 => Glyph::Single(5),
        0x5D0..0x5F3 => Glyph::Single(1),
        0x600..0x700 => Glyph::Slot(ARABIC_SLOT + code - 0x600),
        0x900..0x980 => Glyph::Slot(DEVANAGARI_SLOT + code - 0x900),
        0x1E00..0x1F00 => Glyph::Slot(LATIN_ADDITIONAL_SLOT + code - 0x1E00),
        _ => rare_glyph(code),
    }
}

fn rare_glyph(code: usize) -> Glyph {
    match code {
        0x985..0x9E4 => Glyph::Single(6),
        0xA05..0xA75 => Glyph::Single(8),
        0xA85..0xAE4 => Glyph::Single(7),
        0xB05..0xB66 => Glyph::Single(13),
        0xB83..0xBD8 => Glyph::Single(9),
        0xC05..0xC66 => Glyph::Single(10),
        0xC85..0xCE6 => Glyph::Single(11),
        0xD05..0xD66 => Glyph::Single(12),
        0xD85..0xDF4 => Glyph::Single(14),
        0xE01..0xE3B | 0xE40..0xE4F => Glyph::Single(2),
        0xE81..0xEE0 => Glyph::Single(16),
        0x1000..0x1040 => Glyph::Single(17),
        0x10A0..0x1100 | 0x1C90..0x1CC0 => Glyph::Single(4),
        0x1100..0x1200 | 0x3131..0x318F | 0xAC00..0xD7A4 => Glyph::Single(3),
        0x1780..0x17D4 => Glyph::Single(15),
        0x3041..=0x3096 | 0x309D..=0x309F | 0x30A1..=0x30FA | 0x30FC..=0x30FF | 0xFF66..=0xFF9D => {
            Glyph::Kana
        }
        0x4E00..0xA000 => Glyph::Han(Some(code - HAN_FIRST as usize)),
        0x3005 | 0x3007 | 0x3400..0x4DC0 | 0xF900..0xFB00 | 0x20000..0x32000 => Glyph::Han(None),
        _ => Glyph::Other,
    }
}

/// The letter group of a slot: 0 Latin, 1 Cyrillic, 2 Arabic, 3 Devanagari.
pub(crate) fn group_of_slot(slot: usize) -> usize {
    match slot {
        0..CYRILLIC_SLOT => 0,
        CYRILLIC_SLOT..ARABIC_SLOT => 1,
        ARABIC_SLOT..DEVANAGARI_SLOT => 2,
        _ => 3,
    }
}
