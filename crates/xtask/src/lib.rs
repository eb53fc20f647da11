//! What the project's tasks make.

mod probe;
mod reference;

use std::path::Path;

use anyhow::Context;
use vsr_reader::{Reader, ReaderModels, ReaderOptions};

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// `docs/configuration.md`: the introduction, and every key with type, default, range and meaning, as the schema
/// declares and the validator applies them.
///
/// # Errors
/// If the embedded models are not in the checkout.
pub fn configuration() -> anyhow::Result<String> {
    let models =
        ReaderModels::in_folder(&root().join("models")).context("the embedded models cannot be used")?;
    let reader =
        Reader::open(models, ReaderOptions::default()).context("the embedded models cannot be used")?;
    let tables = reference::write(&vsr_config::json_schema(), &reader);
    Ok(format!("{}{tables}", include_str!("../configuration.intro.md")))
}
