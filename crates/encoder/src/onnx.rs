//! The engine for ONNX files: any text encoder or classifier, and the towers of two-tower models, run by `rten` or, in
//! builds with the feature `ort`, by ONNX Runtime.

mod audio_tower;
mod engine;
mod graph;
mod hash;
mod image_tower;
#[cfg(feature = "ort")]
mod onnxruntime;
mod rten;
mod screen;
mod spectrogram;

pub(crate) use audio_tower::AudioTower;
pub use engine::OnnxEngine;
pub(crate) use engine::Rows;
pub(crate) use hash::hash_of;
pub(crate) use image_tower::ImageTower;

use std::sync::Arc;

use ::rten::ThreadPool;

/// The thread that a worker's operators run on; started by the worker, whose priority it inherits.
#[derive(Debug, Default)]
pub(crate) struct Lane(Option<Arc<ThreadPool>>);

impl Lane {
    fn pool(&mut self) -> Arc<ThreadPool> {
        Arc::clone(self.0.get_or_insert_with(|| Arc::new(ThreadPool::with_num_threads(1))))
    }
}

/// Loads the libraries that a backend needs.
///
/// # Errors
/// With what to install.
#[cfg(feature = "ort")]
pub(crate) fn library(backend: crate::Backend) -> Result<(), crate::Error> {
    onnxruntime::builder(backend).map(|_| ())
}
