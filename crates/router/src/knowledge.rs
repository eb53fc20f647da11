//! The files of knowledge bases.

use std::{fs::File, io::Read as _, path::Path};

use vsr_config::KnowledgeBase;
use vsr_signals::KnowledgeManifest;

/// The largest manifest that is read.
const MAX_MANIFEST_BYTES: u64 = 8 * 1024 * 1024;

/// The manifest of `kb`, whose path is relative to `directory`; `None` if there is no such file.
pub(crate) fn manifest(kb: &KnowledgeBase, directory: &Path) -> Option<Result<KnowledgeManifest, String>> {
    let path = directory.join(&*kb.source.path).join(&kb.source.manifest);
    let file = File::open(&path).ok()?;
    let mut text = String::new();
    match file.take(MAX_MANIFEST_BYTES + 1).read_to_string(&mut text) {
        Err(error) => Some(Err(format!("{} cannot be read: {error}", path.display()))),
        Ok(_) if text.len() as u64 > MAX_MANIFEST_BYTES => {
            Some(Err(format!("{} is larger than {MAX_MANIFEST_BYTES} bytes", path.display())))
        }
        Ok(_) => Some(KnowledgeManifest::parse(&text)),
    }
}
