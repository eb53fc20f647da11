//! The packed form: the same results wherever its bytes lie, and no panic on bytes that are not one.

use std::io::Write;

use proptest::prelude::*;
use vsr_encoder::native::Width;
use vsr_encoder::{
    Blob, Encoded, Fingerprint, Model, PackOptions, Package, Pooling, Scratch, pack, pack_heads,
};

use crate::golden;

fn packed(name: &str, width: Width) -> Vec<u8> {
    pack(&golden(name), PackOptions::all(width)).unwrap()
}

fn encode(bytes: &Blob) -> Encoded {
    Model::from_packed(bytes, None).unwrap().encode("the cat is in paris", &mut Scratch::default()).unwrap()
}

#[test]
fn a_mapped_an_owned_and_a_misaligned_model_give_the_same_results() {
    for width in [Width::Float, Width::Bf16, Width::Int8] {
        let bytes = packed("bert-token", width);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let shifted: Vec<u8> = [0].into_iter().chain(bytes.iter().copied()).collect();
        let length = shifted.len();
        let expected = encode(&Blob::map(file.path()).unwrap());
        assert_eq!(encode(&Blob::from(bytes)), expected);
        assert_eq!(encode(&Blob::from(shifted).slice(1..length)), expected);
    }
}

#[test]
fn packing_is_reproducible_and_fingerprints_tell_precisions_and_heads_apart() {
    let open = |name: &str, width| Package::open(&Blob::from(packed(name, width))).unwrap();
    assert_eq!(packed("bert", Width::Int8), packed("bert", Width::Int8));
    let (float, int8) = (open("bert", Width::Float), open("bert", Width::Int8));
    assert_ne!(float.fingerprint(), int8.fingerprint());
    assert_eq!(int8.weights(), Width::Int8);
    assert_eq!(float.fingerprint().to_string().parse::<Fingerprint>().unwrap(), float.fingerprint());
    assert!("not a fingerprint".parse::<Fingerprint>().is_err());
}

/// A copy of the small BERT whose weights are in two files.
fn in_shards(first: &str, second: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(golden("bert").join(file), folder.path().join(file)).unwrap();
    }
    let bytes = std::fs::read(golden("bert").join("model.safetensors")).unwrap();
    let whole = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<&str> = whole.names();
    names.sort_unstable();
    let (left, right) = names.split_at(names.len() / 2);
    let mut places = serde_json::Map::new();
    for (part, file, named) in [(left, "model-1.safetensors", first), (right, "model-2.safetensors", second)]
    {
        let tensors = part.iter().map(|name| (*name, whole.tensor(name).unwrap()));
        safetensors::serialize_to_file(tensors, None, &folder.path().join(file)).unwrap();
        places.extend(part.iter().map(|name| ((*name).to_owned(), named.into())));
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": places });
    std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    folder
}

#[test]
fn weights_in_several_files_are_the_same_model_and_no_file_lies_elsewhere() {
    let options = PackOptions::all(Width::Float);
    let folder = in_shards("model-1.safetensors", "model-2.safetensors");
    assert_eq!(pack(folder.path(), options).unwrap(), packed("bert", Width::Float));
    for elsewhere in ["../model-2.safetensors", "/etc/model.safetensors", "a/b.safetensors", "weights.bin"] {
        let error =
            pack(in_shards("model-1.safetensors", elsewhere).path(), options).unwrap_err().to_string();
        assert!(error.contains("model.safetensors.index.json") && error.contains(elsewhere), "{error}");
    }
}

/// A copy of the small BERT with heads beside it.
fn with_heads(heads: &serde_json::Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(golden("bert").join(file), folder.path().join(file)).unwrap();
    }
    let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let weight: Vec<u8> = bytes(&(0..64).map(|i| (i % 7) as f32 / 7.0 - 0.4).collect::<Vec<_>>());
    let broad: Vec<u8> = bytes(&(0..128).map(|i| (i % 5) as f32 / 9.0 - 0.2).collect::<Vec<_>>());
    let bias = bytes(&[0.5, -0.5]);
    let view =
        |shape: Vec<usize>, data| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, data);
    let tensors = [
        ("w", view(vec![2, 32], &weight).unwrap()),
        ("broad", view(vec![2, 64], &broad).unwrap()),
        ("b", view(vec![2], &bias).unwrap()),
    ];
    std::fs::write(folder.path().join("heads.safetensors"), safetensors::serialize(tensors, None).unwrap())
        .unwrap();
    std::fs::write(folder.path().join("heads.json"), heads.to_string()).unwrap();
    folder
}

