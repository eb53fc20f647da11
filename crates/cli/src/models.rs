//! The models that are part of this binary.

use anyhow::Context;
use vsr_encoder::{Blob, embed};
use vsr_reader::{Reader, ReaderModels, ReaderOptions};

/// Embeds and classifies; see `models/trunk/README.md`.
static TRUNK: &[u8] = embed!("../../../models/trunk/model.bin");
/// Heads that were fitted on it later.
static HEADS: &[u8] = embed!("../../../models/trunk/heads.bin");
/// Finds personal data; see `models/pii/README.md`.
static TAGGER: &[u8] = embed!("../../../models/pii/model.bin");

/// A reader over the embedded models, which are loaded when they are first needed.
///
/// # Errors
/// If the models of this build cannot be used, or no thread can be started.
pub(crate) fn reader() -> anyhow::Result<Reader> {
    let [trunk, heads, tagger] = [TRUNK, HEADS, TAGGER].map(|bytes| Some(Blob::from(bytes)));
    let models = ReaderModels { trunk, heads, tagger };
    Reader::open(models, ReaderOptions::default()).context("the embedded models cannot be used")
}
