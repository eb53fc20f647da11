//! Where models are kept: one directory per repository, in it one per commit, and a note of the commit that each branch
//! or tag stood for when it was first used.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{Error, HubModel, model::is_commit};

/// The cache directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

/// A model that is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its directory.
    pub directory: PathBuf,
    /// The commit it is of.
    pub commit: String,
}

/// The one process that writes a repository's directory, until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

const LOCK: &str = "lock";
const PINS: &str = "revisions";
const PARTIAL: &str = "partial";

// === impl Cache

impl Cache {
    /// The cache in this directory, which is made when something is kept.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The model, if it is here: at its commit, or at the one that was recorded for its revision.
    pub fn find(&self, model: &HubModel) -> Option<Found> {
        let commit = match model.commit() {
            Some(commit) => commit.to_owned(),
            None => fs::read_to_string(self.pin_path(model)).ok()?.trim().to_owned(),
        };
        self.find_commit(model, &commit)
    }

    pub(crate) fn find_commit(&self, model: &HubModel, commit: &str) -> Option<Found> {
        let directory = self.repository(model).join(commit);
        let is_here = is_commit(commit) && directory.join("config.json").is_file();
        is_here.then(|| Found { directory, commit: commit.to_owned() })
    }

    /// Records the commit that the model's revision stands for from now on.
    pub(crate) fn pin(&self, model: &HubModel, commit: &str) -> Result<(), Error> {
        if model.commit().is_some() {
            return Ok(());
        }
        let path = self.pin_path(model);
        let directory = self.repository(model).join(PINS);
        fs::create_dir_all(&directory).map_err(Error::disk(&directory))?;
        write_whole(&path, format!("{commit}\n").as_bytes()).map_err(Error::disk(&path))
    }

    /// Waits until no other process writes this repository's directory; `waits` is called if one does.
    pub(crate) fn lock(&self, model: &HubModel, waits: &dyn Fn()) -> Result<Lock, Error> {
        let directory = self.repository(model);
        fs::create_dir_all(&directory).map_err(Error::disk(&directory))?;
        let path = directory.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::disk(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                waits();
                file.lock().map_err(Error::disk(&path))?;
            }
            Err(fs::TryLockError::Error(error)) => return Err(Error::disk(&path)(error)),
        }
        Ok(Lock { _file: file })
    }

    /// Where a commit is put together, with what an earlier attempt left there.
    pub(crate) fn begin(&self, model: &HubModel, commit: &str) -> Result<PathBuf, Error> {
        let directory = self.partial(model, commit);
        fs::create_dir_all(&directory).map_err(Error::disk(&directory))?;
        Ok(directory)
    }

    /// Moves a complete commit to its place at once, and drops what attempts at other commits left.
    pub(crate) fn finish(&self, model: &HubModel, commit: &str) -> Result<Found, Error> {
        let (from, directory) = (self.partial(model, commit), self.repository(model).join(commit));
        fs::rename(&from, &directory).map_err(Error::disk(&directory))?;
        let entries = fs::read_dir(self.repository(model)).into_iter().flatten().flatten();
        for abandoned in
            entries.filter(|entry| Path::new(&entry.file_name()).extension().is_some_and(|e| e == PARTIAL))
        {
            if let Err(error) = fs::remove_dir_all(abandoned.path()) {
                tracing::debug!(%error, path = %abandoned.path().display(), "an abandoned download stays");
            }
        }
        Ok(Found { directory, commit: commit.to_owned() })
    }

    fn partial(&self, model: &HubModel, commit: &str) -> PathBuf {
        self.repository(model).join(format!("{commit}.{PARTIAL}"))
    }

    fn repository(&self, model: &HubModel) -> PathBuf {
        self.root.join(model.folder())
    }

    /// A revision's slashes are no directories.
    fn pin_path(&self, model: &HubModel) -> PathBuf {
        self.repository(model).join(PINS).join(model.revision().replace('/', "%2F"))
    }
}

/// Writes a file so that nobody ever sees a part of it.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let mut file = File::create(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)
}
