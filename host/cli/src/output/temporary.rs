//! Temporary files beside the files whose names they take.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Leftovers of killed processes with the same id that are stepped over.
const TEMPORARY_NAMES_MAX: u32 = 100;
/// Octets of a file's name that its temporary file has too. Names may have 255, and what is added to this takes fewer than 50.
const NAME_OCTETS_KEPT: usize = 200;
/// Of a file that is to have the permissions of another one, until it has them: for its owner alone.
pub(super) const PRIVATE_MODE: u32 = 0o600;
/// As the system makes files, less what the process's mask takes away.
const USUAL_MODE: u32 = 0o666;

/// A new file in the same directory, with a name that tells whose it is. `permissions`: those that it is to have instead of the usual ones;
/// nobody can open it earlier whom they keep out.
pub(crate) fn create_beside(file: &Path, permissions: Option<Permissions>) -> io::Result<(File, PathBuf)> {
    let mode = if permissions.is_some() { PRIVATE_MODE } else { USUAL_MODE };
    let (open, temporary) = create_new_beside(file, mode)?;
    if let Some(Err(error)) = permissions.map(|permissions| open.set_permissions(permissions)) {
        _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok((open, temporary))
}

pub(super) fn create_new_beside(file: &Path, mode: u32) -> io::Result<(File, PathBuf)> {
    let process = std::process::id();
    for attempt in 0..TEMPORARY_NAMES_MAX {
        let temporary = beside(file, &format!("{process}-{attempt}.part"));
        match OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&temporary) {
            Ok(open) => return Ok((open, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A new file in the directory for temporary files, without a name, for its owner alone: the file ends with the process, however that ends.
/// `what`: how the name begins that the file has for a moment.
pub(crate) fn create_nameless(what: &str) -> io::Result<File> {
    let (open, temporary) = create_new_beside(&std::env::temp_dir().join(what), PRIVATE_MODE)?;
    fs::remove_file(temporary)?;
    Ok(open)
}

/// A hidden name beside a file, which is not too long even if that of the file is as long as names can be.
pub(crate) fn beside(file: &Path, what: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let kept = &name[..name.floor_char_boundary(NAME_OCTETS_KEPT)];
    directory(file).join(format!(".{kept}.{what}"))
}

/// The directory that a file is in.
pub(crate) fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
