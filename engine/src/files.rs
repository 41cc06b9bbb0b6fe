//! Files on disk.

use dax_files::{Beneath, Roots};
use dax_project::FileSystem;
use std::io::Result;
use std::path::Path;

/// The project's folder as the language sees it: nothing outside of it or of its packages.
pub(crate) struct Disk {
    roots: Roots,
}

impl Disk {
    /// The project in a folder.
    pub(crate) fn new(root: &Path) -> Self {
        Self { roots: Roots::new(root) }
    }
}

impl FileSystem for Disk {
    fn read(&self, within: &str, path: &str) -> Result<Option<Vec<u8>>> {
        self.roots.read(within, path)
    }

    fn list(&self, within: &str, folder: &str) -> Result<Option<Vec<String>>> {
        self.roots.list(within, folder)
    }
}

/// Largest secret in a file, in bytes.
const LARGEST_SECRET: u64 = 1 << 20;

/// The text of a file that a secret names, without the line break at its end.
///
/// A relative path leads nowhere but beneath the project; a whole path is what the program says. A
/// pipe is refused: a secret is read more than once, and a pipe gives it to the first reader alone.
pub(crate) fn secret(root: &Path, path: &str) -> std::result::Result<String, String> {
    let path = Path::new(path);
    let found = if path.is_absolute() {
        dax_files::read_given(path, LARGEST_SECRET)
    } else {
        Beneath::open(root).and_then(|project| project.read(path, LARGEST_SECRET))
    };
    let bytes = found.map_err(|error| error.to_string())?.ok_or("there is no such file")?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text")?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}
