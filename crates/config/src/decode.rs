//! From nodes to the typed contract: collects every problem, stops at none.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use serde_json::json;
use vsr_types::{Diagnostic, Diagnostics, Path, Segment, Severity};

use crate::{
    fingerprint::Fingerprint,
    node::{Entry, Node},
    schema::one_of,
    suggest::closest,
};

/// A part of the contract: how it is read from a node, and what its JSON Schema is.
pub trait Contract: Sized {
    /// Reads the value. `None` means that it cannot be used; the reason is in the decoder.
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self>;

    /// Stands in for a value that cannot be read, so that reading goes on and finds the other
    /// problems. A configuration with such a value never runs.
    fn placeholder() -> Self;

    /// What an explicit `null` means: `None` keeps the default, as for an absent key.
    fn decode_null() -> Option<Self> {
        None
    }

    /// Whether empty text means that the key is absent, where it may be absent.
    const BLANK_IS_ABSENT: bool = false;

    /// Whether what was written may be a credential, so that no message shows it.
    const IS_CREDENTIAL: bool = false;

    /// Feeds the value into the configuration's content hash.
    fn feed(&self, fingerprint: &mut Fingerprint);

    /// The JSON Schema of the value.
    fn schema(schemas: &mut Schemas) -> serde_json::Value;
}

/// The most problems that are collected; the rest is counted.
const MAX_PROBLEMS: usize = 1000;

/// Collects problems and knows the place of the value being read.
pub struct Decoder<'e> {
    path: Vec<Segment>,
    diagnostics: Diagnostics,
    left_out: usize,
    /// Places whose values could not be read: what stands there now is a placeholder.
    broken: HashSet<Path>,
    /// Where credentials stand.
    credentials: HashSet<Path>,
    variables: &'e dyn Fn(&str) -> Option<String>,
}

/// The named definitions of a JSON Schema.
#[derive(Default)]
pub struct Schemas {
    definitions: BTreeMap<&'static str, serde_json::Value>,
}

// === impl Decoder

