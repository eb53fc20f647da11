//! Checkpoints from a model hub that speaks the protocol of Hugging Face's: named, pinned to a commit, downloaded
//! safely, kept in a cache directory.
//!
//! ```
//! use vsr_hub::HubModel;
//!
//! let model: HubModel = "hf://some-owner/some-model@v1.0".parse()?;
//! assert_eq!(model.repository(), "some-owner/some-model");
//! assert_eq!(model.revision(), "v1.0");
//! assert!(HubModel::is_named("hf://a/b") && !HubModel::is_named("models/a"));
//! # Ok::<(), vsr_hub::Error>(())
//! ```
//!
//! Only files that are needed and safe to read are fetched: JSON and safetensors, never pickles. A model appears in the
//! cache whole or not at all; a download that was cut off goes on where it stopped. The first download of a branch or tag
//! records the commit that it stood for, and later starts use that commit without asking.

mod cache;
mod download;
mod error;
mod http_get;
mod listing;
mod model;
mod plan;
mod settings;
mod transfer;

pub use cache::{Cache, Found};
pub use download::{Downloaded, Hub, Progress, Step};
pub use error::Error;
pub use model::HubModel;
pub use settings::{HubSettings, Retries};
