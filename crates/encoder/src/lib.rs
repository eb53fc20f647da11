//! Router-owned text models on the CPU: tokenise, embed, classify, tag tokens.

mod blob;
mod cache;
mod checkpoint;
mod engine;
mod error;
mod fingerprint;
mod head;
mod model;
pub mod native;
mod package;
mod pool;
mod spans;
mod text;
mod ticket;
mod windows;

pub use blob::Blob;
pub use checkpoint::{PackOptions, pack};
pub use engine::{Engine, Input, Scratch};
pub use error::Error;
pub use fingerprint::Fingerprint;
pub use head::{
    Activation, HeadInput, HeadLayerSpec, Output, Pooling, SequenceHead, SequenceHeadSpec, TokenHead,
    TokenHeadSpec,
};
pub use model::{Encoded, HeadProbabilities, Model};
pub use package::Package;
pub use pool::{Counters, EncoderPool, PoolOptions, Text};
pub use spans::{Span, TokenLabels, span_types};
pub use ticket::Ticket;
pub use windows::{WindowPlan, Windows};
