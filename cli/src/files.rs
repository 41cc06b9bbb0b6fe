//! Files that a command line names as output.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes a file whole or not at all: beside its place first, on disk, then renamed.
///
/// What is no regular file (a pipe, a device, a terminal) gets the bytes as they are.
///
/// # Errors
/// It cannot be written; what was there before is still there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let mut file = std::fs::File::options().write(true).open(path)?;
            file.write_all(bytes)
        }
        Ok(found) => {
            let target = path.canonicalize()?;
            let mut file = beside(&target)?;
            file.as_file().set_permissions(found.permissions())?;
            put(&mut file, bytes)?;
            file.persist(&target)?;
            Ok(())
        }
        Err(_) => {
            let mut file = beside(path)?;
            put(&mut file, bytes)?;
            file.persist(path)?;
            Ok(())
        }
    }
}

fn put(file: &mut tempfile::NamedTempFile, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes)?;
    file.as_file().sync_all()
}

/// A new file in the folder of another; who may read it is what the process says of all its files.
fn beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    tempfile::Builder::new()
        .prefix(".dax-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
}
