//! Exact attention of one head in blocks of queries and keys, generic over the instruction set: memory is linear in
//! the sequence, whatever its length.

use super::product::tile;
use super::simd::{self, Simd};
use super::{AttentionCall, KEY_BLOCK, PANEL};

/// The score of a key outside a row's window.
const MASKED: f32 = f32::NEG_INFINITY;
/// Where a row's running maximum begins: finite, so that masked scores stay infinitely below it.
const LOWEST: f32 = -1e30;

/// All queries of one head over all keys they may see.
///
/// Keys are packed as panels of [`PANEL`] columns, values as rows; with `HALVES` both hold bfloat16 pairs (of
/// dimensions, and of neighbouring keys). Softmax runs in base 2 with a running maximum over blocks of keys.
#[inline(always)]
pub(super) unsafe fn head<
    S: Simd,
    const HALVES: bool,
    const ROWS: usize,
    const WIDE: usize,
    const NARROW: usize,
>(
    call: &AttentionCall,
) {
    pack::<S, HALVES>(call);
    let scores = call.scratch;
    let query = scores.add(ROWS * KEY_BLOCK);
    let gathered = query.add(ROWS * call.width);
    // Room for the narrowed copies behind the f32 ones.
    let narrow = gathered.add(ROWS * call.width).cast::<u8>();
    let mut row = 0;
    while row < call.tokens {
        let rows = ROWS.min(call.tokens - row);
        load_queries::<S, HALVES, ROWS>(call, row, query, narrow);
        let (low, high) = match call.reach {
            Some(reach) => (row.saturating_sub(reach), (row + rows + reach).min(call.tokens)),
            None => (0, call.tokens),
        };
        let mut greatest = [LOWEST; ROWS];
        let mut total = [0.0_f32; ROWS];
        let mut start = low / PANEL * PANEL;
        let mut first = true;
        while start < high {
            let end = (start + KEY_BLOCK).min(high);
            let padded = (end - start).next_multiple_of(PANEL);
            score::<S, HALVES, ROWS, WIDE>(call, start, padded, query, narrow, scores);
            let mut shrink = [0.0_f32; ROWS];
            for r in 0..ROWS {
                let at = (row + r).min(call.tokens - 1);
                let (from, to) = match call.reach {
                    Some(reach) => (at.saturating_sub(reach), (at + reach + 1).min(end)),
                    None => (start, end),
                };
                let line = scores.add(r * KEY_BLOCK);
                mask(line, from.clamp(start, end) - start, to.clamp(start, end) - start, padded);
                let (most, sum, factor) =
                    weights::<S, HALVES>(line, padded, greatest[r], narrow_row::<ROWS>(call, narrow, r));
                greatest[r] = most;
                total[r] = total[r] * factor + sum;
                shrink[r] = factor;
            }
            gather::<S, HALVES, ROWS, NARROW>(call, start, end, scores, narrow, gathered, &shrink, first);
            first = false;
            start += KEY_BLOCK;
        }
        for r in 0..rows {
            let inverse = S::splat(1.0 / total[r]);
            let out = call.out.add((row + r) * call.out_stride);
            let mut i = 0;
            while i < call.width {
                S::store(out.add(i), S::mul(S::load(gathered.add(r * call.width + i)), inverse));
                i += S::LANES;
            }
        }
        row += ROWS;
    }
}

/// Where row `r` of the narrowed attention weights lies: after the narrowed queries.
#[inline(always)]
unsafe fn narrow_row<const ROWS: usize>(call: &AttentionCall, narrow: *mut u8, r: usize) -> *mut u8 {
    narrow.add(ROWS * call.width * 2 + r * KEY_BLOCK * 2)
}

/// Transposes the head's keys into panels and copies its values.
#[inline(always)]
unsafe fn pack<S: Simd, const HALVES: bool>(call: &AttentionCall) {
    let groups = if HALVES { call.width / 2 } else { call.width };
    let mut line = [0_u8; 4 * super::MAX_HEAD_WIDTH];
    for t in 0..call.tokens {
        let source = call.keys.add(t * call.stride);
        let target = call.key_panels.add((t / PANEL) * groups * PANEL + t % PANEL);
        let from = if HALVES {
            let mut i = 0;
            while i < call.width {
                S::store_bf16(line.as_mut_ptr().add(i * 2), S::load(source.add(i)));
                i += S::LANES;
            }
            line.as_ptr().cast::<u32>()
        } else {
            source.cast::<u32>()
        };
        for g in 0..groups {
            *target.add(g * PANEL) = from.add(g).read_unaligned();
        }
    }
    if HALVES {
        pack_value_pairs::<S>(call);
    } else {
        for t in 0..call.tokens {
            let source = call.values.add(t * call.stride);
            std::ptr::copy_nonoverlapping(source.cast(), call.value_rows.add(t * call.width), call.width);
        }
    }
}

