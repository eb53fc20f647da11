//! The `structure` family: the shape of the text.

use vsr_config::{StructureFeatureType, StructureRule, StructureSourceType};
use vsr_types::{AtomId, AtomTable, Diagnostics, Evidence, Path, SignalFamily};

use crate::{
    bounds::Condition,
    characters::{ascii_length, is_cjk, is_letter_or_digit},
    lexicon::{Lexicon, LexiconBuilder, Sequence, Slot, Term},
    pattern::{PatternId, Patterns},
    rules,
    text::TextIndex,
};

/// Words are counted in blocks of so many bytes, so that a count fits a byte.
const BLOCK: usize = 128;

/// Every structure rule.
#[derive(Debug)]
pub(crate) struct StructureFamily {
    rules: Vec<Rule>,
    /// The distinct things that are measured; several rules may bound one.
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Rule {
    atom: AtomId,
    source: usize,
    scale: Scale,
    condition: Condition,
}

/// How a count becomes a value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Presence,
    Count,
    PerUnit,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Pattern(PatternId),
    Keywords(Vec<Slot>),
    Sequences(Vec<Sequence>),
    Bytes,
    /// Reported as wrong when it was compiled.
    Nothing,
}

/// What rules are compiled into, and where problems go.
struct Compiler<'c> {
    lexicon: &'c mut LexiconBuilder,
    patterns: &'c mut Patterns,
    diagnostics: &'c mut Diagnostics,
}

// === impl StructureFamily

impl StructureFamily {
    /// Compiles the rules.
    pub(crate) fn compile(
        written: &[StructureRule],
        lexicon: &mut LexiconBuilder,
        patterns: &mut Patterns,
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Structure, names, atoms, diagnostics);
        let path = rules::family_path(SignalFamily::Structure);
        let mut compiler = Compiler { lexicon, patterns, diagnostics };
        let mut family = Self { rules: Vec::new(), sources: Vec::new() };
        for (index, (rule, atom)) in written.iter().zip(ids).enumerate() {
            let path = path.index(index);
            let source = compiler.source(rule, &path.key("feature"));
            let source = family.sources.iter().position(|known| *known == source).unwrap_or_else(|| {
                family.sources.push(source);
                family.sources.len() - 1
            });
            let scale = match rule.feature.kind {
                StructureFeatureType::Exists | StructureFeatureType::Sequence => Scale::Presence,
                StructureFeatureType::Count => Scale::Count,
                StructureFeatureType::Density => Scale::PerUnit,
            };
            let condition = compiler.condition(rule, &path);
            family.rules.push(Rule { atom, source, scale, condition });
        }
        family
    }

    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Evaluates every rule; a blank text has no shape and matches none.
    pub(crate) fn evaluate(
        &self,
        text: &TextIndex<'_>,
        lexicon: &Lexicon,
        patterns: &Patterns,
        evidence: &mut Evidence,
    ) {
        if text.is_blank() {
            self.rules.iter().for_each(|rule| evidence.set_not_matched(rule.atom));
            return;
        }
        let counts: Vec<f64> =
            self.sources.iter().map(|source| source.count(text, lexicon, patterns)).collect();
        let needs_units = self.rules.iter().any(|rule| rule.scale == Scale::PerUnit);
        let units = if needs_units { text_units(text.text()) } else { 0 };
        for rule in &self.rules {
            let count = counts[rule.source];
            let value = match rule.scale {
                Scale::Presence => f64::from(u8::from(count > 0.0)),
                Scale::Count => count,
                Scale::PerUnit if units == 0 => 0.0,
                Scale::PerUnit => count / units as f64,
            };
            evidence.set_value(rule.atom, value);
            if rule.condition.holds(value) {
                evidence.set_matched(rule.atom, rule.condition.confidence(value));
            } else {
                evidence.set_not_matched(rule.atom);
            }
        }
    }
}

// === impl Source

impl Source {
    fn count(&self, text: &TextIndex<'_>, lexicon: &Lexicon, patterns: &Patterns) -> f64 {
        match self {
            Source::Pattern(pattern) => patterns.count(*pattern, text) as f64,
            Source::Keywords(slots) => slots.iter().map(|slot| f64::from(text.hits().count(*slot))).sum(),
            Source::Sequences(sequences) => {
                let complete = |sequence: &&Sequence| lexicon.is_complete(**sequence, text.hits());
                sequences.iter().filter(complete).count() as f64
            }
            Source::Bytes => text.text().len() as f64,
            Source::Nothing => 0.0,
        }
    }
}

/// The length of a text in words, roughly and in any language: every CJK character is a unit, and so
/// is every run of other letters and digits.
fn text_units(text: &str) -> usize {
    let mut units = 0;
    let mut within_word = false;
    let mut rest = text;
    while !rest.is_empty() {
        let (ascii, others) = rest.split_at(ascii_length(rest));
        units += ascii_words(ascii.as_bytes(), within_word);
        within_word = ascii.bytes().next_back().map_or(within_word, |byte| byte.is_ascii_alphanumeric());
        let end = others.bytes().position(|byte| byte.is_ascii()).unwrap_or(others.len());
        for c in others[..end].chars() {
            let single = is_cjk(c);
            let letter = !single && is_letter_or_digit(c);
            units += usize::from(single || letter && !within_word);
            within_word = letter;
        }
        rest = &others[end..];
    }
    units
}

