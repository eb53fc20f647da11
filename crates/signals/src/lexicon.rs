//! Every literal that any rule looks for, found in one pass over the text.
//!
//! Keywords, structure markers, event terms and the literals without which a regular expression
//! cannot match share one automaton over the case-folded text; literals of case-sensitive rules share
//! a second one over the text as written, which exists only if there are any.

use std::{cell::RefCell, collections::HashMap, ops::Range};

use aho_corasick::{
    Anchored, BuildError, MatchKind,
    automaton::{self, StateID},
    dfa::{self, DFA},
    nfa::contiguous::{self, NFA},
};

use crate::characters::{fold, is_word_letter};

/// Patterns of at most so many bytes together are compiled to a full automaton, which is the fastest
/// and the largest form.
const FULL_AUTOMATON_BYTES: usize = 8 * 1024;
/// A text is searched in so many parts at once. A step must wait for the one before it, in the same part; the
/// processor fills the wait with steps in other parts.
const LANES: usize = 4;
/// What is searched at once, in bytes, so that what was found in it takes a bounded room.
const BLOCK: usize = 16 * 1024;
/// Room for so many occurrences is kept per part.
const KEPT_ROOM: usize = 1024;
/// Parts are at least so many times as long as the longest pattern, by which they overlap.
const LEAST_PART: usize = 4;

/// A counter of occurrences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

/// Markers that must occur one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence(u32);

/// Where a literal must not touch other characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Edges {
    /// Found anywhere.
    Anywhere,
    /// Its own word characters must not continue into letters, digits or `_`.
    Word,
    /// Its own letters and digits must not continue into letters and digits; `_` separates.
    LetterOrDigit,
}

/// What a rule looks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Term {
    /// The text.
    pub text: String,
    /// Whether case matters.
    pub case_sensitive: bool,
    /// Where it must end.
    pub edges: Edges,
    /// What must follow it after one arbitrary character.
    pub tail: Option<&'static str>,
}

/// Collects the literals of all rules.
#[derive(Debug, Default)]
pub(crate) struct LexiconBuilder {
    folded: Side,
    exact: Side,
    terms: HashMap<Term, Slot>,
    slots: u32,
    sequence_lengths: Vec<u32>,
}

/// The automata.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    folded: Option<Automaton>,
    exact: Option<Automaton>,
    slots: usize,
    sequence_lengths: Vec<u32>,
}

/// What was found in one text.
#[derive(Debug)]
pub(crate) struct Hits {
    counts: Vec<u32>,
    /// The end of the last counted occurrence per slot, for counting without overlaps.
    ends: Vec<usize>,
    /// Per sequence: markers found so far, and the end of the last one.
    progress: Vec<(u32, usize)>,
}

#[derive(Debug, Default)]
struct Side {
    patterns: Vec<String>,
    uses: Vec<Vec<Use>>,
    by_text: HashMap<String, usize>,
}

#[derive(Debug)]
struct Automaton {
    search: Search,
    /// Bytes of the longest pattern.
    longest: usize,
    uses: Vec<Use>,
    /// Per pattern, where its uses begin; one more entry than there are patterns.
    use_starts: Vec<u32>,
}

#[derive(Debug)]
enum Search {
    Full(DFA),
    Compact(NFA),
}

/// An occurrence of a pattern.
#[derive(Debug, Clone, Copy)]
struct Found {
    pattern: usize,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone)]
enum Use {
    Count { slot: u32, before: Edge, after: Edge, tail: Option<&'static str> },
    Step { sequence: u32, step: u32 },
}

/// What must not stand beside a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Free,
    NoWordCharacter,
    NoLetterOrDigit,
}

// === impl Term

impl Term {
    /// A keyword: word by word if it has a letter, a digit or `_` and no Han character, else anywhere.
    pub(crate) fn keyword(text: &str, case_sensitive: bool) -> Self {
        let edges = if text.chars().any(crate::characters::is_han) { Edges::Anywhere } else { Edges::Word };
        Self { text: text.to_owned(), case_sensitive, edges, tail: None }
    }

    /// A keyword of a structure rule: word by word unless it has a CJK character.
    pub(crate) fn marker(text: &str, case_sensitive: bool) -> Self {
        let cjk = text.chars().any(crate::characters::is_cjk);
        let edges = if cjk { Edges::Anywhere } else { Edges::LetterOrDigit };
        Self { text: text.to_owned(), case_sensitive, edges, tail: None }
    }
}

// === impl Edge

impl Edge {
    fn of(edges: Edges, own: Option<char>) -> Self {
        let Some(own) = own else { return Edge::Free };
        match edges {
            Edges::Word if own == '_' || is_word_letter(own) => Edge::NoWordCharacter,
            Edges::LetterOrDigit if is_word_letter(own) => Edge::NoLetterOrDigit,
            _ => Edge::Free,
        }
    }

    fn accepts(self, neighbour: Option<char>) -> bool {
        match (self, neighbour) {
            (Edge::Free, _) | (_, None) => true,
            (Edge::NoWordCharacter, Some(c)) => c != '_' && !is_word_letter(c),
            (Edge::NoLetterOrDigit, Some(c)) => !is_word_letter(c),
        }
    }
}

