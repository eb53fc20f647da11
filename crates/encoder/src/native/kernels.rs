//! The vector kernels: which instruction sets there are, and the checked calls through which all else uses them.
//!
//! The submodules are written once over [`simd::Simd`] and compiled once per instruction set. They work on pointers and
//! check nothing; every method of [`Kernels`] checks all bounds before it calls one, and a `Kernels` exists only for a
//! level that the CPU has.
#![expect(unsafe_code, reason = "the checked boundary to the kernels")]

mod level;
mod table;

#[expect(
    unsafe_op_in_unsafe_fn,
    clippy::needless_range_loop,
    reason = "each function is one unsafe operation on what the calls of `Kernels` have checked; indices are registers"
)]
mod attention;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_op_in_unsafe_fn, reason = "each method is one instruction or a few")]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_op_in_unsafe_fn, reason = "each method is one instruction or a few")]
mod avx512;
#[cfg(target_arch = "aarch64")]
#[expect(unsafe_op_in_unsafe_fn, reason = "each method is one instruction or a few")]
mod neon;
#[expect(unsafe_op_in_unsafe_fn, reason = "each method is one vector operation")]
mod portable;
#[expect(unsafe_op_in_unsafe_fn, clippy::needless_range_loop, reason = "as in `attention`")]
mod product;
#[expect(unsafe_op_in_unsafe_fn, reason = "as in `attention`")]
mod rows;
#[expect(unsafe_op_in_unsafe_fn, reason = "as in `attention`")]
mod simd;

pub use level::Level;

use super::linear::{Linear, Width};
use table::Table;

/// Columns of a weight panel.
pub(super) const PANEL: usize = 48;
/// Keys whose scores are held at once; a multiple of [`PANEL`].
const KEY_BLOCK: usize = 11 * PANEL;
/// The widest attention head.
pub(super) const MAX_HEAD_WIDTH: usize = 256;
/// All feature widths are multiples of this, so that no kernel has a ragged end.
pub(super) const GRAIN: usize = 16;
/// Query rows of the widest attention tile.
const MAX_ROWS: usize = 8;

/// What a product does with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// Overwrite the output.
    Store,
    /// Overwrite the output with the exact GELU of the result.
    Gelu,
    /// Add to the output.
    Add,
}

/// A product's operands, all checked: `rows` rows of `a_stride` bytes, panels for `outputs` columns, and per-column
/// arrays padded to whole panels.
struct LinearCall {
    rows: usize,
    groups: usize,
    outputs: usize,
    a: *const u8,
    a_stride: usize,
    row_scales: *const f32,
    panels: *const u8,
    scales: *const f32,
    offsets: *const i32,
    bias: *const f32,
    out: *mut f32,
    out_stride: usize,
    epilogue: Epilogue,
}

/// One head's operands, all checked; strides are in f32.
struct AttentionCall {
    tokens: usize,
    width: usize,
    reach: Option<usize>,
    scale: f32,
    queries: *const f32,
    keys: *const f32,
    values: *const f32,
    stride: usize,
    out: *mut f32,
    out_stride: usize,
    key_panels: *mut u32,
    value_rows: *mut u32,
    scratch: *mut f32,
}

/// Activations of a product narrowed to bfloat16 or bytes; reused between calls.
#[derive(Debug, Default)]
pub struct Narrowed {
    values: Vec<u8>,
    scales: Vec<f32>,
}

/// Working memory of attention; reused between calls, linear in the longest sequence.
#[derive(Debug, Default)]
pub struct AttentionScratch {
    keys: Vec<u32>,
    values: Vec<u32>,
    block: Vec<f32>,
}

/// How attention is done over a sequence.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// Heads.
    pub heads: usize,
    /// Width of a head: a multiple of 16, at most 256.
    pub width: usize,
    /// How many tokens to either side a token sees; all if absent.
    pub reach: Option<usize>,
    /// Whether products may be taken in bfloat16 where the CPU has them.
    pub halves: bool,
}

/// The kernels of one instruction set that this CPU has.
#[derive(Clone, Copy)]
pub struct Kernels {
    level: Level,
    table: &'static Table,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kernels").field(&self.level).finish()
    }
}

impl Kernels {
    /// The kernels for `level`, unless this CPU lacks it.
    pub fn at(level: Level) -> Option<Self> {
        level.is_available().then(|| Self { level, table: table::of(level) })
    }

    /// The best kernels that this CPU has.
    pub fn detect() -> Self {
        let level = Level::best();
        Self { level, table: table::of(level) }
    }

