//! Tokens: a text is split once, and every distinct word is looked at once, whatever the number of rules.
//! Words that no rule can be interested in may be left out at once.

use std::{collections::HashMap, ops::Range};

use foldhash::fast::RandomState;

use crate::characters::{is_letter_or_digit, is_unspaced};

/// The tokens of one text. Positions are byte offsets into it.
#[derive(Debug, Default)]
pub(crate) struct Words {
    unique: Vec<Word>,
    plain: Vec<Range<u32>>,
    unspaced: Vec<Range<usize>>,
}

/// Which readers want a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readers(u8);

/// A distinct token.
#[derive(Debug)]
pub(crate) struct Word {
    /// Who wants it.
    pub readers: Readers,
    start: usize,
    end: usize,
    /// Whether it occurs as a run of letters and digits.
    pub plain: bool,
    /// Whether it occurs as a run of letters, digits, `_` and `-`.
    pub compound: bool,
    /// How often it occurs as a term: letters and digits, `_` and inner `'` and `.` included.
    pub terms: u32,
}

/// Which kinds of token a slice of the text is.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds {
    plain: bool,
    compound: bool,
    term: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    /// `_`, `-` and apostrophes: part of some kinds of token.
    Joiner,
    /// `.`: part of a term between letters or digits.
    Dot,
    Unspaced,
    Other,
}

/// The classes of ASCII characters; what begins another character is `Unspaced` here, and looked at.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Unspaced; 256];
    let mut code = 0u8;
    while code < 128 {
        classes[code as usize] = match code {
            b'_' | b'-' | b'\'' => Class::Joiner,
            b'.' => Class::Dot,
            _ if code.is_ascii_alphanumeric() => Class::Letter,
            _ => Class::Other,
        };
        code += 1;
    }
    classes
};

struct Splitter<'t, F> {
    text: &'t str,
    wanted_by: F,
    by_text: HashMap<&'t str, u32, RandomState>,
    words: Words,
}

// === impl Readers

impl Readers {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const BM25: Self = Self(1);
    pub(crate) const FUZZY: Self = Self(1 << 1);
    pub(crate) const NGRAM: Self = Self(1 << 2);
    pub(crate) const ALL: Self = Self(0b111);

    /// These and `reader` too, if `is_added`.
    pub(crate) fn with(self, reader: Self, is_added: bool) -> Self {
        if is_added { Self(self.0 | reader.0) } else { self }
    }

    pub(crate) fn contains(self, reader: Self) -> bool {
        self.0 & reader.0 != 0
    }

    /// As the lowest three bits.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// From the lowest three bits.
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }
}

// === impl Words

impl Words {
    /// Splits `text`.
    pub(crate) fn of(text: &str) -> Self {
        Self::wanted(text, |_| Readers::ALL)
    }

    /// Splits `text` and leaves out the distinct tokens that nobody wants. Equal tokens must get equal answers.
    pub(crate) fn wanted(text: &str, wanted_by: impl FnMut(&str) -> Readers) -> Self {
        let words = Words { plain: Vec::with_capacity(text.len() / 6 + 8), ..Words::default() };
        let mut splitter = Splitter { text, wanted_by, by_text: HashMap::default(), words };
        splitter.split();
        splitter.words
    }

    /// The distinct tokens of spaced scripts that `reader` wants, in the order of their first occurrence.
    pub(crate) fn unique(&self, reader: Readers) -> impl Iterator<Item = &Word> {
        self.unique.iter().filter(move |word| word.readers.contains(reader))
    }

    /// Where the plain words are, wanted or not, in the order of the text.
    pub(crate) fn plain(&self) -> &[Range<u32>] {
        &self.plain
    }

    /// The runs of scripts that are written without spaces.
    pub(crate) fn unspaced(&self) -> &[Range<usize>] {
        &self.unspaced
    }
}

/// The text of a plain word.
pub(crate) fn plain_word<'t>(text: &'t str, place: &Range<u32>) -> &'t str {
    &text[place.start as usize..place.end as usize]
}

// === impl Word

impl Word {
    /// The token's text, given the text that was split.
    pub(crate) fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.end]
    }
}

// === impl Splitter

