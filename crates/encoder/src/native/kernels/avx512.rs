//! AVX-512 with VNNI, with and without bfloat16 products.

use std::arch::x86_64::*;

use super::simd::Simd;

/// AVX-512 F, BW, DQ, VL and VNNI; bfloat16 products are emulated.
#[derive(Clone, Copy)]
pub(super) struct Vnni;

/// As [`Vnni`], with AVX-512 BF16.
#[derive(Clone, Copy)]
pub(super) struct Bf16;

macro_rules! avx512 {
    ($name:ty, |$acc:ident, $a:ident, $b:ident| $pairs:expr, |$p:ident, $v:ident| $narrow:expr) => {
        impl Simd for $name {
            type F = __m512;
            type I = __m512i;
            const LANES: usize = 16;
            const ZERO_POINT: i32 = 128;

            #[inline(always)]
            unsafe fn splat(x: f32) -> __m512 {
                _mm512_set1_ps(x)
            }
            #[inline(always)]
            unsafe fn load(p: *const f32) -> __m512 {
                _mm512_loadu_ps(p)
            }
            #[inline(always)]
            unsafe fn store(p: *mut f32, v: __m512) {
                _mm512_storeu_ps(p, v);
            }
            #[inline(always)]
            unsafe fn add(a: __m512, b: __m512) -> __m512 {
                _mm512_add_ps(a, b)
            }
            #[inline(always)]
            unsafe fn sub(a: __m512, b: __m512) -> __m512 {
                _mm512_sub_ps(a, b)
            }
            #[inline(always)]
            unsafe fn mul(a: __m512, b: __m512) -> __m512 {
                _mm512_mul_ps(a, b)
            }
            #[inline(always)]
            unsafe fn div(a: __m512, b: __m512) -> __m512 {
                _mm512_div_ps(a, b)
            }
            #[inline(always)]
            unsafe fn max(a: __m512, b: __m512) -> __m512 {
                _mm512_max_ps(a, b)
            }
            #[inline(always)]
            unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
                _mm512_fmadd_ps(a, b, c)
            }
            #[inline(always)]
            unsafe fn abs(a: __m512) -> __m512 {
                _mm512_abs_ps(a)
            }
            #[inline(always)]
            unsafe fn round(a: __m512) -> __m512 {
                _mm512_roundscale_ps::<0>(a)
            }
            #[inline(always)]
            unsafe fn scale_by_power(p: __m512, n: __m512) -> __m512 {
                _mm512_scalef_ps(p, n)
            }
            #[inline(always)]
            unsafe fn sum(a: __m512) -> f32 {
                _mm512_reduce_add_ps(a)
            }
            #[inline(always)]
            unsafe fn greatest(a: __m512) -> f32 {
                _mm512_reduce_max_ps(a)
            }
            #[inline(always)]
            unsafe fn zero_int() -> __m512i {
                _mm512_setzero_si512()
            }
            #[inline(always)]
            unsafe fn load_groups(p: *const u8) -> __m512i {
                _mm512_loadu_si512(p.cast())
            }
            #[inline(always)]
            unsafe fn splat_group(p: *const u8) -> __m512i {
                _mm512_set1_epi32(p.cast::<i32>().read_unaligned())
            }
            #[inline(always)]
            unsafe fn sub_int(a: __m512i, b: __m512i) -> __m512i {
                _mm512_sub_epi32(a, b)
            }
            #[inline(always)]
            unsafe fn to_float(a: __m512i) -> __m512 {
                _mm512_cvtepi32_ps(a)
            }
            #[inline(always)]
            unsafe fn dot_bytes(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
                _mm512_dpbusd_epi32(acc, a, b)
            }
            #[inline(always)]
            unsafe fn dot_pairs($acc: __m512, $a: __m512i, $b: __m512i) -> __m512 {
                $pairs
            }
            #[inline(always)]
            unsafe fn store_bytes(p: *mut u8, v: __m512) {
                let q = _mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(Self::ZERO_POINT));
                _mm_storeu_si128(p.cast(), _mm512_cvtepi32_epi8(q));
            }
            #[inline(always)]
            unsafe fn store_bf16($p: *mut u8, $v: __m512) {
                $narrow
            }
        }
    };
}

avx512!(
    Vnni,
    |acc, a, b| {
        let high = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
        let (a0, b0) = (_mm512_slli_epi32::<16>(a), _mm512_slli_epi32::<16>(b));
        let (a1, b1) = (_mm512_and_si512(a, high), _mm512_and_si512(b, high));
        let acc = _mm512_fmadd_ps(_mm512_castsi512_ps(a0), _mm512_castsi512_ps(b0), acc);
        _mm512_fmadd_ps(_mm512_castsi512_ps(a1), _mm512_castsi512_ps(b1), acc)
    },
    |p, v| {
        let bits = _mm512_castps_si512(v);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        _mm256_storeu_si256(p.cast(), _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded)));
    }
);

avx512!(
    Bf16,
    |acc, a, b| {
        // SAFETY: both types are 512 bits without invalid values.
        _mm512_dpbf16_ps(
            acc,
            std::mem::transmute::<__m512i, __m512bh>(a),
            std::mem::transmute::<__m512i, __m512bh>(b),
        )
    },
    |p, v| {
        // SAFETY: both types are 256 bits without invalid values.
        _mm256_storeu_si256(p.cast(), std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v)));
    }
);
