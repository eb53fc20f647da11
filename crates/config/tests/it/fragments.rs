//! The release's fragments, each put into a configuration that declares what it names.

use std::{fs, path::Path};

use vsr_config::Document;

use crate::{
    conformance::{corpus, yaml_files},
    sample::shown,
};

/// What the fragments find missing in the configuration around them, or their own defects.
const EXPECTED: &[(&str, &[&str])] = &[];

const AROUND: &str = "\
version: v0.3
providers:
  defaults: {default_model: small}
  models:
    - {name: small, backend_refs: [{endpoint: 'a:1'}]}
    - {name: 'qwen2.5:3b', backend_refs: [{endpoint: 'a:1'}]}
    - {name: qwen3-32b, backend_refs: [{endpoint: 'a:1'}]}
global: {model_catalog: {embeddings: {semantic: {embedding_config: {model_type: multimodal}}}}}
";

const CARDS: &str = "  modelCards:
    - {name: small, description: Quick}
    - {name: 'qwen2.5:3b', description: Small}
    - {name: qwen3-32b, description: Large, loras: [{name: computer-science-expert}]}
";

const DECISION: &str = "  decisions:
    - name: d
      modelRefs: [{model: small}, {model: qwen3-32b}]
";

fn indented(text: &str, depth: usize) -> String {
    text.lines().map(|line| format!("{:depth$}{line}\n", "")).collect()
}

/// A fragment that is a `routing:` document.
fn routing(fragment: &str) -> String {
    AROUND.to_owned() + &fragment.replacen("routing:\n", &format!("routing:\n{CARDS}"), 1)
}

/// A fragment that is a part of a decision: `algorithm:`, `plugins:`, or one `plugin:`.
fn in_decision(fragment: &str) -> String {
    let part = match fragment.strip_prefix("plugin:\n") {
        Some(plugin) => format!("plugins:\n  -\n{}", indented(plugin, 2)),
        None => fragment.to_owned(),
    };
    format!("{AROUND}routing:\n{CARDS}{DECISION}{}", indented(&part, 6))
}

fn fragments(corpus: &Path, kind: &str) -> Vec<String> {
    let folders = fs::read_dir(corpus.join("config").join(kind)).unwrap();
    let mut folders: Vec<String> =
        folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    folders.iter().flat_map(|folder| yaml_files(corpus, &format!("config/{kind}/{folder}"))).collect()
}

#[test]
fn every_fragment_of_the_release_has_the_expected_outcome() {
    let Some(corpus) = corpus() else { return };
    let mut counted = 0;
    for kind in ["signal", "decision", "algorithm", "plugin"] {
        for path in fragments(corpus, kind) {
            let fragment = fs::read_to_string(corpus.join(&path)).unwrap();
            let is_routing = fragment.contains("routing:\n");
            let text = if is_routing { routing(&fragment) } else { in_decision(&fragment) };
            let document = Document::parse("", &text, &|_| None);
            let expected =
                EXPECTED.iter().find(|(known, _)| *known == path).map_or(&[][..], |(_, found)| found);
            let found: Vec<String> = shown(&document)
                .iter()
                .map(|line| line.splitn(4, ':').last().unwrap().trim().to_owned())
                .collect();
            assert_eq!(found, expected, "{path}\n{text}");
            counted += 1;
        }
    }
    assert_eq!(counted, 20 + 6 + 17 + 17);
}
