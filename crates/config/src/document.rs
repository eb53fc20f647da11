//! A configuration file: its text, its tree, the typed form, and where problems are.

use std::{
    collections::HashSet,
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path as FilePath, PathBuf},
};

use vsr_types::{Diagnostic, Diagnostics, Path, Segment, Severity};

use crate::{
    check,
    contract::Config,
    decode::{Contract, Decoder},
    emit, inherit, legacy,
    node::{self, Node, Span},
    problem::Problem,
};

/// The largest configuration text that is read.
pub const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Looks up environment variables.
pub type Variables<'e> = &'e dyn Fn(&str) -> Option<String>;

const START: Span = Span { line: 1, column: 1 };

/// A configuration text that was read, and what was found wrong in it.
pub struct Document {
    name: String,
    /// Where the file lies, for paths relative to it.
    directory: PathBuf,
    /// As written.
    written: Option<Node>,
    /// With inherited keys filled in: what the typed form was read from.
    root: Option<Node>,
    config: Option<Config>,
    /// Where credentials stand.
    credentials: HashSet<Path>,
    problems: Vec<Problem>,
}

// === impl Document

impl Document {
    /// Reads `text`. `name` is shown before every position; `variables` looks up environment variables.
    pub fn parse(name: &str, text: &str, variables: Variables<'_>) -> Self {
        let mut document = Self::empty(name);
        if let Some(root) = document.tree(text) {
            document.decode(root, variables);
        }
        document
    }

    /// Reads the configuration under the key `config` of Helm values. Problems have their places in `text`.
    pub fn parse_helm_values(name: &str, text: &str, variables: Variables<'_>) -> Self {
        let mut document = Self::empty(name);
        if let Some(root) = document.tree(text) {
            match root.get("config") {
                Some(config) => document.decode(config.clone(), variables),
                None => {
                    document.refuse(START, "no key `config`, under which Helm values hold a configuration");
                }
            }
        }
        document
    }

