//! The languages of each letter group and the letters they are written with.

use std::collections::{BTreeMap, HashMap};

use crate::detector::script::{GROUPS, Glyph, LETTER_SLOTS, glyph, group_of_slot};

/// ISO 639-1 code and crate name of the languages of every letter group, in model order.
pub const LANGUAGES: [&[(&str, &str)]; GROUPS] = [
    &[
        ("af", "afrikaans"),
        ("az", "azerbaijani"),
        ("bs", "bosnian"),
        ("ca", "catalan"),
        ("cs", "czech"),
        ("cy", "welsh"),
        ("da", "danish"),
        ("de", "german"),
        ("en", "english"),
        ("eo", "esperanto"),
        ("es", "spanish"),
        ("et", "estonian"),
        ("eu", "basque"),
        ("fi", "finnish"),
        ("fr", "french"),
        ("ga", "irish"),
        ("hr", "croatian"),
        ("hu", "hungarian"),
        ("id", "indonesian"),
        ("is", "icelandic"),
        ("it", "italian"),
        ("la", "latin"),
        ("lg", "ganda"),
        ("lt", "lithuanian"),
        ("lv", "latvian"),
        ("mi", "maori"),
        ("ms", "malay"),
        ("nb", "bokmal"),
        ("nl", "dutch"),
        ("nn", "nynorsk"),
        ("pl", "polish"),
        ("pt", "portuguese"),
        ("ro", "romanian"),
        ("sk", "slovak"),
        ("sl", "slovene"),
        ("sn", "shona"),
        ("so", "somali"),
        ("sq", "albanian"),
        ("st", "sotho"),
        ("sv", "swedish"),
        ("sw", "swahili"),
        ("tl", "tagalog"),
        ("tn", "tswana"),
        ("tr", "turkish"),
        ("ts", "tsonga"),
        ("vi", "vietnamese"),
        ("xh", "xhosa"),
        ("yo", "yoruba"),
        ("zu", "zulu"),
    ],
    &[
        ("be", "belarusian"),
        ("bg", "bulgarian"),
        ("kk", "kazakh"),
        ("mk", "macedonian"),
        ("mn", "mongolian"),
        ("ru", "russian"),
        ("sr", "serbian"),
        ("uk", "ukrainian"),
    ],
    &[("ar", "arabic"), ("fa", "persian"), ("ur", "urdu")],
    &[("hi", "hindi"), ("mr", "marathi")],
];

/// Crates of the languages that the script, kana or Han characters decide: their test texts are used, and of the
/// first two the Han statistics.
pub const OTHER_LANGUAGES: [(&str, &str); 13] = [
    ("zh", "chinese"),
    ("ja", "japanese"),
    ("el", "greek"),
    ("he", "hebrew"),
    ("th", "thai"),
    ("ko", "korean"),
    ("ka", "georgian"),
    ("hy", "armenian"),
    ("bn", "bengali"),
    ("gu", "gujarati"),
    ("pa", "punjabi"),
    ("ta", "tamil"),
    ("te", "telugu"),
];

/// Letters rarer than this in every language of the group share one class.
const RARE_LETTER: f64 = 2e-6;
const RARE_CLASS: u8 = 2;
const FIRST_CLASS: usize = 3;

/// Builds the letter table of one group into `classes` from the letter frequencies of its languages.
pub fn assign_classes(
    group: usize,
    frequencies: &BTreeMap<char, f64>,
    classes: &mut [u8; LETTER_SLOTS],
) -> usize {
    let mut letters: Vec<(char, f64)> = frequencies
        .iter()
        .filter(|(c, f)| slot(**c, group).is_some() && **f >= RARE_LETTER)
        .map(|(c, f)| (*c, *f))
        .collect();
    letters.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    letters.truncate(250);
    let known: HashMap<char, u8> =
        letters.iter().enumerate().map(|(index, (c, _))| (*c, (FIRST_CLASS + index) as u8)).collect();
    for c in '\0'..'\u{2000}' {
        let Some(slot) = slot(c, group) else { continue };
        let lower = c.to_lowercase().next().unwrap_or(c);
        classes[slot] = match known.get(&lower) {
            Some(class) => *class,
            None if frequencies.contains_key(&lower) => RARE_CLASS,
            None if group < 2 && lower.is_alphabetic() => RARE_CLASS,
            None => 0,
        };
    }
    known.len()
}

fn slot(c: char, group: usize) -> Option<usize> {
    match glyph(c) {
        Glyph::Slot(slot) if group_of_slot(slot) == group => Some(slot),
        _ => None,
    }
}
