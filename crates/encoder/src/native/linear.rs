//! Linear layers: weights packed into panels, ready to be multiplied where they lie.

use serde::{Deserialize, Serialize};

use super::kernels::{GRAIN, Kernels, PANEL};
use crate::blob::Blob;
use crate::error::Error;

/// The widest layer: far beyond any model, and small enough that no product of two widths overflows.
const MOST: usize = 1 << 24;

/// How a layer's weights are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// 32-bit floating point.
    #[serde(rename = "f32")]
    Float,
    /// bfloat16; activations are rounded to it too.
    Bf16,
    /// Signed bytes, symmetric per output; activations are bytes per token.
    Int8,
}

impl Width {
    /// `f32`, `bf16` or `int8`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Float => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// Values in a 32-bit group.
    fn group(self) -> usize {
        match self {
            Self::Float => 1,
            Self::Bf16 => 2,
            Self::Int8 => 4,
        }
    }
}

/// A linear layer whose widths are multiples of 16.
#[derive(Debug)]
pub struct Linear {
    width: Width,
    inputs: usize,
    outputs: usize,
    panels: Blob,
    scales: Vec<f32>,
    offsets: Vec<i32>,
    bias: Vec<f32>,
    zero_point: i32,
}

/// Packs a row-major matrix of `outputs × inputs` weights into what [`Linear::new`] takes.
///
/// Panels of 48 outputs follow one another; in a panel, 48 groups of 32 bits (one f32, two bfloat16 or four bytes of
/// neighbouring inputs) for every step along the inputs. Bytes are preceded by f32 scales and i32 sums per output, both
/// padded to whole panels. All is little-endian.
///
/// # Errors
/// If the widths are not positive multiples of 16 or the matrix has another size.
pub fn pack(weights: &[f32], outputs: usize, inputs: usize, width: Width) -> Result<Vec<u8>, Error> {
    check(outputs, inputs)?;
    if weights.len() != outputs * inputs {
        return Err(Error::format("weights", format!("{} values for {outputs} × {inputs}", weights.len())));
    }
    let padded = outputs.next_multiple_of(PANEL);
    let group = width.group();
    let mut packed = Vec::with_capacity(section_length(outputs, inputs, width));
    let mut scales = vec![1.0_f32; padded];
    if width == Width::Int8 {
        for (scale, row) in scales.iter_mut().zip(weights.chunks_exact(inputs)) {
            let most = row.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
            *scale = if most > 0.0 { most / 127.0 } else { 1.0 };
        }
        packed.extend(scales.iter().flat_map(|s| s.to_le_bytes()));
        let sums = (0..padded).map(|o| {
            let row = weights.get(o * inputs..(o + 1) * inputs).unwrap_or_default();
            row.iter().map(|&w| i32::from(to_byte(w, scales[o]))).sum::<i32>()
        });
        packed.extend(sums.flat_map(i32::to_le_bytes));
    }
    for panel in 0..padded / PANEL {
        for step in 0..inputs / group {
            let columns = scales.iter().enumerate().skip(panel * PANEL).take(PANEL);
            for (output, &scale) in columns {
                if output >= outputs {
                    packed.extend([0; 4]);
                    continue;
                }
                let at = output * inputs + step * group;
                let values = &weights[at..at + group];
                match width {
                    Width::Float => packed.extend(values[0].to_le_bytes()),
                    Width::Bf16 => packed.extend(values.iter().flat_map(|&w| to_bf16(w).to_le_bytes())),
                    Width::Int8 => {
                        packed.extend(values.iter().map(|&w| to_byte(w, scale).cast_unsigned()));
                    }
                }
            }
        }
    }
    Ok(packed)
}

/// Bytes that [`pack`] makes.
fn section_length(outputs: usize, inputs: usize, width: Width) -> usize {
    let padded = outputs.next_multiple_of(PANEL);
    let extra = if width == Width::Int8 { padded * 8 } else { 0 };
    padded * (inputs / width.group()) * 4 + extra
}

fn check(outputs: usize, inputs: usize) -> Result<(), Error> {
    if outputs > MOST || inputs > MOST {
        return Err(Error::format("a layer", format!("{outputs} × {inputs} is too large")));
    }
    if outputs == 0 || inputs == 0 || !outputs.is_multiple_of(GRAIN) || !inputs.is_multiple_of(GRAIN) {
        return Err(Error::unsupported(
            format!("a layer of {outputs} × {inputs}"),
            "the native engine needs widths that are multiples of 16",
        ));
    }
    Ok(())
}

fn to_byte(weight: f32, scale: f32) -> i8 {
    (weight / scale).round_ties_even().clamp(-127.0, 127.0) as i8
}

/// `x` in bfloat16, to nearest, ties to even.
pub(crate) fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

impl Linear {
    /// A layer over weights packed by [`pack`], for `kernels`; without `bias`, zeros.
    ///
    /// # Errors
    /// If sizes do not agree.
    pub fn new(
        kernels: &Kernels,
        packed: &Blob,
        outputs: usize,
        inputs: usize,
        width: Width,
        bias: Option<&[f32]>,
    ) -> Result<Self, Error> {
        check(outputs, inputs)?;
        let expected = section_length(outputs, inputs, width);
        if packed.len() != expected {
            let why = format!("{} bytes where {outputs} × {inputs} takes {expected}", packed.len());
            return Err(Error::format("packed weights", why));
        }
        if bias.is_some_and(|b| b.len() != outputs) {
            return Err(Error::format("bias", format!("its length is not {outputs}")));
        }
        let padded = outputs.next_multiple_of(PANEL);
        let mut padded_bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        padded_bias.resize(padded, 0.0);
        let zero_point = kernels.zero_point();
        let (mut scales, mut offsets, mut skipped) = (Vec::new(), Vec::new(), 0);
        if width == Width::Int8 {
            let words = |from: usize| packed[from..from + padded * 4].as_chunks::<4>().0;
            scales.extend(words(0).iter().map(|w| f32::from_le_bytes(*w)));
            offsets.extend(words(padded * 4).iter().map(|w| i32::from_le_bytes(*w).wrapping_mul(zero_point)));
            skipped = padded * 8;
        }
        let panels = packed.slice(skipped..packed.len());
        Ok(Self { width, inputs, outputs, panels, scales, offsets, bias: padded_bias, zero_point })
    }

    /// Values per row of activations.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values per row of results.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How its weights are held.
    pub fn width(&self) -> Width {
        self.width
    }

    pub(super) fn panels(&self) -> &[u8] {
        &self.panels
    }

    pub(super) fn scales(&self) -> &[f32] {
        &self.scales
    }

    pub(super) fn offsets(&self) -> &[i32] {
        &self.offsets
    }

    pub(super) fn bias(&self) -> &[f32] {
        &self.bias
    }

    pub(super) fn zero_point(&self) -> i32 {
        self.zero_point
    }
}
