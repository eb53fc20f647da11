//! ONNX graphs against PyTorch's numbers, and files that are none.

use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use vsr_encoder::native::Width;
use vsr_encoder::{Error, Model, PackOptions, Query, Scratch};

use crate::{cosine, golden, goldens::classify, goldens::read, pool::soon};

#[derive(Deserialize)]
struct Towers {
    text: String,
    text_embedding: Vec<f32>,
    image_embedding: Vec<f32>,
}

fn open(directory: &Path) -> Result<Model, Error> {
    Model::from_directory(directory, PackOptions::all(Width::Float), None)
}

/// A copy of a committed checkpoint with one file replaced; gone if there are no bytes.
fn with(name: &str, file: &str, bytes: Option<&[u8]>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    match bytes {
        Some(bytes) => std::fs::write(folder.path().join(file), bytes).unwrap(),
        None => std::fs::remove_file(folder.path().join(file)).unwrap(),
    }
    folder
}

fn picture(name: &str) -> Vec<u8> {
    std::fs::read(golden("onnx-towers").join(name)).unwrap()
}

#[test]
fn a_graph_that_classifies_texts_gives_the_reference_probabilities_under_its_labels_and_no_embedding() {
    let (expected, encoded, model) = classify("onnx-sequence");
    crate::goldens::assert_close(encoded.probabilities("classifier").unwrap(), &expected.probabilities);
    assert_eq!(model.head("classifier").unwrap().labels(), ["AR", "DIFFUSION", "BOTH"]);
    assert_eq!((model.dimension(), encoded.embedding.len()), (0, 0));
    assert_eq!(model.engine().name(), "rten");
}

#[test]
fn a_graph_that_labels_tokens_gives_the_reference_probabilities_with_the_bytes_of_every_token() {
    let (expected, encoded, model) = classify("onnx-token");
    let labels = model.token_head().unwrap().labels().len();
    let inner = &expected.probabilities[labels..expected.probabilities.len() - labels];
    let tokens = encoded.tokens.as_ref().unwrap();
    let found: Vec<f32> = tokens.iter().flat_map(|(_, p)| p.to_vec()).collect();
    crate::goldens::assert_close(&found, inner);
    let pieces: Vec<&str> = tokens.iter().map(|(range, _)| &expected.texts[0][range]).collect();
    assert_eq!(pieces, ["Ç", "a", "is", "not", "Z", "ü", "r", "i", "c", "h", "-", "Paris"]);
}

