//! The kernels compiled for each instruction set.
#![expect(unsafe_op_in_unsafe_fn, reason = "each entry is one call of a generic kernel")]

use super::level::Level;
use super::product::{BYTES, FLOATS, PAIRS};
use super::simd::Simd;
use super::{AttentionCall, LinearCall, attention, product, rows};

type LinearKernel = unsafe fn(&LinearCall);
type AttentionKernel = unsafe fn(&AttentionCall);
type NarrowKernel = unsafe fn(*const f32, usize, *mut u8) -> f32;

/// Entry points of one instruction set; to be called only where the CPU has it.
pub(super) struct Table {
    pub(super) zero_point: i32,
    pub(super) linear_floats: LinearKernel,
    pub(super) linear_pairs: LinearKernel,
    pub(super) linear_bytes: LinearKernel,
    pub(super) attention_floats: AttentionKernel,
    pub(super) attention_floats_slim: AttentionKernel,
    pub(super) attention_pairs: AttentionKernel,
    pub(super) attention_pairs_slim: AttentionKernel,
    pub(super) narrow_pairs: NarrowKernel,
    pub(super) narrow_bytes: NarrowKernel,
    pub(super) layer_norm: unsafe fn(*const f32, *mut f32, usize, *const f32, *const f32, f32),
    pub(super) gated_gelu: unsafe fn(*const f32, usize, *mut f32),
}

/// Compiles all kernels for one instruction set: tiles of `$rows` rows; strips of `$strip` vectors for weights and keys,
/// `$wide` for values (`$slim` where a head's width is an odd multiple of 16).
macro_rules! kernels {
    ($module:ident, $simd:ty, $features:literal, $rows:literal, $strip:literal, $wide:literal, $slim:literal) => {
        mod $module {
            use super::*;

            type S = $simd;

            pub(super) static TABLE: Table = Table {
                zero_point: S::ZERO_POINT,
                linear_floats,
                linear_pairs,
                linear_bytes,
                attention_floats,
                attention_floats_slim,
                attention_pairs,
                attention_pairs_slim,
                narrow_pairs,
                narrow_bytes,
                layer_norm,
                gated_gelu,
            };

            #[target_feature(enable = $features)]
            unsafe fn linear_floats(call: &LinearCall) {
                product::linear::<S, FLOATS, $rows, $strip>(call);
            }
            #[target_feature(enable = $features)]
            unsafe fn linear_pairs(call: &LinearCall) {
                product::linear::<S, PAIRS, $rows, $strip>(call);
            }
            #[target_feature(enable = $features)]
            unsafe fn linear_bytes(call: &LinearCall) {
                product::linear::<S, BYTES, $rows, $strip>(call);
            }
            #[target_feature(enable = $features)]
            unsafe fn attention_floats(call: &AttentionCall) {
                attention::head::<S, false, $rows, $strip, $wide>(call);
            }
            #[target_feature(enable = $features)]
            unsafe fn attention_floats_slim(call: &AttentionCall) {
                attention::head::<S, false, $rows, $strip, $slim>(call);
            }
            #[target_feature(enable = $features)]
            unsafe fn attention_pairs(call: &AttentionCall) {
                attention::head::<S, true, $rows, $strip, $wide>(call);
            }
            #[target_feature(enable = $features)]
            unsafe fn attention_pairs_slim(call: &AttentionCall) {
                attention::head::<S, true, $rows, $strip, $slim>(call);
            }
            #[target_feature(enable = $features)]
            unsafe fn narrow_pairs(x: *const f32, width: usize, out: *mut u8) -> f32 {
                rows::narrow::<S, PAIRS>(x, width, out)
            }
            #[target_feature(enable = $features)]
            unsafe fn narrow_bytes(x: *const f32, width: usize, out: *mut u8) -> f32 {
                rows::narrow::<S, BYTES>(x, width, out)
            }
            #[target_feature(enable = $features)]
            unsafe fn layer_norm(
                x: *const f32,
                out: *mut f32,
                width: usize,
                weight: *const f32,
                bias: *const f32,
                epsilon: f32,
            ) {
                rows::layer_norm::<S>(x, out, width, weight, bias, epsilon);
            }
            #[target_feature(enable = $features)]
            unsafe fn gated_gelu(row: *const f32, half: usize, out: *mut f32) {
                rows::gated_gelu::<S>(row, half, out);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(portable, super::super::portable::Portable, "sse2", 2, 3, 2, 2);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, super::super::avx2::Plain, "avx2,fma", 6, 2, 2, 2);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_vnni, super::super::avx2::Vnni, "avx2,fma,avxvnni", 6, 2, 2, 2);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx512,
    super::super::avx512::Vnni,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni",
    8,
    3,
    2,
    1
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx512_bf16,
    super::super::avx512::Bf16,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16",
    8,
    3,
    2,
    1
);
#[cfg(target_arch = "aarch64")]
kernels!(portable, super::super::portable::Portable, "neon", 2, 3, 2, 2);
#[cfg(target_arch = "aarch64")]
kernels!(neon, super::super::neon::Neon, "neon", 4, 4, 4, 4);

/// The table of `level`, or the portable one on an architecture that lacks it.
pub(super) fn of(level: Level) -> &'static Table {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => &avx2::TABLE,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2Vnni => &avx2_vnni::TABLE,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => &avx512::TABLE,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Bf16 => &avx512_bf16::TABLE,
        #[cfg(target_arch = "aarch64")]
        Level::Neon => &neon::TABLE,
        _ => &portable::TABLE,
    }
}