impl<'e> Decoder<'e> {
    /// A decoder at the document's root. `variables` looks up environment variables.
    pub fn new(variables: &'e dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            path: Vec::new(),
            diagnostics: Diagnostics::default(),
            left_out: 0,
            broken: HashSet::new(),
            credentials: HashSet::new(),
            variables,
        }
    }

    /// A credential stands at the place of the value being read.
    pub(crate) fn note_credential(&mut self) {
        self.credentials.insert(self.path());
    }

    /// Where credentials stand.
    pub(crate) fn take_credentials(&mut self) -> HashSet<Path> {
        std::mem::take(&mut self.credentials)
    }

    /// The problems found.
    pub fn finish(mut self) -> Diagnostics {
        if self.left_out > 0 {
            let message = format!("{} more problems are not shown", self.left_out);
            self.diagnostics.error(Path::root(), message);
        }
        self.diagnostics
    }

    /// The value of an environment variable.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }

    /// The place of the value being read.
    pub fn path(&self) -> Path {
        self.path.iter().fold(Path::root(), |path, segment| match segment {
            Segment::Key(key) => path.key(Arc::clone(key)),
            Segment::Index(index) => path.index(*index),
        })
    }

    /// Runs `read` one key deeper.
    pub fn in_key<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(Segment::Key(key.into()));
        let result = read(self);
        self.path.pop();
        result
    }

    /// Runs `read` one list item deeper.
    pub fn in_item<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(Segment::Index(index));
        let result = read(self);
        self.path.pop();
        result
    }

    /// Reports that the value cannot be used.
    pub fn error(&mut self, message: impl Into<String>) {
        let path = self.path();
        self.push(Diagnostic::error(path, message));
    }

    /// Reports any problem at the value being read or below it.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.is_broken(&diagnostic.path) {
            return;
        }
        if self.is_full() {
            self.left_out += 1;
        } else {
            self.diagnostics.push(diagnostic);
        }
    }

    /// From now on, leaves out problems of values that could not be read.
    pub(crate) fn begin_checks(&mut self) {
        let errors = self.diagnostics.iter().filter(|known| known.severity == Severity::Error);
        let places = errors.map(|known| known.path.clone());
        self.broken = places.filter(|place| !place.segments().is_empty()).collect();
    }

    /// Whether a placeholder stands at `place`.
    pub(crate) fn is_broken(&self, place: &Path) -> bool {
        self.broken.contains(place)
    }

    fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_PROBLEMS
    }

    /// Reports a value of the wrong kind.
    pub fn mismatch(&mut self, expected: &str, node: &Node) {
        self.error(format!("expected {expected}, found {}", node.describe()));
    }

    /// Reports a word that the contract does not have.
    pub fn unknown_word(&mut self, node: &Node, written: &str, known: &[&str]) {
        let message = format!("expected {}, found {}", one_of(known), node.describe());
        let mut problem = Diagnostic::error(self.path(), message);
        if let Some(suggestion) = closest(written, known.iter().copied()) {
            problem = problem.help(format!("did you mean `{suggestion}`?"));
        }
        self.push(problem);
    }

    /// Warns about a word that the contract does not have and that `taken` stands in for.
    pub fn ignored_word(&mut self, node: &Node, known: &[&str], taken: &str) {
        let message =
            format!("expected {}, found {}; `{taken}` is taken instead", one_of(known), node.describe());
        self.push(Diagnostic::warning(self.path(), message));
    }

    /// Reports a missing key.
    pub fn missing(&mut self, key: &str) {
        self.error(format!("missing key `{key}`"));
    }

    /// Warns about a key that the contract does not have.
    pub fn unknown(&mut self, entry: &Entry, known: &[&str]) {
        if self.is_full() {
            self.left_out += 1;
            return;
        }
        let path = self.path().key(entry.key.as_str());
        let mut diagnostic =
            Diagnostic::warning(path, format!("unknown key `{}`; it has no effect", entry.key));
        if let Some(suggestion) = closest(&entry.key, known.iter().copied()) {
            diagnostic = diagnostic.help(format!("did you mean `{suggestion}`?"));
        }
        self.push(diagnostic);
    }

    /// The entries of a mapping; reports anything else.
    pub fn entries<'n>(&mut self, node: &'n Node) -> Option<&'n [Entry]> {
        let entries = node.entries();
        if entries.is_none() {
            self.mismatch("a mapping", node);
        }
        entries
    }

    /// The text of a scalar with `${VAR}` and `${VAR:-default}` replaced; reports unset variables.
    pub fn expand(&mut self, text: &str) -> Option<String> {
        match expand(text, self.variables) {
            Ok(expanded) => Some(expanded),
            Err(problem) => {
                self.error(problem);
                None
            }
        }
    }
}

fn expand(text: &str, variables: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        expanded.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            return Err("`${` without a closing `}`".into());
        };
        let reference = &rest[start + 2..start + length];
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        let set = variables(name).filter(|value| !value.is_empty() || default.is_none());
        match (set, default) {
            (Some(value), _) => expanded.push_str(&value),
            (None, Some(default)) => expanded.push_str(default),
            (None, None) => {
                return Err(format!(
                    "the environment variable `{name}` is not set; set it, or write ${{{name}:-default}}"
                ));
            }
        }
        rest = &rest[start + length + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

// === impl Schemas

impl Schemas {
    /// Registers the definition `name` once and returns a reference to it.
    pub fn define(
        &mut self,
        name: &'static str,
        build: impl FnOnce(&mut Self) -> serde_json::Value,
    ) -> serde_json::Value {
        if !self.definitions.contains_key(name) {
            self.definitions.insert(name, serde_json::Value::Null);
            let definition = build(self);
            self.definitions.insert(name, definition);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// All definitions.
    pub fn into_definitions(self) -> serde_json::Map<String, serde_json::Value> {
        self.definitions.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
    }
}
