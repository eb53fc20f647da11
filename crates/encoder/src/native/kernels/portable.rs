//! Plain Rust in arrays of eight: what every other instruction set is compared with.

use super::simd::Simd;

/// No instructions beyond the target's baseline.
#[derive(Clone, Copy)]
pub(super) struct Portable;

const LANES: usize = 8;

#[inline(always)]
fn zip(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn bf16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

impl Simd for Portable {
    type F = [f32; LANES];
    type I = [u32; LANES];
    const LANES: usize = LANES;
    const ZERO_POINT: i32 = 128;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::F {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::F {
        p.cast::<Self::F>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::F) {
        p.cast::<Self::F>().write_unaligned(v);
    }
    #[inline(always)]
    unsafe fn add(a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x + y)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x - y)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x * y)
    }
    #[inline(always)]
    unsafe fn div(a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x / y)
    }
    #[inline(always)]
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| if x > y { x } else { y })
    }
    #[inline(always)]
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        zip(zip(a, b, |x, y| x * y), c, |x, y| x + y)
    }
    #[inline(always)]
    unsafe fn abs(a: Self::F) -> Self::F {
        a.map(f32::abs)
    }
    #[inline(always)]
    unsafe fn round(a: Self::F) -> Self::F {
        // Adding and taking away 1.5·2^23 rounds to the nearest integer for |x| < 2^22, which all callers keep.
        a.map(|x| (x + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    unsafe fn scale_by_power(p: Self::F, n: Self::F) -> Self::F {
        zip(p, n, |x, n| x * f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn sum(a: Self::F) -> f32 {
        a.iter().sum()
    }
    #[inline(always)]
    unsafe fn greatest(a: Self::F) -> f32 {
        a.iter().fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m })
    }
    #[inline(always)]
    unsafe fn zero_int() -> Self::I {
        [0; LANES]
    }
    #[inline(always)]
    unsafe fn load_groups(p: *const u8) -> Self::I {
        p.cast::<Self::I>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn splat_group(p: *const u8) -> Self::I {
        [p.cast::<u32>().read_unaligned(); LANES]
    }
    #[inline(always)]
    unsafe fn sub_int(a: Self::I, b: Self::I) -> Self::I {
        std::array::from_fn(|i| a[i].wrapping_sub(b[i]))
    }
    #[inline(always)]
    unsafe fn to_float(a: Self::I) -> Self::F {
        a.map(|x| x.cast_signed() as f32)
    }
    #[inline(always)]
    unsafe fn dot_bytes(acc: Self::I, a: Self::I, b: Self::I) -> Self::I {
        std::array::from_fn(|i| {
            let (x, y) = (a[i].to_le_bytes(), b[i].to_le_bytes());
            let dot: i32 = (0..4).map(|j| i32::from(x[j]) * i32::from(y[j].cast_signed())).sum();
            acc[i].wrapping_add(dot.cast_unsigned())
        })
    }
    #[inline(always)]
    unsafe fn dot_pairs(acc: Self::F, a: Self::I, b: Self::I) -> Self::F {
        std::array::from_fn(|i| {
            let low = f32::from_bits(a[i] << 16) * f32::from_bits(b[i] << 16);
            let high = f32::from_bits(a[i] & 0xffff_0000) * f32::from_bits(b[i] & 0xffff_0000);
            acc[i] + low + high
        })
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: Self::F) {
        let q = Self::round(v).map(|x| (x as i32 + Self::ZERO_POINT) as u8);
        p.cast::<[u8; LANES]>().write_unaligned(q);
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut u8, v: Self::F) {
        p.cast::<[u16; LANES]>().write_unaligned(v.map(bf16_bits));
    }
}
