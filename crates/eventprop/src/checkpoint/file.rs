use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::Path;

/// What the names of files begin with that are being written.
pub(crate) const TEMPORARY: &str = ".writing-";

/// Replaces the file at `path` by one that holds `bytes`: written beside it under another name,
/// synced, renamed, the folder synced.
///
/// # Errors
/// If any of these fails; the old file is then still there, whole.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    if let Some(permissions) = ordinary_permissions() {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Those of any new file: temporary ones are closed to others unless asked.
#[cfg(unix)]
fn ordinary_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn ordinary_permissions() -> Option<Permissions> {
    None
}
