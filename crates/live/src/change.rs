//! Changes that are asked for: checked, kept as versions, written, put in force. One at a time.

use std::{io, sync::MutexGuard};

use serde::Serialize;
use serde_json::Value;
use vsr_config::{Document, Edit, EditError, Edited, Problem};
use vsr_types::Severity;

use crate::{Cause, Checked, ConfigText, Live, Reload, Version, replace::replace, versions::is_version};

/// A configuration without its credentials.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What its file says; each credential has a mask of its own.
    pub content: Value,
    /// The SHA-256 of the file's content.
    pub file_hash: String,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// Where the text before is kept; none if nothing changed.
    pub version: Option<String>,
    /// The SHA-256 of the file's content.
    pub file_hash: String,
    /// The content hash of the configuration, which is in every trace.
    pub hash: String,
    /// Keys that take effect after a restart.
    pub restart_needed: Vec<String>,
    /// What its author may not expect.
    pub warnings: Vec<Problem>,
    /// Comments whose place is gone.
    pub lost_comments: Vec<String>,
}

/// Why a change is not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Another change goes on.
    #[error("another change of the configuration goes on; try again when it is done")]
    Busy,
    /// The file is not what the change was made for.
    #[error("the configuration changed meanwhile: its file now has the hash {now}; read it again")]
    Stale {
        /// The SHA-256 of the file's content.
        now: String,
    },
    /// The change makes no sense.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The result cannot run.
    #[error("the configuration cannot run: {message}")]
    Invalid {
        /// Why.
        message: String,
        /// What is wrong with the text.
        problems: Vec<Problem>,
    },
    /// The file that stands there is no configuration whose credentials are known.
    #[error("the file cannot be shown or changed in parts because it has errors; replace its whole text")]
    Broken {
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// The name is none of a version.
    #[error("that is no version; versions look like 20260131-235959-000")]
    NoVersion,
    /// There is no such version.
    #[error("there is no such version; it may have given way to newer ones")]
    UnknownVersion,
    /// The file cannot be written here.
    #[error(
        "the file cannot be replaced: {0}; mount its directory writable, or change it where it comes from"
    )]
    ReadOnly(io::Error),
    /// Reading or writing failed.
    #[error("{what}: {reason}")]
    Storage {
        /// What failed.
        what: &'static str,
        /// Why.
        reason: io::Error,
    },
}

// === impl Live

impl Live {
    /// What the file says, without its credentials.
    ///
    /// # Errors
    /// If it cannot be read, or has errors.
    pub fn show(&self) -> Result<Shown, ChangeError> {
        let text = self.text()?;
        self.shown(&text)
    }

    /// The effective configuration of the file: defaults filled in, credentials masked.
    ///
    /// # Errors
    /// If it cannot be read, or has errors.
    pub fn show_effective(&self) -> Result<Shown, ChangeError> {
        let text = self.text()?;
        let document = self.sound(&text)?;
        let content = document.effective().unwrap_or_default();
        Ok(Shown { content, file_hash: text.hash().to_owned() })
    }

