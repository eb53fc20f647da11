//! Every kernel of every instruction set of this CPU against plain loops in f64.

use proptest::prelude::*;
use vsr_encoder::Blob;
use vsr_encoder::native::{
    AttentionScratch, AttentionShape, Epilogue, Kernels, Level, Linear, Narrowed, Width, pack,
};

use crate::levels;

/// Reproducible values between -1 and 1.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[expect(clippy::too_many_arguments, reason = "one per operand")]
fn linear(
    level: Level,
    weights: &[f32],
    bias: &[f32],
    x: &[f32],
    width: Width,
    epilogue: Epilogue,
    y: &mut [f32],
) {
    let kernels = Kernels::at(level).unwrap();
    let outputs = bias.len();
    let inputs = weights.len() / outputs;
    let packed = Blob::from(pack(weights, outputs, inputs, width).unwrap());
    let layer = Linear::new(&kernels, &packed, outputs, inputs, width, Some(bias)).unwrap();
    kernels.linear(&layer, x, &mut Narrowed::default(), y, epilogue);
}

/// The exact product, and per result the sum of magnitudes that rounding errors scale with.
fn product(weights: &[f32], bias: &[f32], x: &[f32]) -> Vec<(f64, f64)> {
    let inputs = weights.len() / bias.len();
    let mut out = Vec::new();
    for row in x.chunks(inputs) {
        for (w, b) in weights.chunks(inputs).zip(bias) {
            let terms = row.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w));
            let magnitude = f64::from(row.iter().fold(0.0_f32, |m, x| m.max(x.abs())))
                * f64::from(w.iter().fold(0.0_f32, |m, x| m.max(x.abs())))
                * (inputs as f64).sqrt();
            out.push((terms.sum::<f64>() + f64::from(*b), magnitude));
        }
    }
    out
}

fn gelu(x: f64) -> f64 {
    // erf by its series, which loses its digits far out, where the function is x or 0.
    if x.abs() > 6.0 {
        return x.max(0.0);
    }
    let z = x / std::f64::consts::SQRT_2;
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= -z * z / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    0.5 * x * (1.0 + sum * 2.0 / std::f64::consts::PI.sqrt())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_product_is_that_of_plain_loops(
        rows in 1_usize..20,
        inputs in 1_usize..9,
        outputs in 1_usize..8,
        scale in 0.01_f32..30.0,
        seed: u64,
    ) {
        let (inputs, outputs) = (inputs * 16, outputs * 16);
        let weights = values(outputs * inputs, seed);
        let bias = values(outputs, seed ^ 1);
        let x: Vec<f32> = values(rows * inputs, seed ^ 2).iter().map(|v| v * scale).collect();
        let exact = product(&weights, &bias, &x);
        for level in levels() {
            // Relative to the magnitude of a result: rounding, 8 bits of mantissa, and 8 or 7 bits of activations.
            for (width, tolerance) in [(Width::Float, 1e-5), (Width::Bf16, 8e-3), (Width::Int8, 3e-2)] {
                let mut y = vec![f32::NAN; rows * outputs];
                linear(level, &weights, &bias, &x, width, Epilogue::Store, &mut y);
                for (found, (expected, magnitude)) in y.iter().zip(&exact) {
                    let apart = (f64::from(*found) - expected).abs();
                    prop_assert!(apart <= tolerance * magnitude + 1e-5, "{level:?} {width:?}: {found} for {expected}");
                }
            }
        }
    }

    #[test]
    fn epilogues_add_or_apply_the_exact_gelu(rows in 1_usize..10, seed: u64) {
        let (inputs, outputs) = (32, 80);
        let (weights, bias) = (values(outputs * inputs, seed), values(outputs, seed ^ 1));
        let x = values(rows * inputs, seed ^ 2);
        let before = values(rows * outputs, seed ^ 3);
        let exact = product(&weights, &bias, &x);
        for level in levels() {
            let mut sum = before.clone();
            linear(level, &weights, &bias, &x, Width::Float, Epilogue::Add, &mut sum);
            let mut active = vec![f32::NAN; before.len()];
            linear(level, &weights, &bias, &x, Width::Float, Epilogue::Gelu, &mut active);
            for (i, (expected, _)) in exact.iter().enumerate() {
                prop_assert!((f64::from(sum[i]) - expected - f64::from(before[i])).abs() < 1e-4);
                prop_assert!((f64::from(active[i]) - gelu(*expected)).abs() < 1e-4, "{level:?}");
            }
        }
    }

    #[test]
    fn a_layer_norm_is_that_of_plain_loops(rows in 1_usize..5, grains in 1_usize..60, shift in -50.0_f32..50.0, seed: u64) {
        let width = grains * 16;
        let x: Vec<f32> = values(rows * width, seed).iter().map(|v| v * 3.0 + shift).collect();
        let (weight, bias) = (values(width, seed ^ 1), values(width, seed ^ 2));
        for level in levels() {
            let kernels = Kernels::at(level).unwrap();
            let mut out = vec![f32::NAN; x.len()];
            kernels.layer_norm(&x, &mut out, &weight, &bias, 1e-5);
            let mut in_place = x.clone();
            kernels.layer_norm_in_place(&mut in_place, &weight, &bias, 1e-5);
            prop_assert_eq!(&out, &in_place);
            for (row, found) in x.chunks(width).zip(out.chunks(width)) {
                let mean = row.iter().map(|v| f64::from(*v)).sum::<f64>() / width as f64;
                let variance = row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / width as f64;
                for i in 0..width {
                    let normal = (f64::from(row[i]) - mean) / (variance + 1e-5).sqrt();
                    let expected = normal * f64::from(weight[i]) + f64::from(bias[i]);
                    prop_assert!((f64::from(found[i]) - expected).abs() < 1e-4, "{level:?}");
                }
            }
        }
    }

    #[test]
    fn a_gated_gelu_leaves_its_results_without_gaps(rows in 1_usize..6, grains in 1_usize..6, seed: u64) {
        let half = grains * 16;
        let x: Vec<f32> = values(rows * 2 * half, seed).iter().map(|v| v * 4.0).collect();
        for level in levels() {
            let mut y = x.clone();
            Kernels::at(level).unwrap().gated_gelu(&mut y, half);
            for r in 0..rows {
                for i in 0..half {
                    let expected = gelu(f64::from(x[r * 2 * half + i])) * f64::from(x[r * 2 * half + half + i]);
                    prop_assert!((f64::from(y[r * half + i]) - expected).abs() < 1e-5, "{level:?}");
                }
            }
        }
    }

    #[test]
    fn attention_is_the_naive_one_within_its_window(
        tokens in 1_usize..150,
        heads in 1_usize..3,
        grains in 1_usize..5,
        reach in prop::option::of(1_usize..40),
        sharpness in 0.1_f32..6.0,
        seed: u64,
    ) {
        check_attention(tokens, heads, grains * 16, reach, sharpness, seed)?;
    }
}

