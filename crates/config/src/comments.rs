//! The comments of a YAML text, and which way its collections were written: what a tree does not keep.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser};

use crate::node::Span;

/// What a text says beside its values.
pub(crate) struct Comments<'t> {
    lines: Vec<&'t str>,
    /// Comment lines, by the line of the content below them.
    above: BTreeMap<u32, Vec<(u32, &'t str)>>,
    /// Comments after content, by their line.
    beside: BTreeMap<u32, &'t str>,
    /// Comment lines after all content.
    last: Vec<(u32, &'t str)>,
}

// === impl Comments

impl<'t> Comments<'t> {
    /// Reads the comments of a text that is a tree. Those in the header of a block scalar are not found.
    pub(crate) fn read(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines: Vec<&str> = text.lines().collect();
        let content = Content::of(text, lines.len());
        let mut comments = Self { lines, above: BTreeMap::new(), beside: BTreeMap::new(), last: Vec::new() };
        let mut waiting = Vec::new();
        for (index, line) in comments.lines.iter().enumerate() {
            let number = index as u32 + 1;
            if content.inside.get(index).copied().unwrap_or(false) {
                waiting.clear();
                continue;
            }
            let trimmed = line.trim_start();
            if trimmed.starts_with('#') {
                waiting.push((number, trimmed.trim_end()));
            } else if !is_no_content(line) {
                if !waiting.is_empty() {
                    comments.above.insert(number, std::mem::take(&mut waiting));
                }
                let end = content.ends.get(index).copied().unwrap_or(0);
                if let Some(comment) = after_content(line, end) {
                    comments.beside.insert(number, comment);
                }
            }
        }
        comments.last = waiting;
        comments
    }

    /// Whether a flow collection begins at `span`.
    pub(crate) fn is_flow(&self, span: Span) -> bool {
        let line = (span.line as usize).checked_sub(1).and_then(|index| self.lines.get(index));
        let first = line.and_then(|line| line.chars().nth((span.column as usize).saturating_sub(1)));
        matches!(first, Some('[' | '{'))
    }

    /// The comment lines above the content of `line`, which are then gone.
    pub(crate) fn take_above(&mut self, line: u32) -> Vec<&'t str> {
        self.above.remove(&line).unwrap_or_default().into_iter().map(|(_, text)| text).collect()
    }

    /// The comment lines above all content, which are then gone.
    pub(crate) fn take_head(&mut self) -> Vec<&'t str> {
        let is_first = |line: u32| self.lines.iter().take(line as usize - 1).all(|line| is_no_content(line));
        match self.above.keys().next().copied().filter(|line| is_first(*line)) {
            Some(line) => self.take_above(line),
            None => Vec::new(),
        }
    }

    /// The comment after the content of `line`, which is then gone.
    pub(crate) fn take_beside(&mut self, line: u32) -> Option<&'t str> {
        self.beside.remove(&line)
    }

    /// The comment lines after all content, which are then gone.
    pub(crate) fn take_last(&mut self) -> Vec<&'t str> {
        std::mem::take(&mut self.last).into_iter().map(|(_, text)| text).collect()
    }

    /// The comments that nothing took, by line.
    pub(crate) fn left(self) -> Vec<(u32, &'t str)> {
        let above = self.above.into_values().flatten();
        let mut left: Vec<_> = above.chain(self.beside).chain(self.last).collect();
        left.sort_unstable();
        left
    }
}

/// Where content stands, by line.
struct Content {
    /// The column, in characters from zero, after the last content that ends on the line.
    ends: Vec<usize>,
    /// Whether the line goes on with a scalar that began above it.
    inside: Vec<bool>,
}

impl Content {
    fn of(text: &str, lines: usize) -> Self {
        let mut content = Self { ends: vec![0; lines], inside: vec![false; lines] };
        let mut parser = Parser::new_from_str(text);
        while let Some(Ok((event, span))) = parser.next_event() {
            if matches!(event, Event::StreamEnd) {
                break;
            }
            let (first, last) = (span.start.line(), span.end.line());
            if let Some(end) = last.checked_sub(1).and_then(|index| content.ends.get_mut(index)) {
                *end = (*end).max(span.end.col());
            }
            if matches!(event, Event::Scalar(..)) && last > first {
                let end = if span.end.col() == 0 { last.saturating_sub(1) } else { last };
                for inside in content.inside.iter_mut().take(end).skip(first) {
                    *inside = true;
                }
            }
        }
        content
    }
}

/// Whether the line is empty, a comment or where a document begins.
fn is_no_content(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line == "---"
}

/// The comment that follows `end` characters of a line.
fn after_content(line: &str, end: usize) -> Option<&str> {
    let from = line.char_indices().nth(end).map_or(line.len(), |(offset, _)| offset);
    let mut is_apart = end == 0 || line[..from].ends_with([' ', '\t']);
    for (offset, character) in line[from..].char_indices() {
        if character == '#' && is_apart {
            return Some(line[from + offset..].trim_end());
        }
        is_apart = matches!(character, ' ' | '\t');
    }
    None
}