    /// The SHA-256 of the file's content.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn file_hash(&self) -> Result<String, ChangeError> {
        Ok(self.text()?.hash().to_owned())
    }

    /// What would come of a change. Nothing is written. Blocks.
    ///
    /// # Errors
    /// If the change makes no sense.
    pub fn try_change(&self, change: &Edit) -> Result<Checked, ChangeError> {
        let (_, edited) = self.edited(&self.text()?, change)?;
        Ok(self.check(&edited))
    }

    /// Makes a change, if the file's content still has the hash `expected`: it is checked, the text before is kept, the
    /// file is replaced, and the configuration put in force. Blocks.
    ///
    /// # Errors
    /// See [`ChangeError`]; then all is as it was.
    pub fn change(&self, change: &Edit, expected: Option<&str>) -> Result<Changed, ChangeError> {
        let turn = self.try_turn().ok_or(ChangeError::Busy)?;
        let text = self.expect(expected)?;
        let (edited, new) = self.edited(&text, change)?;
        let lost = edited.lost_comments.into_iter().map(|(line, comment)| format!("line {line}: {comment}"));
        let mut changed = self.carry_out(&turn, &text, &new)?;
        changed.lost_comments = lost.collect();
        Ok(changed)
    }

    /// Goes back to a version, as [`Self::change`] does.
    ///
    /// # Errors
    /// See [`ChangeError`]; then all is as it was.
    pub fn roll_back(&self, version: &str, expected: Option<&str>) -> Result<Changed, ChangeError> {
        let turn = self.try_turn().ok_or(ChangeError::Busy)?;
        let text = self.expect(expected)?;
        let new = self.version_text(version)?;
        self.carry_out(&turn, &text, &new)
    }

    /// The versions that are kept, the newest first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn versions(&self) -> Result<Vec<Version>, ChangeError> {
        self.versions
            .list()
            .map_err(|reason| ChangeError::Storage { what: "versions cannot be read", reason })
    }

    /// What a version says, without its credentials.
    ///
    /// # Errors
    /// If there is no such version, or it has errors.
    pub fn show_version(&self, version: &str) -> Result<Shown, ChangeError> {
        self.shown(&self.version_text(version)?)
    }

    fn version_text(&self, version: &str) -> Result<ConfigText, ChangeError> {
        if !is_version(version) {
            return Err(ChangeError::NoVersion);
        }
        let text = self.versions.text(version, self.file());
        let text =
            text.map_err(|reason| ChangeError::Storage { what: "the version cannot be read", reason })?;
        text.ok_or(ChangeError::UnknownVersion)
    }

    fn text(&self) -> Result<ConfigText, ChangeError> {
        ConfigText::read(self.file())
            .map_err(|reason| ChangeError::Storage { what: "the configuration cannot be read", reason })
    }

    fn expect(&self, expected: Option<&str>) -> Result<ConfigText, ChangeError> {
        let text = self.text()?;
        match expected {
            Some(expected) if !expected.eq_ignore_ascii_case(text.hash()) => {
                Err(ChangeError::Stale { now: text.hash().to_owned() })
            }
            _ => Ok(text),
        }
    }

    /// The document, if its credentials are known.
    fn sound(&self, text: &ConfigText) -> Result<Document, ChangeError> {
        let document = text.document(&*self.variables);
        if document.has_errors() {
            return Err(ChangeError::Broken { problems: document.problems().into_iter().cloned().collect() });
        }
        Ok(document)
    }

    fn shown(&self, text: &ConfigText) -> Result<Shown, ChangeError> {
        let content = self.sound(text)?.masked(&self.masks).unwrap_or_default();
        Ok(Shown { content, file_hash: text.hash().to_owned() })
    }

    fn edited(&self, text: &ConfigText, change: &Edit) -> Result<(Edited, ConfigText), ChangeError> {
        let old = match change {
            // A file with errors can be replaced by a whole text, in which no mask then means anything.
            Edit::Text(_) => text.document(&*self.variables),
            Edit::Content(_) | Edit::Merge(_) => self.sound(text)?,
        };
        let edited = vsr_config::edit(text.as_str().unwrap_or_default(), &old, change, &self.masks)?;
        let new = ConfigText::new(self.file(), edited.text.as_bytes());
        Ok((edited, new))
    }

    fn carry_out(
        &self,
        _turn: &MutexGuard<'_, ()>,
        old: &ConfigText,
        new: &ConfigText,
    ) -> Result<Changed, ChangeError> {
        let mut checked = self.check(new);
        self.prepare(&mut checked, new, &|_| {});
        if let Some(message) = checked.refusal {
            return Err(ChangeError::Invalid { message, problems: checked.problems });
        }
        let version = if old.hash() == new.hash() { None } else { Some(self.write(old, new)?) };
        let warnings = checked.problems.clone();
        match self.put_in_force(checked, new, Cause::Api) {
            Reload::Applied { hash, restart_needed } => Ok(Changed {
                version,
                file_hash: new.hash().to_owned(),
                hash,
                restart_needed,
                warnings: warnings.into_iter().filter(is_warning).collect(),
                lost_comments: Vec::new(),
            }),
            Reload::Refused { message, problems } => Err(ChangeError::Invalid { message, problems }),
            Reload::Unchanged => Err(ChangeError::Busy),
        }
    }

    /// Keeps the old text and replaces the file, unless it was changed meanwhile. The version that holds the old text.
    fn write(&self, old: &ConfigText, new: &ConfigText) -> Result<String, ChangeError> {
        let version = self
            .versions
            .add(old, self.clock.now())
            .map_err(|reason| ChangeError::Storage { what: "the text before cannot be kept", reason })?;
        // Checking and preparing may have taken long, and the file is open to others all the time.
        let written = self.expect(Some(old.hash())).and_then(|_| self.replace_with(new));
        match written {
            Ok(()) => self.versions.prune(),
            // Nothing was replaced: what was kept is no earlier text.
            Err(_) => self.versions.take_back(&version),
        }
        written.map(|()| version)
    }

    fn replace_with(&self, new: &ConfigText) -> Result<(), ChangeError> {
        replace(self.file(), new.bytes()).map_err(|reason| match reason.kind() {
            io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices => ChangeError::ReadOnly(reason),
            _ => ChangeError::Storage { what: "the configuration cannot be written", reason },
        })
    }
}

fn is_warning(problem: &Problem) -> bool {
    problem.diagnostic.severity != Severity::Error
}
