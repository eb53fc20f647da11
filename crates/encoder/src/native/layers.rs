//! The forward pass: embeddings, blocks, hidden states.

use super::architecture::{Architecture, Family};
use super::kernels::{AttentionScratch, AttentionShape, Epilogue, Kernels, Level, Narrowed};
use super::linear::{Linear, Width};
use super::rope::Rotation;
use super::table::Table;
use crate::engine::{Engine, Input, Scratch};
use crate::error::Error;
use crate::model::mean_row;
use crate::package::Package;

/// Rows that pass through a block's feed-forward part at once: few enough to stay in the cache.
const CHUNK: usize = 96;

#[derive(Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Debug)]
struct Block {
    /// After attention in BERT, before it in ModernBERT (whose first block has none).
    attention_norm: Option<Norm>,
    qkv: Linear,
    output: Linear,
    feed_norm: Norm,
    up: Linear,
    down: Linear,
    reach: Option<usize>,
    theta: f32,
}

/// An encoder on the CPU, its weights read where the package has them.
#[derive(Debug)]
pub struct NativeEngine {
    architecture: Architecture,
    max_tokens: usize,
    kernels: Kernels,
    halves: bool,
    words: Table,
    positions: Option<Table>,
    types: Option<Table>,
    embedding_norm: Norm,
    blocks: Vec<Block>,
    final_norm: Option<Norm>,
}

/// What a pass works in; reused.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    qkv: Vec<f32>,
    context: Vec<f32>,
    middle: Vec<f32>,
    normed: Vec<f32>,
    narrowed: Narrowed,
    attention: AttentionScratch,
    /// Of global and of local layers.
    rotations: [Rotation; 2],
}

impl Workspace {
    /// Roughly what it holds.
    pub(crate) fn bytes(&self) -> usize {
        (self.qkv.capacity() + self.context.capacity() + self.middle.capacity()) * size_of::<f32>()
    }
}

impl NativeEngine {
    /// An engine over a package, on `level` or the best that this CPU has.
    ///
    /// # Errors
    /// If this CPU lacks `level`, or the package lacks a part or has one of another size.
    pub fn new(package: &Package, level: Option<Level>) -> Result<Self, Error> {
        let kernels = match level {
            None => Kernels::detect(),
            Some(level) => Kernels::at(level).ok_or_else(|| {
                Error::unsupported(
                    format!("{level:?} on this CPU"),
                    "leave the level out to get the best there is",
                )
            })?,
        };
        let architecture = package.architecture().clone();
        architecture.check()?;
        let parts = Parts { package, kernels };
        let (hidden, modern) = (architecture.hidden, architecture.family == Family::ModernBert);
        let up = if modern { 2 * architecture.intermediate } else { architecture.intermediate };
        let mut blocks = Vec::with_capacity(architecture.layers);
        for i in 0..architecture.layers {
            let name = |part: &str| format!("layer.{i}.{part}");
            let reach = architecture.reach(i);
            let first = modern && i == 0;
            blocks.push(Block {
                attention_norm: if first { None } else { Some(parts.norm(&name("attention_norm"), hidden)?) },
                qkv: parts.linear(&name("qkv"), 3 * hidden, hidden)?,
                output: parts.linear(&name("output"), hidden, hidden)?,
                feed_norm: parts.norm(&name("feed_norm"), hidden)?,
                up: parts.linear(&name("up"), up, hidden)?,
                down: parts.linear(&name("down"), hidden, architecture.intermediate)?,
                reach,
                theta: if reach.is_some() { architecture.local_theta } else { architecture.global_theta },
            });
        }
        let types = architecture.token_types;
        Ok(Self {
            max_tokens: package.max_tokens().min(architecture.max_tokens),
            kernels,
            halves: blocks.iter().all(|b| b.qkv.width() != Width::Float),
            words: parts.table("embedding.words", architecture.vocabulary, hidden)?,
            positions: if modern {
                None
            } else {
                let rows = architecture.max_tokens + architecture.first_position;
                Some(parts.table("embedding.positions", rows, hidden)?)
            },
            types: if types > 0 { Some(parts.table("embedding.types", types, hidden)?) } else { None },
            embedding_norm: parts.norm("embedding.norm", hidden)?,
            final_norm: if modern { Some(parts.norm("final_norm", hidden)?) } else { None },
            blocks,
            architecture,
        })
    }

    /// The instruction set it runs on.
    pub fn level(&self) -> Level {
        self.kernels.level()
    }

    fn embed(&self, input: Input<'_>, x: &mut [f32]) -> Result<(), Error> {
        let rows = x.chunks_exact_mut(self.architecture.hidden);
        for (i, (row, (&id, &kind))) in rows.zip(input.ids.iter().zip(input.types)).enumerate() {
            if id as usize >= self.words.rows() {
                return Err(Error::Input(format!("token id {id} is not below {}", self.words.rows())));
            }
            self.words.add(id as usize, row);
            if let Some(positions) = &self.positions {
                positions.add(i + self.architecture.first_position, row);
            }
            if let Some(types) = &self.types {
                types.add(kind as usize, row);
            }
        }
        self.norm_in_place(&self.embedding_norm, x);
        Ok(())
    }

    fn norm_in_place(&self, norm: &Norm, x: &mut [f32]) {
        self.kernels.layer_norm_in_place(x, &norm.weight, &norm.bias, self.architecture.epsilon);
    }

