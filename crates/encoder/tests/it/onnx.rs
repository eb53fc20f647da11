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
fn a_graph_that_classifies_pairs_gives_the_reference_probabilities() {
    let (expected, encoded, model) = classify("onnx-pair");
    assert_eq!(expected.texts.len(), 2);
    crate::goldens::assert_close(encoded.probabilities("classifier").unwrap(), &expected.probabilities);
    assert_eq!(model.head("classifier").unwrap().labels(), ["entailment", "neutral", "contradiction"]);
    let swapped = model.encode_pair(&expected.texts[1], &expected.texts[0], &mut Scratch::default()).unwrap();
    assert_ne!(swapped.heads, encoded.heads, "the order of a pair matters");
}

#[derive(Deserialize)]
struct Heard {
    audio_embedding: Vec<f32>,
}

#[test]
fn a_tower_for_sounds_gives_the_reference_vectors_and_resamples_other_rates() {
    for name in ["onnx-audio", "onnx-audio-fusion"] {
        let (expected, model): (Heard, Model) = (read(name), open(&golden(name)).unwrap());
        assert!(model.hears_sounds() && !model.sees_images());
        assert!(Model::directory_hears_sounds(&golden(name)));
        let mut scratch = Scratch::default();
        for (file, least) in [("tone.wav", 0.999_99), ("tone_11025_stereo.wav", 0.999)] {
            let bytes = std::fs::read(golden(name).join(file)).unwrap();
            let heard = model.encode_audio(&bytes, &mut scratch).unwrap();
            let likeness = cosine(&heard.embedding, &expected.audio_embedding);
            assert!(likeness > least, "{name}, {file}: {likeness}");
        }
        let text = model.encode("the cat is in paris", &mut scratch).unwrap();
        assert_eq!(text.embedding.len(), expected.audio_embedding.len());
    }
}

/// A WAV file of `bits` with so many samples per second and this many channels.
fn wave(rate: u32, channels: u16, bits: u16, data: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    let block = channels * (bits / 8);
    for value in [if bits == 32 { 3 } else { 1 }, channels] {
        file.extend(value.to_le_bytes());
    }
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend([block, bits].iter().flat_map(|value| value.to_le_bytes()));
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

#[test]
fn sounds_of_any_width_are_heard_only_the_beginning_of_long_ones_and_others_are_errors() {
    let model = open(&golden("onnx-audio")).unwrap();
    let mut scratch = Scratch::default();
    let pcm = |seconds: f64, sample: &dyn Fn(f64) -> Vec<u8>| -> Vec<u8> {
        (0..(8000.0 * seconds) as usize).flat_map(|i| sample((i as f64 / 5.0).sin() * 0.5)).collect()
    };
    let wide = pcm(1.0, &|x| ((x * 32767.0) as i16).to_le_bytes().to_vec());
    let reference = model.encode_audio(&wave(8000, 1, 16, &wide), &mut scratch).unwrap().embedding;
    let longer = pcm(3.0, &|x| ((x * 32767.0) as i16).to_le_bytes().to_vec());
    let beginning = model.encode_audio(&wave(8000, 1, 16, &longer), &mut scratch).unwrap();
    assert_eq!(beginning.embedding, reference);
    // The same steps as floats: what is between them is noise that the logarithm shows.
    let floats = pcm(1.0, &|x| (f32::from((x * 32767.0) as i16) / 32768.0).to_le_bytes().to_vec());
    let heard = model.encode_audio(&wave(8000, 1, 32, &floats), &mut scratch).unwrap();
    assert_eq!(heard.embedding, reference);
    for (file, says) in [
        (b"ID3\x03".to_vec(), "no WAV"),
        (wave(8000, 1, 16, &[]), "no samples"),
        (wave(1_000_000, 1, 16, &wide), "1000000 samples per second"),
        (wave(8000, 200, 8, &wide), "200 channels"),
        (wave(8000, 1, 32, &f32::NAN.to_le_bytes()), "no numbers"),
        (wave(8000, 1, 16, &wide)[..30].to_vec(), "cannot be used"),
        (vec![b'R'; 33 << 20], "bytes"),
    ] {
        let error = model.encode_audio(&file, &mut scratch).unwrap_err();
        assert!(matches!(&error, Error::Input(why) if why.contains(says)), "{says}: {error}");
    }
    let deaf = open(&golden("onnx-towers")).unwrap();
    let error = deaf.encode_audio(&wave(8000, 1, 16, &wide), &mut scratch).unwrap_err();
    assert!(error.to_string().contains("no tower for sounds"), "{error}");
    let other = br#"{"feature_extractor_type": "WhisperFeatureExtractor"}"#;
    let folder = with("onnx-audio", "preprocessor_config.json", Some(other));
    assert!(open(folder.path()).unwrap_err().to_string().contains("WhisperFeatureExtractor"));
    let narrow = br#"{"feature_size": 8, "sampling_rate": 8000, "fft_window_size": 256, "hop_length": 80,
        "max_length_s": 1, "frequency_max": 4000, "truncation": "rand_trunc"}"#;
    let folder = with("onnx-audio", "preprocessor_config.json", Some(narrow));
    assert!(open(folder.path()).unwrap_err().to_string().contains("the graph takes 16"));
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
    fn a_damaged_sound_fails_or_works(at in 0..9_000_usize, byte: u8, rate: u32) {
        let model = open(&golden("onnx-audio")).unwrap();
        let mut bytes = std::fs::read(golden("onnx-audio").join("tone.wav")).unwrap();
        let (at, head) = (at % bytes.len(), at % 44);
        (bytes[at], bytes[head]) = (byte, byte);
        let _outcome = model.encode_audio(&bytes, &mut Scratch::default());
        let _cut = model.encode_audio(&bytes[..at], &mut Scratch::default());
        bytes.splice(24..28, (rate % 200_000).to_le_bytes());
        let _resampled = model.encode_audio(&bytes, &mut Scratch::default());
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