#[test]
fn a_graph_of_hidden_states_embeds_by_their_mean_or_by_the_first_as_its_pooling_file_says() {
    let mean = open(&golden("onnx-bert")).unwrap();
    let folder = with("onnx-bert", "heads.json", Some(br#"{"pooling": "cls"}"#));
    let first = open(folder.path()).unwrap();
    let other = with("onnx-bert", "unused", Some(b""));
    std::fs::create_dir(other.path().join("1_Pooling")).unwrap();
    std::fs::write(other.path().join("1_Pooling/config.json"), br#"{"pooling_mode_cls_token": true}"#)
        .unwrap();
    let mut scratch = Scratch::default();
    let by_mean = mean.encode("the cat", &mut scratch).unwrap();
    let by_first = first.encode("the cat", &mut scratch).unwrap();
    for (i, x) in by_first.embedding.iter().enumerate() {
        assert!((x * by_first.norm - scratch.hidden[i]).abs() < 1e-5);
    }
    assert_ne!(by_mean.embedding, by_first.embedding);
    assert_ne!(mean.fingerprint(), first.fingerprint());
    let again = open(other.path()).unwrap().encode("the cat", &mut scratch).unwrap();
    assert_eq!(again.embedding, by_first.embedding);
}

#[test]
fn both_towers_give_the_reference_vectors_whatever_the_type_of_the_image_file() {
    let expected: Towers = read("onnx-towers");
    let model = open(&golden("onnx-towers")).unwrap();
    assert!(model.sees_images() && Model::directory_sees_images(&golden("onnx-towers")));
    let mut scratch = Scratch::default();
    let text = model.encode(&expected.text, &mut scratch).unwrap();
    crate::goldens::assert_close(&text.embedding, &expected.text_embedding);
    for (file, least) in [("picture.png", 0.99999), ("picture.webp", 0.99999), ("picture.jpg", 0.995)] {
        let image = model.encode_image(&picture(file), &mut scratch).unwrap();
        let likeness = cosine(&image.embedding, &expected.image_embedding);
        assert!(likeness > least, "{file}: {likeness}");
    }
}

#[test]
fn images_go_through_the_pool_and_are_embedded_once() {
    let pool = vsr_encoder::EncoderPool::start(vsr_encoder::PoolOptions::default()).unwrap();
    let model = std::sync::Arc::new(open(&golden("onnx-towers")).unwrap());
    let image = Query::Image(picture("picture.png").into());
    let first = pool.encode(&model, image.clone(), soon()).unwrap();
    assert_eq!(pool.encode(&model, image, soon()).unwrap(), first);
    assert_eq!((pool.counters().done, pool.counters().cache_hits), (1, 1));
    let blind = crate::golden_model("bert");
    let error = pool.encode(&blind, Query::Image(picture("picture.png").into()), soon()).unwrap_err();
    assert!(error.to_string().contains("no tower for images"), "{error}");
}

#[test]
fn safetensors_of_a_known_family_are_preferred_and_a_folder_without_either_says_what_it_lacks() {
    let graph = std::fs::read(golden("onnx-bert").join("model.onnx")).unwrap();
    let both = with("bert", "model.onnx", Some(&graph));
    assert_eq!(open(both.path()).unwrap().engine().name(), "native");
    let unknown = with("bert", "config.json", Some(br#"{"model_type": "deberta", "vocab_size": 64}"#));
    assert!(matches!(open(unknown.path()), Err(Error::Unsupported { .. })));
    std::fs::write(unknown.path().join("model.onnx"), &graph).unwrap();
    assert_eq!(open(unknown.path()).unwrap().engine().name(), "rten");
    let neither = with("onnx-bert", "model.onnx", None);
    let error = open(neither.path()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains("model.onnx"), "{error}");
}

#[test]
fn a_tower_needs_to_know_how_images_are_prepared() {
    let folder = with("onnx-towers", "preprocessor_config.json", None);
    assert!(open(folder.path()).unwrap_err().to_string().contains("preprocessor_config.json"));
    let sizes = br#"{"size": {"height": 48, "width": 32}}"#;
    let folder = with("onnx-towers", "preprocessor_config.json", Some(sizes));
    assert!(open(folder.path()).unwrap_err().to_string().contains("the graph takes 32"));
}

/// A field of a protocol buffer.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}

/// A file with one operator over one constant, and these bytes added to the graph.
fn graph_of(operator: &str, shape: &[i64], more: &[u8]) -> Vec<u8> {
    let raw: Vec<u8> = shape.iter().flat_map(|d| d.to_le_bytes()).collect();
    let dims = [8, shape.len() as u8, 16, 7];
    let tensor = [&dims[..], &field(8, b"shape"), &field(9, &raw)].concat();
    let inputs = if operator == "ConstantOfShape" {
        field(1, b"shape")
    } else {
        [field(1, b"input_ids"), field(1, b"shape")].concat()
    };
    let node = [&inputs[..], &field(2, b"logits"), &field(4, operator.as_bytes())].concat();
    let port = |name: &[u8], kind: u8| {
        let shape = [field(1, &[8, 1]), field(1, &field(2, b"n"))].concat();
        field(1, name)
            .into_iter()
            .chain(field(2, &field(1, &[&[8, kind][..], &field(2, &shape)].concat())))
            .collect::<Vec<u8>>()
    };
    let ports = [field(11, &port(b"input_ids", 7)), field(12, &port(b"logits", 1))].concat();
    let graph = [&field(1, &node)[..], &field(5, &tensor), &ports, more].concat();
    [&[8, 8][..], &field(8, &[16, 18]), &field(7, &graph)].concat()
}

#[test]
fn graphs_with_giant_shapes_unknown_operators_or_no_bytes_are_errors() {
    let giant_tensor = field(5, &[&[8, 0xff, 0xff, 0xff, 0xff, 0x7f, 16, 1][..], &field(8, b"w")].concat());
    for (graph, says) in [
        (graph_of("ConstantOfShape", &[1 << 40, 1 << 30], &[]), "ConstantOfShape"),
        (graph_of("ConstantOfShape", &[i64::MIN], &[]), "ConstantOfShape"),
        (graph_of("Expand", &[1 << 20, 1 << 20], &[]), "Expand"),
        (graph_of("Launder", &[1], &[]), "Launder"),
        (graph_of("ConstantOfShape", &[1], &giant_tensor), "has only 0 bytes"),
        (Vec::new(), "no graph"),
        (b"<html>not found</html>".to_vec(), ""),
    ] {
        let folder = with("onnx-bert", "model.onnx", Some(&graph));
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("model.onnx") && error.contains(says), "{error}");
    }
}

#[test]
fn a_graph_that_is_cut_off_anywhere_is_an_error() {
    let whole = std::fs::read(golden("onnx-token").join("model.onnx")).unwrap();
    for length in (0..whole.len()).step_by(613) {
        let folder = with("onnx-token", "model.onnx", Some(&whole[..length]));
        assert!(open(folder.path()).is_err(), "{length} of {} bytes", whole.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_damaged_graph_fails_or_works_and_never_ends_the_process(at in 0..22_000_usize, byte: u8) {
        let mut bytes = std::fs::read(golden("onnx-token").join("model.onnx")).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        let folder = with("onnx-token", "model.onnx", Some(&bytes));
        if let Ok(model) = open(folder.path()) {
            let _outcome = model.encode("the cat", &mut Scratch::default());
        }
    }

    #[test]
    fn a_damaged_image_fails_or_works(at in 0..7_000_usize, byte: u8, kind in 0..3_usize) {
        let model = open(&golden("onnx-towers")).unwrap();
        let mut bytes = picture(["picture.png", "picture.jpg", "picture.webp"][kind]);
        let at = at % bytes.len();
        bytes[at] = byte;
        let _outcome = model.encode_image(&bytes, &mut Scratch::default());
        let _cut = model.encode_image(&bytes[..at], &mut Scratch::default());
    }
}

#[test]
fn images_that_claim_to_be_giant_or_are_of_another_type_are_errors() {
    let model = open(&golden("onnx-towers")).unwrap();
    let mut scratch = Scratch::default();
    let mut bomb = picture("picture.png");
    // The width and the height stand in the header, whose checksum is then wrong too.
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    for (file, says) in [
        (bomb, "cannot be used"),
        (jpeg_header(65_500, 65_500), "cannot be used"),
        (b"GIF89a".to_vec(), "no PNG, JPEG or WebP"),
        (Vec::new(), "no PNG, JPEG or WebP"),
        (vec![0x89; 21 << 20], "bytes"),
    ] {
        let error = model.encode_image(&file, &mut scratch).unwrap_err();
        assert!(matches!(&error, Error::Input(why) if why.contains(says)), "{error}");
    }
}

/// The beginning of a JPEG of that size.
fn jpeg_header(width: u16, height: u16) -> Vec<u8> {
    let ([w, x], [h, y]) = (width.to_be_bytes(), height.to_be_bytes());
    vec![0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, h, y, w, x, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda]
}
