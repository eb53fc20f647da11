//! What tells the contents of graph files from all others'.

use std::path::{Path, PathBuf};

use crate::blob::Blob;
use crate::error::Error;
use crate::fingerprint::Fingerprint;

/// The largest graph file that is read; larger weights stand in a file beside it.
const MOST_BYTES: u64 = 4 << 30;
/// Where exporters put the weights that do not fit the graph file: behind its name.
const WEIGHT_SUFFIXES: [&str; 2] = [".data", "_data"];

/// A hash of the graph file and of the weights beside it.
///
/// # Errors
/// If it cannot be read or is larger than 4 GiB.
pub(crate) fn hash_of(path: &Path) -> Result<Fingerprint, Error> {
    let size = std::fs::metadata(path).map_err(|source| Error::read(path, source))?.len();
    if size > MOST_BYTES {
        let why = format!(
            "it has {size} bytes, and at most {MOST_BYTES} are read; keep the weights in a file beside it"
        );
        return Err(Error::format(path.display().to_string(), why));
    }
    let name = path.as_os_str().to_string_lossy();
    let beside = WEIGHT_SUFFIXES.map(|suffix| PathBuf::from(format!("{name}{suffix}")));
    let files = [path.to_owned()].into_iter().chain(beside.into_iter().filter(|path| path.is_file()));
    let blobs = files.map(|path| Blob::map(&path)).collect::<Result<Vec<_>, _>>()?;
    Ok(Fingerprint::of(blobs.iter().map(|blob| &**blob)))
}
