//! Gathers the evidence of one text and turns it into a verdict.

use super::memo::{self, MEMO_SYMBOLS, WordScores};
use super::model::{Group, LONGEST_NGRAM, MAX_LANGUAGES, Model, WORD_BOUNDARY};
use super::sample::{LETTER_BUDGET, Sink};
use super::script::{GROUPS, Glyph, LATIN, SINGLE_SCRIPT_LANGUAGES};

/// Letters after which a new segment starts, at the next word.
const SEGMENT_LETTERS: u16 = 16;
const SEGMENTS: usize = LETTER_BUDGET / SEGMENT_LETTERS as usize + 1;
/// Symbols after which a segment ends even inside a word: more could overflow its 16-bit scores.
const SEGMENT_SYMBOLS: u16 = 50;
/// How much more a kana says than a Han character of average weight.
const KANA_WEIGHT: i32 = 48;
/// Han text is Chinese unless its characters say otherwise.
const CHINESE_PRIOR: i32 = 16;
/// Han weights are sixteenths of a nat.
const HAN_UNIT: f32 = 1.0 / 16.0;
/// A segment speaks against the winner if its own best language leads by this many nats.
const DISSENT_NATS: f32 = 3.0;
const DISSENT_LETTERS: u16 = 8;
/// The share of known n-grams of four symbols that hardly any Latin text stays under.
const FAMILIAR_SHARE: f32 = 0.3;
/// Fewer letters than this leave the language of a word open, whatever their n-grams say.
const FEW_LETTERS: f32 = 8.0;

/// The evidence of one text, gathered letter by letter.
pub(super) struct Evidence<'m> {
    model: &'m Model<'m>,
    segments: [Segment; SEGMENTS],
    current: usize,
    /// The first symbols of the running word, which are scored when it ends.
    word: [u8; MEMO_SYMBOLS],
    word_length: usize,
    /// The running word, if it is longer than that; it is scored as it comes.
    long_word: Option<Window>,
    group: usize,
    single_letters: [u16; SINGLE_SCRIPT_LANGUAGES.len()],
    han: u16,
    kana: u16,
    han_score: i32,
    code: usize,
    /// Places where n-grams of three and more symbols were looked up, by group.
    tried: [u16; GROUPS],
    /// Places where one of four symbols was known.
    known: [u16; GROUPS],
}

/// The last symbols of a word, its beginning included.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// Newest in the low byte.
    symbols: u64,
    length: usize,
}

#[derive(Clone, Copy)]
struct Segment {
    scores: [i16; MAX_LANGUAGES],
    letters: [u16; GROUPS],
    symbols: u16,
}

impl Segment {
    const EMPTY: Self = Self { scores: [0; MAX_LANGUAGES], letters: [0; GROUPS], symbols: 0 };
}

/// The most likely language and the next one, with their probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    pub(super) language: Speech,
    pub(super) confidence: f32,
    pub(super) runner_up: Option<(Speech, f32)>,
}

/// A language by the table that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Modelled(usize),
    SingleScript(usize),
    Chinese,
    Japanese,
}

#[derive(Clone, Copy)]
enum Writing {
    Group(usize),
    Single(usize),
    Cjk,
}

impl<'m> Evidence<'m> {
    pub(super) fn new(model: &'m Model<'m>) -> Self {
        Self {
            model,
            segments: [Segment::EMPTY; SEGMENTS],
            current: 0,
            word: [0; MEMO_SYMBOLS],
            word_length: 0,
            long_word: None,
            group: 0,
            single_letters: [0; SINGLE_SCRIPT_LANGUAGES.len()],
            han: 0,
            kana: 0,
            han_score: 0,
            code: 0,
            tried: [0; GROUPS],
            known: [0; GROUPS],
        }
    }

    /// Adds what a word's n-grams say to the running segment.
    fn add(&mut self, word: &WordScores, symbols: usize) {
        let segment = &mut self.segments[self.current];
        segment.symbols += symbols as u16;
        for (score, more) in segment.scores.iter_mut().zip(&word.scores) {
            *score = score.wrapping_add(*more);
        }
        self.tried[self.group] += word.tried;
        self.known[self.group] += word.known;
    }

    /// Scores the next symbol of a long word.
    fn push_long(&mut self, window: &mut Window, symbol: u8) {
        if self.segments[self.current].symbols >= SEGMENT_SYMBOLS {
            self.next_segment();
        }
        let mut scores = WordScores::EMPTY;
        window.push(symbol, &self.model.groups[self.group], &mut scores);
        self.add(&scores, 1);
    }

