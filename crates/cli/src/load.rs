//! Reading configurations and telling people what is wrong with them.

use std::{
    fmt,
    io::{ErrorKind, Write},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use vsr_config::Document;
use vsr_router::{Snapshot, Surroundings};

use crate::models;

/// Looks up an environment variable; values that are not UTF-8 count as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads and compiles a file. The snapshot is absent if the document has errors.
pub(crate) fn compile_file(path: &Path) -> anyhow::Result<(Document, Option<Arc<Snapshot>>)> {
    let mut document = Document::read(path, &variable)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let reader = models::reader()?;
    let snapshot =
        vsr_router::compile(&mut document, &Surroundings { variables: &variable, reader: &reader });
    Ok((document, snapshot))
}

/// The snapshot of a file that must be able to run; prints its errors otherwise.
pub(crate) fn require(path: &Path) -> anyhow::Result<Arc<Snapshot>> {
    let (document, snapshot) = compile_file(path)?;
    snapshot.ok_or_else(|| {
        for problem in document.problems() {
            complain(format_args!("{problem}"));
        }
        anyhow::anyhow!("the configuration {} cannot run", path.display())
    })
}

/// Writes a line for people. A closed standard error changes nothing.
pub(crate) fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no error.
///
/// # Errors
/// If standard output cannot be written.
pub(crate) fn print(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// The text without control characters, so that no name can forge lines or move the cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
