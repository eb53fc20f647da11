//! The interface of engines: token ids in, hidden states out.

use crate::error::Error;
use crate::native;
#[cfg(feature = "rten")]
use crate::onnx;

/// The tokens of one sequence.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Token ids, special tokens included.
    pub ids: &'a [u32],
    /// The segment of each token (0, or 1 for the second text of a pair); as long as `ids`.
    pub types: &'a [u32],
    /// Layers, counted from 1 and ascending, whose hidden states are averaged over all tokens.
    pub taps: &'a [usize],
    /// How many layers are computed; all if there are fewer.
    pub depth: usize,
}

impl<'a> Input<'a> {
    /// All layers and no means.
    pub fn whole(ids: &'a [u32], types: &'a [u32]) -> Self {
        Self { ids, types, taps: &[], depth: usize::MAX }
    }
}

/// Something that computes the hidden states of a text encoder.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// Its name, for traces.
    fn name(&self) -> &'static str;

    /// Values per token.
    fn hidden_size(&self) -> usize;

    /// How many layers there are.
    fn layers(&self) -> usize;

    /// The longest sequence, special tokens included.
    fn max_tokens(&self) -> usize;

    /// Computes the hidden states of one sequence behind the last layer wanted into [`Scratch::hidden`], a row of
    /// [`Self::hidden_size`] per token, and the means of the tapped layers into [`Scratch::taps`], one behind the other.
    ///
    /// # Errors
    /// If the sequence is empty or too long, or an id is unknown.
    fn run(&self, input: Input<'_>, scratch: &mut Scratch) -> Result<(), Error>;
}

/// A worker's memory, reused from one sequence to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The last hidden states of the last sequence, row by row.
    pub hidden: Vec<f32>,
    /// The means of the tapped layers' hidden states.
    pub taps: Vec<f32>,
    pub(crate) native: native::Workspace,
    #[cfg(feature = "rten")]
    pub(crate) lane: onnx::Lane,
}

impl Scratch {
    /// Gives memory back if the last sequence took more than `bytes` of it.
    pub fn shrink(&mut self, bytes: usize) {
        if self.hidden.capacity() * size_of::<f32>() + self.native.bytes() > bytes {
            self.hidden = Vec::new();
            self.taps = Vec::new();
            self.native = native::Workspace::default();
        }
    }
}
