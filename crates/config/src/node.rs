//! The spanned node tree: YAML (and so JSON) text as a tree that remembers where everything stood.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};

/// A place in a text. Lines and columns count from one, in characters; offsets are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: an empty value, `null` or `~`.
    Null,
    /// A scalar as written; its type is decided by what the contract expects there.
    Scalar {
        /// The text without quotes.
        text: String,
        /// Whether it was written without quotes.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order written; keys are unique.
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key begins.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

/// The text is no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Where it went wrong.
    pub span: Span,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Bounds that keep a hostile document small.
#[derive(Debug, Clone, Copy)]
struct Limits {
    nodes: usize,
    depth: usize,
    key_bytes: usize,
    errors: usize,
}

const LIMITS: Limits = Limits { nodes: 250_000, depth: 64, key_bytes: 1024, errors: 100 };

/// Parses one YAML document. An empty text is an empty mapping.
///
/// # Errors
/// Syntax errors, duplicate keys, unknown aliases and tags, several documents, and trees that are too
/// deep or (aliases expanded) too large; each with its place. Errors that leave the rest of the text
/// readable are all reported, up to a bound.
pub fn parse(text: &str) -> Result<Node, Vec<SyntaxError>> {
    let mut builder = Builder { errors: Vec::new(), anchors: HashMap::new(), nodes: 0 };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match builder.document(&mut Parser::new_from_str(text)) {
        Ok(node) if builder.errors.is_empty() => Ok(node),
        Ok(_) => Err(builder.errors),
        Err(error) => {
            builder.errors.push(error);
            Err(builder.errors)
        }
    }
}

struct Builder {
    errors: Vec<SyntaxError>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

type Source<'t> = Parser<'t, granit_parser::StrInput<'t>>;

// === impl Node

impl Node {
    /// The value under `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries, if this is a mapping.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => {
                entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
            }
            _ => None,
        }
    }

    pub(crate) fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if this is a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What a person would call it: `a list`, `a mapping`, `the text "x"`.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a mapping".into(),
            Value::Scalar { text, plain } => {
                let shown: String = text.chars().take(40).collect();
                let dots = if text.chars().nth(40).is_some() { "…" } else { "" };
                if *plain { format!("`{shown}{dots}`") } else { format!("the text {shown:?}{dots}") }
            }
        }
    }

    fn size(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
            _ => 1,
        }
    }
}

// === impl Builder

