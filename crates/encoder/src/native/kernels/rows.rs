//! Operations on rows: layer norm, gated GELU, and activations made ready for a product.

use super::product::{BYTES, PAIRS};
use super::simd::{self, Simd};

/// `out = (x − mean) / √(variance + epsilon) · weight + bias` over `width` values (a multiple of `LANES`).
#[inline(always)]
pub(super) unsafe fn layer_norm<S: Simd>(
    x: *const f32,
    out: *mut f32,
    width: usize,
    weight: *const f32,
    bias: *const f32,
    epsilon: f32,
) {
    let mut total = S::splat(0.0);
    let mut i = 0;
    while i < width {
        total = S::add(total, S::load(x.add(i)));
        i += S::LANES;
    }
    let mean = S::splat(S::sum(total) / width as f32);
    let mut squares = S::splat(0.0);
    i = 0;
    while i < width {
        let d = S::sub(S::load(x.add(i)), mean);
        squares = S::fma(d, d, squares);
        i += S::LANES;
    }
    let inverse = S::splat(1.0 / (S::sum(squares) / width as f32 + epsilon).sqrt());
    i = 0;
    while i < width {
        let d = S::mul(S::sub(S::load(x.add(i)), mean), inverse);
        S::store(out.add(i), S::fma(d, S::load(weight.add(i)), S::load(bias.add(i))));
        i += S::LANES;
    }
}

/// `out[i] = gelu(row[i]) · row[half + i]` for `i < half`; `out` may be `row` or lie before it.
#[inline(always)]
pub(super) unsafe fn gated_gelu<S: Simd>(row: *const f32, half: usize, out: *mut f32) {
    let mut i = 0;
    while i < half {
        let x = simd::gelu::<S>(S::load(row.add(i)));
        S::store(out.add(i), S::mul(x, S::load(row.add(half + i))));
        i += S::LANES;
    }
}

/// Writes a row of `width` values as bfloat16 or bytes to `out`; the scale of the bytes (1 for bfloat16).
#[inline(always)]
pub(super) unsafe fn narrow<S: Simd, const KIND: u8>(x: *const f32, width: usize, out: *mut u8) -> f32 {
    let mut i = 0;
    if KIND == PAIRS {
        while i < width {
            S::store_bf16(out.add(i * 2), S::load(x.add(i)));
            i += S::LANES;
        }
        return 1.0;
    }
    debug_assert!(KIND == BYTES);
    let mut most = S::splat(0.0);
    while i < width {
        most = S::max(most, S::abs(S::load(x.add(i))));
        i += S::LANES;
    }
    // One step below the zero point on either side: 127 of 128, or 63 of 64.
    let steps = (S::ZERO_POINT - 1) as f32;
    let most = S::greatest(most).max(1e-12);
    let inverse = S::splat(steps / most);
    i = 0;
    while i < width {
        S::store_bytes(out.add(i), S::mul(S::load(x.add(i)), inverse));
        i += S::LANES;
    }
    most / steps
}
