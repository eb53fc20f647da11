//! Whole models against PyTorch's numbers for small random checkpoints.

use serde::Deserialize;
use vsr_encoder::native::{NativeEngine, Width};
use vsr_encoder::{Blob, Engine, Input, Model, PackOptions, Package, Scratch, pack};

use crate::{cosine, golden, levels};

#[derive(Deserialize)]
struct Hidden {
    ids: Vec<u32>,
    types: Vec<u32>,
    hidden: Vec<f32>,
}

#[derive(Deserialize)]
pub(crate) struct Classified {
    pub(crate) texts: Vec<String>,
    ids: Vec<u32>,
    pub(crate) probabilities: Vec<f32>,
}

pub(crate) fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(golden(name).join("golden.json")).unwrap()).unwrap()
}

/// The largest difference of hidden states and the least cosine of a token's, over all levels of this CPU.
fn distance(name: &str, options: PackOptions) -> (f32, f64) {
    let expected: Hidden = read(name);
    let package = Package::open(&Blob::from(pack(&golden(name), options).unwrap())).unwrap();
    let (mut apart, mut likeness) = (0.0_f32, 1.0_f64);
    for level in levels() {
        let engine = NativeEngine::new(&package, Some(level)).unwrap();
        let mut scratch = Scratch::default();
        engine.run(Input::whole(&expected.ids, &expected.types), &mut scratch).unwrap();
        assert_eq!(scratch.hidden.len(), expected.hidden.len(), "{name} at {level:?}");
        let pairs = scratch.hidden.iter().zip(&expected.hidden);
        apart = pairs.fold(apart, |most, (a, b)| most.max((a - b).abs()));
        let rows =
            scratch.hidden.chunks(engine.hidden_size()).zip(expected.hidden.chunks(engine.hidden_size()));
        likeness = rows.fold(likeness, |least, (a, b)| least.min(cosine(a, b)));
    }
    (apart, likeness)
}

#[test]
fn f32_hidden_states_are_those_of_the_reference_at_every_level() {
    for name in ["bert", "modernbert", "roberta"] {
        let (apart, _) = distance(name, PackOptions::all(Width::Float));
        assert!(apart < 5e-5, "{name}: {apart}");
    }
}

#[test]
fn the_hidden_states_of_a_graph_are_those_of_the_reference() {
    let expected: Hidden = read("onnx-bert");
    let model = Model::from_directory(&golden("onnx-bert"), PackOptions::all(Width::Float), None).unwrap();
    let mut scratch = Scratch::default();
    model.engine().run(Input::whole(&expected.ids, &expected.types), &mut scratch).unwrap();
    assert_close(&scratch.hidden, &expected.hidden);
}

#[test]
fn narrow_weights_keep_hidden_states_close_at_every_level() {
    for name in ["bert", "modernbert", "roberta"] {
        let (_, bf16) = distance(name, PackOptions::all(Width::Bf16));
        assert!(bf16 > 0.999, "{name}: {bf16}");
        let (_, int8) = distance(name, PackOptions::all(Width::Int8));
        assert!(int8 > 0.98, "{name}: {int8}");
        let options = PackOptions { closing: Width::Float, ..PackOptions::all(Width::Int8) };
        let (_, mixed) = distance(name, options);
        assert!(mixed > int8, "{name}: {mixed} with closing layers in f32, {int8} without");
    }
}

pub(crate) fn classify(name: &str) -> (Classified, vsr_encoder::Encoded, Model) {
    let expected: Classified = read(name);
    let model = Model::from_directory(&golden(name), PackOptions::all(Width::Float), None).unwrap();
    let mut scratch = Scratch::default();
    let encoded = match expected.texts.as_slice() {
        [text] => model.encode(text, &mut scratch).unwrap(),
        [first, second] => model.encode_pair(first, second, &mut scratch).unwrap(),
        other => panic!("{} texts", other.len()),
    };
    assert_eq!(encoded.token_count, expected.ids.len(), "{name}: truncation and padding are ignored");
    (expected, encoded, model)
}

pub(crate) fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 2e-5, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn a_classifier_of_text_pairs_gives_the_reference_probabilities_under_its_labels() {
    let (expected, encoded, model) = classify("bert-pair");
    assert_close(encoded.probabilities("classifier").unwrap(), &expected.probabilities);
    assert_eq!(model.head("classifier").unwrap().labels(), ["entailment", "neutral", "contradiction"]);
}

#[test]
fn the_longer_text_of_a_pair_is_cut_as_the_reference_cuts_it() {
    let (expected, encoded, model) = classify("modernbert-pair");
    assert_eq!(encoded.token_count, 40, "the pair is longer than the model takes");
    assert_close(encoded.probabilities("classifier").unwrap(), &expected.probabilities);
    assert_eq!(model.head("classifier").unwrap().labels(), ["CONTRADICTION", "ENTAILMENT", "NEUTRAL"]);
}

#[test]
fn a_modern_classifier_pools_and_classifies_as_the_reference() {
    let (expected, encoded, _) = classify("modernbert-sequence");
    assert_close(encoded.probabilities("classifier").unwrap(), &expected.probabilities);
}

#[test]
fn a_token_classifier_labels_every_token_with_its_bytes() {
    let (expected, encoded, model) = classify("bert-token");
    let text = &expected.texts[0];
    let labels = model.token_head().unwrap().labels().len();
    // The first and the last token are special and not part of the text.
    let inner = &expected.probabilities[labels..expected.probabilities.len() - labels];
    let tokens = encoded.tokens.as_ref().unwrap();
    let found: Vec<f32> = tokens.iter().flat_map(|(_, p)| p.to_vec()).collect();
    assert_close(&found, inner);
    let pieces: Vec<&str> = tokens.iter().map(|(range, _)| &text[range]).collect();
    assert_eq!(pieces, ["Ç", "a", "is", "not", "Z", "ü", "r", "i", "c", "h", "-", "Paris"]);
}

#[test]
fn an_embedding_has_length_one_and_is_the_mean_of_all_hidden_states() {
    let model = crate::golden_model("modernbert");
    let mut scratch = Scratch::default();
    let encoded = model.encode("the cat is not in paris", &mut scratch).unwrap();
    let width = model.dimension();
    let mean: Vec<f32> = (0..width)
        .map(|i| {
            scratch.hidden.iter().skip(i).step_by(width).sum::<f32>() * width as f32
                / scratch.hidden.len() as f32
        })
        .collect();
    let length = encoded.embedding.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!((length - 1.0).abs() < 1e-5);
    for (x, m) in encoded.embedding.iter().zip(&mean) {
        assert!((x * encoded.norm - m).abs() < 1e-5);
    }
}
