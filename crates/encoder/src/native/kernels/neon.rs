//! NEON, the baseline of 64-bit Arm.

use std::arch::aarch64::*;

use super::simd::Simd;

/// NEON; bytes are multiplied in 7 bits, bfloat16 products are emulated.
#[derive(Clone, Copy)]
pub(super) struct Neon;

impl Simd for Neon {
    type F = float32x4_t;
    type I = int32x4_t;
    const LANES: usize = 4;
    const ZERO_POINT: i32 = 64;

    #[inline(always)]
    unsafe fn splat(x: f32) -> float32x4_t {
        vdupq_n_f32(x)
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> float32x4_t {
        vld1q_f32(p)
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: float32x4_t) {
        vst1q_f32(p, v);
    }
    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vaddq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vsubq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vmulq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn div(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vdivq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vmaxq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        vfmaq_f32(c, a, b)
    }
    #[inline(always)]
    unsafe fn abs(a: float32x4_t) -> float32x4_t {
        vabsq_f32(a)
    }
    #[inline(always)]
    unsafe fn round(a: float32x4_t) -> float32x4_t {
        vrndnq_f32(a)
    }
    #[inline(always)]
    unsafe fn scale_by_power(p: float32x4_t, n: float32x4_t) -> float32x4_t {
        let biased = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
        vmulq_f32(p, vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased)))
    }
    #[inline(always)]
    unsafe fn sum(a: float32x4_t) -> f32 {
        vaddvq_f32(a)
    }
    #[inline(always)]
    unsafe fn greatest(a: float32x4_t) -> f32 {
        vmaxvq_f32(a)
    }
    #[inline(always)]
    unsafe fn zero_int() -> int32x4_t {
        vdupq_n_s32(0)
    }
    #[inline(always)]
    unsafe fn load_groups(p: *const u8) -> int32x4_t {
        vreinterpretq_s32_u8(vld1q_u8(p))
    }
    #[inline(always)]
    unsafe fn splat_group(p: *const u8) -> int32x4_t {
        vdupq_n_s32(p.cast::<i32>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn sub_int(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        vsubq_s32(a, b)
    }
    #[inline(always)]
    unsafe fn to_float(a: int32x4_t) -> float32x4_t {
        vcvtq_f32_s32(a)
    }
    #[inline(always)]
    unsafe fn dot_bytes(acc: int32x4_t, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        // Activations have 7 bits here, so they are signed bytes too, and pairs of products fit 16 bits.
        let (a, b) = (vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
        let low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
        let high = vpaddlq_s16(vmull_high_s8(a, b));
        vaddq_s32(acc, vpaddq_s32(low, high))
    }
    #[inline(always)]
    unsafe fn dot_pairs(acc: float32x4_t, a: int32x4_t, b: int32x4_t) -> float32x4_t {
        let high = vdupq_n_s32(0xffff_0000_u32.cast_signed());
        let (a0, b0) = (vshlq_n_s32::<16>(a), vshlq_n_s32::<16>(b));
        let (a1, b1) = (vandq_s32(a, high), vandq_s32(b, high));
        let acc = vfmaq_f32(acc, vreinterpretq_f32_s32(a0), vreinterpretq_f32_s32(b0));
        vfmaq_f32(acc, vreinterpretq_f32_s32(a1), vreinterpretq_f32_s32(b1))
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: float32x4_t) {
        let q = vaddq_s32(vcvtnq_s32_f32(v), vdupq_n_s32(Self::ZERO_POINT));
        let mut lanes = [0_i32; 4];
        vst1q_s32(lanes.as_mut_ptr(), q);
        p.cast::<[u8; 4]>().write_unaligned(lanes.map(|x| x as u8));
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut u8, v: float32x4_t) {
        let bits = vreinterpretq_u32_f32(v);
        let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
        let rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
        vst1_u16(p.cast(), vshrn_n_u32::<16>(rounded));
    }
}