    /// `x` normalised into `work.normed`.
    fn norm(&self, norm: &Norm, x: &[f32], normed: &mut Vec<f32>) {
        normed.resize(x.len(), 0.0);
        self.kernels.layer_norm(x, normed, &norm.weight, &norm.bias, self.architecture.epsilon);
    }

    fn block(&self, block: &Block, x: &mut [f32], work: &mut Workspace) {
        let Architecture { family, hidden, heads, intermediate, .. } = self.architecture;
        let modern = family == Family::ModernBert;
        let kernels = &self.kernels;
        let Workspace { qkv, context, middle, normed, narrowed, attention, rotations } = work;
        let tokens = x.len() / hidden;
        qkv.resize(tokens * 3 * hidden, 0.0);
        context.resize(tokens * hidden, 0.0);

        let lines = x.chunks(CHUNK * hidden).zip(qkv.chunks_mut(CHUNK * 3 * hidden));
        for (rows, out) in lines {
            let rows = match &block.attention_norm {
                Some(norm) if modern => {
                    self.norm(norm, rows, normed);
                    &normed[..]
                }
                _ => rows,
            };
            kernels.linear(&block.qkv, rows, narrowed, out, Epilogue::Store);
        }
        let width = hidden / heads;
        if modern {
            let rotation = &mut rotations[usize::from(block.reach.is_some())];
            rotation.prepare(block.theta, width / 2, tokens);
            for (position, row) in qkv.chunks_exact_mut(3 * hidden).enumerate() {
                rotation.rotate(position, heads, row);
            }
        }
        let shape = AttentionShape { heads, width, reach: block.reach, halves: self.halves };
        kernels.attention(shape, qkv, context, attention);

        for (rows, seen) in x.chunks_mut(CHUNK * hidden).zip(context.chunks(CHUNK * hidden)) {
            let count = rows.len() / hidden;
            kernels.linear(&block.output, seen, narrowed, rows, Epilogue::Add);
            if modern {
                self.norm(&block.feed_norm, rows, normed);
                middle.resize(count * 2 * intermediate, 0.0);
                kernels.linear(&block.up, normed, narrowed, middle, Epilogue::Store);
                kernels.gated_gelu(middle, intermediate);
                let gated = &middle[..count * intermediate];
                kernels.linear(&block.down, gated, narrowed, rows, Epilogue::Add);
            } else {
                if let Some(norm) = &block.attention_norm {
                    self.norm_in_place(norm, rows);
                }
                middle.resize(count * intermediate, 0.0);
                kernels.linear(&block.up, rows, narrowed, middle, Epilogue::Gelu);
                kernels.linear(&block.down, middle, narrowed, rows, Epilogue::Add);
                self.norm_in_place(&block.feed_norm, rows);
            }
        }
    }
}

impl Engine for NativeEngine {
    fn name(&self) -> &'static str {
        "native"
    }

    fn hidden_size(&self) -> usize {
        self.architecture.hidden
    }

    fn layers(&self) -> usize {
        self.blocks.len()
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn run(&self, input: Input<'_>, scratch: &mut Scratch) -> Result<(), Error> {
        let tokens = input.ids.len();
        if tokens == 0 || tokens > self.max_tokens || input.types.len() != tokens {
            let why =
                format!("{tokens} tokens, {} types, at most {} allowed", input.types.len(), self.max_tokens);
            return Err(Error::Input(why));
        }
        let Scratch { hidden, native, taps, .. } = scratch;
        taps.clear();
        hidden.clear();
        hidden.resize(tokens * self.architecture.hidden, 0.0);
        self.embed(input, hidden)?;
        for (layer, block) in (1..).zip(self.blocks.iter().take(input.depth)) {
            self.block(block, hidden, native);
            if input.taps.contains(&layer) {
                taps.extend(mean_row(hidden, self.architecture.hidden));
            }
        }
        if let Some(norm) = self.final_norm.as_ref().filter(|_| input.depth >= self.blocks.len()) {
            self.norm_in_place(norm, hidden);
        }
        Ok(())
    }
}

/// Reads the engine's parts from a package.
struct Parts<'a> {
    package: &'a Package,
    kernels: Kernels,
}

impl Parts<'_> {
    fn linear(&self, name: &str, outputs: usize, inputs: usize) -> Result<Linear, Error> {
        let (width, shape, packed) = self.package.matrix(name)?;
        if shape != [outputs, inputs] {
            return Err(Error::format(
                name,
                format!("its shape is {shape:?} instead of [{outputs}, {inputs}]"),
            ));
        }
        let bias = self.package.floats(&format!("{name}.bias"))?;
        Linear::new(&self.kernels, &packed, outputs, inputs, width, bias.as_deref())
    }

    fn table(&self, name: &str, rows: usize, columns: usize) -> Result<Table, Error> {
        let (width, shape, packed) = self.package.matrix(name)?;
        if shape != [rows, columns] {
            return Err(Error::format(
                name,
                format!("its shape is {shape:?} instead of [{rows}, {columns}]"),
            ));
        }
        Table::new(&packed, rows, columns, width)
    }

    fn norm(&self, name: &str, length: usize) -> Result<Norm, Error> {
        let weight = self.package.required_floats(&format!("{name}.weight"), length)?;
        let bias = self.package.floats(&format!("{name}.bias"))?.unwrap_or_else(|| vec![0.0; length]);
        if bias.len() != length {
            return Err(Error::format(
                name,
                format!("its bias has {} values instead of {length}", bias.len()),
            ));
        }
        Ok(Norm { weight, bias })
    }
}
