use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What the names of files begin with that are being written.
pub(crate) const TEMPORARY: &str = ".writing-";

/// Replaces the file at `path` by one that holds `bytes`: written beside it under another name,
/// synced, renamed, the folder synced.
///
/// # Errors
/// If any of these fails; the old file is then still there, whole.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomically_with(path, |file| file.write_all(bytes))
}

/// The same for what `write` writes, piece by piece.
pub(crate) fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    if let Some(permissions) = ordinary_permissions() {
        builder.permissions(permissions);
    }
    let file = builder.tempfile_in(folder).map_err(without_name)?;
    let mut writer = BufWriter::new(file.as_file());
    write(&mut writer)?;
    writer.flush()?;
    drop(writer);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// The error alone: the name of a temporary file says nothing to anybody.
fn without_name(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((cause, _)) => io::Error::new(error.kind(), cause),
        None => error,
    }
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
