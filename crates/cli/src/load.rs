//! Reading configurations and telling people what is wrong with them.

use std::{fmt, io::Write, path::Path, sync::Arc};

use anyhow::Context;
use vsr_config::Document;
use vsr_router::Snapshot;

/// Looks up an environment variable; values that are not UTF-8 count as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads and compiles a file. The snapshot is absent if the document has errors.
pub(crate) fn compile_file(path: &Path) -> anyhow::Result<(Document, Option<Arc<Snapshot>>)> {
    let mut document = Document::read(path, &variable)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let snapshot = vsr_router::compile(&mut document, &variable);
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

/// Writes to standard output.
///
/// # Errors
/// If standard output is closed.
pub(crate) fn print(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_fmt(text)?;
    out.flush()?;
    Ok(())
}
