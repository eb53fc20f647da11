//! Router-owned text models on the CPU: tokenise, embed, classify, tag tokens.

mod blob;
mod checkpoint;
mod engine;
mod error;
mod fingerprint;
mod head;
mod model;
pub mod native;
mod package;
mod spans;
mod text;

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
pub use spans::{Span, TokenLabels, span_types};
