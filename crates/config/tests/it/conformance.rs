//! The public release's own files, where they lie beside the checkout.

use std::path::PathBuf;

use vsr_config::Document;

fn corpus() -> Option<PathBuf> {
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance"));
    if !corpus.is_dir() {
        println!("skipped: the conformance corpus is not beside this checkout");
        return None;
    }
    Some(corpus)
}

#[test]
fn the_reference_config_is_read_without_errors() {
    let Some(corpus) = corpus() else { return };
    let document = Document::read(&corpus.join("config/config.yaml"), &|_| Some("x".into())).unwrap();
    let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
    println!("{}", problems.join("\n"));
    assert!(!document.has_errors(), "{}", problems.join("\n"));
}
