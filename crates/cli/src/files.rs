//! Writing files so that no reader ever sees half of one, and none is lost by mistake.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Writes a file at once. It gets the permissions of the file it replaces, else those of `like`, else
/// is readable by its owner only: configurations hold credentials.
///
/// # Errors
/// If there is such a file and `replace` is false, or it cannot be written.
pub(crate) fn write(path: &Path, text: &str, like: Option<&Path>, replace: bool) -> anyhow::Result<()> {
    if !replace && path.symlink_metadata().is_ok() {
        bail!("{} is there already; name another file, or add --force to replace it", path.display());
    }
    // What a link points to is replaced, not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let draft = beside(&target, &format!(".{}.tmp", std::process::id()));
    let written = fill(&draft, text, [Some(target.as_path()), like]).and_then(|()| {
        if replace {
            fs::rename(&draft, &target)
        } else {
            // A link is refused where a file has come into being meanwhile.
            fs::hard_link(&draft, &target).and_then(|()| fs::remove_file(&draft))
        }
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Copies a file to the same name with `.bak` at its end. `None` if there is no such file.
///
/// # Errors
/// If there is such a copy and `replace` is false, or it cannot be made.
pub(crate) fn back_up(path: &Path, replace: bool) -> anyhow::Result<Option<PathBuf>> {
    if !path.exists() {
        return Ok(None);
    }
    may_back_up(path, replace)?;
    let backup = beside(path, ".bak");
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    write(&backup, &text, Some(path), replace)?;
    Ok(Some(backup))
}

/// Whether [`back_up`] would find its place free.
///
/// # Errors
/// If there is such a copy and `replace` is false.
pub(crate) fn may_back_up(path: &Path, replace: bool) -> anyhow::Result<()> {
    let backup = beside(path, ".bak");
    if !replace && path.exists() && backup.symlink_metadata().is_ok() {
        bail!("the backup {} is there already; move it away, or add --force", backup.display());
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(ending);
    path.with_file_name(name)
}

fn fill(path: &Path, text: &str, like: [Option<&Path>; 2]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if let Some(known) = like.into_iter().flatten().find_map(|like| fs::metadata(like).ok()) {
        file.set_permissions(known.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