    /// Which instruction set these are for.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What zero becomes in activations of bytes.
    pub(super) fn zero_point(&self) -> i32 {
        self.table.zero_point
    }

    /// `out = x · weightᵀ + bias`, or what `epilogue` says: `x` holds rows of the layer's inputs, `out` as many rows of its
    /// outputs.
    ///
    /// # Panics
    /// If the slices do not hold equally many whole rows, or the layer was made for other kernels.
    pub fn linear(
        &self,
        layer: &Linear,
        x: &[f32],
        narrowed: &mut Narrowed,
        out: &mut [f32],
        epilogue: Epilogue,
    ) {
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        let rows = x.len() / inputs;
        assert_eq!(x.len(), rows * inputs, "rows of activations");
        assert_eq!(out.len(), rows * outputs, "rows of results");
        assert_eq!(layer.zero_point(), self.zero_point(), "the layer was made for these kernels");
        let (groups, a, a_stride, kernel) = match layer.width() {
            Width::Float => (inputs, x.as_ptr().cast(), inputs * 4, self.table.linear_floats),
            Width::Bf16 => {
                self.narrow(x, inputs, Width::Bf16, narrowed);
                (inputs / 2, narrowed.values.as_ptr(), inputs * 2, self.table.linear_pairs)
            }
            Width::Int8 => {
                self.narrow(x, inputs, Width::Int8, narrowed);
                (inputs / 4, narrowed.values.as_ptr(), inputs, self.table.linear_bytes)
            }
        };
        let call = LinearCall {
            rows,
            groups,
            outputs,
            a,
            a_stride,
            row_scales: narrowed.scales.as_ptr(),
            panels: layer.panels().as_ptr(),
            scales: layer.scales().as_ptr(),
            offsets: layer.offsets().as_ptr(),
            bias: layer.bias().as_ptr(),
            out: out.as_mut_ptr(),
            out_stride: outputs,
            epilogue,
        };
        // SAFETY: the CPU has this level (constructor). `a` holds `rows` rows of `groups` groups: `x` by the assertion, or
        // `narrowed`, which `narrow` filled for exactly these rows, with a scale per row. `Linear` guarantees panels of
        // `groups` groups for its outputs, a multiple of the grain, and per-column arrays padded to whole panels (scales
        // and offsets are read for bytes only, where it has them). `out` holds `rows` rows by the assertion.
        unsafe { kernel(&call) }
    }

    /// Narrows rows of `inputs` values for a product of that width.
    fn narrow(&self, x: &[f32], inputs: usize, width: Width, narrowed: &mut Narrowed) {
        assert!(inputs > 0 && inputs.is_multiple_of(GRAIN) && x.len().is_multiple_of(inputs), "whole rows");
        let rows = x.len() / inputs;
        let (size, kernel) = match width {
            Width::Int8 => (1, self.table.narrow_bytes),
            Width::Bf16 | Width::Float => (2, self.table.narrow_pairs),
        };
        let row_bytes = inputs * size;
        if narrowed.values.len() < rows * row_bytes {
            narrowed.values.resize(rows * row_bytes, 0);
        }
        if narrowed.scales.len() < rows {
            narrowed.scales.resize(rows, 0.0);
        }
        let lines = narrowed.values.chunks_exact_mut(row_bytes).zip(&mut narrowed.scales);
        for (row, (line, scale)) in x.chunks_exact(inputs).zip(lines) {
            // SAFETY: the CPU has this level; `row` has `inputs` values, a multiple of the grain and so of the lanes, and
            // `line` room for as many of `size` bytes.
            *scale = unsafe { kernel(row.as_ptr(), inputs, line.as_mut_ptr()) };
        }
    }