impl Builder {
    fn document(&mut self, source: &mut Source<'_>) -> Result<Node, SyntaxError> {
        let mut root = None;
        loop {
            let (event, span) = next(source)?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    return Err(SyntaxError {
                        span,
                        message: "a second document begins here; keep one document per file".into(),
                    });
                }
                event => root = Some(self.node(source, event, span, 0)?),
            }
        }
        Ok(match root {
            Some(Node { value: Value::Null, span }) => Node { value: Value::Map(Vec::new()), span },
            Some(node) => node,
            None => Node { value: Value::Map(Vec::new()), span: Span { line: 1, column: 1 } },
        })
    }

    fn node(
        &mut self,
        source: &mut Source<'_>,
        event: Event<'_>,
        span: Span,
        depth: usize,
    ) -> Result<Node, SyntaxError> {
        if depth > LIMITS.depth {
            return Err(SyntaxError { span, message: format!("nested deeper than {} levels", LIMITS.depth) });
        }
        self.count(1, span)?;
        let (value, anchor) = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["str", "int", "float", "bool", "null"], span)?;
                let is_plain = matches!(style, ScalarStyle::Plain) && !is_core(tag.as_deref(), "str");
                (scalar(text.into_owned(), is_plain), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["seq"], span)?;
                (self.list(source, depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &["map"], span)?;
                (self.map(source, depth)?, anchor)
            }
            _ => return Err(SyntaxError { span, message: "expected a value".into() }),
        };
        let node = Node { span, value };
        if anchor > 0 {
            self.count(node.size(), span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// Refuses tags that would change what a value means.
    fn check_tag(&mut self, tag: Option<&Tag>, core: &[&str], span: Span) -> Result<(), SyntaxError> {
        let is_known = tag.is_none_or(|tag| core.iter().any(|suffix| is_core(Some(tag), suffix)));
        if is_known {
            return Ok(());
        }
        let written = tag.map(ToString::to_string).unwrap_or_default();
        self.error(span, format!("the tag `{written}` has no meaning here; leave it out"))
    }

    /// Reports an error after which reading can go on, unless there are too many.
    fn error(&mut self, span: Span, message: String) -> Result<(), SyntaxError> {
        let error = SyntaxError { span, message };
        if self.errors.len() >= LIMITS.errors {
            return Err(error);
        }
        self.errors.push(error);
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node, SyntaxError> {
        let Some(size) = self.anchors.get(&id).map(Node::size) else {
            return Err(SyntaxError { span, message: "an alias to a value that contains it".into() });
        };
        self.count(size, span)?;
        let copy = self.anchors.get(&id).cloned();
        Ok(copy.unwrap_or(Node { span, value: Value::Null }))
    }

    fn list(&mut self, source: &mut Source<'_>, depth: usize) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        loop {
            match next(source)? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(source, event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, source: &mut Source<'_>, depth: usize) -> Result<Value, SyntaxError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut first_line = HashMap::new();
        let mut merged: Vec<Entry> = Vec::new();
        loop {
            let (event, key_span) = next(source)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.node(source, event, key_span, depth + 1)?;
            let (event, span) = next(source)?;
            let value = self.node(source, event, span, depth + 1)?;
            let key = match key.value {
                Value::Scalar { text, plain: true } if text == "<<" => {
                    self.merge(value, &mut merged)?;
                    continue;
                }
                Value::Scalar { text, .. } => text,
                Value::Null => "null".into(),
                _ => {
                    self.error(key_span, "a key must be text".into())?;
                    continue;
                }
            };
            if key.len() > LIMITS.key_bytes {
                self.error(key_span, format!("a key of more than {} bytes", LIMITS.key_bytes))?;
                continue;
            }
            if let Some(line) = first_line.insert(key.clone(), key_span.line) {
                let message = format!("duplicate key `{key}`, first set on line {line}; keep one of them");
                self.error(key_span, message)?;
                continue;
            }
            entries.push(Entry { key, key_span, value });
        }
        for entry in merged {
            if !first_line.contains_key(&entry.key) {
                first_line.insert(entry.key.clone(), entry.key_span.line);
                entries.push(entry);
            }
        }
        Ok(Value::Map(entries))
    }

    /// YAML 1.1 merge keys: `<<: *defaults`, or a list of them, the first of which wins.
    fn merge(&mut self, value: Node, merged: &mut Vec<Entry>) -> Result<(), SyntaxError> {
        match value.value {
            Value::Map(entries) => merged.extend(entries),
            Value::List(items) => items.into_iter().try_for_each(|item| self.merge(item, merged))?,
            _ => self.error(value.span, "a merge key `<<` takes a mapping or a list of mappings".into())?,
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), SyntaxError> {
        self.nodes += nodes;
        if self.nodes > LIMITS.nodes {
            let message = format!(
                "more than {} values once aliases are expanded; write the document out, or smaller",
                LIMITS.nodes
            );
            return Err(SyntaxError { span, message });
        }
        Ok(())
    }
}

fn is_core(tag: Option<&Tag>, suffix: &str) -> bool {
    tag.is_some_and(|tag| tag.handle() == "tag:yaml.org,2002:" && tag.suffix() == suffix)
}

fn scalar(text: String, plain: bool) -> Value {
    if plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar { text, plain }
}

fn place(marker: &granit_parser::Marker) -> Span {
    Span { line: marker.line() as u32, column: marker.col() as u32 + 1 }
}

/// The next event.
fn next<'t>(source: &mut Source<'t>) -> Result<(Event<'t>, Span), SyntaxError> {
    match source.next_event() {
        Some(Ok((event, span))) => Ok((event, place(&span.start))),
        Some(Err(error)) => Err(SyntaxError { span: place(error.marker()), message: error.info() }),
        None => Ok((Event::StreamEnd, Span::default())),
    }
}
