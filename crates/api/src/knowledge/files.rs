//! The files of knowledge bases that were made here: one folder for each content, so that earlier versions of the
//! configuration find theirs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use http::StatusCode;
use sha2::{Digest, Sha256};
use vsr_live::{ChangeError, Live};

use super::document::KnowledgeDocument;
use crate::ApiFailure;

/// Where they lie, beside the configuration.
pub(super) const FOLDER: &str = "knowledge_bases/managed";
/// How many characters of a content's hash are in the name of its folder.
const HASH_DIGITS: usize = 16;
const FILE: &str = "labels.json";

/// A file that was written, or was there already.
pub(super) struct Stored {
    /// Its folder, relative to the configuration.
    pub(super) path: String,
    folder: PathBuf,
    is_new: bool,
}

impl Stored {
    /// Takes the file away again, if it was not there before.
    pub(super) fn discard(self) {
        if self.is_new {
            let _ = fs::remove_dir_all(self.folder);
        }
    }
}

/// Writes the file of a knowledge base, whole or not at all.
pub(super) fn store(directory: &Path, document: &KnowledgeDocument) -> Result<Stored, ApiFailure> {
    let manifest = document.manifest();
    let hash: String = Sha256::digest(&manifest).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{}-{}", document.name, &hash[..HASH_DIGITS]);
    let path = format!("{FOLDER}/{name}");
    let folder = directory.join(&path);
    if fs::read(folder.join(FILE)).is_ok_and(|known| known == manifest.as_bytes()) {
        return Ok(Stored { path, folder, is_new: false });
    }
    write(&folder, &manifest).map_err(|error| {
        let (status, code) = (StatusCode::INTERNAL_SERVER_ERROR, "ASSET_STAGE_ERROR");
        ApiFailure { status, code, message: format!("{} cannot be written: {error}", folder.display()) }
    })?;
    Ok(Stored { path, folder, is_new: true })
}

fn write(folder: &Path, manifest: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let draft = folder.join(".labels.json.draft");
    fs::write(&draft, manifest)?;
    fs::rename(draft, folder.join(FILE))
}

/// Takes away the folders that neither the configuration nor a kept version of it names. If one of those cannot be read,
/// all stay.
pub(super) fn clear(live: &Live, directory: &Path) {
    let Ok(texts) = texts(live) else { return };
    let folders = fs::read_dir(directory.join(FOLDER)).into_iter().flatten().flatten();
    for folder in folders {
        let name = folder.file_name();
        let path = format!("{FOLDER}/{}\"", name.to_string_lossy());
        if !texts.iter().any(|text| text.contains(&path)) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

/// The configuration and its kept versions, as JSON.
fn texts(live: &Live) -> Result<Vec<String>, ChangeError> {
    let mut texts = vec![live.show()?.content.to_string()];
    for version in live.versions()? {
        texts.push(live.show_version(&version.version)?.content.to_string());
    }
    Ok(texts)
}
