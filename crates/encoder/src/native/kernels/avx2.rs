//! AVX2 with FMA; bytes are multiplied in 7 bits, or with AVX-VNNI where the CPU has it.

use std::arch::x86_64::*;

use super::simd::Simd;

/// AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Plain;

/// AVX2, FMA and AVX-VNNI.
#[derive(Clone, Copy)]
pub(super) struct Vnni;

macro_rules! avx2 {
    ($name:ty, $zero_point:literal, |$acc:ident, $a:ident, $b:ident| $bytes:expr) => {
        impl Simd for $name {
            type F = __m256;
            type I = __m256i;
            const LANES: usize = 8;
            const ZERO_POINT: i32 = $zero_point;

            #[inline(always)]
            unsafe fn splat(x: f32) -> __m256 {
                _mm256_set1_ps(x)
            }
            #[inline(always)]
            unsafe fn load(p: *const f32) -> __m256 {
                _mm256_loadu_ps(p)
            }
            #[inline(always)]
            unsafe fn store(p: *mut f32, v: __m256) {
                _mm256_storeu_ps(p, v);
            }
            #[inline(always)]
            unsafe fn add(a: __m256, b: __m256) -> __m256 {
                _mm256_add_ps(a, b)
            }
            #[inline(always)]
            unsafe fn sub(a: __m256, b: __m256) -> __m256 {
                _mm256_sub_ps(a, b)
            }
            #[inline(always)]
            unsafe fn mul(a: __m256, b: __m256) -> __m256 {
                _mm256_mul_ps(a, b)
            }
            #[inline(always)]
            unsafe fn div(a: __m256, b: __m256) -> __m256 {
                _mm256_div_ps(a, b)
            }
            #[inline(always)]
            unsafe fn max(a: __m256, b: __m256) -> __m256 {
                _mm256_max_ps(a, b)
            }
            #[inline(always)]
            unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
                _mm256_fmadd_ps(a, b, c)
            }
            #[inline(always)]
            unsafe fn abs(a: __m256) -> __m256 {
                _mm256_andnot_ps(_mm256_set1_ps(-0.0), a)
            }
            #[inline(always)]
            unsafe fn round(a: __m256) -> __m256 {
                _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
            }
            #[inline(always)]
            unsafe fn scale_by_power(p: __m256, n: __m256) -> __m256 {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
            }
            #[inline(always)]
            unsafe fn sum(a: __m256) -> f32 {
                let s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
                let s = _mm_add_ps(s, _mm_movehl_ps(s, s));
                _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps::<1>(s, s)))
            }
            #[inline(always)]
            unsafe fn greatest(a: __m256) -> f32 {
                let s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
                let s = _mm_max_ps(s, _mm_movehl_ps(s, s));
                _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps::<1>(s, s)))
            }
            #[inline(always)]
            unsafe fn zero_int() -> __m256i {
                _mm256_setzero_si256()
            }
            #[inline(always)]
            unsafe fn load_groups(p: *const u8) -> __m256i {
                _mm256_loadu_si256(p.cast())
            }
            #[inline(always)]
            unsafe fn splat_group(p: *const u8) -> __m256i {
                _mm256_set1_epi32(p.cast::<i32>().read_unaligned())
            }
            #[inline(always)]
            unsafe fn sub_int(a: __m256i, b: __m256i) -> __m256i {
                _mm256_sub_epi32(a, b)
            }
            #[inline(always)]
            unsafe fn to_float(a: __m256i) -> __m256 {
                _mm256_cvtepi32_ps(a)
            }
            #[inline(always)]
            unsafe fn dot_bytes($acc: __m256i, $a: __m256i, $b: __m256i) -> __m256i {
                $bytes
            }
            #[inline(always)]
            unsafe fn dot_pairs(acc: __m256, a: __m256i, b: __m256i) -> __m256 {
                let high = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
                let (a0, b0) = (_mm256_slli_epi32::<16>(a), _mm256_slli_epi32::<16>(b));
                let (a1, b1) = (_mm256_and_si256(a, high), _mm256_and_si256(b, high));
                let acc = _mm256_fmadd_ps(_mm256_castsi256_ps(a0), _mm256_castsi256_ps(b0), acc);
                _mm256_fmadd_ps(_mm256_castsi256_ps(a1), _mm256_castsi256_ps(b1), acc)
            }
            #[inline(always)]
            unsafe fn store_bytes(p: *mut u8, v: __m256) {
                let q = _mm256_add_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(Self::ZERO_POINT));
                let words = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256::<1>(q));
                _mm_storel_epi64(p.cast(), _mm_packus_epi16(words, words));
            }
            #[inline(always)]
            unsafe fn store_bf16(p: *mut u8, v: __m256) {
                let bits = _mm256_castps_si256(v);
                let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
                let rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
                let q = _mm256_srli_epi32::<16>(rounded);
                let words = _mm_packus_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256::<1>(q));
                _mm_storeu_si128(p.cast(), words);
            }
        }
    };
}

avx2!(Plain, 64, |acc, a, b| {
    // Two products of 7 by 8 bits stay below 2^15, so the first step cannot saturate.
    let pairs = _mm256_maddubs_epi16(a, b);
    _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
});

avx2!(Vnni, 128, |acc, a, b| _mm256_dpbusd_avx_epi32(acc, a, b));
