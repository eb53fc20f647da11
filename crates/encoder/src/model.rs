//! A model: tokenizer, engine and heads; one pass over a text gives all it has.

mod directory;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::blob::Blob;
use crate::engine::{Engine, Input, Scratch};
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::head::{HeadInput, Pooling, SequenceHead, TokenHead};
use crate::native::{Level, NativeEngine};
#[cfg(feature = "rten")]
use crate::onnx::{AudioTower, ImageTower};
use crate::package::Package;
use crate::spans::TokenLabels;
use crate::text::{TextTokenizer, Tokens};

/// A text encoder with its heads.
#[derive(Debug)]
pub struct Model {
    engine: Box<dyn Engine>,
    tokenizer: TextTokenizer,
    pooling: Pooling,
    heads: Vec<SequenceHead>,
    /// The layers that heads read, ascending.
    taps: Vec<usize>,
    token_head: Option<TokenHead>,
    fingerprint: Fingerprint,
    identity: Fingerprint,
    metadata: serde_json::Value,
    /// Whether the engine's rows are hidden states or a vector, and not logits.
    embeds: bool,
    #[cfg(feature = "rten")]
    image_tower: Option<ImageTower>,
    #[cfg(feature = "rten")]
    audio_tower: Option<AudioTower>,
}

/// Probabilities of one head, in the order of its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadProbabilities {
    /// The head.
    pub head: Arc<str>,
    /// One per label.
    pub values: Box<[f32]>,
}

/// How much of a model is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// All of it.
    Whole,
    /// What its heads need.
    Heads,
}

/// What one pass over a text gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The pooled vector with length 1; empty if the pass did not go so far.
    pub embedding: Arc<[f32]>,
    /// The pooled vector's length before.
    pub norm: f32,
    /// Of every sequence head, in the model's order.
    pub heads: Vec<HeadProbabilities>,
    /// Of the token head, if the model has one.
    pub tokens: Option<TokenLabels>,
    /// How many tokens were seen, special ones included.
    pub token_count: usize,
    /// How many bytes of the text they cover.
    pub covered: usize,
}

impl Encoded {
    /// The probabilities of a head.
    pub fn probabilities(&self, head: &str) -> Option<&[f32]> {
        self.heads.iter().find(|h| &*h.head == head).map(|h| &*h.values)
    }

    /// Roughly what it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let heads: usize = self.heads.iter().map(|h| h.values.len() * 4 + 48).sum();
        size_of::<Self>()
            + self.embedding.len() * 4
            + heads
            + self.tokens.as_ref().map_or(0, TokenLabels::bytes)
    }
}

impl Model {
    /// A model on the native engine, from a package; on `level` or the best instruction set of this CPU.
    ///
    /// # Errors
    /// If the package lacks a part, or this CPU the level.
    pub fn new(package: &Package, level: Option<Level>) -> Result<Self, Error> {
        Self::with_engine(package, Box::new(NativeEngine::new(package, level)?))
    }

    /// As [`Self::new`], from packed bytes: `Blob::map` of a file, `embed!` or a vector.
    ///
    /// # Errors
    /// As there.
    pub fn from_packed(bytes: &Blob, level: Option<Level>) -> Result<Self, Error> {
        Self::new(&Package::open(bytes)?, level)
    }

    /// A model whose hidden states come from `engine`; all else is the package's.
    ///
    /// # Errors
    /// If the engine's width is not the package's, or the package lacks a part.
    pub fn with_engine(package: &Package, engine: Box<dyn Engine>) -> Result<Self, Error> {
        let (width, expected) = (engine.hidden_size(), package.architecture().hidden);
        if width != expected {
            let why = format!("its hidden states have {width} values instead of {expected}");
            return Err(Error::format("the engine", why));
        }
        let max_tokens = engine.max_tokens().min(package.max_tokens());
        let heads = package.sequence_heads().iter().map(|spec| SequenceHead::load(spec, package));
        let heads: Vec<SequenceHead> = heads.collect::<Result<_, _>>()?;
        let taps: BTreeSet<usize> = heads.iter().flat_map(SequenceHead::taps).copied().collect();
        if let Some(layer) = taps.iter().find(|layer| **layer > engine.layers()) {
            let why = format!("a head reads layer {layer}, and there are {}", engine.layers());
            return Err(Error::format("the heads", why));
        }
        Ok(Self {
            tokenizer: TextTokenizer::load(&package.tokenizer()?, package.prefix(), max_tokens)?,
            engine,
            pooling: package.pooling(),
            heads,
            taps: taps.into_iter().collect(),
            token_head: package.token_head().map(|spec| TokenHead::load(spec, package)).transpose()?,
            fingerprint: package.fingerprint(),
            identity: package.identity(),
            metadata: package.metadata().clone(),
            embeds: true,
            #[cfg(feature = "rten")]
            image_tower: None,
            #[cfg(feature = "rten")]
            audio_tower: None,
        })
    }

    /// What embeddings, prototypes and heads must carry to be used with this model.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What tells this model's results, heads included, from all others'.
    pub fn identity(&self) -> Fingerprint {
        self.identity
    }

    /// What whoever packed it wrote down.
    pub fn metadata(&self) -> &serde_json::Value {
        &self.metadata
    }

    /// The engine, for traces.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Its sequence heads.
    pub fn heads(&self) -> &[SequenceHead] {
        &self.heads
    }

    /// The sequence head of that name.
    pub fn head(&self, name: &str) -> Option<&SequenceHead> {
        self.heads.iter().find(|head| &**head.name() == name)
    }

    /// Its token head.
    pub fn token_head(&self) -> Option<&TokenHead> {
        self.token_head.as_ref()
    }

