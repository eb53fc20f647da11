//! Log lines on standard error: text on a terminal, JSON elsewhere.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::{args::LogFormat, load::complain};

/// Starts logging for the rest of the process.
///
/// # Errors
/// If `level` is no filter.
pub(crate) fn start(level: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).with_context(|| format!("--log-level {level}"))?;
    let is_terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let is_text = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    if is_text {
        builder.with_ansi(is_terminal).with_target(false).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
    Ok(())
}

/// Panics print where they happened and nothing else: their messages can hold text of a request.
pub(crate) fn keep_panics_short() {
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => complain(format_args!("internal error at {place}; please report it")),
        None => complain(format_args!("internal error; please report it")),
    }));
}
