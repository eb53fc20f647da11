//! Problems of a configuration: what, where, why, what to do.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot run.
    Error,
    /// It runs, but not as its author may believe.
    Warning,
    /// A feature of the contract is accepted but does nothing in this version.
    NotActive,
}

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A mapping key.
    Key(Arc<str>),
    /// A list index, from zero.
    Index(usize),
}

/// A place in the configuration, such as `routing.decisions[2].rules`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Path(Vec<Segment>);

/// One problem. Crates report the [`Path`]; `config` adds file, line and column when it prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Where.
    pub path: Path,
    /// How bad.
    pub severity: Severity,
    /// What and why: lower case, no trailing full stop.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The problems found so far. Collecting never stops at the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

// === impl Path

impl Path {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of mapping keys, written with dots: `Path::keys("routing.signals")`.
    pub fn keys(dotted: &str) -> Self {
        Self(dotted.split('.').map(|key| Segment::Key(key.into())).collect())
    }

    /// This path and one key more.
    #[must_use]
    pub fn key(&self, key: impl Into<Arc<str>>) -> Self {
        let mut segments = self.0.clone();
        segments.push(Segment::Key(key.into()));
        Self(segments)
    }

    /// This path and one list index more.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut segments = self.0.clone();
        segments.push(Segment::Index(index));
        Self(segments)
    }

    /// The steps from the document's root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if key.is_empty() || key.contains(['.', '[', ']', ' ', '"']) => {
                    write!(f, "[{key:?}]")?;
                }
                Segment::Key(key) if position == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === impl Diagnostic

impl Diagnostic {
    /// A problem that keeps the configuration from running.
    pub fn error(path: Path, message: impl Into<String>) -> Self {
        Self { path, severity: Severity::Error, message: message.into(), help: None }
    }

    /// A problem that does not keep the configuration from running.
    pub fn warning(path: Path, message: impl Into<String>) -> Self {
        Self { path, severity: Severity::Warning, message: message.into(), help: None }
    }

    /// A feature that is accepted but does nothing yet.
    pub fn not_active(path: Path, feature: impl Into<String>) -> Self {
        Self { path, severity: Severity::NotActive, message: feature.into(), help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

// === impl Diagnostics

impl Diagnostics {
    /// Adds one problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds an error.
    pub fn error(&mut self, path: Path, message: impl Into<String>) {
        self.push(Diagnostic::error(path, message));
    }

    /// Adds a warning.
    pub fn warning(&mut self, path: Path, message: impl Into<String>) {
        self.push(Diagnostic::warning(path, message));
    }

    /// Adds a feature that is accepted but does nothing yet.
    pub fn not_active(&mut self, path: Path, feature: impl Into<String>) {
        self.push(Diagnostic::not_active(path, feature));
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }

    /// Whether any problem keeps the configuration from running.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The problems, in the order found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
