//! Embedding tables: rows of f32, bfloat16 or bytes with a scale per row.

use super::linear::{Width, to_bf16};
use crate::blob::Blob;
use crate::error::Error;

/// An embedding table whose rows are read where they lie.
#[derive(Debug)]
pub(super) struct Table {
    width: Width,
    columns: usize,
    rows: usize,
    scales: Vec<f32>,
    values: Blob,
}

/// Packs a row-major table; bytes are preceded by an f32 scale per row. All is little-endian.
pub(crate) fn pack_rows(values: &[f32], columns: usize, width: Width) -> Vec<u8> {
    match width {
        Width::Float => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Width::Bf16 => values.iter().flat_map(|&x| to_bf16(x).to_le_bytes()).collect(),
        Width::Int8 => {
            let scale = |row: &[f32]| {
                let most = row.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                if most > 0.0 { most / 127.0 } else { 1.0 }
            };
            let mut packed: Vec<u8> =
                values.chunks_exact(columns).flat_map(|row| scale(row).to_le_bytes()).collect();
            for row in values.chunks_exact(columns) {
                let scale = scale(row);
                packed.extend(row.iter().map(|x| ((x / scale).round_ties_even() as i8).cast_unsigned()));
            }
            packed
        }
    }
}

impl Table {
    /// A table over rows packed by [`pack_rows`].
    pub(super) fn new(packed: &Blob, rows: usize, columns: usize, width: Width) -> Result<Self, Error> {
        let (header, size) = match width {
            Width::Float => (0, 4),
            Width::Bf16 => (0, 2),
            Width::Int8 => (rows * 4, 1),
        };
        let length =
            rows.checked_mul(columns).and_then(|n| n.checked_mul(size)).and_then(|n| n.checked_add(header));
        if length != Some(packed.len()) {
            let why = format!("{} bytes do not hold {rows} rows of {columns}", packed.len());
            return Err(Error::format("an embedding table", why));
        }
        let scales = packed[..header].as_chunks::<4>().0.iter().map(|w| f32::from_le_bytes(*w)).collect();
        Ok(Self { width, columns, rows, scales, values: packed.slice(header..packed.len()) })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds row `index` to `out`; nothing if there is no such row.
    pub(super) fn add(&self, index: usize, out: &mut [f32]) {
        let size = match self.width {
            Width::Float => 4,
            Width::Bf16 => 2,
            Width::Int8 => 1,
        };
        let length = self.columns * size;
        let Some(row) = self.values.get(index * length..(index + 1) * length) else { return };
        match self.width {
            Width::Float => {
                for (o, w) in out.iter_mut().zip(row.as_chunks::<4>().0) {
                    *o += f32::from_le_bytes(*w);
                }
            }
            Width::Bf16 => {
                for (o, w) in out.iter_mut().zip(row.as_chunks::<2>().0) {
                    *o += f32::from_bits(u32::from(u16::from_le_bytes(*w)) << 16);
                }
            }
            Width::Int8 => {
                let scale = self.scales.get(index).copied().unwrap_or_default();
                for (o, &w) in out.iter_mut().zip(row) {
                    *o += f32::from(w.cast_signed()) * scale;
                }
            }
        }
    }
}
