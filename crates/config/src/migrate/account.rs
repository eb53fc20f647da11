//! The account of a migration: where every key of the source stands now, or why it does not.

use std::collections::HashMap;

use vsr_types::Path;

use super::{
    Outcome, Step,
    tree::{Notes, Reason, Tree},
};
use crate::node::{Node, Span, Value};

/// Where keys and list items stand, by the places where they were written.
#[derive(Default)]
struct Places {
    keys: HashMap<Span, Path>,
    items: HashMap<Span, Path>,
}

struct Account<'t> {
    now: Places,
    notes: &'t Notes,
    doubles: &'t HashMap<Span, Span>,
    steps: Vec<Step>,
}

// === impl Tree

impl Tree {
    /// What became of every key that does not stand where it stood.
    pub(super) fn account(&mut self) -> Vec<Step> {
        let mut now = Places::default();
        now.collect(&self.root, &Path::root());
        let steps = std::mem::take(&mut self.steps);
        let mut account = Account { now, notes: &self.notes, doubles: &self.doubles, steps };
        account.children(&self.source, &Path::root(), Some(&Path::root()));
        account.steps
    }
}

// === impl Places

impl Places {
    fn collect(&mut self, node: &Node, path: &Path) {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries {
                    let path = path.key(entry.key.as_str());
                    self.keys.entry(entry.key_span).or_insert_with(|| path.clone());
                    self.collect(&entry.value, &path);
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = path.index(index);
                    self.items.entry(item.span).or_insert_with(|| path.clone());
                    self.collect(item, &path);
                }
            }
            Value::Null | Value::Scalar { .. } => {}
        }
    }
}

// === impl Account

/// What is known about a key or item of the source.
struct Fate<'t> {
    now: Option<Path>,
    /// Where it stands if it moved along with what it is in.
    expected: Option<Path>,
    reason: Option<&'t Reason>,
}

impl<'t> Account<'t> {
    /// Accounts for what is below a value that stood at `from` and stands at `to`, if anywhere.
    fn children(&mut self, node: &Node, from: &Path, to: Option<&Path>) {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries {
                    let fate = Fate {
                        now: self.of_key(entry.key_span).cloned(),
                        expected: to.map(|to| to.key(entry.key.as_str())),
                        reason: self.notes.of_key(entry.key_span),
                    };
                    self.one(&entry.value, entry.key_span, &from.key(entry.key.as_str()), fate);
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let now = self.now.items.get(&item.span).cloned();
                    // An index that changed because lists were joined is no news.
                    let expected = now.clone().filter(|now| to.is_some_and(|to| is_item_of(now, to)));
                    let fate = Fate { now, expected, reason: self.notes.items.get(&item.span) };
                    self.one(item, item.span, &from.index(index), fate);
                }
            }
            Value::Null | Value::Scalar { .. } => {}
        }
    }

    fn one(&mut self, node: &Node, span: Span, from: &Path, fate: Fate<'t>) {
        if let Some(now) = fate.now {
            if fate.expected.as_ref() != Some(&now) {
                self.step(span, from, Outcome::Moved, Some(now.to_string()), None);
            }
            self.children(node, from, Some(&now));
        } else if let Some(reason) = fate.reason {
            self.step(span, from, reason.outcome, None, Some(reason.note.clone()));
        } else if self.is_anything_left(node) {
            self.children(node, from, None);
        } else {
            let note = "the canonical layout has no place for it";
            self.step(span, from, Outcome::NotCarried, None, Some(note.into()));
        }
    }

    /// Where a key stands; a key that became an item stands where the item stands.
    fn of_key(&self, span: Span) -> Option<&Path> {
        let as_item = || self.now.items.get(&span).filter(|_| self.notes.named.contains(&span));
        self.now.keys.get(&span).or_else(as_item)
    }

    /// Whether anything below the value has a place or a reason of its own.
    fn is_anything_left(&self, node: &Node) -> bool {
        match &node.value {
            Value::Map(entries) => entries.iter().any(|entry| {
                self.of_key(entry.key_span).is_some()
                    || self.notes.of_key(entry.key_span).is_some()
                    || self.is_anything_left(&entry.value)
            }),
            Value::List(items) => items.iter().any(|item| {
                self.now.items.contains_key(&item.span)
                    || self.notes.items.contains_key(&item.span)
                    || self.is_anything_left(item)
            }),
            Value::Null | Value::Scalar { .. } => false,
        }
    }

    fn step(&mut self, span: Span, from: &Path, outcome: Outcome, to: Option<String>, note: Option<String>) {
        let Span { line, column } = self.doubles.get(&span).copied().unwrap_or(span);
        self.steps.push(Step { line, column, path: from.to_string(), outcome, to, note });
    }
}

fn is_item_of(item: &Path, list: &Path) -> bool {
    item.segments().split_last().is_some_and(|(_, parent)| parent == list.segments())
}