    /// Scores a word that is over.
    fn finish_word(&mut self) {
        if let Some(mut window) = self.long_word.take() {
            self.push_long(&mut window, WORD_BOUNDARY);
            return;
        }
        let length = std::mem::take(&mut self.word_length);
        if length == 0 {
            return;
        }
        let word = std::mem::take(&mut self.word);
        let group = &self.model.groups[self.group];
        let score = || {
            let mut window = Window::START;
            let mut scores = WordScores::EMPTY;
            for symbol in word[..length].iter().chain([&WORD_BOUNDARY]) {
                window.push(*symbol, group, &mut scores);
            }
            scores
        };
        memo::with_scores(self.model, self.group, word, score, |scores| self.add(scores, length + 1));
    }

    /// Starts the next segment, if there is one.
    fn next_segment(&mut self) {
        self.current = (self.current + 1).min(SEGMENTS - 1);
    }

    /// The verdict, or `None` where nothing but signs, digits or program text was seen.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let (writing, mass, letters, total_mass, total_letters) = self.dominant_writing()?;
        if self.code > total_letters {
            return None;
        }
        let share = mass as f32 / total_mass as f32;
        let code_share = self.code as f32 / (total_letters + self.code) as f32;
        let prose = 1.0 - code_share * code_share;
        let mut verdict = match writing {
            Writing::Group(group) => self.group_verdict(group, letters),
            Writing::Single(index) => Verdict {
                language: Speech::SingleScript(index),
                confidence: 1.0 - 0.6f32.powi(letters.min(40) as i32),
                runner_up: None,
            },
            Writing::Cjk => self.cjk_verdict(),
        };
        verdict.confidence *= share * prose;
        verdict.runner_up = verdict.runner_up.map(|(language, p)| (language, p * share * prose));
        Some(verdict)
    }

    /// The writing system most of the text is in, its mass and letters, and the totals of all.
    fn dominant_writing(&self) -> Option<(Writing, usize, usize, usize, usize)> {
        let mut best: Option<(Writing, usize, usize)> = None;
        let (mut total_mass, mut total_letters) = (0, 0);
        let groups = (0..GROUPS).map(|group| {
            let letters = self.group_letters(group);
            (Writing::Group(group), letters, if group == 0 { 2 } else { 3 })
        });
        let singles = self.single_letters.iter().enumerate().map(|(index, &letters)| {
            (Writing::Single(index), usize::from(letters), if index == 3 { 5 } else { 3 })
        });
        let cjk = [(Writing::Cjk, usize::from(self.han + self.kana), 10)];
        for (writing, letters, weight) in groups.chain(singles).chain(cjk) {
            let mass = letters * weight;
            total_mass += mass;
            total_letters += letters;
            if mass > best.map_or(0, |(_, most, _)| most) {
                best = Some((writing, mass, letters));
            }
        }
        best.map(|(writing, mass, letters)| (writing, mass, letters, total_mass, total_letters))
    }

    fn group_letters(&self, group: usize) -> usize {
        self.segments.iter().map(|segment| usize::from(segment.letters[group])).sum()
    }

    fn cjk_verdict(&self) -> Verdict {
        let score = self.han_score + CHINESE_PRIOR - KANA_WEIGHT * i32::from(self.kana);
        let chinese = 1.0 / (1.0 + (-score as f32 * HAN_UNIT).exp());
        let (language, other, p) = if chinese >= 0.5 {
            (Speech::Chinese, Speech::Japanese, chinese)
        } else {
            (Speech::Japanese, Speech::Chinese, 1.0 - chinese)
        };
        Verdict { language, confidence: p, runner_up: Some((other, 1.0 - p)) }
    }

    fn group_verdict(&self, group: usize, letters: usize) -> Verdict {
        let shape = &self.model.groups[group];
        let nats = self.nats(group, letters);
        let languages = shape.first..shape.first + shape.count;
        let mut logits = [0f32; MAX_LANGUAGES];
        let (mut best, mut second) = ((0, f32::NEG_INFINITY), (0, f32::NEG_INFINITY));
        for language in languages.clone() {
            let sum: i32 = self.segments.iter().map(|segment| i32::from(segment.scores[language])).sum();
            let logit = (sum + i32::from(self.model.biases[language])) as f32 * nats;
            logits[language] = logit;
            if logit > best.1 {
                second = best;
                best = (language, logit);
            } else if logit > second.1 {
                second = (language, logit);
            }
        }
        let total: f32 = logits[languages].iter().map(|logit| (logit - best.1).exp()).sum();
        let enough = (letters as f32 / FEW_LETTERS).min(1.0).powf(1.5) * self.familiarity(group);
        let confidence = enough * self.agreement(group, best.0) / total;
        let other = enough * (second.1 - best.1).exp() / total;
        Verdict {
            language: Speech::Modelled(best.0),
            confidence,
            runner_up: Some((Speech::Modelled(second.0), other.min(confidence))),
        }
    }

    /// Below 1 where a Latin text is made of n-grams that no language uses, as typing at random is.
    fn familiarity(&self, group: usize) -> f32 {
        let (tried, known) = (self.tried[group], self.known[group]);
        if group != LATIN || tried < 4 {
            return 1.0;
        }
        (f32::from(known + 1) / f32::from(tried) / FAMILIAR_SHARE).min(1.0)
    }

    /// What one weight step is worth, in nats, in a text of so many letters.
    fn nats(&self, group: usize, letters: usize) -> f32 {
        let shape = &self.model.groups[group];
        self.model.weight_unit * shape.temperature * (letters as f32).powf(-shape.exponent)
    }

    /// The share of the letters whose segment does not clearly prefer another language.
    fn agreement(&self, group: usize, winner: usize) -> f32 {
        let shape = &self.model.groups[group];
        let (mut agreeing, mut all) = (0u16, 0u16);
        for segment in &self.segments {
            let letters = segment.letters[group];
            all += letters;
            let scores = &segment.scores[shape.first..shape.first + shape.count];
            let best = scores.iter().copied().max().unwrap_or_default();
            let lead = i32::from(best) - i32::from(segment.scores[winner]);
            let dissents = letters >= DISSENT_LETTERS
                && lead as f32 * self.nats(group, usize::from(letters)) > DISSENT_NATS;
            agreeing += if dissents { 0 } else { letters };
        }
        f32::from(agreeing) / f32::from(all.max(1))
    }
}