#[test]
fn named_heads_beside_a_checkpoint_become_part_of_it() {
    let layers = serde_json::json!([{"weight": "w", "bias": "b"}]);
    let folder = with_heads(&serde_json::json!({
        "pooling": "cls",
        "prefix": "the ",
        "sequence": [
            {"name": "sharp", "labels": ["yes", "no"], "layers": layers},
            {"name": "soft", "labels": ["yes", "no"], "temperature": 2.0, "layers": layers},
            {"name": "free", "labels": ["yes", "no"], "activation": "sigmoid", "input": "embedding", "layers": layers},
        ],
        "token": {"labels": ["O", "B-X"], "layers": layers},
        "metadata": {"licence": "none"},
    }));
    let options = PackOptions::all(Width::Float);
    let model = Model::from_directory(folder.path(), options, None).unwrap();
    let encoded = model.encode("cat is in paris", &mut Scratch::default()).unwrap();
    let log_odds = |head: &str| {
        let p = encoded.probabilities(head).unwrap();
        (f64::from(p[0]) / f64::from(p[1])).ln()
    };
    assert!((log_odds("sharp") - 2.0 * log_odds("soft")).abs() < 1e-4);
    assert!(encoded.probabilities("none").is_none());
    assert_eq!(model.metadata()["licence"], "none");
    // Offsets are those of the text without the prefix.
    assert_eq!(encoded.tokens.unwrap().iter().next().unwrap().0, 0..1);
    let package = Package::open(&Blob::from(pack(folder.path(), options).unwrap())).unwrap();
    assert_eq!(package.pooling(), Pooling::Cls);
    let plain = Package::open(&Blob::from(packed("bert", Width::Float))).unwrap();
    assert_ne!(package.identity(), plain.identity());
}

#[test]
fn heads_on_early_layers_need_no_later_ones() {
    let head = |name: &str, input: &str, weight: &str| {
        serde_json::json!({
            "name": name, "labels": ["yes", "no"], "input": input, "layers": [{"weight": weight, "bias": "b"}],
        })
    };
    let load = |heads: &[serde_json::Value]| {
        let folder = with_heads(&serde_json::json!({ "sequence": heads }));
        Model::from_directory(folder.path(), PackOptions::all(Width::Float), None)
    };
    let (text, mut scratch) = ("the cat is in paris", Scratch::default());
    let deep = load(&[head("last", "layers:2", "w"), head("mean", "mean", "w")]).unwrap();
    let encoded = deep.encode(text, &mut scratch).unwrap();
    assert_eq!(encoded.probabilities("last"), encoded.probabilities("mean"));
    assert!(!deep.classifies_early());

    let early = load(&[head("first", "layers:1", "w")]).unwrap();
    assert!(early.classifies_early());
    let whole = early.encode(text, &mut scratch).unwrap();
    let part = early.classify(text, &mut scratch).unwrap();
    assert_eq!(part.heads, whole.heads);
    assert!(part.embedding.is_empty() && whole.embedding.len() == 32);
    assert_ne!(whole.probabilities("first"), encoded.probabilities("last"));

    let both = load(&[head("both", "layers:1,2", "broad")]).unwrap();
    let p = both.encode(text, &mut scratch).unwrap().probabilities("both").unwrap().to_vec();
    assert!((p[0] + p[1] - 1.0).abs() < 1e-5, "{p:?}");
    for wrong in ["layers:3", "layers:0", "layers:2,1", "layers:", "depth:1"] {
        assert!(load(&[head("wrong", wrong, "w")]).is_err(), "{wrong}");
    }
}

#[test]
fn a_head_that_does_not_fit_is_refused_by_name() {
    let folder = with_heads(&serde_json::json!({
        "sequence": [{"name": "wide", "labels": ["a", "b", "c"], "layers": [{"weight": "w", "bias": "b"}]}],
    }));
    let error = Model::from_directory(folder.path(), PackOptions::all(Width::Float), None).unwrap_err();
    assert!(error.to_string().contains("\"wide\""), "{error}");
}

#[test]
fn a_checkpoint_of_another_family_is_refused_with_what_would_work() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), r#"{"model_type": "t5"}"#).unwrap();
    let error = pack(folder.path(), PackOptions::all(Width::Float)).unwrap_err().to_string();
    assert!(error.contains("t5") && error.contains("modernbert"), "{error}");
}