    /// Reads a file of at most [`MAX_FILE_BYTES`].
    ///
    /// # Errors
    /// If the file cannot be read at all. A file that is too large or not UTF-8 is a problem of the document.
    pub fn read(path: &FilePath, variables: Variables<'_>) -> io::Result<Self> {
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        let mut document = Self::parse_bytes(&name, &bytes, variables);
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            document.directory = directory.to_owned();
        }
        Ok(document)
    }

    /// The same document as if its file lay in `directory`.
    #[must_use]
    pub fn in_directory(mut self, directory: &FilePath) -> Self {
        self.directory = directory.to_owned();
        self
    }

    /// Where the file lies; the working directory for a text that is none.
    pub fn directory(&self) -> &FilePath {
        &self.directory
    }

    /// Reads text that may not be UTF-8.
    pub fn parse_bytes(name: &str, bytes: &[u8], variables: Variables<'_>) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(name, text, variables),
            // A text that was cut at the bound may end within a character.
            Err(error) if bytes.len() as u64 > MAX_FILE_BYTES && error.error_len().is_none() => {
                let mut document = Self::empty(name);
                document.refuse(START, too_large());
                document
            }
            Err(error) => {
                let mut document = Self::empty(name);
                let readable = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let line = readable.matches('\n').count() as u32 + 1;
                let column = readable.rsplit('\n').next().map_or(0, |last| last.chars().count()) as u32 + 1;
                document.refuse(Span { line, column }, "not UTF-8 from here on; save the file as UTF-8");
                document
            }
        }
    }

    /// The typed form; `None` if the text is no configuration at all. With errors reported it must not run:
    /// placeholders stand where values could not be read.
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// The tree as written.
    pub(crate) fn written(&self) -> Option<&Node> {
        self.written.as_ref()
    }

    /// Where credentials stand, as far as they are where the contract has them.
    pub(crate) fn credentials(&self) -> &HashSet<Path> {
        &self.credentials
    }

    /// The effective configuration: defaults filled in, credentials masked.
    pub fn effective(&self) -> Option<serde_json::Value> {
        emit::shown(&serde_json::to_value(self.config.as_ref()?).ok()?)
    }

    /// The effective configuration as YAML text: defaults filled in, credentials masked.
    /// Read again, it is the same configuration but for the credentials. Empty without a typed form.
    pub fn effective_yaml(&self) -> String {
        let value = self.config.as_ref().and_then(|config| serde_json::to_value(config).ok());
        value.as_ref().map(emit::yaml).unwrap_or_default()
    }

    /// The SHA-256 of the effective configuration in hexadecimal digits: the same for every text with the
    /// same meaning, and another whenever a value differs, credentials included. `None` without a typed form.
    pub fn hash(&self) -> Option<String> {
        self.config.as_ref().map(Config::hash)
    }

    /// Whether the file sets `path`, rather than a default or what is inherited.
    pub fn is_written(&self, path: &Path) -> bool {
        let walk = |node, segment| step(node, segment).map(|(_, found)| found);
        self.written.as_ref().and_then(|root| path.segments().iter().try_fold(root, walk)).is_some()
    }

    /// Adds the problems that other crates found, with their places. Left out are problems at or below a
    /// place that already has an error, for they follow from it, and what was said of that place before.
    pub fn report(&mut self, diagnostics: Diagnostics) {
        let (errors, others): (Vec<_>, Vec<_>) =
            diagnostics.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
        for diagnostic in errors.into_iter().chain(others) {
            let span = self.locate(&diagnostic.path);
            if !self.problems.iter().any(|known| covers(known, &diagnostic, span)) {
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
        let Some(mut node) = self.root.as_ref() else { return START };
        let mut span = node.span;
        for segment in path.segments() {
            let Some((found_span, found)) = step(node, segment) else { break };
            (span, node) = (found_span, found);
        }
        span
    }

    fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            directory: PathBuf::from("."),
            written: None,
            root: None,
            config: None,
            credentials: HashSet::new(),
            problems: Vec::new(),
        }
    }

    /// Reads the text's tree, or reports why not.
    fn tree(&mut self, text: &str) -> Option<Node> {
        if text.len() as u64 > MAX_FILE_BYTES {
            self.refuse(START, too_large());
            return None;
        }
        match node::parse(text) {
            Ok(root) => Some(root),
            Err(errors) => {
                for error in errors {
                    self.refuse(error.span, error.message);
                }
                None
            }
        }
    }

    fn decode(&mut self, written: Node, variables: Variables<'_>) {
        let mut decoder = Decoder::new(variables);
        let root = inherit::algorithms(&written);
        if legacy::reject(&written, &mut decoder) {
            self.config = Config::decode(&root, &mut decoder);
        }
        if let Some(config) = &self.config {
            decoder.begin_checks();
            check::check(config, &written, &mut decoder);
        }
        self.credentials = decoder.take_credentials();
        self.written = Some(written);
        self.root = Some(root);
        self.report(decoder.finish());
    }

    fn refuse(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(self.problem(span, Diagnostic::error(Path::root(), message)));
    }

    fn problem(&self, span: Span, diagnostic: Diagnostic) -> Problem {
        Problem { file: self.name.clone(), line: span.line, column: span.column, diagnostic }
    }
}

impl fmt::Debug for Document {
    /// Leaves the tree out: credentials stand in it as they were written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Document");
        shown.field("name", &self.name).field("config", &self.config).field("problems", &self.problems);
        shown.finish_non_exhaustive()
    }
}

/// Whether `diagnostic` adds nothing to `known`.
fn covers(known: &Problem, diagnostic: &Diagnostic, span: Span) -> bool {
    let (old, new) = (known.diagnostic.path.segments(), diagnostic.path.segments());
    let is_error = known.diagnostic.severity == Severity::Error && !old.is_empty();
    let is_below = new.len() > old.len() && new.starts_with(old);
    let follows = is_error && (is_below || (new == old && diagnostic.severity != Severity::Error));
    let is_inherited = (known.line, known.column) == (span.line, span.column)
        && known.diagnostic.message == diagnostic.message;
    follows || is_inherited
}

/// One step down a path.
fn step<'n>(node: &'n Node, segment: &Segment) -> Option<(Span, &'n Node)> {
    match segment {
        Segment::Key(key) => node
            .entries()?
            .iter()
            .find(|entry| entry.key == **key)
            .map(|entry| (entry.key_span, &entry.value)),
        Segment::Index(index) => node.items()?.get(*index).map(|item| (item.span, item)),
    }
}

fn too_large() -> String {
    format!("larger than {MAX_FILE_BYTES} bytes, the most that is read")
}
