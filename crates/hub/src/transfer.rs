//! One file from the hub to a directory: continued where an earlier attempt stopped, counted, hashed, and given its name
//! only when it is whole and right.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use http::{StatusCode, header};
use sha2::{Digest, Sha256};

use crate::{
    Error,
    http_get::{Fault, Session},
    listing::{RemoteFile, checksum},
};

/// The most bytes of a file that is no weights.
pub(crate) const TEXT_BYTES: u64 = 64 << 20;

/// What is allowed, and who is told.
pub(crate) struct Bounds<'b> {
    /// The most bytes of this file.
    pub(crate) bytes: u64,
    /// Whether the hub must say what its SHA-256 is.
    pub(crate) needs_checksum: bool,
    /// Is told how many bytes of the file are here.
    pub(crate) progress: &'b dyn Fn(u64),
    /// What fails if there are more bytes.
    pub(crate) too_large: &'b dyn Fn() -> Error,
}

/// A file that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// A file that is being put together.
struct Part {
    path: PathBuf,
    file: File,
    hasher: Sha256,
    bytes: u64,
}

/// Fetches `file` of `commit` into `directory`.
pub(crate) async fn fetch(
    session: &Session<'_>,
    commit: &str,
    file: &RemoteFile,
    directory: &Path,
    bounds: &Bounds<'_>,
) -> Result<Kept, Error> {
    let target = directory.join(&file.name);
    if target.is_file() {
        let mut part = Part::open(target.clone())?;
        let kept = part.kept();
        let is_right = file.sha256.as_ref().is_none_or(|sha256| *sha256 == kept.sha256)
            && file.size.is_none_or(|size| size == kept.bytes)
            && (file.sha256.is_some() || !bounds.needs_checksum);
        if is_right && kept.bytes <= bounds.bytes {
            (bounds.progress)(kept.bytes);
            return Ok(kept);
        }
        part.clear()?;
        fs::remove_file(&target).map_err(Error::disk(&target))?;
    }
    let mut part = Part::open(directory.join(format!("{}.part", file.name)))?;
    let (mut failures, mut damages) = (0, 0);
    loop {
        let before = part.bytes;
        let fault = match attempt(session, commit, file, &mut part, bounds).await {
            Ok(expected) => {
                let kept = part.kept();
                match expected.filter(|expected| *expected != kept.sha256) {
                    None => {
                        part.file.sync_all().map_err(Error::disk(&part.path))?;
                        fs::rename(&part.path, &target).map_err(Error::disk(&target))?;
                        return Ok(kept);
                    }
                    Some(expected) => {
                        part.clear()?;
                        damages += 1;
                        // What an earlier attempt left may be what is damaged, so the whole is fetched once more.
                        if damages > 1 {
                            let model = session.model.to_string();
                            let (file, found) = (file.name.clone(), kept.sha256);
                            return Err(Error::Checksum { model, file, expected, found });
                        }
                        continue;
                    }
                }
            }
            Err(fault) => fault,
        };
        match fault {
            Fault::Final(error) => return Err(error),
            Fault::Passing { why, after } => {
                failures = if part.bytes > before { 1 } else { failures + 1 };
                tokio::time::sleep(session.pause(failures, why, after)?).await;
            }
        }
    }
}

/// Asks for what is missing; the SHA-256 that the whole must have, if the hub says so.
async fn attempt(
    session: &Session<'_>,
    commit: &str,
    file: &RemoteFile,
    part: &mut Part,
    bounds: &Bounds<'_>,
) -> Result<Option<String>, Fault> {
    if file.size.is_some_and(|size| part.bytes > size) || part.bytes > bounds.bytes {
        part.clear()?;
    }
    let path = format!("/{}/resolve/{commit}/{}", session.model.repository(), file.name);
    let is_whole = file.sha256.is_some() && file.size == Some(part.bytes);
    if is_whole {
        return Ok(file.sha256.clone());
    }
    let mut answer = session.get(&path, part.bytes).await?;
    let linked = answer.linked_etag.as_deref().and_then(|etag| checksum(etag).ok());
    if let (Some(listed), Some(linked)) = (&file.sha256, &linked)
        && listed != linked
    {
        return Err(session.refused(format!("the hub gives two checksums for {}", file.name)));
    }
    let expected = file.sha256.clone().or(linked);
    if expected.is_none() && bounds.needs_checksum {
        return Err(session.refused(format!("the hub gives no SHA-256 for {}", file.name)));
    }
    let response = &mut answer.response;
    let starts = content_range(&response.headers);
    match response.status {
        StatusCode::PARTIAL_CONTENT if starts == Some(part.bytes) => {}
        StatusCode::OK => part.clear()?,
        // What is here and what the server has do not fit together.
        _ => {
            part.clear()?;
            return Err(Fault::Passing { why: "the hub cannot continue a download".to_owned(), after: None });
        }
    }
    while let Some(frame) = response.body.frame().await {
        let data = frame.map_err(|error| Fault::Passing { why: error.to_string(), after: None })?;
        let bytes = part.bytes + data.len() as u64;
        if file.size.is_some_and(|size| bytes > size) {
            part.clear()?;
            return Err(session.refused(format!("{} is longer than the hub said", file.name)));
        }
        if bytes > bounds.bytes {
            part.clear()?;
            return Err(Fault::Final((bounds.too_large)()));
        }
        part.write(&data)?;
        (bounds.progress)(part.bytes);
    }
    if file.size.is_some_and(|size| part.bytes < size) {
        return Err(Fault::Passing { why: format!("{} ended early", file.name), after: None });
    }
    Ok(expected)
}

/// Where the content of a partial answer begins.
fn content_range(headers: &http::HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

// === impl Part

impl Part {
    /// Opens what is there, or nothing, and hashes it.
    fn open(path: PathBuf) -> Result<Self, Error> {
        let opened = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = opened.map_err(Error::disk(&path))?;
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = file.read(&mut buffer).map_err(Error::disk(&path))?;
                if read == 0 {
                    break;
                }
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
        Ok(Self { path, file, hasher, bytes })
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.file.write_all(data).map_err(Error::disk(&self.path))?;
        self.hasher.update(data);
        self.bytes += data.len() as u64;
        Ok(())
    }

    /// Begins anew.
    fn clear(&mut self) -> Result<(), Error> {
        if self.bytes > 0 {
            self.file.set_len(0).map_err(Error::disk(&self.path))?;
            self.file.seek(SeekFrom::Start(0)).map_err(Error::disk(&self.path))?;
            (self.hasher, self.bytes) = (Sha256::new(), 0);
        }
        Ok(())
    }

    fn kept(&self) -> Kept {
        let digest = self.hasher.clone().finalize();
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Kept { bytes: self.bytes, sha256 }
    }
}
