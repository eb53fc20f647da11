//! The vector operations kernels are written in, one implementation per instruction set.

/// A vector instruction set. Every method may be called only where the CPU has it, and pointers must be valid for
/// the lanes read or written; alignment is never required.
pub(super) trait Simd: Copy + 'static {
    /// `LANES` numbers of 32-bit floating point.
    type F: Copy;
    /// `LANES` integers of 32 bits.
    type I: Copy;
    /// How many 32-bit lanes a vector has; divides 16.
    const LANES: usize;
    /// What zero becomes in unsigned activations: 128, or 64 where products of full bytes could saturate.
    const ZERO_POINT: i32;

    unsafe fn splat(x: f32) -> Self::F;
    unsafe fn load(p: *const f32) -> Self::F;
    unsafe fn store(p: *mut f32, v: Self::F);
    unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn div(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F;
    /// `a · b + c`.
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    unsafe fn abs(a: Self::F) -> Self::F;
    /// To the nearest integer, ties to even.
    unsafe fn round(a: Self::F) -> Self::F;
    /// `p · 2^n` for an integral `n` from -126 to 127.
    unsafe fn scale_by_power(p: Self::F, n: Self::F) -> Self::F;
    unsafe fn sum(a: Self::F) -> f32;
    unsafe fn greatest(a: Self::F) -> f32;

    unsafe fn zero_int() -> Self::I;
    /// `LANES` 32-bit groups.
    unsafe fn load_groups(p: *const u8) -> Self::I;
    /// One 32-bit group in every lane.
    unsafe fn splat_group(p: *const u8) -> Self::I;
    unsafe fn sub_int(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn to_float(a: Self::I) -> Self::F;
    /// `acc` plus, per lane, the dot product of four unsigned (`a`) and four signed (`b`) bytes.
    unsafe fn dot_bytes(acc: Self::I, a: Self::I, b: Self::I) -> Self::I;
    /// `acc` plus, per lane, the dot product of two pairs of bfloat16.
    unsafe fn dot_pairs(acc: Self::F, a: Self::I, b: Self::I) -> Self::F;
    /// Writes `LANES` bytes: `round(v) + ZERO_POINT`.
    unsafe fn store_bytes(p: *mut u8, v: Self::F);
    /// Writes `LANES` bfloat16, to nearest.
    unsafe fn store_bf16(p: *mut u8, v: Self::F);
}

/// 2^x for x ≤ 127; below -126 the result is 2^-126. Taylor in r·ln 2 to degree 6: relative error below 2e-7.
#[inline(always)]
pub(super) unsafe fn exp2<S: Simd>(x: S::F) -> S::F {
    let x = S::max(x, S::splat(-126.0));
    let n = S::round(x);
    let r = S::sub(x, n);
    let mut p = S::splat(1.540_353e-4);
    p = S::fma(p, r, S::splat(1.333_355_8e-3));
    p = S::fma(p, r, S::splat(9.618_129e-3));
    p = S::fma(p, r, S::splat(5.550_410_7e-2));
    p = S::fma(p, r, S::splat(2.402_265e-1));
    p = S::fma(p, r, S::splat(std::f32::consts::LN_2));
    p = S::fma(p, r, S::splat(1.0));
    S::scale_by_power(p, n)
}

/// x·Φ(x), the exact GELU, with erf by Abramowitz & Stegun 7.1.26 (absolute error below 1.5e-7).
#[inline(always)]
pub(super) unsafe fn gelu<S: Simd>(x: S::F) -> S::F {
    let z = S::mul(S::abs(x), S::splat(std::f32::consts::FRAC_1_SQRT_2));
    let t = S::div(S::splat(1.0), S::fma(z, S::splat(0.327_591_1), S::splat(1.0)));
    let mut p = S::splat(1.061_405_4);
    p = S::fma(p, t, S::splat(-1.453_152));
    p = S::fma(p, t, S::splat(1.421_413_8));
    p = S::fma(p, t, S::splat(-0.284_496_74));
    p = S::fma(p, t, S::splat(0.254_829_6));
    let e = exp2::<S>(S::mul(S::mul(z, z), S::splat(-std::f32::consts::LOG2_E)));
    let erf = S::sub(S::splat(1.0), S::mul(S::mul(p, t), e));
    let half = S::mul(x, S::splat(0.5));
    S::fma(S::abs(half), erf, half)
}