// === impl Side

impl Side {
    fn add(&mut self, text: &str, usage: Use) {
        let next = self.patterns.len();
        let pattern = *self.by_text.entry(text.to_owned()).or_insert(next);
        if pattern == next {
            self.patterns.push(text.to_owned());
            self.uses.push(Vec::new());
        }
        self.uses[pattern].push(usage);
    }

    fn build(self) -> Result<Option<Automaton>, BuildError> {
        if self.patterns.is_empty() {
            return Ok(None);
        }
        let bytes: usize = self.patterns.iter().map(String::len).sum();
        let search = if bytes <= FULL_AUTOMATON_BYTES {
            let mut builder = dfa::Builder::new();
            Search::Full(builder.match_kind(MatchKind::Standard).prefilter(false).build(&self.patterns)?)
        } else {
            let mut builder = contiguous::Builder::new();
            Search::Compact(builder.match_kind(MatchKind::Standard).prefilter(false).build(&self.patterns)?)
        };
        let longest = self.patterns.iter().map(String::len).max().unwrap_or(0);
        let mut use_starts = vec![0];
        let mut uses = Vec::new();
        for pattern_uses in self.uses {
            uses.extend(pattern_uses);
            use_starts.push(uses.len() as u32);
        }
        Ok(Some(Automaton { search, longest, uses, use_starts }))
    }
}

// === impl LexiconBuilder

impl LexiconBuilder {
    /// Counts `term`. Equal terms share a slot.
    pub(crate) fn term(&mut self, term: Term) -> Slot {
        if let Some(slot) = self.terms.get(&term) {
            return *slot;
        }
        let slot = self.new_slot();
        let text = if term.case_sensitive { term.text.clone() } else { fold(&term.text) };
        let usage = Use::Count {
            slot: slot.0,
            before: Edge::of(term.edges, text.chars().next()),
            after: Edge::of(term.edges, term.tail.unwrap_or(&text).chars().next_back()),
            tail: term.tail,
        };
        self.side(term.case_sensitive).add(&text, usage);
        self.terms.insert(term, slot);
        slot
    }

    /// Counts the occurrences of any of the case-folded `literals`, wherever they are.
    pub(crate) fn any_of(&mut self, literals: &[String]) -> Slot {
        let slot = self.new_slot();
        for literal in literals {
            let usage = Use::Count { slot: slot.0, before: Edge::Free, after: Edge::Free, tail: None };
            self.folded.add(literal, usage);
        }
        slot
    }

    /// Looks for `markers` in order, without overlaps, wherever they are.
    pub(crate) fn sequence(&mut self, markers: &[String], case_sensitive: bool) -> Sequence {
        let sequence = self.sequence_lengths.len() as u32;
        self.sequence_lengths.push(markers.len() as u32);
        for (step, marker) in markers.iter().enumerate() {
            let text = if case_sensitive { marker.clone() } else { fold(marker) };
            self.side(case_sensitive).add(&text, Use::Step { sequence, step: step as u32 });
        }
        Sequence(sequence)
    }

    /// Compiles the automata.
    ///
    /// # Errors
    /// If there are more literals than an automaton can hold.
    pub(crate) fn build(self) -> Result<Lexicon, BuildError> {
        Ok(Lexicon {
            folded: self.folded.build()?,
            exact: self.exact.build()?,
            slots: self.slots as usize,
            sequence_lengths: self.sequence_lengths,
        })
    }

    fn new_slot(&mut self) -> Slot {
        self.slots += 1;
        Slot(self.slots - 1)
    }

    fn side(&mut self, case_sensitive: bool) -> &mut Side {
        if case_sensitive { &mut self.exact } else { &mut self.folded }
    }
}

// === impl Lexicon

impl Lexicon {
    /// Finds every literal in a text, given as written and case-folded.
    pub(crate) fn scan(&self, text: &str, folded: &str) -> Hits {
        let mut hits = Hits {
            counts: vec![0; self.slots],
            ends: vec![0; self.slots],
            progress: vec![(0, 0); self.sequence_lengths.len()],
        };
        if let Some(automaton) = &self.folded {
            automaton.scan(folded, &mut hits);
        }
        if let Some(automaton) = &self.exact {
            automaton.scan(text, &mut hits);
        }
        hits
    }

    /// Whether all markers of `sequence` were found.
    pub(crate) fn is_complete(&self, sequence: Sequence, hits: &Hits) -> bool {
        hits.progress[sequence.0 as usize].0 == self.sequence_lengths[sequence.0 as usize]
    }
}

// === impl Automaton

impl Automaton {
    fn scan(&self, text: &str, hits: &mut Hits) {
        match &self.search {
            Search::Full(search) => self.scan_with(search, text, hits),
            Search::Compact(search) => self.scan_with(search, text, hits),
        }
    }

