//! The files of knowledge bases.

use std::{fs::File, io::Read as _, path::Path};

use vsr_config::KnowledgeBase;
use vsr_signals::KnowledgeManifest;

/// The largest manifest that is read.
const MAX_MANIFEST_BYTES: u64 = 8 * 1024 * 1024;

/// The manifests of the knowledge bases that exist when a configuration lists none, by their paths.
const BUILT_IN: [(&str, &str); 2] = [
    ("knowledge_bases/privacy", include_str!("../../../config/knowledge_bases/privacy/labels.json")),
    ("knowledge_bases/mmlu", include_str!("../../../config/knowledge_bases/mmlu/labels.json")),
];

/// What the file of `kb` says, whose path is relative to `directory`, or why it cannot be read; and whether it is the
/// built-in one. `None` if there is neither. Blocks.
pub fn knowledge_manifest(
    kb: &KnowledgeBase,
    directory: &Path,
) -> Option<(Result<KnowledgeManifest, String>, bool)> {
    let is_there = directory.join(&*kb.source.path).join(&kb.source.manifest).is_file();
    manifest(kb, directory).map(|manifest| (manifest, !is_there))
}

/// The manifest of `kb`, whose path is relative to `directory`, or the built-in one of that path where there is no such
/// file.
pub(crate) fn manifest(kb: &KnowledgeBase, directory: &Path) -> Option<Result<KnowledgeManifest, String>> {
    let path = directory.join(&*kb.source.path).join(&kb.source.manifest);
    let Ok(file) = File::open(&path) else {
        let written = kb.source.path.trim_start_matches("./").trim_end_matches('/');
        let built_in =
            BUILT_IN.iter().find(|(path, _)| *path == written && kb.source.manifest == "labels.json");
        return built_in.map(|(_, text)| KnowledgeManifest::parse(text));
    };
    let mut text = String::new();
    match file.take(MAX_MANIFEST_BYTES + 1).read_to_string(&mut text) {
        Err(error) => Some(Err(format!("{} cannot be read: {error}", path.display()))),
        Ok(_) if text.len() as u64 > MAX_MANIFEST_BYTES => {
            Some(Err(format!("{} is larger than {MAX_MANIFEST_BYTES} bytes", path.display())))
        }
        Ok(_) => Some(KnowledgeManifest::parse(&text)),
    }
}