    /// Layer norm of every row of `x` into `out`; `weight.len()` is the width, `bias` is as long.
    ///
    /// # Panics
    /// If lengths do not agree or the width is not a multiple of 16.
    pub fn layer_norm(&self, x: &[f32], out: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
        let width = self.check_norm(x.len(), weight, bias);
        assert_eq!(x.len(), out.len(), "as many results as values");
        for (row, line) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            // SAFETY: the CPU has this level; all four hold `width` values, a multiple of the lanes.
            unsafe {
                (self.table.layer_norm)(
                    row.as_ptr(),
                    line.as_mut_ptr(),
                    width,
                    weight.as_ptr(),
                    bias.as_ptr(),
                    epsilon,
                );
            }
        }
    }

    /// [`Self::layer_norm`] of every row in place.
    ///
    /// # Panics
    /// As there.
    pub fn layer_norm_in_place(&self, x: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
        let width = self.check_norm(x.len(), weight, bias);
        for row in x.chunks_exact_mut(width) {
            let p = row.as_mut_ptr();
            // SAFETY: as in `layer_norm`; the kernel reads each vector of the row before it writes it.
            unsafe { (self.table.layer_norm)(p, p, width, weight.as_ptr(), bias.as_ptr(), epsilon) }
        }
    }

    fn check_norm(&self, values: usize, weight: &[f32], bias: &[f32]) -> usize {
        let width = weight.len();
        assert!(width > 0 && width.is_multiple_of(GRAIN), "a width in whole grains");
        assert_eq!(bias.len(), width, "a bias for every weight");
        assert!(values.is_multiple_of(width), "whole rows");
        width
    }

    /// For every row of `2 · half` values, `gelu(first half) · second half`; the results of all rows are left, without
    /// gaps, at the beginning of `values`.
    ///
    /// # Panics
    /// If `values` is not made of whole rows or `half` not a multiple of 16.
    pub fn gated_gelu(&self, values: &mut [f32], half: usize) {
        assert!(
            half > 0 && half.is_multiple_of(GRAIN) && values.len().is_multiple_of(2 * half),
            "whole rows"
        );
        let start = values.as_mut_ptr();
        for row in 0..values.len() / (2 * half) {
            // SAFETY: the CPU has this level; row `row` lies inside `values`, `half` is a multiple of the lanes, and its
            // result lies at or before it, where only rows that are done were.
            unsafe { (self.table.gated_gelu)(start.add(row * 2 * half), half, start.add(row * half)) }
        }
    }

    /// Exact softmax attention over one sequence: rows of `qkv` hold the queries, keys and values of all heads one after
    /// another, `out` gets a row of all heads' results per token. Scores are scaled by 1/√width.
    ///
    /// # Panics
    /// If the slices' lengths do not agree with the shape.
    pub fn attention(
        &self,
        shape: AttentionShape,
        qkv: &[f32],
        out: &mut [f32],
        scratch: &mut AttentionScratch,
    ) {
        let AttentionShape { heads, width, reach, halves } = shape;
        assert!(width > 0 && width.is_multiple_of(GRAIN) && width <= MAX_HEAD_WIDTH, "a head's width");
        let hidden = heads * width;
        assert!(hidden > 0 && out.len().is_multiple_of(hidden), "whole rows of results");
        let tokens = out.len() / hidden;
        assert_eq!(qkv.len(), tokens * 3 * hidden, "queries, keys and values of every token");
        if tokens == 0 {
            return;
        }
        let padded = tokens.next_multiple_of(PANEL);
        grow(&mut scratch.keys, padded * width, 0);
        grow(&mut scratch.values, padded * width, 0);
        // Scores, queries and results of a block, then bfloat16 queries and weights in half as much again.
        grow(&mut scratch.block, MAX_ROWS * (2 * KEY_BLOCK + 3 * width), 0.0);
        let kernel = match (halves && self.level.multiplies_bf16(), width.is_multiple_of(2 * GRAIN)) {
            (false, true) => self.table.attention_floats,
            (false, false) => self.table.attention_floats_slim,
            (true, true) => self.table.attention_pairs,
            (true, false) => self.table.attention_pairs_slim,
        };
        for head in 0..heads {
            let (queries, rest) = (&qkv[head * width..], &qkv[hidden + head * width..]);
            let values = &rest[hidden..];
            let call = AttentionCall {
                tokens,
                width,
                reach: reach.map(|r| r.min(tokens)),
                scale: std::f32::consts::LOG2_E / (width as f32).sqrt(),
                queries: queries.as_ptr(),
                keys: rest.as_ptr(),
                values: values.as_ptr(),
                stride: 3 * hidden,
                out: out[head * width..].as_mut_ptr(),
                out_stride: hidden,
                key_panels: scratch.keys.as_mut_ptr(),
                value_rows: scratch.values.as_mut_ptr(),
                scratch: scratch.block.as_mut_ptr(),
            };
            // SAFETY: the CPU has this level. Row t of the head's queries, keys and values begins t · 3 · hidden behind its
            // slice's start and its `width` values end inside `qkv`, whose length was asserted; likewise `out`. Panels and
            // rows hold the tokens padded to whole panels, the block scratch what `attention::head` lays out for at most
            // MAX_ROWS rows; `width` is a multiple of the grain, and of twice that where the wide kernel is chosen.
            unsafe { kernel(&call) }
        }
    }
}

fn grow<T: Clone>(buffer: &mut Vec<T>, length: usize, zero: T) {
    if buffer.len() < length {
        buffer.resize(length, zero);
    }
}