/// Values as pairs of neighbouring keys; a missing last one is zero.
#[inline(always)]
unsafe fn pack_value_pairs<S: Simd>(call: &AttentionCall) {
    let mut even = [0_u16; super::MAX_HEAD_WIDTH];
    let mut odd = [0_u16; super::MAX_HEAD_WIDTH];
    let mut t = 0;
    while t < call.tokens {
        let mut i = 0;
        while i < call.width {
            S::store_bf16(even.as_mut_ptr().add(i).cast(), S::load(call.values.add(t * call.stride + i)));
            if t + 1 < call.tokens {
                S::store_bf16(
                    odd.as_mut_ptr().add(i).cast(),
                    S::load(call.values.add((t + 1) * call.stride + i)),
                );
            } else {
                S::store_bf16(odd.as_mut_ptr().add(i).cast(), S::splat(0.0));
            }
            i += S::LANES;
        }
        let target = call.value_rows.add(t / 2 * call.width);
        for i in 0..call.width {
            *target.add(i) = u32::from(even[i]) | u32::from(odd[i]) << 16;
        }
        t += 2;
    }
}

/// Copies a block of queries, scaled by `call.scale`; rows past the end are zero.
#[inline(always)]
unsafe fn load_queries<S: Simd, const HALVES: bool, const ROWS: usize>(
    call: &AttentionCall,
    row: usize,
    query: *mut f32,
    narrow: *mut u8,
) {
    let scale = S::splat(call.scale);
    for r in 0..ROWS {
        let mut i = 0;
        while i < call.width {
            let x = if row + r < call.tokens {
                S::mul(S::load(call.queries.add((row + r) * call.stride + i)), scale)
            } else {
                S::splat(0.0)
            };
            if HALVES {
                S::store_bf16(narrow.add((r * call.width + i) * 2), x);
            } else {
                S::store(query.add(r * call.width + i), x);
            }
            i += S::LANES;
        }
    }
}

/// Scores of a block of queries with the keys `start..start + padded`.
#[inline(always)]
unsafe fn score<S: Simd, const HALVES: bool, const ROWS: usize, const WIDE: usize>(
    call: &AttentionCall,
    start: usize,
    padded: usize,
    query: *const f32,
    narrow: *const u8,
    scores: *mut f32,
) {
    let (groups, a) = if HALVES { (call.width / 2, narrow) } else { (call.width, query.cast()) };
    let mut column = 0;
    while column < padded {
        let key = start + column;
        let panel = call.key_panels.add((key / PANEL) * groups * PANEL + key % PANEL).cast();
        let acc = tile::<S, HALVES, ROWS, WIDE>(groups, a, groups * 4, panel, PANEL * 4);
        for r in 0..ROWS {
            for v in 0..WIDE {
                S::store(scores.add(r * KEY_BLOCK + column + v * S::LANES), acc[r][v]);
            }
        }
        column += WIDE * S::LANES;
    }
}

#[inline(always)]
unsafe fn mask(line: *mut f32, from: usize, to: usize, padded: usize) {
    for i in 0..from {
        *line.add(i) = MASKED;
    }
    for i in to.max(from)..padded {
        *line.add(i) = MASKED;
    }
}

/// Turns scores into 2^(score − maximum); the new maximum, their sum, and what earlier sums shrink by.
#[inline(always)]
unsafe fn weights<S: Simd, const HALVES: bool>(
    line: *mut f32,
    padded: usize,
    before: f32,
    narrow: *mut u8,
) -> (f32, f32, f32) {
    let mut most = S::splat(before);
    let mut i = 0;
    while i < padded {
        most = S::max(S::load(line.add(i)), most);
        i += S::LANES;
    }
    let greatest = S::greatest(most);
    let top = S::splat(greatest);
    let mut sum = S::splat(0.0);
    i = 0;
    while i < padded {
        let weight = simd::exp2::<S>(S::sub(S::load(line.add(i)), top));
        sum = S::add(sum, weight);
        if HALVES {
            S::store_bf16(narrow.add(i * 2), weight);
        } else {
            S::store(line.add(i), weight);
        }
        i += S::LANES;
    }
    (greatest, S::sum(sum), (before - greatest).exp2())
}

/// Adds the weighted values of the keys `start..end` to `gathered`.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "one step of the loop above, kept apart to be read on its own")]
unsafe fn gather<S: Simd, const HALVES: bool, const ROWS: usize, const NARROW: usize>(
    call: &AttentionCall,
    start: usize,
    end: usize,
    scores: *const f32,
    narrow: *mut u8,
    gathered: *mut f32,
    shrink: &[f32; ROWS],
    first: bool,
) {
    let (groups, a, a_stride, values) = if HALVES {
        let weights = narrow_row::<ROWS>(call, narrow, 0).cast_const();
        ((end - start).div_ceil(2), weights, KEY_BLOCK * 2, call.value_rows.add(start / 2 * call.width))
    } else {
        (end - start, scores.cast(), KEY_BLOCK * 4, call.value_rows.add(start * call.width))
    };
    let mut column = 0;
    while column < call.width {
        let b = values.add(column).cast();
        let acc = tile::<S, HALVES, ROWS, NARROW>(groups, a, a_stride, b, call.width * 4);
        for r in 0..ROWS {
            for v in 0..NARROW {
                let out = gathered.add(r * call.width + column + v * S::LANES);
                let sum =
                    if first { acc[r][v] } else { S::fma(S::load(out), S::splat(shrink[r]), acc[r][v]) };
                S::store(out, sum);
            }
        }
        column += NARROW * S::LANES;
    }
}
