//! Knowledge bases: built in, beside the configuration, or missing.

use std::fs;

use vsr_config::Document;
use vsr_reader::Reader;
use vsr_router::{Surroundings, compile};

/// The problems of a policy with a rule over `kb`, described by `kbs`.
fn problems(folder: &std::path::Path, kb: &str, kbs: &str) -> Vec<String> {
    let text = format!(
        "version: v0.3\nproviders: {{defaults: {{default_model: m}}, models: [{{name: m, backend_refs: [{{endpoint: \"127.0.0.1:1\"}}]}}]}}\n\
         routing:\n  modelCards: [{{name: m}}]\n  signals:\n    kb: [{{name: r, kb: {kb}, target: {{kind: label, value: math}}, match: best}}]\n\
         global:\n  model_catalog: {{{kbs}}}\n"
    );
    let mut document = Document::parse("test", &text, &|_| None).in_directory(folder);
    let reader = Reader::without_models();
    compile(&mut document, &Surroundings { variables: &|_| None, reader: &reader });
    document.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn the_built_in_bases_need_no_file_and_one_beside_the_configuration_wins() {
    let folder = tempfile::tempdir().unwrap();
    let built_in = problems(folder.path(), "mmlu_kb", "");
    assert!(built_in.iter().all(|problem| !problem.contains("error")), "{built_in:?}");
    let place = folder.path().join("knowledge_bases/mmlu");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("labels.json"), "{\"labels\": {").unwrap();
    let broken = problems(folder.path(), "mmlu_kb", "");
    assert!(broken.iter().any(|problem| problem.contains("cannot be read")), "{broken:?}");
}
