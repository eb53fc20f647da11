//! Digits, signs and spaces of all scripts as ASCII ones, with the way back to where they stand in the text.

use std::ops::Range;

/// The zeros of the decimal digits of Unicode beside the ASCII ones; nine more follow each.
const ZEROS: &[u32] = &[
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0,
    0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50,
    0x11D50, 0x11DA0, 0x11F50, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6,
    0x1E140, 0x1E2F0, 0x1E4D0, 0x1E950, 0x1FBF0,
];

/// What becomes of a character.
enum Form {
    Same,
    Ascii(char),
    /// It is not seen.
    Nothing,
}

/// A text with ASCII digits and signs.
pub(super) struct Folded<'t> {
    written: &'t str,
    pub(super) text: String,
    /// Where each byte of `text` is from.
    places: Vec<usize>,
}

// === impl Folded

impl<'t> Folded<'t> {
    /// The folded text; `None` where nothing is to be folded.
    pub(super) fn of(written: &'t str) -> Option<Self> {
        if written.is_ascii() || written.chars().all(|c| matches!(form(c), Form::Same)) {
            return None;
        }
        let mut text = String::with_capacity(written.len());
        let mut places = Vec::with_capacity(written.len());
        for (at, c) in written.char_indices() {
            match form(c) {
                Form::Nothing => {}
                Form::Ascii(folded) => {
                    text.push(folded);
                    places.push(at);
                }
                Form::Same => {
                    text.push(c);
                    places.extend(at..at + c.len_utf8());
                }
            }
        }
        Some(Self { written, text, places })
    }

    /// Where in the text as written the bytes of a place in the folded one are.
    pub(super) fn original(&self, bytes: Range<usize>) -> Range<usize> {
        let start = self.places.get(bytes.start).copied().unwrap_or(self.written.len());
        let last = bytes.end.checked_sub(1).and_then(|last| self.places.get(last)).copied().unwrap_or(start);
        let mut end = last + 1;
        while !self.written.is_char_boundary(end) {
            end += 1;
        }
        start..end
    }
}

fn form(c: char) -> Form {
    let code = u32::from(c);
    if code < 0x80 {
        return Form::Same;
    }
    match code {
        // Spaces that do not break and those of other widths.
        0xA0 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Form::Ascii(' '),
        // Hyphens, the figure and the en dash, minus; not the dashes between clauses.
        0x2010..=0x2013 | 0x2212 | 0xFE63 => Form::Ascii('-'),
        0x2024 | 0xFE52 => Form::Ascii('.'),
        0xFE6B => Form::Ascii('@'),
        0xAD | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2064 | 0x2066..=0x2069 | 0xFEFF => {
            Form::Nothing
        }
        0xFF01..=0xFF5E => char::from_u32(code - 0xFF01 + 0x21).map_or(Form::Same, Form::Ascii),
        _ => digit(code).map_or(Form::Same, Form::Ascii),
    }
}

fn digit(code: u32) -> Option<char> {
    let after = ZEROS.partition_point(|zero| *zero <= code);
    let value = code - ZEROS[after.checked_sub(1)?];
    char::from_digit(value, 10)
}
