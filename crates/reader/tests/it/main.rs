//! The reader through its public surface, over the models that the binary embeds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod embeddings;
mod reading;

use std::{future::Future, path::Path, time::Duration};

use vsr_encoder::{Blob, PoolOptions};
use vsr_reader::{Reader, ReaderModels, ReaderOptions};

/// Longer than any test's reading takes.
const AMPLE: Duration = Duration::from_secs(60);

fn packed(name: &str) -> Blob {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    Blob::map(&models.join(name).join("model.bin")).unwrap()
}

fn reader_with(pool: PoolOptions) -> Reader {
    let models = ReaderModels { trunk: Some(packed("trunk")), tagger: Some(packed("pii")) };
    Reader::open(models, ReaderOptions { pool }).unwrap()
}

fn reader() -> Reader {
    reader_with(PoolOptions::default())
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}
