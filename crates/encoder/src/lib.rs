//! Router-owned text models on the CPU: tokenise, embed, classify, tag tokens.
//!
//! Engines: [`native`] for BERT and ModernBERT; `rten` (a feature, on by default) for ONNX graphs, towers for images and sounds included;
//! ONNX Runtime for the same graphs on accelerators (the feature `ort`, off by default, which loads its library).
//! A [`Model`] is a tokenizer, an [`Engine`] and heads; one pass over a text gives its embedding, the probabilities of
//! every head and the labels of every token. An [`EncoderPool`] runs passes on threads below the data plane, encodes
//! identical texts once and refuses what it cannot do in time.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Duration, Instant};
//!
//! use vsr_encoder::native::Width;
//! use vsr_encoder::{EncoderPool, Model, PackOptions, PoolOptions};
//!
//! # let directory = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/modernbert-sequence"));
//! let model = Arc::new(Model::from_directory(directory, PackOptions::all(Width::Bf16), None)?);
//! let pool = EncoderPool::start(PoolOptions::default())?;
//! let deadline = Instant::now() + Duration::from_secs(10);
//! let encoded = pool.encode(&model, "is the cat in paris", deadline)?;
//! assert_eq!(encoded.embedding.len(), model.dimension());
//! assert_eq!(encoded.probabilities("classifier").map(<[f32]>::len), Some(4));
//! # Ok::<(), vsr_encoder::Error>(())
//! ```

mod backend;
mod blob;
mod cache;
mod checkpoint;
mod engine;
mod error;
mod fingerprint;
mod head;
mod model;
pub mod native;
#[cfg(feature = "rten")]
pub mod onnx;
mod package;
#[cfg(feature = "rten")]
mod picture;
mod pool;
mod queue;
#[cfg(feature = "rten")]
mod sound;
mod spans;
mod text;
mod ticket;
mod unigram;
mod windows;

pub use backend::Backend;
pub use blob::Blob;
pub use checkpoint::{PackOptions, pack, pack_heads};
pub use engine::{Engine, Input, Scratch};
pub use error::Error;
pub use fingerprint::Fingerprint;
pub use head::{
    Activation, HeadInput, HeadLayerSpec, Output, Pooling, SequenceHead, SequenceHeadSpec, TokenHead,
    TokenHeadSpec,
};
pub use model::{Encoded, HeadProbabilities, Model};
pub use package::Package;
pub use pool::{Counters, EncoderPool, Lane, Pass, PoolOptions, Query};
pub use queue::Caller;
pub use spans::{Span, TokenLabels, span_types};
pub use ticket::Ticket;
pub use windows::{WindowPlan, Windows};