#[test]
fn attention_over_many_blocks_of_keys_is_still_exact() {
    check_attention(1100, 1, 32, None, 3.0, 7).unwrap();
    check_attention(1100, 1, 32, Some(400), 3.0, 8).unwrap();
}

fn check_attention(
    tokens: usize,
    heads: usize,
    width: usize,
    reach: Option<usize>,
    sharpness: f32,
    seed: u64,
) -> Result<(), TestCaseError> {
    let hidden = heads * width;
    let qkv: Vec<f32> = values(tokens * 3 * hidden, seed).iter().map(|v| v * sharpness).collect();
    let at = |t: usize, part: usize, h: usize, i: usize| {
        f64::from(qkv[t * 3 * hidden + part * hidden + h * width + i])
    };
    let mut expected = vec![0.0_f64; tokens * hidden];
    for h in 0..heads {
        for t in 0..tokens {
            let seen = (0..tokens).filter(|s| reach.is_none_or(|r| s.abs_diff(t) <= r));
            let scored: Vec<(usize, f64)> = seen
                .map(|s| {
                    (
                        s,
                        (0..width).map(|i| at(t, 0, h, i) * at(s, 1, h, i)).sum::<f64>()
                            / (width as f64).sqrt(),
                    )
                })
                .collect();
            let most = scored.iter().fold(f64::NEG_INFINITY, |m, (_, x)| m.max(*x));
            let total: f64 = scored.iter().map(|(_, x)| (x - most).exp()).sum();
            for (s, x) in scored {
                let weight = (x - most).exp() / total;
                for i in 0..width {
                    expected[t * hidden + h * width + i] += weight * at(s, 2, h, i);
                }
            }
        }
    }
    for level in levels() {
        for halves in [false, true] {
            let mut out = vec![f32::NAN; tokens * hidden];
            let shape = AttentionShape { heads, width, reach, halves };
            Kernels::at(level).unwrap().attention(shape, &qkv, &mut out, &mut AttentionScratch::default());
            // In bfloat16 the scores, which are as large as sharpness² · √width, are off by up to 2^-8 of that.
            let tolerance = if halves && level.multiplies_bf16() {
                f64::from(sharpness) * (0.01 + 0.006 * f64::from(sharpness).powi(2) * (width as f64).sqrt())
            } else {
                2e-5 * f64::from(sharpness).max(1.0).powi(3)
            };
            for (found, expected) in out.iter().zip(&expected) {
                let apart = (f64::from(*found) - expected).abs();
                prop_assert!(
                    apart <= tolerance,
                    "{level:?} halves {halves}: {found} for {expected}, {tolerance}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_layer_whose_width_is_not_a_multiple_of_16_is_refused() {
    assert!(pack(&[0.0; 24 * 16], 24, 16, Width::Float).is_err());
    assert!(pack(&[0.0; 16 * 16], 32, 16, Width::Float).is_err());
}

#[test]
fn a_level_that_the_cpu_lacks_has_no_kernels() {
    for level in Level::ALL {
        assert_eq!(Kernels::at(level).is_some(), level.is_available());
    }
    assert_eq!(Kernels::detect().level(), Level::best());
}