/// How many runs of letters and digits begin in an ASCII text. Counted in blocks, which the compiler
/// turns into vector instructions.
fn ascii_words(text: &[u8], within_word: bool) -> usize {
    let Some(first) = text.first() else { return 0 };
    let begins = |before: &u8, here: &u8| here.is_ascii_alphanumeric() & !before.is_ascii_alphanumeric();
    let blocks = text.chunks(BLOCK).zip(text[1..].chunks(BLOCK));
    let later = blocks.map(|(before, here)| {
        before.iter().zip(here).map(|(before, here)| u8::from(begins(before, here))).sum::<u8>()
    });
    usize::from(first.is_ascii_alphanumeric() && !within_word) + later.map(usize::from).sum::<usize>()
}

// === impl Compiler

impl Compiler<'_> {
    fn condition(&mut self, rule: &StructureRule, path: &Path) -> Condition {
        let takes_none = matches!(rule.feature.kind, StructureFeatureType::Exists);
        if takes_none && rule.predicate.is_some() {
            self.diagnostics.error(
                path.key("predicate"),
                "`exists` takes no predicate; leave it out, or use `type: count`",
            );
            return Condition::Positive;
        }
        Condition::compile(rule.predicate.as_ref(), path, self.diagnostics)
    }

    fn source(&mut self, rule: &StructureRule, path: &Path) -> Source {
        let (feature, source) = (&rule.feature, &rule.feature.source);
        let source_path = path.key("source");
        if let Some(problem) = mismatch(feature.kind, source.kind) {
            self.diagnostics.error(source_path.key("type"), problem);
            return Source::Nothing;
        }
        match source.kind {
            StructureSourceType::Regex => self.pattern(rule, &source_path),
            StructureSourceType::KeywordSet => self.keywords(rule, &source_path),
            StructureSourceType::Sequence => self.sequences(rule, &source_path),
            StructureSourceType::TextBytes => Source::Bytes,
        }
    }

    fn pattern(&mut self, rule: &StructureRule, path: &Path) -> Source {
        let source = &rule.feature.source;
        let pattern = source.pattern.as_deref().unwrap_or_default();
        if pattern.is_empty() {
            self.diagnostics.error(path.clone(), "a `regex` source needs a `pattern`");
            return Source::Nothing;
        }
        match self.patterns.add(pattern, source.case_sensitive, self.lexicon) {
            Ok(pattern) => Source::Pattern(pattern),
            Err(problem) => {
                self.diagnostics.error(path.key("pattern"), problem);
                Source::Nothing
            }
        }
    }

    fn keywords(&mut self, rule: &StructureRule, path: &Path) -> Source {
        let source = &rule.feature.source;
        if source.keywords.is_empty() {
            self.diagnostics.error(path.clone(), "a `keyword_set` source needs `keywords`");
        }
        let mut slots = Vec::new();
        for (index, keyword) in source.keywords.iter().enumerate() {
            if keyword.trim().is_empty() {
                self.diagnostics.error(path.key("keywords").index(index), "the keyword is empty");
                continue;
            }
            let slot = self.lexicon.term(Term::marker(keyword, source.case_sensitive));
            // A keyword that is listed twice, or twice but for case, is counted once.
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        Source::Keywords(slots)
    }

    fn sequences(&mut self, rule: &StructureRule, path: &Path) -> Source {
        let source = &rule.feature.source;
        if source.sequences.is_empty() {
            self.diagnostics.error(path.clone(), "a `sequence` source needs `sequences`");
        }
        let mut sequences = Vec::new();
        for (index, markers) in source.sequences.iter().enumerate() {
            let place = path.key("sequences").index(index);
            if markers.len() < 2 {
                self.diagnostics.error(place, "a sequence needs at least two markers");
            } else if markers.iter().any(|marker| marker.trim().is_empty()) {
                self.diagnostics.error(place, "a marker is empty");
            } else {
                sequences.push(self.lexicon.sequence(markers, source.case_sensitive));
            }
        }
        Source::Sequences(sequences)
    }
}

/// Why this feature cannot be measured on this source, if it cannot.
fn mismatch(feature: StructureFeatureType, source: StructureSourceType) -> Option<&'static str> {
    use StructureFeatureType as Feature;
    use StructureSourceType as Source;
    match (feature, source) {
        (Feature::Sequence, Source::Sequence) | (Feature::Count, Source::TextBytes) => None,
        (Feature::Sequence, _) => Some("a `sequence` feature needs a `sequence` source"),
        (_, Source::Sequence) => Some("a `sequence` source needs a `sequence` feature"),
        (_, Source::TextBytes) => Some("a `text_bytes` source needs a `count` feature"),
        _ => None,
    }
}
