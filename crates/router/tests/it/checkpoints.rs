//! Models that a configuration names: checkpoints on this machine are used, others are served by the embedded models.

use std::{fs, path::Path, time::Duration};

use vsr_config::Document;
use vsr_reader::{Reader, ReaderModels, ReaderOptions};
use vsr_router::{Snapshot, Surroundings, compile, compile_after};
use vsr_signals::{Cover, Head, ReadingPlan, Wants};
use vsr_types::UnavailableReason;

const AMPLE: Duration = Duration::from_secs(60);

fn embedded() -> Reader {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let models = ReaderModels::in_folder(&models).unwrap();
    Reader::open(models, ReaderOptions::default()).unwrap()
}

/// A folder with a small checkpoint in it under `name`.
fn folder(golden: &str, name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/goldens").join(golden);
    fs::create_dir_all(folder.path().join(name)).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(checkpoint.join(file), folder.path().join(name).join(file)).unwrap();
    }
    folder
}

/// The reader that serves `catalog` in `folder`, or the problems; and all warnings.
fn reader(folder: &Path, catalog: &str) -> (Result<Reader, Vec<String>>, Vec<String>) {
    let text = format!(
        "version: v0.3\nproviders: {{defaults: {{default_model: m}}, models: [{{name: m, backend_refs: [{{endpoint: \"127.0.0.1:1\"}}]}}]}}\n\
         routing: {{modelCards: [{{name: m}}]}}\nglobal:\n  model_catalog: {catalog}\n"
    );
    let mut document = Document::parse("test", &text, &|_| None).in_directory(folder);
    let base = embedded();
    let snapshot = compile(&mut document, &Surroundings { variables: &|_| None, reader: &base });
    let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
    (snapshot.map(|snapshot| snapshot.reader().clone()).ok_or_else(|| problems.clone()), problems)
}

