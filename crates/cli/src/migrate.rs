//! `vllm-sr config migrate`.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, bail};
use serde_json::json;
use vsr_config::{Document, Migrated, Outcome};
use vsr_router::Surroundings;

use crate::{
    args::MigrateArgs,
    files,
    load::{complain, print, printable, variable},
    models,
};

pub(crate) fn run(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let Some(file) = args.file.as_ref().or(args.config.as_ref()) else { bail!("no file is named") };
    let migrated = read(file)?;
    if let Some(output) = &args.output {
        files::write(output, &migrated.text, Some(file), args.force)?;
    }
    let (document, is_valid) = compile(&migrated.text, file, args.output.as_deref())?;
    if args.json {
        let text = args.output.is_none().then_some(&migrated.text);
        let report = json!({
            "changed": migrated.changed,
            "complete": migrated.is_complete(),
            "valid": is_valid,
            "output": args.output,
            "text": text,
            "steps": migrated.steps,
            "problems": document.problems(),
        });
        print(format_args!("{report:#}\n"))?;
    } else {
        if args.output.is_none() {
            print(format_args!("{}", migrated.text))?;
        }
        // What is no configuration is told among the problems.
        if migrated.changed || document.config().is_some() {
            tell(file, &migrated);
        }
        for problem in document.problems() {
            complain(format_args!("{problem}"));
        }
    }
    let is_done = is_valid && (migrated.is_complete() || !args.strict);
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The file in the canonical layout.
///
/// # Errors
/// If it cannot be read, or is no YAML; each problem is told.
pub(crate) fn read(file: &Path) -> anyhow::Result<Migrated> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    vsr_config::migrate(&text).map_err(|problems| {
        for problem in problems {
            let span = problem.span;
            complain(format_args!("{}:{}:{}: error: {problem}", file.display(), span.line, span.column));
        }
        anyhow::anyhow!("{} cannot be migrated", file.display())
    })
}

/// Checks a text as if it stood in `output`, or beside `file`. Whether it can run.
///
/// # Errors
/// If the embedded models cannot be used.
pub(crate) fn compile(text: &str, file: &Path, output: Option<&Path>) -> anyhow::Result<(Document, bool)> {
    let place = output.unwrap_or(file);
    let directory = place.parent().filter(|directory| !directory.as_os_str().is_empty());
    let name = output.map_or_else(|| "(migrated)".to_owned(), |output| output.display().to_string());
    let mut document =
        Document::parse(&name, text, &variable).in_directory(directory.unwrap_or(Path::new(".")));
    let reader = models::reader()?;
    let surroundings = Surroundings { variables: &variable, reader: &reader };
    let is_valid = vsr_router::compile(&mut document, &surroundings).is_some();
    Ok((document, is_valid))
}

/// Tells people what became of the keys.
pub(crate) fn tell(file: &Path, migrated: &Migrated) {
    let file = file.display();
    if !migrated.changed {
        complain(format_args!("{file} has the canonical layout already; nothing had to move"));
        return;
    }
    for step in &migrated.steps {
        let place = if step.line > 0 { ":" } else { ": " };
        complain(format_args!("{file}{place}{}", printable(&step.to_string())));
    }
    let count = |outcome| migrated.count(outcome);
    complain(format_args!(
        "{file}: {} keys moved, {} changed, {} added, {} not carried; {} comments left out",
        count(Outcome::Moved),
        count(Outcome::Changed),
        count(Outcome::Added),
        count(Outcome::NotCarried),
        count(Outcome::CommentLost),
    ));
}