#[test]
fn a_shape_that_would_overflow_is_refused() {
    let bytes = packed("bert-pair", Width::Float);
    let (header, hidden) = (String::from_utf8_lossy(&bytes[16..400]).into_owned(), "\"hidden\":16,");
    let at = 16 + header.find(hidden).unwrap();
    // 2^62 · 4 does not fit 64 bits.
    let mut changed = bytes.clone();
    changed.splice(at..at + hidden.len(), b"\"hidden\":4611686018427387904,".iter().copied());
    let longer = (changed.len() - bytes.len()) as u64 + u64::from_le_bytes(bytes[8..16].try_into().unwrap());
    changed[8..16].copy_from_slice(&longer.to_le_bytes());
    assert!(Model::from_packed(&Blob::from(changed), None).is_err());
    assert!(vsr_encoder::native::pack(&[], 1 << 60, 16, Width::Float).is_err());
}

proptest! {
    #[test]
    fn a_cut_or_changed_file_is_refused_or_read_but_never_a_panic(cut in 0_usize..4000, at in 0_usize..4000, byte: u8) {
        let mut bytes = packed("bert-pair", Width::Int8);
        let whole = bytes.len();
        bytes[at.min(whole - 1)] = byte;
        if let Ok(model) = Model::from_packed(&Blob::from(bytes.clone()), None) {
            // Different weights are not an error; that they cannot be read would be.
            let _result = model.encode("the cat", &mut Scratch::default());
        }
        bytes.truncate(whole.saturating_sub(cut + 1));
        let refused = Model::from_packed(&Blob::from(bytes), None).is_err();
        prop_assert!(refused);
    }
}

#[test]
fn heads_fitted_later_stand_in_for_those_of_the_same_names_on_their_own_model_only() {
    let head = |name: &str, weight: &str| {
        serde_json::json!({
            "name": name, "labels": ["yes", "no"], "input": "layers:1", "layers": [{"weight": weight, "bias": "b"}],
        })
    };
    let languages =
        |name: &str, language: &str| serde_json::json!({ "heads": { name: { "languages": [language] } } });
    let options = PackOptions::all(Width::Float);
    let folder = with_heads(&serde_json::json!({
        "sequence": [head("old", "w"), head("kept", "w")], "metadata": languages("kept", "en"),
    }));
    let model = Blob::from(pack(folder.path(), options).unwrap());
    let open = || Package::open(&model).unwrap();
    let mut temperate = head("old", "w");
    temperate["temperature"] = 2.0.into();
    let later = with_heads(&serde_json::json!({
        "sequence": [temperate, head("new", "w")], "metadata": languages("old", "de"),
    }));
    let heads = Blob::from(pack_heads(later.path(), &open()).unwrap());
    let both = open().with_heads(&heads).unwrap();
    let names: Vec<&str> = both.sequence_heads().iter().map(|head| head.name.as_str()).collect();
    assert_eq!(names, ["old", "kept", "new"]);
    assert_eq!(both.fingerprint(), open().fingerprint());
    assert_ne!(both.identity(), open().identity());
    assert_eq!(
        both.metadata()["heads"],
        serde_json::json!({"kept": {"languages": ["en"]}, "old": {"languages": ["de"]}})
    );

    let mut scratch = Scratch::default();
    let encoded = Model::new(&both, None).unwrap().encode("the cat is in paris", &mut scratch).unwrap();
    let log_odds = |name: &str| {
        let p = encoded.probabilities(name).unwrap();
        (p[0] / p[1]).ln()
    };
    assert!((log_odds("kept") - 2.0 * log_odds("old")).abs() < 1e-4);
    assert_eq!(encoded.probabilities("kept"), encoded.probabilities("new"));
    let fitted = Model::new(&both, None).unwrap();
    let read = fitted.layer_means("the cat is in paris", &[1], &mut scratch).unwrap();
    assert_eq!(encoded.probabilities("new").unwrap(), fitted.head("new").unwrap().apply(read));

    // A tensor that is not beside the heads is the model's own.
    std::fs::write(
        later.path().join("heads.safetensors"),
        safetensors::serialize::<&str, safetensors::tensor::TensorView<'_>, _>([], None).unwrap(),
    )
    .unwrap();
    let borrowed = Blob::from(pack_heads(later.path(), &open()).unwrap());
    assert!(borrowed.len() < heads.len());
    let borrowed = Model::new(&open().with_heads(&borrowed).unwrap(), None).unwrap();
    assert_eq!(borrowed.encode("the cat is in paris", &mut scratch).unwrap().heads, encoded.heads);

    let other = Package::open(&Blob::from(packed("bert", Width::Int8))).unwrap();
    let error = other.with_heads(&heads).unwrap_err().to_string();
    assert!(error.contains("fitted on") && error.contains(&open().fingerprint().to_string()), "{error}");
    assert!(pack_heads(golden("bert").as_path(), &open()).is_err());
}
