//! The native engine: BERT and ModernBERT families on the CPU, one sequence at a time, without padding.

mod architecture;
mod kernels;
mod layers;
mod linear;
mod rope;
mod table;

pub use architecture::{Architecture, Family};
pub use kernels::{AttentionScratch, AttentionShape, Epilogue, Kernels, Level, Narrowed};
pub use layers::NativeEngine;
pub(crate) use layers::Workspace;
pub use linear::{Linear, Width, pack};
pub(crate) use table::pack_rows;
