//! Trees as YAML text that reads back as the same tree, with the comments of the text they came from.

use crate::{
    comments::Comments,
    emit,
    node::{Node, Span, Value},
};

/// Writes trees.
pub(crate) struct Writer<'c, 't> {
    text: String,
    comments: &'c mut Comments<'t>,
}

/// The longest text of a flow collection that stays on one line.
const FLOW_CHARACTERS: usize = 160;

// === impl Writer

impl<'c, 't> Writer<'c, 't> {
    /// The tree as text, below `head`. What is written takes its comments along.
    pub(crate) fn write(head: &str, root: &Node, comments: &'c mut Comments<'t>) -> String {
        let mut writer = Self { text: head.to_owned(), comments };
        match &root.value {
            Value::Map(entries) if !entries.is_empty() => writer.block(root, 0, false),
            _ => {
                writer.inline(root);
                writer.text.push('\n');
            }
        }
        for comment in writer.comments.take_last() {
            writer.text.push_str(comment);
            writer.text.push('\n');
        }
        writer.text
    }

    /// One line per key or item; the first continues the line of a list item's dash.
    fn block(&mut self, node: &Node, depth: usize, continues: bool) {
        match &node.value {
            Value::Map(entries) => {
                for (position, entry) in entries.iter().enumerate() {
                    self.begin(entry.key_span, depth, continues && position == 0);
                    emit::scalar(&mut self.text, &entry.key);
                    self.text.push(':');
                    self.value(&entry.value, entry.key_span.line, depth);
                }
            }
            Value::List(items) => {
                for (position, item) in items.iter().enumerate() {
                    self.begin(first_line(item), depth, continues && position == 0);
                    self.text.push('-');
                    if self.is_block(item) {
                        self.text.push(' ');
                        self.block(item, depth + 1, true);
                    } else {
                        self.value(item, item.span.line, depth);
                    }
                }
            }
            _ => {}
        }
    }

    /// The comments above a line, and its indentation.
    fn begin(&mut self, span: Span, depth: usize, continues: bool) {
        if continues {
            return;
        }
        for comment in self.comments.take_above(span.line) {
            self.indent(depth);
            self.text.push_str(comment);
            self.text.push('\n');
        }
        self.indent(depth);
    }

    /// What follows a key or dash.
    fn value(&mut self, node: &Node, line: u32, depth: usize) {
        if self.is_block(node) {
            self.end(line);
            self.block(node, depth + 1, false);
            return;
        }
        self.text.push(' ');
        match &node.value {
            Value::Scalar { text, plain: false } if is_literal(text) => self.literal(text, line, depth + 1),
            _ => {
                self.inline(node);
                self.end(line);
            }
        }
    }

    /// The comment after a line, and the line's end.
    fn end(&mut self, line: u32) {
        if let Some(comment) = self.comments.take_beside(line) {
            self.text.push(' ');
            self.text.push_str(comment);
        }
        self.text.push('\n');
    }

    /// Lines as they are, below their header.
    fn literal(&mut self, text: &str, line: u32, depth: usize) {
        self.text.push_str(if text.ends_with('\n') { "|" } else { "|-" });
        self.end(line);
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if !line.is_empty() {
                self.indent(depth);
                self.text.push_str(line);
            }
            self.text.push('\n');
        }
    }

    /// Whether the value takes lines of its own.
    fn is_block(&self, node: &Node) -> bool {
        let is_empty = match &node.value {
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            _ => true,
        };
        if is_empty {
            return false;
        }
        let was_flow = self.comments.is_flow(node.span) && is_on_line(node, node.span.line);
        !(was_flow && flow_length(node) <= FLOW_CHARACTERS)
    }

    fn inline(&mut self, node: &Node) {
        match &node.value {
            Value::Null => self.text.push_str("null"),
            Value::Scalar { text, plain: true } if is_plain_anywhere(text) => self.text.push_str(text),
            Value::Scalar { text, .. } => quoted(&mut self.text, text),
            Value::List(items) => {
                self.text.push('[');
                for (position, item) in items.iter().enumerate() {
                    self.text.push_str(if position > 0 { ", " } else { "" });
                    self.inline(item);
                }
                self.text.push(']');
            }
            Value::Map(entries) => {
                self.text.push('{');
                for (position, entry) in entries.iter().enumerate() {
                    self.text.push_str(if position > 0 { ", " } else { "" });
                    emit::scalar(&mut self.text, &entry.key);
                    self.text.push_str(": ");
                    self.inline(&entry.value);
                }
                self.text.push('}');
            }
        }
    }

    fn indent(&mut self, depth: usize) {
        self.text.extend(std::iter::repeat_n("  ", depth));
    }
}

/// Where a list item's first content stands.
fn first_line(item: &Node) -> Span {
    match &item.value {
        Value::Map(entries) if item.span.line == 0 => {
            entries.first().map_or(item.span, |entry| entry.key_span)
        }
        _ => item.span,
    }
}

/// Whether all of the value stood on one line; what no text has stands on every line.
fn is_on_line(node: &Node, line: u32) -> bool {
    let is_there = |span: Span| span.line == line || span.line == 0;
    is_there(node.span)
        && match &node.value {
            Value::List(items) => items.iter().all(|item| is_on_line(item, line)),
            Value::Map(entries) => {
                entries.iter().all(|entry| is_there(entry.key_span) && is_on_line(&entry.value, line))
            }
            Value::Null | Value::Scalar { .. } => true,
        }
}

/// About how many characters the value takes on one line.
fn flow_length(node: &Node) -> usize {
    match &node.value {
        Value::Null => 4,
        Value::Scalar { text, .. } => text.len(),
        Value::List(items) => items.iter().map(|item| flow_length(item) + 2).sum(),
        Value::Map(entries) => {
            entries.iter().map(|entry| entry.key.len() + 4 + flow_length(&entry.value)).sum()
        }
    }
}

/// Whether plain text of a source is the same plain text on one line wherever it stands.
fn is_plain_anywhere(text: &str) -> bool {
    !text.contains(|c: char| {
        c.is_control() || matches!(c, ',' | '[' | ']' | '{' | '}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
    }) && !text.ends_with(':')
}

/// Whether the text can stand as lines of its own that are read back as they are.
fn is_literal(text: &str) -> bool {
    let inner = text.strip_suffix('\n').unwrap_or(text);
    inner.contains('\n')
        && !inner.starts_with([' ', '\t', '\n'])
        && !inner.ends_with('\n')
        && !text.contains(|c: char| {
            (c.is_control() && c != '\n') || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}')
        })
        && inner.split('\n').all(|line| !line.ends_with([' ', '\t']))
}

/// Text in the quotes that need the least escaping.
fn quoted(out: &mut String, text: &str) {
    let is_simple =
        !text.contains(|c: char| c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}'));
    if is_simple && text.contains(['"', '\\']) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        emit::quoted(out, text);
    }
}