fn classes(reader: &Reader, head: Head) -> Result<Vec<String>, UnavailableReason> {
    let plan = ReadingPlan::for_text("the cat is in paris", Wants::head(head), Cover::Ends, 1_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let readings = runtime.block_on(reader.read(plan, AMPLE));
    readings
        .text_probabilities(head)
        .map(|classes| classes.iter().map(|(name, _)| name.to_string()).collect())
}

#[test]
fn a_checkpoint_at_the_named_path_classifies_in_place_of_the_embedded_model() {
    let folder = folder("modernbert-sequence", "models/mine");
    let mapping = r#"{"category_to_idx": {"alpha": 0, "beta": 1, "gamma": 2, "delta": 3}}"#;
    fs::write(folder.path().join("names.json"), mapping).unwrap();
    let catalog = "{system: {domain_classifier: models/mine}, modules: {classifier: {domain: {category_mapping_path: names.json}}}}";
    let (reader, problems) = reader(folder.path(), catalog);
    let reader = reader.unwrap();
    assert_eq!(classes(&reader, Head::Domain).unwrap(), ["alpha", "beta", "gamma", "delta"]);
    assert_eq!(classes(&reader, Head::Jailbreak).unwrap().len(), 2);
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn a_checkpoint_of_a_tagger_and_one_of_an_embedder_are_used() {
    let tagger = folder("bert-token", "pii");
    let (reader_, _) = reader(tagger.path(), "{modules: {classifier: {pii: {model_id: pii}}}}");
    let facts = reader_.unwrap().facts();
    assert!(facts.iter().any(|model| model.role == "tagger" && model.name.ends_with("pii")), "{facts:?}");

    let embedder = folder("bert", "embed");
    let catalog = "{embeddings: {semantic: {bert_model_path: embed, embedding_config: {model_type: bert}}}}";
    let own = reader(embedder.path(), catalog).0.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let embedding = runtime.block_on(own.embedding("the cat is in paris", AMPLE)).unwrap();
    assert_eq!(embedding.vector.len(), 32);
    let embedded = runtime.block_on(embedded().embedding("the cat is in paris", AMPLE)).unwrap();
    assert_eq!(embedded.vector.len(), 384);
}

#[test]
fn a_checkpoint_is_loaded_again_only_if_its_files_changed() {
    let folder = folder("modernbert-sequence", "mine");
    let text = "version: v0.3\nproviders: {defaults: {default_model: m}, models: [{name: m, backend_refs: [{endpoint: \"127.0.0.1:1\"}]}]}\n\
                routing: {modelCards: [{name: m}]}\nglobal:\n  model_catalog: {system: {domain_classifier: mine}}\n";
    let base = embedded();
    let build = |previous: Option<&Snapshot>| {
        let mut document = Document::parse("test", text, &|_| None).in_directory(folder.path());
        compile_after(&mut document, &Surroundings { variables: &|_| None, reader: &base }, previous).unwrap()
    };
    let is_loaded = |snapshot: &Snapshot| {
        let facts = snapshot.reader().facts();
        facts.iter().find(|model| model.role == "classifier").unwrap().loaded
    };
    let first = build(None);
    assert!(!is_loaded(&first));
    classes(first.reader(), Head::Domain).unwrap();
    assert!(is_loaded(&first) && is_loaded(&build(Some(&first))));
    assert!(!is_loaded(&build(None)), "another router loads it itself");
    let weights = folder.path().join("mine/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    bytes.push(b' ');
    fs::write(&weights, bytes).unwrap();
    assert!(!is_loaded(&build(Some(&first))));
}

#[test]
fn models_that_are_not_there_are_served_by_the_embedded_ones_with_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = "{system: {domain_classifier: models/far, prompt_guard: models/away}}";
    let (reader, problems) = reader(folder.path(), catalog);
    assert_eq!(classes(&reader.unwrap(), Head::Domain).unwrap().len(), 14);
    let [warning] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(warning.contains("`models/far`, `models/away`") && warning.contains("embedded"), "{warning}");
}

#[test]
fn an_empty_name_or_a_module_that_is_off_is_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = "{system: {domain_classifier: \"\"}, modules: {prompt_guard: {enabled: false}}}";
    let reader = reader(folder.path(), catalog).0.unwrap();
    assert_eq!(classes(&reader, Head::Domain), Err(UnavailableReason::NotActive));
    assert_eq!(classes(&reader, Head::Jailbreak), Err(UnavailableReason::NotActive));
    assert_eq!(classes(&reader, Head::FactCheck).unwrap().len(), 2);
    let reader =
        self::reader(folder.path(), "{embeddings: {semantic: {mmbert_model_path: \"\"}}}").0.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let error = runtime.block_on(reader.embedding("text", AMPLE)).unwrap_err();
    assert!(matches!(error, vsr_reader::ReaderError::Absent(_)), "{error}");
    assert_eq!(classes(&reader, Head::Domain).unwrap().len(), 14);
}

#[test]
fn keys_about_models_that_change_nothing_are_told_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = "{embeddings: {semantic: {qwen3_model_path: models/q}}, modules: {prompt_guard: {use_cpu: false, use_modernbert: true}}}";
    let problems = reader(folder.path(), catalog).1;
    for key in ["qwen3_model_path", "use_cpu", "use_modernbert"] {
        let told = problems.iter().filter(|problem| problem.contains(key) && problem.contains("not active"));
        assert_eq!(told.count(), 1, "{key}: {problems:?}");
    }
}

#[test]
fn a_checkpoint_that_lacks_a_file_is_an_error_that_names_it() {
    let folder = folder("modernbert-sequence", "mine");
    fs::remove_file(folder.path().join("mine/model.safetensors")).unwrap();
    let problems = reader(folder.path(), "{system: {prompt_guard: mine}}").0.unwrap_err();
    assert!(problems.iter().any(|problem| problem.contains("model.safetensors")), "{problems:?}");
}

