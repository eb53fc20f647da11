//! A problem with its place in a file, and how it is printed.

use std::fmt;

use serde::Serialize;
use vsr_types::{Diagnostic, Severity};

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

// === impl Problem

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
