//! Images and sounds are compared with examples by models of two towers.

use std::{borrow::Cow, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use vsr_config::{Document, KnowledgeBase};
use vsr_reader::{Checkpoint, ModelRole, Reader, Serving};
use vsr_signals::{SignalInput, SignalSet, TokenCalibration};
use vsr_types::{
    AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView, SignalFamily, UnavailableReason,
};

use crate::{AMPLE, reader, wait};

/// With these random weights the picture and `quiz zebra` have a cosine of 0.1916 in PyTorch.
const RULES: &str = "version: v0.3
routing:
  signals:
    embeddings:
      - {name: seen, threshold: 0.18, query_modality: image, candidates: [quiz zebra]}
      - {name: alike, threshold: 0.21, query_modality: image, candidates: [quiz zebra]}
      - {name: said, threshold: 0.999, candidates: [the cat is in paris]}
global:
  model_catalog: {embeddings: {semantic: {embedding_config: {model_type: multimodal}}}}
";

fn towers() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/goldens/onnx-towers")
}

fn two_towers() -> Reader {
    let checkpoint = Checkpoint::open(&towers(), None).unwrap();
    reader().with(&[(ModelRole::Embedding, Serving::Checkpoint(checkpoint))])
}

/// What the three rules say of a request, each matched, not matched or unavailable; and what the compiler announced.
fn judge(reader: &Reader, request: &RequestView<'_>) -> (Vec<Result<bool, UnavailableReason>>, Vec<String>) {
    let document = Document::parse("config.yaml", RULES, &|_| None);
    let manifests = |_: &KnowledgeBase| None;
    let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
    let support = reader.support(&manifests);
    let set = SignalSet::compile_for(document.config().unwrap(), &support, &mut atoms, &mut diagnostics);
    set.install(&wait(reader.embed(&set.prototype_texts(), None, &|_, _| {})).unwrap());
    let readings = wait(reader.read(set.plan(request, FamilySet::ALL), AMPLE));
    let mut evidence = Evidence::new(&atoms);
    let (tokens, identity) = (TokenCalibration::new(), Identity::default());
    let input = SignalInput {
        request,
        identity: &identity,
        tokens: &tokens,
        authz_fail_open: false,
        readings: Some(&readings),
    };
    set.evaluate(&input, FamilySet::ALL, &mut evidence).unwrap();
    let outcomes = ["seen", "alike", "said"].map(|name| {
        let atom = atoms.find(SignalFamily::Embedding, name).unwrap();
        match evidence.reason(atom) {
            Some(reason) => Err(reason),
            None => Ok(evidence.is_matched(atom)),
        }
    });
    (outcomes.to_vec(), diagnostics.iter().map(|it| it.path.to_string()).collect())
}

fn with_image<'r>(text: &'r str, image: &'r str) -> RequestView<'r> {
    RequestView { first_image: Some(Cow::Borrowed(image)), ..RequestView::from_prompt(text) }
}

