//! The reader through its public surface, over the models that the binary embeds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod embeddings;
mod images;
mod reading;

use std::{future::Future, path::Path, time::Duration};

use vsr_encoder::PoolOptions;
use vsr_reader::{Reader, ReaderModels, ReaderOptions};

/// Longer than any test's reading takes.
const AMPLE: Duration = Duration::from_secs(60);

fn models() -> ReaderModels {
    ReaderModels::in_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")).unwrap()
}

fn reader_with(pool: PoolOptions) -> Reader {
    Reader::open(models(), ReaderOptions { pool }).unwrap()
}

fn reader() -> Reader {
    reader_with(PoolOptions::default())
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}
