//! The encoder through its public surface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod conformance;
mod goldens;
mod kernels;
mod minilm;
mod onnx;
mod packages;
mod pool;
mod spans;
mod windows;

use std::path::PathBuf;
use std::sync::Arc;

use vsr_encoder::native::{Level, Width};
use vsr_encoder::{Model, PackOptions};

/// A committed checkpoint.
fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn golden_model(name: &str) -> Arc<Model> {
    Arc::new(Model::from_directory(&golden(name), PackOptions::all(Width::Float), None).unwrap())
}

/// The levels of this CPU.
fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.is_available())
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
