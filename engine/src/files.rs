//! Files on disk.

use dax_project::FileSystem;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

/// The project's folder as the language sees it.
pub(crate) struct Disk {
    pub(crate) root: PathBuf,
}

fn absent<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl FileSystem for Disk {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        absent(std::fs::read(self.root.join(path)))
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>> {
        let Some(entries) = absent(std::fs::read_dir(self.root.join(folder)))? else {
            return Ok(None);
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                names.push(if entry.file_type()?.is_dir() { format!("{name}/") } else { name });
            }
        }
        Ok(Some(names))
    }
}

/// Makes a folder that only this user can enter, with a `.gitignore` that keeps it out of git.
pub(crate) fn private_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    std::fs::write(folder.join(".gitignore"), "*\n")
}