    fn scan_with(&self, search: &impl automaton::Automaton, text: &str, hits: &mut Hits) {
        thread_local! {
            /// Room for what is found, empty between scans.
            static FOUND: RefCell<[Vec<Found>; LANES]> = const { RefCell::new([const { Vec::new() }; LANES]) };
        }
        FOUND.with_borrow_mut(|found| {
            self.scan_into(found, search, text, hits);
            for found in found.iter_mut().filter(|found| found.capacity() > KEPT_ROOM) {
                *found = Vec::new();
            }
        });
    }

    fn scan_into(
        &self,
        found: &mut [Vec<Found>; LANES],
        search: &impl automaton::Automaton,
        text: &str,
        hits: &mut Hits,
    ) {
        // A scan that panicked may have left something.
        found.iter_mut().for_each(Vec::clear);
        // An automaton that searches unanchored always has this state.
        let Ok(start) = search.start_state(Anchored::No) else { return };
        let mut state = start;
        for begin in (0..text.len()).step_by(BLOCK) {
            let block = begin..text.len().min(begin + BLOCK);
            state = self.find(search, [start, state], text.as_bytes(), block, found);
            for Found { pattern, start, end } in found.iter_mut().flat_map(|found| found.drain(..)) {
                let uses = self.use_starts[pattern] as usize..self.use_starts[pattern + 1] as usize;
                for usage in &self.uses[uses] {
                    hits.record(usage, text, start, end);
                }
            }
        }
    }

    /// Adds every occurrence that ends in `block`, overlapping ones too, to `found`: in the order of their ends,
    /// part after part. Takes the state at the start of a text and the one before the block; returns the one
    /// after it.
    fn find(
        &self,
        search: &impl automaton::Automaton,
        [start, before]: [StateID; 2],
        text: &[u8],
        block: Range<usize>,
        found: &mut [Vec<Found>; LANES],
    ) -> StateID {
        let part = block.len() / LANES;
        let together = if part >= LEAST_PART * self.longest { part } else { 0 };
        let mut states = [before; LANES];
        if together > 0 {
            // What begins before a part may end in it: a part's state begins with what precedes it.
            for (lane, state) in states.iter_mut().enumerate().skip(1) {
                let begin = block.start + lane * part;
                let preceding = &text[begin - self.longest.saturating_sub(1)..begin];
                *state =
                    preceding.iter().fold(start, |state, byte| search.next_state(Anchored::No, state, *byte));
            }
        }
        let part_of = |lane: usize| &text[block.start + lane * together..][..together];
        let [first, second, third, fourth] = [part_of(0), part_of(1), part_of(2), part_of(3)];
        let bytes = first.iter().zip(second).zip(third.iter().zip(fourth));
        for (at, ((first, second), (third, fourth))) in bytes.enumerate() {
            let bytes = [*first, *second, *third, *fourth];
            states = std::array::from_fn(|lane| search.next_state(Anchored::No, states[lane], bytes[lane]));
            // Most bytes end no literal in any part.
            if states.iter().any(|state| search.is_special(*state)) {
                for (lane, (state, found)) in states.iter().zip(&mut *found).enumerate() {
                    collect(search, *state, block.start + lane * together + at + 1, found);
                }
            }
        }
        // The rest, or all of a short block.
        let [.., mut state] = states;
        let [.., found] = found;
        let rest = block.start + together * LANES;
        for (at, byte) in text[rest..block.end].iter().enumerate() {
            state = search.next_state(Anchored::No, state, *byte);
            collect(search, state, rest + at + 1, found);
        }
        state
    }
}

fn collect(search: &impl automaton::Automaton, state: StateID, end: usize, found: &mut Vec<Found>) {
    if search.is_special(state) && search.is_match(state) {
        found.extend((0..search.match_len(state)).map(|index| {
            let pattern = search.match_pattern(state, index);
            Found { pattern: pattern.as_usize(), start: end - search.pattern_len(pattern), end }
        }));
    }
}

// === impl Hits

impl Hits {
    /// How often the slot's literal occurs, overlaps not counted.
    pub(crate) fn count(&self, slot: Slot) -> u32 {
        self.counts[slot.0 as usize]
    }

    fn record(&mut self, usage: &Use, text: &str, start: usize, end: usize) {
        match *usage {
            Use::Step { sequence, step } => {
                let (found, last_end) = &mut self.progress[sequence as usize];
                if *found == step && start >= *last_end {
                    (*found, *last_end) = (step + 1, end);
                }
            }
            Use::Count { slot, before, after, tail } => {
                let last_end = self.ends[slot as usize];
                let Some(end) = end_with_tail(text, end, tail) else { return };
                if start >= last_end
                    && before.accepts(text[..start].chars().next_back())
                    && after.accepts(text[end..].chars().next())
                {
                    self.counts[slot as usize] += 1;
                    self.ends[slot as usize] = end;
                }
            }
        }
    }
}

fn end_with_tail(text: &str, end: usize, tail: Option<&str>) -> Option<usize> {
    let Some(tail) = tail else { return Some(end) };
    let gap = text[end..].chars().next()?;
    let tail_start = end + gap.len_utf8();
    text[tail_start..].starts_with(tail).then_some(tail_start + tail.len())
}
