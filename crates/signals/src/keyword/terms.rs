//! English terms: which words say nothing, and Latin letters without their accents.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

/// The words of English grammar, which tell nothing about a text's subject.
const STOP_WORDS: &str = "
    a about above after again against ain all am an and any are aren aren't as at be because been before
    being below between both but by can couldn couldn't d did didn didn't do does doesn doesn't doing don
    don't down during each few for from further had hadn hadn't has hasn hasn't have haven haven't having
    he he'd he'll he's her here hers herself him himself his how i i'd i'll i'm i've if in into is isn isn't
    it it'd it'll it's its itself just ll m ma me mightn mightn't more most mustn mustn't my myself needn
    needn't no nor not now o of off on once only or other our ours ourselves out over own re s same shan
    shan't she she'd she'll she's should should've shouldn shouldn't so some such t than that that'll the
    their theirs them themselves then there these they they'd they'll they're they've this those through to
    too under until up ve very was wasn wasn't we we'd we'll we're we've were weren weren't what when where
    which while who whom why will with won won't wouldn wouldn't y you you'd you'll you're you've your yours
    yourself yourselves";

/// Letters and what they are without accents, for the Latin letters of Western and Central Europe.
const PLAIN_LETTERS: &[(&str, &str)] = &[
    ("àáâãäåāăą", "a"),
    ("æ", "ae"),
    ("çćĉċč", "c"),
    ("ďđð", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįı", "i"),
    ("ĵ", "j"),
    ("ķ", "k"),
    ("ĺļľŀł", "l"),
    ("ñńņň", "n"),
    ("òóôõöøōŏő", "o"),
    ("œ", "oe"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ß", "ss"),
    ("ţťŧț", "t"),
    ("þ", "th"),
    ("ùúûüũūŭůűų", "u"),
    ("ŵ", "w"),
    ("ýÿŷ", "y"),
    ("źżž", "z"),
    ("’", "'"),
];

/// Whether a case-folded word says nothing about the subject.
pub(super) fn is_stop_word(word: &str) -> bool {
    static SET: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP_WORDS.split_whitespace().collect());
    SET.contains(word) || word.contains('’') && SET.contains(&*word.replace('’', "'"))
}

/// A case-folded word with accented Latin letters replaced by plain ones.
pub(super) fn plain_latin(word: &str) -> Cow<'_, str> {
    let is_replaced = |c: char| matches!(c as u32, 0xDF..=0x17F | 0x218..=0x21B | 0x300..=0x36F | 0x2019);
    if word.is_ascii() || !word.chars().any(is_replaced) {
        return Cow::Borrowed(word);
    }
    let mut plain = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_ascii() {
            plain.push(c);
            continue;
        }
        match PLAIN_LETTERS.iter().find(|(letters, _)| letters.contains(c)) {
            Some((_, letter)) => plain.push_str(letter),
            None if matches!(c as u32, 0x300..=0x36F) => {}
            None => plain.push(c),
        }
    }
    Cow::Owned(plain)
}
