//! Regular expressions of rules: compiled once, with limits, and run only where they can match.
//!
//! `\b`, `\d`, `\s` and `\w` mean ASCII, as in the RE2 syntax of the contract. An expression that cannot
//! match without one of a few literals is run only on texts in which the lexicon found one.

mod required;

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use regex_syntax::{
    ParserBuilder,
    ast::{self, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetItem, Span},
};

use crate::{
    lexicon::{Hits, LexiconBuilder, Slot},
    text::TextIndex,
};

/// What one compiled expression may take.
const COMPILED_BYTES: usize = 1 << 20;
/// What one expression's cache of automaton states may take, per thread.
const CACHE_BYTES: usize = 1 << 19;

/// An expression of [`Patterns`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PatternId(u32);

/// Every distinct expression of every rule.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    patterns: Vec<Pattern>,
    by_source: HashMap<(String, bool), PatternId>,
}

#[derive(Debug)]
enum Pattern {
    /// Matches single characters, which the lexicon counts.
    Characters(Slot),
    /// Runs where the lexicon found one of the literals without which it cannot match, if it has such.
    Expression { regex: Regex, needs: Option<Slot> },
}

// === impl Patterns

impl Patterns {
    /// Compiles `source`; an expression added before is not compiled again.
    ///
    /// # Errors
    /// What is wrong with the expression, in one line.
    pub(crate) fn add(
        &mut self,
        source: &str,
        case_sensitive: bool,
        lexicon: &mut LexiconBuilder,
    ) -> Result<PatternId, String> {
        let key = (source.to_owned(), case_sensitive);
        if let Some(id) = self.by_source.get(&key) {
            return Ok(*id);
        }
        let ascii = with_ascii_classes(source)?;
        let regex = RegexBuilder::new(&ascii)
            .case_insensitive(!case_sensitive)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(CACHE_BYTES)
            .build()
            .map_err(|error| describe(source, &error))?;
        let hir = ParserBuilder::new().case_insensitive(!case_sensitive).build().parse(&ascii).ok();
        let pattern = match hir.as_ref().and_then(required::characters) {
            Some(characters) => Pattern::Characters(lexicon.any_of(&characters)),
            None => {
                let literals = hir.as_ref().and_then(required::literals);
                Pattern::Expression { regex, needs: literals.map(|literals| lexicon.any_of(&literals)) }
            }
        };
        let id = PatternId(self.patterns.len() as u32);
        self.patterns.push(pattern);
        self.by_source.insert(key, id);
        Ok(id)
    }

    /// Whether the expression matches somewhere.
    pub(crate) fn is_match(&self, id: PatternId, text: &TextIndex<'_>) -> bool {
        match &self.patterns[id.0 as usize] {
            Pattern::Characters(slot) => text.hits().count(*slot) > 0,
            Pattern::Expression { regex, needs } => {
                can_match(*needs, text.hits()) && regex.is_match(text.text())
            }
        }
    }

    /// How often the expression matches, overlaps not counted.
    pub(crate) fn count(&self, id: PatternId, text: &TextIndex<'_>) -> usize {
        match &self.patterns[id.0 as usize] {
            Pattern::Characters(slot) => text.hits().count(*slot) as usize,
            Pattern::Expression { regex, needs } if can_match(*needs, text.hits()) => {
                regex.find_iter(text.text()).count()
            }
            Pattern::Expression { .. } => 0,
        }
    }
}

fn can_match(needs: Option<Slot>, hits: &Hits) -> bool {
    needs.is_none_or(|slot| hits.count(slot) > 0)
}

fn describe(source: &str, error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!(
            "the regular expression `{source}` needs more than {limit} bytes when compiled; \
             lower its repetition counts or split it"
        ),
        regex::Error::Syntax(message) => {
            let reason = message.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
            format!("`{source}` is not a valid regular expression: {}", reason.unwrap_or("syntax error"))
        }
        other => format!("the regular expression `{source}` cannot be used: {other}"),
    }
}

/// `source` with `\b`, `\d`, `\s` and `\w` restricted to ASCII.
fn with_ascii_classes(source: &str) -> Result<String, String> {
    let tree = ast::parse::Parser::new().parse(source).map_err(|error| {
        let place = error.span().start.column;
        format!("`{source}` is not a valid regular expression: {} at character {place}", error.kind())
    })?;
    let changes = ast::visit(&tree, AsciiClasses { source, changes: Vec::new() })?;
    let mut ascii = String::with_capacity(source.len() + 16 * changes.len());
    let mut at = 0;
    for (span, replacement) in changes {
        ascii.push_str(&source[at..span.start.offset]);
        ascii.push_str(&replacement);
        at = span.end.offset;
    }
    ascii.push_str(&source[at..]);
    Ok(ascii)
}

struct AsciiClasses<'s> {
    source: &'s str,
    changes: Vec<(Span, String)>,
}

impl AsciiClasses<'_> {
    fn class(&mut self, class: &ClassPerl) {
        let members = match class.kind {
            ClassPerlKind::Digit => "0-9",
            ClassPerlKind::Space => r"\t\n\f\r\x20",
            ClassPerlKind::Word => "0-9A-Za-z_",
        };
        let negation = if class.negated { "^" } else { "" };
        self.changes.push((class.span, format!("[{negation}{members}]")));
    }
}

impl ast::Visitor for AsciiClasses<'_> {
    type Output = Vec<(Span, String)>;
    type Err = String;

    fn finish(mut self) -> Result<Self::Output, String> {
        self.changes.sort_by_key(|(span, _)| span.start.offset);
        Ok(self.changes)
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), String> {
        match node {
            Ast::ClassPerl(class) => self.class(class),
            Ast::Assertion(assertion)
                if matches!(assertion.kind, AssertionKind::WordBoundary | AssertionKind::NotWordBoundary) =>
            {
                let written = &self.source[assertion.span.start.offset..assertion.span.end.offset];
                self.changes.push((assertion.span, format!("(?-u:{written})")));
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        if let ClassSetItem::Perl(class) = item {
            self.class(class);
        }
        Ok(())
    }
}
