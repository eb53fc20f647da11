//! Replaces a file so that no reader ever sees half of it, and no crash loses it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use crate::versions::create_private;

/// Replaces what stands at `path`, through links, and keeps its permissions and, as far as allowed, its owner.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path)?;
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let draft = target.with_file_name(name);
    let replaced = fill(&draft, bytes, &target).and_then(|()| fs::rename(&draft, &target));
    if replaced.is_err() {
        // It may not have come into being; what went wrong is told.
        let _ = fs::remove_file(&draft);
    }
    replaced?;
    // The rename itself is only kept once the directory is. It is done, whatever becomes of that.
    let kept = target.parent().map(|directory| File::open(directory).and_then(|it| it.sync_all()));
    if let Some(Err(error)) = kept {
        tracing::warn!("the folder of the configuration cannot be synchronised: {error}");
    }
    Ok(())
}

fn fill(draft: &Path, bytes: &[u8], like: &Path) -> io::Result<()> {
    // Left over by a process that ended in between.
    if draft.exists() {
        fs::remove_file(draft)?;
    }
    let known = fs::metadata(like)?;
    let mut file = create_private(draft)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (known.uid(), known.gid()) {
            // Only root may give files away; anybody else's file is their own afterwards.
            let _ = fchown(&file, Some(known.uid()), Some(known.gid()));
        }
    }
    file.set_permissions(known.permissions())?;
    file.write_all(bytes)?;
    file.sync_all()
}
