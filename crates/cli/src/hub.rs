//! `vllm-sr model download`, and how far downloads are: a bar for people, lines for logs.

use std::{
    cell::{Cell, RefCell},
    io::{IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use vsr_config::HubSettings as Written;
use vsr_hub::{Hub, HubModel, HubSettings, Progress, Step};

use crate::load::{compile_file, complain, print, printable, variable};

/// Characters of a bar.
const BAR: u64 = 24;
/// How many steps of a file are told in lines.
const LINES: u64 = 10;

/// Tells progress in the log: each file, and tenths of it all.
#[derive(Debug, Default)]
pub(crate) struct Log {
    told: RefCell<(String, u64)>,
}

/// Tells progress on standard error: a bar on a terminal, else a line for each file.
#[derive(Debug)]
struct Screen {
    is_terminal: bool,
    told: RefCell<String>,
    is_open: Cell<bool>,
}

// === impl Log

impl Log {
    pub(crate) fn write(&self, progress: &Progress<'_>) {
        let Progress { model, step, file, bytes, total_bytes } = *progress;
        let tenth = (bytes * LINES).checked_div(total_bytes).unwrap_or_default();
        let word = match step {
            Step::Resolving => "asking the hub for a model",
            Step::Waiting => "another process downloads the model; waiting for it",
            Step::Fetching => "downloading a model",
        };
        let now = (format!("{word}{file}"), tenth);
        if *self.told.borrow() != now {
            tracing::info!(%model, file, bytes, total_bytes, "{word}");
            self.told.replace(now);
        }
    }
}

// === impl Screen

impl Screen {
    fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { is_terminal, told: RefCell::default(), is_open: Cell::new(false) }
    }

    fn write(&self, progress: &Progress<'_>) {
        let line = line(progress);
        if self.is_terminal {
            if *self.told.borrow() != line {
                // A closed standard error changes nothing.
                let _ = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
                self.is_open.set(true);
                self.told.replace(line);
            }
        } else {
            let about = format!("{:?} {}", progress.step, progress.file);
            if *self.told.borrow() != about {
                complain(format_args!("{line}"));
                self.told.replace(about);
            }
        }
    }

    /// Ends a bar.
    fn end(&self) {
        if self.is_open.replace(false) {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}

fn line(progress: &Progress<'_>) -> String {
    let Progress { model, step, file, bytes, total_bytes } = *progress;
    let megabytes = |bytes: u64| format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10);
    match step {
        Step::Resolving => format!("{model}: asking the hub"),
        Step::Waiting => format!("{model}: another process downloads it, waiting"),
        Step::Fetching => {
            let filled = (bytes.min(total_bytes) * BAR).checked_div(total_bytes).unwrap_or_default();
            let bar: String = (0..BAR).map(|cell| if cell < filled { '#' } else { '.' }).collect();
            format!("[{bar}] {} of {} MB {}", megabytes(bytes), megabytes(total_bytes), printable(file))
        }
    }
}

/// `vllm-sr model download`: the named models, or all that the configuration names.
pub(crate) fn download(names: &[String], config: &Path) -> anyhow::Result<ExitCode> {
    let mut models = names.iter().map(|name| name.parse()).collect::<Result<Vec<HubModel>, _>>()?;
    let settings = if names.is_empty() || config.is_file() {
        let (document, snapshot) = compile_file(config)?;
        let Some(snapshot) = snapshot else {
            document.problems().iter().for_each(|problem| complain(format_args!("{problem}")));
            anyhow::bail!("the configuration {} cannot run", config.display());
        };
        if names.is_empty() {
            models = snapshot.hub_models().iter().map(|used| used.model.clone()).collect();
        }
        HubSettings::of(&snapshot.config().global.model_catalog.hub, document.directory(), &variable)?
    } else {
        HubSettings::of(&Written::default(), Path::new("."), &variable)?
    };
    if models.is_empty() {
        complain(format_args!("the configuration {} names no models of a hub", config.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let hub = Hub::new(settings);
    let mut code = ExitCode::SUCCESS;
    for model in models {
        let screen = Screen::new();
        let outcome = hub.download(&model, &|progress| screen.write(progress));
        screen.end();
        match outcome {
            Ok(done) => {
                print(format_args!("{model}\n  commit {}\n  {}\n", done.commit, done.directory.display()))?;
                if model.commit().is_none() {
                    print(format_args!("  to pin it: {}\n", model.at(&done.commit)?))?;
                }
            }
            Err(error) => {
                complain(format_args!("error: {error}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
