//! Earlier texts of the configuration: kept beside the learned state, bounded in number, found by their own names alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use vsr_types::Timestamp;

use crate::ConfigText;

/// The most texts that are kept; the oldest give way.
const MOST: usize = 20;
const PREFIX: &str = "config.";
const SUFFIX: &str = ".yaml";

/// An earlier text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// What it is asked for by: `YYYYMMDD-HHMMSS-mmm`, when it was replaced, in UTC.
    pub version: String,
    /// The same as RFC 3339.
    pub timestamp: String,
    /// How it was made.
    pub source: &'static str,
    /// Its file.
    pub filename: String,
    /// The SHA-256 of its content.
    pub hash: String,
}

/// The directory of earlier texts.
#[derive(Debug)]
pub(crate) struct Versions {
    directory: PathBuf,
}

// === impl Versions

impl Versions {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// All, the newest first.
    pub(crate) fn list(&self) -> io::Result<Vec<Version>> {
        let mut found = Vec::new();
        for version in self.names()? {
            let text = match ConfigText::read(&self.path(&version)) {
                Ok(text) => text,
                // It gave way to a newer one in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            found.push(Version {
                timestamp: time_of(&version).rfc3339(),
                source: "manual",
                filename: format!("{PREFIX}{version}{SUFFIX}"),
                hash: text.hash().to_owned(),
                version,
            });
        }
        Ok(found)
    }

    /// The text of a version, read as if it were `file`; `None` if there is no such version.
    pub(crate) fn text(&self, version: &str, file: &Path) -> io::Result<Option<ConfigText>> {
        // The name is that of an entry of the directory: what is asked for is compared and never part of a path.
        let Some(known) = self.names()?.into_iter().find(|known| known == version) else { return Ok(None) };
        let text = ConfigText::read(&self.path(&known))?;
        Ok(Some(ConfigText::new(file, text.bytes())))
    }

    /// Keeps a text. Its version.
    pub(crate) fn add(&self, text: &ConfigText, now: Timestamp) -> io::Result<String> {
        make_private(&self.directory)?;
        // Later than all others, whatever the clock does.
        let newest = self.names()?.first().map(|version| time_of(version));
        let mut at = newest.map_or(now, |newest| now.max(Timestamp(newest.0 + 1)));
        let (version, mut file) = loop {
            let version = name_of(at);
            match create_private(&self.path(&version)) {
                Ok(file) => break (version, file),
                // Another process keeps versions here too.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => at = Timestamp(at.0 + 1),
                Err(error) => return Err(error),
            }
        };
        file.write_all(text.bytes())?;
        file.sync_all()?;
        Ok(version)
    }

    /// Lets the oldest go.
    pub(crate) fn prune(&self) {
        let names = self.names().unwrap_or_default();
        names.iter().skip(MOST).for_each(|old| self.take_back(old));
    }

    /// Lets one go. One that stays makes room when the next is added.
    pub(crate) fn take_back(&self, version: &str) {
        let path = self.path(version);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(version, "an earlier configuration cannot be removed: {error}");
        }
    }

    /// The names of all versions, the newest first.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let file = entry.file_name();
            let name = file.to_str().and_then(|file| file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
            names.extend(name.filter(|name| is_version(name)).map(str::to_owned));
        }
        names.sort_unstable_by(|left, right| right.cmp(left));
        Ok(names)
    }

    fn path(&self, version: &str) -> PathBuf {
        self.directory.join(format!("{PREFIX}{version}{SUFFIX}"))
    }
}

/// Whether a text has the form of a version.
pub(crate) fn is_version(text: &str) -> bool {
    text.len() == 19
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 15 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn name_of(at: Timestamp) -> String {
    let digits: String = at.rfc3339().chars().filter(char::is_ascii_digit).collect();
    let (date, time) = digits.split_at(8.min(digits.len()));
    format!("{date}-{time}-{:03}", at.0 % 1000)
}

/// When a version was made (days-from-civil, Hinnant 2013).
fn time_of(version: &str) -> Timestamp {
    let part =
        |from: usize, to: usize| version.get(from..to).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
    let (month, day) = (part(4, 6), part(6, 8).max(1));
    let year = part(0, 4).saturating_sub(u64::from(month <= 2));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    let seconds =
        days.saturating_sub(719_468) * 86_400 + part(9, 11) * 3600 + part(11, 13) * 60 + part(13, 15);
    Timestamp(seconds * 1000 + part(16, 19))
}

fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// A new file that its owner alone may read: configurations hold credentials.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
