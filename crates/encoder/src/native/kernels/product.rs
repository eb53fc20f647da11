//! Matrix products over packed panels, generic over the instruction set.

use super::simd::{self, Simd};
use super::{Epilogue, LinearCall, PANEL};

/// How weights and activations meet: one, two or four values in each 32-bit group.
pub(super) const FLOATS: u8 = 0;
pub(super) const PAIRS: u8 = 1;
pub(super) const BYTES: u8 = 2;

/// Bytes from one group of a panel to the next.
const PANEL_STRIDE: usize = PANEL * 4;

/// `ROWS` rows of `a` (`a_stride` bytes apart) times a strip of `b` (`VECTORS` vectors wide, `b_stride` bytes from group
/// to group), summed over `groups` groups of one f32 (or two bfloat16 if `HALVES`).
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const HALVES: bool, const ROWS: usize, const VECTORS: usize>(
    groups: usize,
    a: *const u8,
    a_stride: usize,
    b: *const u8,
    b_stride: usize,
) -> [[S::F; VECTORS]; ROWS] {
    let mut acc = [[S::splat(0.0); VECTORS]; ROWS];
    for g in 0..groups {
        let bp = b.add(g * b_stride);
        if HALVES {
            let mut bv = [S::load_groups(bp); VECTORS];
            for v in 1..VECTORS {
                bv[v] = S::load_groups(bp.add(v * S::LANES * 4));
            }
            for r in 0..ROWS {
                let av = S::splat_group(a.add(r * a_stride + g * 4));
                for v in 0..VECTORS {
                    acc[r][v] = S::dot_pairs(acc[r][v], av, bv[v]);
                }
            }
        } else {
            let mut bv = [S::load(bp.cast()); VECTORS];
            for v in 1..VECTORS {
                bv[v] = S::load(bp.add(v * S::LANES * 4).cast());
            }
            for r in 0..ROWS {
                let av = S::splat(a.add(r * a_stride + g * 4).cast::<f32>().read_unaligned());
                for v in 0..VECTORS {
                    acc[r][v] = S::fma(av, bv[v], acc[r][v]);
                }
            }
        }
    }
    acc
}

/// As [`tile`], for groups of four bytes.
#[inline(always)]
unsafe fn byte_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    groups: usize,
    a: *const u8,
    a_stride: usize,
    b: *const u8,
) -> [[S::I; VECTORS]; ROWS] {
    let mut acc = [[S::zero_int(); VECTORS]; ROWS];
    for g in 0..groups {
        let bp = b.add(g * PANEL_STRIDE);
        let mut bv = [S::load_groups(bp); VECTORS];
        for v in 1..VECTORS {
            bv[v] = S::load_groups(bp.add(v * S::LANES * 4));
        }
        for r in 0..ROWS {
            let av = S::splat_group(a.add(r * a_stride + g * 4));
            for v in 0..VECTORS {
                acc[r][v] = S::dot_bytes(acc[r][v], av, bv[v]);
            }
        }
    }
    acc
}

/// One tile of the result: rows from `row`, columns from `column`.
#[inline(always)]
unsafe fn block<S: Simd, const KIND: u8, const ROWS: usize, const VECTORS: usize>(
    call: &LinearCall,
    row: usize,
    column: usize,
) {
    let a = call.a.add(row * call.a_stride);
    let panel = call.panels.add((column / PANEL) * call.groups * PANEL_STRIDE + (column % PANEL) * 4);
    let mut acc;
    if KIND == BYTES {
        let ints = byte_tile::<S, ROWS, VECTORS>(call.groups, a, call.a_stride, panel);
        acc = [[S::splat(0.0); VECTORS]; ROWS];
        for v in 0..VECTORS {
            let at = column + v * S::LANES;
            let offset = S::load_groups(call.offsets.add(at).cast());
            let scale = S::load(call.scales.add(at));
            for r in 0..ROWS {
                let both = S::mul(scale, S::splat(*call.row_scales.add(row + r)));
                acc[r][v] = S::mul(S::to_float(S::sub_int(ints[r][v], offset)), both);
            }
        }
    } else if KIND == PAIRS {
        acc = tile::<S, true, ROWS, VECTORS>(call.groups, a, call.a_stride, panel, PANEL_STRIDE);
    } else {
        acc = tile::<S, false, ROWS, VECTORS>(call.groups, a, call.a_stride, panel, PANEL_STRIDE);
    }
    for v in 0..VECTORS {
        let at = column + v * S::LANES;
        if at >= call.outputs {
            break;
        }
        let bias = S::load(call.bias.add(at));
        for r in 0..ROWS {
            let out = call.out.add((row + r) * call.out_stride + at);
            let x = S::add(acc[r][v], bias);
            let x = match call.epilogue {
                Epilogue::Store => x,
                Epilogue::Gelu => simd::gelu::<S>(x),
                Epilogue::Add => S::add(x, S::load(out)),
            };
            S::store(out, x);
        }
    }
}

/// The whole product: strips of columns outside, so that a strip's weights stay in cache over all rows.
#[inline(always)]
pub(super) unsafe fn linear<S: Simd, const KIND: u8, const ROWS: usize, const VECTORS: usize>(
    call: &LinearCall,
) {
    let width = S::LANES * VECTORS;
    let mut column = 0;
    while column < call.outputs {
        let mut row = 0;
        while row + ROWS <= call.rows {
            block::<S, KIND, ROWS, VECTORS>(call, row, column);
            row += ROWS;
        }
        if row + 4 <= call.rows {
            block::<S, KIND, 4, VECTORS>(call, row, column);
            row += 4;
        }
        match call.rows - row {
            3 => block::<S, KIND, 3, VECTORS>(call, row, column),
            2 => block::<S, KIND, 2, VECTORS>(call, row, column),
            1 => block::<S, KIND, 1, VECTORS>(call, row, column),
            _ => {}
        }
        column += width;
    }
}