impl Window {
    /// Before the first symbol of a word.
    const START: Self = Self { symbols: WORD_BOUNDARY as u64, length: 1 };

    /// Adds `symbol` to the word and scores the n-grams that end in it.
    fn push(&mut self, symbol: u8, group: &Group<'_>, word: &mut WordScores) {
        let before = self.symbols as u8;
        self.symbols = (self.symbols << 8 | u64::from(symbol)) & 0xFF_FFFF_FFFF;
        self.length = LONGEST_NGRAM.min(self.length + 1);
        let mut row = group.pair(before, symbol);
        let buckets: [_; LONGEST_NGRAM - 2] =
            std::array::from_fn(|index| group.bucket(self.symbols & (u64::MAX >> (40 - 8 * index))));
        let lengths = self.length.saturating_sub(2);
        word.tried += u16::from(lengths > 0);
        for (shorter, bucket) in buckets[..lengths].iter().enumerate() {
            let Some(entry) = bucket.entry() else { break };
            word.known += u16::from(shorter == 1);
            row = entry.row.unwrap_or(row);
            for posting in entry.postings.chunks_exact(2) {
                let score = &mut word.scores[usize::from(posting[0]) % MAX_LANGUAGES];
                *score = score.wrapping_add(i16::from(posting[1].cast_signed()));
            }
            if !entry.extends {
                break;
            }
        }
        for (score, weight) in word.scores[group.first..].iter_mut().zip(row) {
            *score = score.wrapping_add(i16::from(weight.cast_signed()));
        }
    }
}

impl Sink for Evidence<'_> {
    fn letter(&mut self, group: usize, class: u8) {
        if group != self.group {
            self.word_end();
            self.group = group;
        }
        if let Some(mut window) = self.long_word {
            self.push_long(&mut window, class);
            self.long_word = Some(window);
        } else if let Some(next) = self.word.get_mut(self.word_length) {
            *next = class;
            self.word_length += 1;
        } else {
            let mut window = Window::START;
            let begun = std::mem::take(&mut self.word);
            self.word_length = 0;
            for symbol in begun.into_iter().chain([class]) {
                self.push_long(&mut window, symbol);
            }
            self.long_word = Some(window);
        }
        self.segments[self.current].letters[group] += 1;
    }

    fn word_end(&mut self) {
        self.finish_word();
        let letters: u16 = self.segments[self.current].letters.iter().sum();
        if letters >= SEGMENT_LETTERS {
            self.next_segment();
        }
    }

    fn other_script(&mut self, glyph: Glyph) {
        match glyph {
            Glyph::Single(index) => self.single_letters[index] += 1,
            Glyph::Kana => self.kana += 1,
            Glyph::Han(offset) => {
                self.han += 1;
                self.han_score += offset.map_or(0, |offset| self.model.han_weight(offset));
            }
            Glyph::Slot(_) | Glyph::Other => {}
        }
    }

    fn code(&mut self, weight: usize) {
        self.code += weight;
    }
}