fn inline(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

#[test]
fn an_inline_image_is_compared_with_texts_and_texts_with_texts() {
    let image = inline(&std::fs::read(towers().join("picture.png")).unwrap());
    let (outcomes, announced) = judge(&two_towers(), &with_image("the cat is in paris", &image));
    assert_eq!(outcomes, [Ok(true), Ok(false), Ok(true)]);
    assert!(announced.is_empty(), "{announced:?}");
}

#[test]
fn without_an_image_or_with_a_broken_one_only_image_rules_are_unavailable() {
    let reader = two_towers();
    let (none, _) = judge(&reader, &RequestView::from_prompt("the cat is in paris"));
    let absent = Err(UnavailableReason::NoInput);
    assert_eq!(none, [absent, absent, Ok(true)]);
    let broken = Err(UnavailableReason::Failed);
    for image in [inline(b"\x89PNG not quite"), "data:image/png;base64,&&&".to_owned()] {
        let (outcomes, _) = judge(&reader, &with_image("the cat is in paris", &image));
        assert_eq!(outcomes, [broken, broken, Ok(true)]);
    }
}

/// What a complexity rule with examples that are images says of a request: its level, and its image margin.
fn level(reader: &Reader, examples: &str, request: &RequestView<'_>) -> (Option<String>, Option<f64>) {
    let text = format!(
        "version: v0.3\nrouting:\n  signals:\n    complexity:\n      - {{name: c, threshold: 0.05, {examples}}}\n\
         global:\n  model_catalog: {{embeddings: {{semantic: {{embedding_config: {{model_type: multimodal}}}}}}}}\n"
    );
    let document = Document::parse("config.yaml", &text, &|_| None);
    let manifests = |_: &KnowledgeBase| None;
    let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
    let support = reader.support(&manifests);
    let set = SignalSet::compile_for(document.config().unwrap(), &support, &mut atoms, &mut diagnostics);
    assert_eq!(diagnostics.iter().count(), 0);
    set.install(&wait(reader.embed(&set.prototype_texts(), None, &|_, _| {})).unwrap());
    let readings = wait(reader.read(set.plan(request, FamilySet::ALL), AMPLE));
    let mut evidence = Evidence::new(&atoms);
    let (tokens, identity) = (TokenCalibration::new(), Identity::default());
    let input = SignalInput {
        request,
        identity: &identity,
        tokens: &tokens,
        authz_fail_open: false,
        readings: Some(&readings),
    };
    set.evaluate(&input, FamilySet::ALL, &mut evidence).unwrap();
    let find = |name: &str| atoms.find(SignalFamily::Complexity, name).unwrap();
    let levels = ["c:easy", "c:medium", "c:hard"].into_iter();
    let level = levels.map(|name| (name, find(name))).find(|(_, atom)| evidence.is_matched(*atom));
    (level.map(|(name, _)| name.to_owned()), evidence.value(find("c:image_margin")))
}

#[test]
fn complexity_compares_the_image_with_images_or_what_sentences_say_of_them() {
    let reader = two_towers();
    let picture = inline(&std::fs::read(towers().join("picture.png")).unwrap());
    let images =
        format!("hard: {{image_candidates: ['{picture}']}}, easy: {{image_candidates: [quiz zebra]}}");
    let (hard, margin) = level(&reader, &images, &with_image("", &picture));
    assert_eq!(hard.as_deref(), Some("c:hard"));
    // The picture is its own example, and has a cosine of 0.1916 to the sentence.
    assert!((margin.unwrap() - (1.0 - 0.1916)).abs() < 0.01, "{margin:?}");
    let swapped =
        format!("hard: {{image_candidates: [quiz zebra]}}, easy: {{image_candidates: ['{picture}']}}");
    assert_eq!(level(&reader, &swapped, &with_image("hello", &picture)).0.as_deref(), Some("c:easy"));
    // Without an image the text is compared.
    let (level, margin) = level(&reader, &swapped, &RequestView::from_prompt("quiz zebra"));
    assert_eq!(level.as_deref(), Some("c:hard"));
    assert!((margin.unwrap() - (1.0 - 0.1916)).abs() < 0.01, "{margin:?}");
}

/// What a rule over sounds says of a request, and what the compiler announced.
fn heard(reader: &Reader, request: &RequestView<'_>) -> (Result<bool, UnavailableReason>, usize) {
    let text = RULES.replace(
        "seen, threshold: 0.18, query_modality: image",
        "heard, threshold: 0.5, query_modality: audio",
    );
    let document = Document::parse("config.yaml", &text, &|_| None);
    let manifests = |_: &KnowledgeBase| None;
    let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
    let support = reader.support(&manifests);
    let set = SignalSet::compile_for(document.config().unwrap(), &support, &mut atoms, &mut diagnostics);
    set.install(&wait(reader.embed(&set.prototype_texts(), None, &|_, _| {})).unwrap());
    let readings = wait(reader.read(set.plan(request, FamilySet::ALL), AMPLE));
    let mut evidence = Evidence::new(&atoms);
    let (tokens, identity) = (TokenCalibration::new(), Identity::default());
    let input = SignalInput {
        request,
        identity: &identity,
        tokens: &tokens,
        authz_fail_open: false,
        readings: Some(&readings),
    };
    set.evaluate(&input, FamilySet::ALL, &mut evidence).unwrap();
    let atom = atoms.find(SignalFamily::Embedding, "heard").unwrap();
    let outcome = match evidence.reason(atom) {
        Some(reason) => Err(reason),
        None => Ok(evidence.value(atom).is_some()),
    };
    (outcome, diagnostics.iter().filter(|it| it.path.to_string().contains("[0].query_modality")).count())
}

#[test]
fn an_inline_sound_is_compared_with_texts_and_without_one_or_a_model_for_it_the_rule_is_unavailable() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/goldens/onnx-audio");
    let checkpoint = Checkpoint::open(&place, None).unwrap();
    let two = reader().with(&[(ModelRole::Embedding, Serving::Checkpoint(checkpoint))]);
    let wav = STANDARD.encode(std::fs::read(place.join("tone.wav")).unwrap());
    let with_sound = |sound: String| RequestView {
        first_audio: Some(Cow::Owned(sound)),
        ..RequestView::from_prompt("what is this")
    };
    assert_eq!(heard(&two, &with_sound(wav.clone())), (Ok(true), 0));
    assert_eq!(heard(&two, &with_sound(format!("data:audio/wav;base64,{wav}"))), (Ok(true), 0));
    for broken in ["&&&".to_owned(), STANDARD.encode(b"ID3 an mp3")] {
        assert_eq!(heard(&two, &with_sound(broken)).0, Err(UnavailableReason::Failed));
    }
    let silent = RequestView::from_prompt("what is this");
    assert_eq!(heard(&two, &silent).0, Err(UnavailableReason::NoInput));
    assert_eq!(heard(&reader(), &with_sound(wav)), (Err(UnavailableReason::NotActive), 1));
}

#[test]
fn the_embedded_model_sees_no_images_and_says_so() {
    let image = inline(&std::fs::read(towers().join("picture.png")).unwrap());
    let (outcomes, announced) = judge(&reader(), &with_image("the cat is in paris", &image));
    let inactive = Err(UnavailableReason::NotActive);
    assert_eq!(outcomes, [inactive, inactive, Ok(true)]);
    assert_eq!(announced.len(), 2, "{announced:?}");
}