impl<'t, F: FnMut(&str) -> Readers> Splitter<'t, F> {
    fn split(&mut self) {
        let mut at = 0;
        while let Some((class, width)) = classify(self.text, at) {
            at = match class {
                Class::Letter | Class::Joiner => self.segment(at),
                Class::Unspaced => self.unspaced_run(at),
                Class::Dot | Class::Other => at + width,
            };
        }
    }

    fn unspaced_run(&mut self, start: usize) -> usize {
        let mut end = start;
        while let Some((class, width)) = classify(self.text, end)
            && (class == Class::Unspaced || class == Class::Letter && self.is_mark(end))
        {
            end += width;
        }
        self.words.unspaced.push(start..end);
        end
    }

    fn is_mark(&self, at: usize) -> bool {
        self.text[at..].chars().next().is_some_and(|c| matches!(c as u32, 0x300..=0x36F))
    }

    /// Reads a run of letters and joiners; returns its end.
    fn segment(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let is_letter = |byte: &u8| CLASSES[usize::from(*byte)] == Class::Letter;
        let mut end = start + bytes[start..].iter().take_while(|byte| is_letter(byte)).count();
        let next = bytes.get(end).map_or(Class::Other, |byte| CLASSES[usize::from(*byte)]);
        if next == Class::Other {
            self.add(&self.text[start..end], Kinds { plain: true, compound: true, term: true });
            return end;
        }
        let mut has_letter = end > start;
        let mut only_letters = true;
        let mut after_letter = has_letter;
        while let Some((class, width)) = classify(self.text, end) {
            match class {
                Class::Letter => has_letter = true,
                Class::Joiner => only_letters = false,
                Class::Dot if after_letter && self.is_letter(end + width) => only_letters = false,
                _ => break,
            }
            after_letter = class == Class::Letter;
            end += width;
        }
        let segment = &self.text[start..end];
        if only_letters {
            self.add(segment, Kinds { plain: true, compound: true, term: true });
        } else if has_letter {
            self.split_segment(segment);
        }
        end.max(start + 1)
    }

    fn split_segment(&mut self, segment: &'t str) {
        let has_letter = |part: &&str| part.chars().any(is_letter_or_digit);
        for plain in segment.split(|c| !is_letter_or_digit(c)).filter(|part| !part.is_empty()) {
            self.add(plain, Kinds { plain: true, ..Kinds::default() });
        }
        for compound in segment.split(is_inner_mark).filter(has_letter) {
            self.add(compound, Kinds { compound: true, ..Kinds::default() });
        }
        let trimmed = |part: &'t str| part.trim_matches(is_inner_mark);
        for term in segment.split('-').map(trimmed).filter(has_letter) {
            self.add(term, Kinds { term: true, ..Kinds::default() });
        }
    }

    fn is_letter(&self, at: usize) -> bool {
        classify(self.text, at).is_some_and(|(class, _)| class == Class::Letter)
    }

    fn add(&mut self, token: &'t str, kinds: Kinds) {
        let start = token.as_ptr() as usize - self.text.as_ptr() as usize;
        let end = start + token.len();
        if kinds.plain {
            self.words.plain.push(start as u32..end as u32);
        }
        let readers = (self.wanted_by)(token);
        if readers == Readers::NONE {
            return;
        }
        let next = self.words.unique.len() as u32;
        let id = *self.by_text.entry(token).or_insert(next);
        if id == next {
            self.words.unique.push(Word { readers, start, end, plain: false, compound: false, terms: 0 });
        }
        let word = &mut self.words.unique[id as usize];
        word.plain |= kinds.plain;
        word.compound |= kinds.compound;
        word.terms += u32::from(kinds.term);
    }
}

/// Whether `c` may stand within a term, and not at its ends.
fn is_inner_mark(c: char) -> bool {
    matches!(c, '\'' | '’' | '.')
}

/// The class of the character at `at` and its length in bytes; `None` at the end.
fn classify(text: &str, at: usize) -> Option<(Class, usize)> {
    let byte = *text.as_bytes().get(at)?;
    if byte.is_ascii() {
        return Some((CLASSES[usize::from(byte)], 1));
    }
    let c = text[at..].chars().next()?;
    let class = if is_unspaced(c) {
        Class::Unspaced
    } else if is_letter_or_digit(c) {
        Class::Letter
    } else if c == '’' {
        Class::Joiner
    } else {
        Class::Other
    };
    Some((class, c.len_utf8()))
}
