//! A configuration file: its text, its tree, the typed form, and where problems are.

use std::{fs, path::Path as FilePath};

use serde::Serialize;
use vsr_types::{Diagnostic, Diagnostics, Path, Segment, Severity};

use crate::{
    contract::Config,
    decode::{Contract, Decoder},
    node::{self, Node, Span},
};

/// The largest configuration file that is read.
pub const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// A configuration text that was read, and what was found wrong in it.
#[derive(Debug)]
pub struct Document {
    name: String,
    root: Option<Node>,
    config: Option<Config>,
    problems: Vec<Problem>,
}

/// A diagnostic with the place in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from one.
    pub line: u32,
    /// The column, from one, in characters.
    pub column: u32,
    /// What is wrong.
    #[serde(flatten)]
    pub diagnostic: Diagnostic,
}

// === impl Document

impl Document {
    /// Reads `text`. `name` is shown before every position; `variables` looks up environment variables.
    pub fn parse(name: &str, text: &str, variables: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut document = Self { name: name.to_owned(), root: None, config: None, problems: Vec::new() };
        match node::parse(text) {
            Ok(root) => {
                let mut decoder = Decoder::new(variables);
                crate::legacy::reject(&root, &mut decoder);
                document.config = Config::decode(&root, &mut decoder);
                document.root = Some(root);
                document.report(decoder.finish());
            }
            Err(errors) => {
                for error in errors {
                    let diagnostic = Diagnostic::error(Path::root(), error.message);
                    document.problems.push(document.problem(error.span, diagnostic));
                }
            }
        }
        document
    }

    /// Reads a file of at most [`MAX_FILE_BYTES`].
    ///
    /// # Errors
    /// If the file cannot be read at all. A file that is too large or not UTF-8 is a problem of the document.
    pub fn read(path: &FilePath, variables: &dyn Fn(&str) -> Option<String>) -> std::io::Result<Self> {
        let name = path.display().to_string();
        let size = fs::metadata(path)?.len();
        let refuse = |message: String| {
            let mut document = Self { name: name.clone(), root: None, config: None, problems: Vec::new() };
            let start = Span { line: 1, column: 1 };
            document.problems.push(document.problem(start, Diagnostic::error(Path::root(), message)));
            document
        };
        if size > MAX_FILE_BYTES {
            return Ok(refuse(format!("the file has {size} bytes; at most {MAX_FILE_BYTES} are read")));
        }
        Ok(match String::from_utf8(fs::read(path)?) {
            Ok(text) => Self::parse(&name, &text, variables),
            Err(error) => refuse(format!("not UTF-8 after byte {}", error.utf8_error().valid_up_to())),
        })
    }

    /// The typed form; `None` if the text is no mapping at all. With errors reported it must not run:
    /// placeholders stand where values could not be read.
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// The SHA-256 of the effective configuration in hexadecimal digits: the same for every text with the
    /// same meaning, and another whenever a value differs, credentials included. `None` without a typed form.
    pub fn hash(&self) -> Option<String> {
        self.config.as_ref().map(Config::hash)
    }

    /// Whether the file sets `path`, rather than a default.
    pub fn is_written(&self, path: &Path) -> bool {
        let found = path.segments().iter().try_fold(self.root.as_ref(), |node, segment| {
            let node = node?;
            match segment {
                Segment::Key(key) => node.get(key).map(Some),
                Segment::Index(index) => node.items()?.get(*index).map(Some),
            }
        });
        matches!(found, Some(Some(_)))
    }

    /// Adds the problems that other crates found, with their places. A problem at or below a place
    /// that already has an error is left out: it follows from that error.
    pub fn report(&mut self, diagnostics: Diagnostics) {
        for diagnostic in diagnostics {
            let follows = self.problems.iter().any(|known| {
                known.diagnostic.severity == Severity::Error
                    && !known.diagnostic.path.segments().is_empty()
                    && known.diagnostic.path != diagnostic.path
                    && diagnostic.path.segments().starts_with(known.diagnostic.path.segments())
            });
            if !follows {
                let span = self.locate(&diagnostic.path);
                self.problems.push(self.problem(span, diagnostic));
            }
        }
    }

    /// The problems in the order of the file.
    pub fn problems(&self) -> Vec<&Problem> {
        let mut problems: Vec<_> = self.problems.iter().collect();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }

    /// Whether a problem keeps the configuration from running.
    pub fn has_errors(&self) -> bool {
        self.config.is_none()
            || self.problems.iter().any(|problem| problem.diagnostic.severity == Severity::Error)
    }

    /// The place of `path`, or of the nearest part of it that was written.
    pub fn locate(&self, path: &Path) -> Span {
        let Some(mut node) = self.root.as_ref() else {
            return Span { line: 1, column: 1 };
        };
        let mut span = node.span;
        for segment in path.segments() {
            let found = match segment {
                Segment::Key(key) => node
                    .entries()
                    .and_then(|entries| entries.iter().find(|entry| entry.key == **key))
                    .map(|entry| (entry.key_span, &entry.value)),
                Segment::Index(index) => {
                    node.items().and_then(|items| items.get(*index)).map(|item| (item.span, item))
                }
            };
            let Some((found_span, found_node)) = found else { break };
            (span, node) = (found_span, found_node);
        }
        span
    }

    fn problem(&self, span: Span, diagnostic: Diagnostic) -> Problem {
        Problem { file: self.name.clone(), line: span.line, column: span.column, diagnostic }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Diagnostic { path, severity, message, help } = &self.diagnostic;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::NotActive => "accepted, not active",
        };
        write!(f, "{}:{}:{}: {severity}: ", self.file, self.line, self.column)?;
        if !path.segments().is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(message)?;
        if let Some(help) = help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}