#[test]
fn a_checkpoint_that_judges_pairs_is_used_whatever_its_order_of_classes() {
    let folder = folder("modernbert-pair", "judge");
    let catalog = "{system: {hallucination_explainer: judge}}";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let judged = |reader: &Reader| {
        runtime.block_on(reader.inference("the cat is in paris", "the dog is not", AMPLE)).unwrap()
    };
    let (own, problems) = reader(folder.path(), catalog);
    let [entailment, neutral, contradiction] = judged(&own.unwrap()).probabilities;
    assert_eq!(problems, Vec::<String>::new());
    // A file beside the checkpoint that names its classes wins over its configuration.
    let mapping = r#"{"id2label": {"0": "Entailed", "1": "Neutral", "2": "Contradicts"}}"#;
    fs::write(folder.path().join("judge/label_mapping.json"), mapping).unwrap();
    let renamed = judged(&reader(folder.path(), catalog).0.unwrap()).probabilities;
    assert_eq!(renamed, [contradiction, entailment, neutral]);
}

#[test]
fn a_judge_of_pairs_with_other_classes_is_an_error_and_one_that_is_not_there_is_told() {
    let folder = folder("modernbert-sequence", "judge");
    let problems = reader(folder.path(), "{system: {hallucination_explainer: judge}}").0.unwrap_err();
    assert!(problems.iter().any(|problem| problem.contains("label_mapping.json")), "{problems:?}");
    let (own, problems) = reader(folder.path(), "{system: {hallucination_explainer: models/away}}");
    let [warning] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(warning.contains("`models/away`, so /api/v1/nli answers 503"), "{warning}");
    assert!(!warning.contains("embedded"), "{warning}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let error = runtime.block_on(own.unwrap().inference("a", "b", AMPLE)).unwrap_err();
    assert!(matches!(error, vsr_reader::ReaderError::Absent(_)), "{error}");
}

/// A folder with an ONNX checkpoint in it under `name`.
fn graph(golden: &str, name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/goldens").join(golden);
    fs::create_dir_all(folder.path().join(name)).unwrap();
    for file in ["config.json", "model.onnx", "tokenizer.json"] {
        fs::copy(checkpoint.join(file), folder.path().join(name).join(file)).unwrap();
    }
    folder
}

#[test]
fn a_backend_that_is_missing_is_an_error_where_a_checkpoint_needs_it_and_a_warning_where_none_does() {
    let folder = graph("onnx-sequence", "models/mine");
    let own = "system: {domain_classifier: models/mine}";
    let (plain, problems) = reader(folder.path(), &format!("{{{own}, backend: native}}"));
    assert_eq!((plain.is_ok(), problems), (true, Vec::<String>::new()));
    // No machine has both.
    for backend in ["coreml", "migraphx"] {
        if vsr_encoder::Backend::ALL.iter().any(|it| it.as_str() == backend && it.check().is_ok()) {
            continue;
        }
        let (refused, problems) = reader(folder.path(), &format!("{{{own}, backend: {backend}}}"));
        assert!(refused.is_err());
        let told = problems.iter().find(|problem| problem.contains("error")).unwrap();
        assert!(told.contains("global.model_catalog.backend") && told.contains(backend), "{told}");
        assert!(told.contains("install") || told.contains("the feature `ort`"), "{told}");
    }
    let catalog = "{embeddings: {semantic: {embedding_config: {backend: openvino}}}}";
    let (embedded, problems) = reader(folder.path(), catalog);
    assert!(embedded.is_ok());
    let told = problems.iter().find(|problem| problem.contains("embedding_config.backend")).unwrap();
    assert!(told.contains("run on the CPU"), "{told}");
    let (wrong, problems) = reader(folder.path(), "{backend: tpu}");
    assert!(wrong.is_err() && problems.iter().any(|problem| problem.contains("tpu")), "{problems:?}");
}