    /// Values of an embedding; 0 if it gives none.
    pub fn dimension(&self) -> usize {
        if self.embeds { self.engine.hidden_size() } else { 0 }
    }

    pub(crate) fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// One pass over as much of `text` as the model takes.
    ///
    /// # Errors
    /// If the text cannot be tokenised or the engine fails.
    pub fn encode(&self, text: &str, scratch: &mut Scratch) -> Result<Encoded, Error> {
        self.run(&self.tokenizer.encode(text)?, Depth::Whole, scratch)
    }

    /// As [`Self::encode`], but no deeper than heads read: where they read early layers alone, the embedding is empty and
    /// there are no token labels.
    ///
    /// # Errors
    /// As there.
    pub fn classify(&self, text: &str, scratch: &mut Scratch) -> Result<Encoded, Error> {
        self.run(&self.tokenizer.encode(text)?, Depth::Heads, scratch)
    }

    /// Whether [`Self::classify`] takes less than [`Self::encode`].
    pub fn classifies_early(&self) -> bool {
        self.depth(Depth::Heads) < self.engine.layers()
    }

    /// How many layers are computed.
    fn depth(&self, depth: Depth) -> usize {
        let read_early = self.heads.iter().all(|head| matches!(head.input(), HeadInput::Layers(_)));
        match (depth, self.taps.last()) {
            (Depth::Heads, Some(last)) if read_early && self.token_head.is_none() => *last,
            _ => self.engine.layers(),
        }
    }

    /// What heads on `layers` (counted from 1, ascending) read of a text, for fitting them: the means of the layers' hidden
    /// states, one behind the other.
    ///
    /// # Errors
    /// As for [`Self::encode`].
    pub fn layer_means<'s>(
        &self,
        text: &str,
        layers: &[usize],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [f32], Error> {
        let tokens = self.tokenizer.encode(text)?;
        let depth = layers.last().copied().unwrap_or_default();
        self.engine.run(Input { ids: &tokens.ids, types: &tokens.types, taps: layers, depth }, scratch)?;
        Ok(&scratch.taps)
    }

    /// One pass over two texts, such as a premise and a hypothesis; token ranges are those of either text.
    ///
    /// # Errors
    /// As for [`Self::encode`].
    pub fn encode_pair(&self, first: &str, second: &str, scratch: &mut Scratch) -> Result<Encoded, Error> {
        self.run(&self.tokenizer.encode_pair(first, second)?, Depth::Whole, scratch)
    }

    fn run(&self, tokens: &Tokens, depth: Depth, scratch: &mut Scratch) -> Result<Encoded, Error> {
        let depth = self.depth(depth);
        let input = Input { ids: &tokens.ids, types: &tokens.types, taps: &self.taps, depth };
        self.engine.run(input, scratch)?;
        let width = self.engine.hidden_size();
        let hidden = &scratch.hidden[..];
        let first =
            hidden.get(..width).ok_or_else(|| Error::Failed("the engine gave no hidden states".into()))?;
        let mean: Vec<f32> = mean_row(hidden, width).collect();
        let pooled = match self.pooling {
            Pooling::Mean => &mean,
            Pooling::Cls => first,
        };
        let norm = pooled.iter().map(|x| x * x).sum::<f32>().sqrt();
        let inverse = 1.0 / norm.max(1e-12);
        let is_whole = depth >= self.engine.layers() && self.embeds;
        let embedding: Arc<[f32]> = pooled.iter().map(|x| x * inverse).filter(|_| is_whole).collect();
        let heads = self.heads.iter().map(|head| {
            let vector = match head.input() {
                HeadInput::Pooled => Cow::Borrowed(pooled),
                HeadInput::Embedding => Cow::Borrowed(&embedding[..]),
                HeadInput::Cls => Cow::Borrowed(first),
                HeadInput::Mean => Cow::Borrowed(&mean[..]),
                HeadInput::Layers(layers) => Cow::Owned(self.tapped(layers, &scratch.taps)),
            };
            HeadProbabilities { head: Arc::clone(head.name()), values: head.apply(&vector).into() }
        });
        Ok(Encoded {
            norm: if is_whole { norm } else { 0.0 },
            heads: heads.collect(),
            tokens: self.token_head.as_ref().map(|head| tag(head, hidden, width, &tokens.ranges)),
            embedding,
            token_count: tokens.ids.len(),
            covered: tokens.covered,
        })
    }

    /// The means of these layers, one behind the other, out of those of all tapped ones.
    fn tapped(&self, layers: &[usize], taps: &[f32]) -> Vec<f32> {
        let rows = self.taps.iter().zip(taps.chunks_exact(self.engine.hidden_size()));
        rows.filter(|(layer, _)| layers.contains(layer)).flat_map(|(_, row)| row).copied().collect()
    }
}

/// The mean of all rows.
pub(crate) fn mean_row(hidden: &[f32], width: usize) -> impl Iterator<Item = f32> {
    let mut sum = vec![0.0_f32; width];
    for row in hidden.chunks_exact(width) {
        for (s, x) in sum.iter_mut().zip(row) {
            *s += x;
        }
    }
    let count = (hidden.len() / width).max(1) as f32;
    sum.into_iter().map(move |s| s / count)
}

/// Labels of every token that lies in the text.
fn tag(head: &TokenHead, hidden: &[f32], width: usize, ranges: &[Range<usize>]) -> TokenLabels {
    let mut work = [Vec::new(), Vec::new()];
    let mut labels = TokenLabels::new(head.labels().len());
    for (row, range) in hidden.chunks_exact(width).zip(ranges) {
        if range.start < range.end {
            head.apply(row, &mut work, labels.push(range));
        }
    }
    labels
}
