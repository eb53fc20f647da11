//! The router's own models at work: the texts of a plan read in windows, within a budget and a time limit.
//!
//! [`Reader::read`] is what stands between [`SignalSet::plan`](vsr_signals::SignalSet::plan) and the evaluation of
//! signals; [`Reader::embed`] makes the prototypes of a configuration's examples.
//!
//! ```
//! use std::time::Duration;
//! use vsr_reader::{Reader, ReaderOptions};
//! use vsr_signals::ReadingPlan;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let reader = Reader::without_models();
//! let readings = runtime.block_on(reader.read(ReadingPlan::default(), Duration::from_secs(1)));
//! assert!(readings.plan().needs().is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

mod checkpoint;
mod cut;
mod error;
mod inference;
mod media;
mod models;
mod prototypes;
mod reader;
mod tagger;
mod tongue;
mod trunk;
mod weights;

pub use checkpoint::{Checkpoint, ModelRole, Serving};
pub use error::ReaderError;
pub use inference::{Inference, Relation};
pub use prototypes::Embedding;
pub use reader::{ModelFacts, Reader, ReaderModels, ReaderOptions};
