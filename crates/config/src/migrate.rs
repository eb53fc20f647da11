//! Older layouts to the canonical one: every key is carried, moved, or told to have no place.

mod account;
mod globals;
mod layout;
mod models;
mod policy;
pub(crate) mod tree;

use std::fmt;

use serde::Serialize;

use crate::{
    comments::Comments,
    document::MAX_FILE_BYTES,
    node::{Entry, Node, Span, SyntaxError, Value, parse},
    write::Writer,
};

pub(crate) use {layout::sort, models::list};

use tree::{Tree, text_node};

/// What the line begins with by which editors find a file's schema.
const SCHEMA_MARK: &str = "# yaml-language-server: $schema=";

/// The line for files whose schema lies beside them, where `vllm-sr config schema` was told to put it.
pub const SCHEMA_LINE: &str = "# yaml-language-server: $schema=vllm-sr.schema.json";

/// Layouts within layouts that are followed. Every round takes a key of an older layout out for good.
const MAX_ROUNDS: usize = 64;

/// A configuration in the canonical layout, and what became of the keys of the one it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Migrated {
    /// The configuration. The text itself where nothing had to move.
    pub text: String,
    /// Whether anything had to move.
    pub changed: bool,
    /// What happened, in the order of the file. Keys that stay where they are, are left out.
    pub steps: Vec<Step>,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The line of the key, from one; 0 for what the file did not have.
    pub line: u32,
    /// The column of the key, from one, in characters; 0 for what the file did not have.
    pub column: u32,
    /// Where the key stood; where it stands for what the file did not have. Empty for comments.
    pub path: String,
    /// What happened to it.
    pub outcome: Outcome,
    /// Where it stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It stands elsewhere, or under another name.
    Moved,
    /// Its meaning stands in other keys or in another value.
    Changed,
    /// It was not there and is now.
    Added,
    /// It has no place in the canonical layout and is left out.
    NotCarried,
    /// A comment whose place is gone.
    CommentLost,
}

/// Moves a configuration of any older layout into the canonical one. A canonical one stays as it is,
/// byte by byte. The result is not checked: read it as a [`crate::Document`].
///
/// Anchors and merge keys are written out where anything moves; block scalars stay, folded ones become
/// single lines.
///
/// # Errors
/// If the text is no mapping in YAML, or too large; each problem with its place.
pub fn migrate(text: &str) -> Result<Migrated, Vec<SyntaxError>> {
    if text.len() as u64 > MAX_FILE_BYTES {
        let message = format!("larger than {MAX_FILE_BYTES} bytes, the most that is read");
        return Err(vec![SyntaxError { span: Span { line: 1, column: 1 }, message }]);
    }
    let root = parse(text)?;
    if root.entries().is_none() {
        let message = format!("expected a mapping, found {}", root.describe());
        return Err(vec![SyntaxError { span: root.span, message }]);
    }
    let mut tree = Tree::new(root);
    // What was put in its place may itself be of an older layout.
    for _ in 0..MAX_ROUNDS {
        let before = tree.root.clone();
        layout::canonical(&mut tree);
        globals::canonical(&mut tree);
        models::canonical(&mut tree);
        policy::canonical(&mut tree);
        if tree.root == before {
            break;
        }
    }
    if !tree.is_changed() {
        return Ok(Migrated { text: text.to_owned(), changed: false, steps: Vec::new() });
    }
    version(&mut tree);
    layout::sort(&mut tree.root);
    let mut steps = tree.account();
    let mut comments = Comments::read(text);
    let head = head(&mut comments);
    let text = Writer::write(&head, &tree.root, &mut comments);
    steps.extend(comments.left().into_iter().map(|(line, comment)| Step {
        line,
        column: 1,
        path: String::new(),
        outcome: Outcome::CommentLost,
        to: None,
        note: Some(comment.to_owned()),
    }));
    steps.sort_by_key(|step| (step.outcome == Outcome::Added, step.line, step.column));
    Ok(Migrated { text, changed: true, steps })
}

/// What stands above the first key: the line for editors, and what the file says of itself.
fn head(comments: &mut Comments<'_>) -> String {
    let own = comments.take_head();
    let is_told = own.iter().any(|line| line.contains(SCHEMA_MARK));
    let told = (!is_told).then(|| SCHEMA_LINE.to_owned());
    told.into_iter().chain(own.into_iter().map(str::to_owned)).map(|line| line + "\n").collect()
}

/// Says that the layout is the canonical one.
fn version(tree: &mut Tree) {
    const VERSION: &str = "v0.3";
    match tree.root.get_mut("version") {
        Some(node) if node.text().is_some_and(|text| text.trim() == VERSION) => {}
        Some(node) => {
            let old = node.describe();
            node.value = Value::Scalar { text: VERSION.into(), plain: true };
            tree.changed_at("version", format!("{VERSION} instead of {old}"));
        }
        None => {
            tree.put("version", Entry::made("version", text_node(VERSION)));
            tree.added("version", VERSION.to_owned());
        }
    }
}

// === impl Migrated

impl Migrated {
    /// Whether every key has a place in the result.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| step.outcome != Outcome::NotCarried)
    }

    /// How many keys had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps.iter().filter(|step| step.outcome == outcome).count()
    }
}

// === impl Step

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        let note = self.note.as_deref().unwrap_or_default();
        match (self.outcome, &self.to) {
            (Outcome::Moved, Some(to)) => write!(f, "moved: {} is now {to}", self.path),
            (Outcome::Moved, None) => write!(f, "moved: {}", self.path),
            (Outcome::Changed, _) => write!(f, "changed: {}: {note}", self.path),
            (Outcome::Added, _) => write!(f, "added: {}: {note}", self.path),
            (Outcome::NotCarried, _) => write!(f, "not carried: {}: {note}", self.path),
            (Outcome::CommentLost, _) => write!(f, "comment left out: {note}"),
        }
    }
}

// === impl Entry

impl Entry {
    /// A key that no text has.
    pub(crate) fn made(key: &str, value: Node) -> Self {
        Self { key: key.to_owned(), key_span: Span::default(), value }
    }
}
