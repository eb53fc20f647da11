//! The engine for ONNX files: any text encoder or classifier, and the towers of two-tower models, run by `rten`.

mod engine;
mod graph;
mod hash;
mod image_tower;
mod screen;

pub use engine::OnnxEngine;
pub(crate) use engine::Rows;
pub(crate) use hash::hash_of;
pub(crate) use image_tower::ImageTower;

use std::sync::Arc;

use rten::ThreadPool;

/// The thread that a worker's operators run on; started by the worker, whose priority it inherits.
#[derive(Debug, Default)]
pub(crate) struct Lane(Option<Arc<ThreadPool>>);

impl Lane {
    fn pool(&mut self) -> Arc<ThreadPool> {
        Arc::clone(self.0.get_or_insert_with(|| Arc::new(ThreadPool::with_num_threads(1))))
    }
}
