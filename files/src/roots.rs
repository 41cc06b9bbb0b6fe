//! A project's folder with those of its packages: each a root of its own.

use crate::Beneath;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Largest file that is read from a project or a package.
pub const LARGEST: u64 = 64 << 20;

/// A project's folder and its packages, opened when they are first read.
///
/// `within` says for whom is read: `""` for the project, else the folder of a package as `dax.mod`
/// has it, counted from the project's. A path is resolved beneath that folder and leads nowhere
/// else. In a package no link is followed.
#[derive(Debug)]
pub struct Roots {
    root: PathBuf,
    open: Mutex<BTreeMap<String, Option<Beneath>>>,
}

impl Roots {
    /// The project in a folder.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), open: Mutex::new(BTreeMap::new()) }
    }

    /// A regular file of at most [`LARGEST`] bytes; nothing where there is none.
    ///
    /// # Errors
    /// As [`Beneath::read`].
    pub fn read(&self, within: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
        match self.beneath(within)? {
            Some(beneath) => beneath.read(Path::new(path), LARGEST),
            None => Ok(None),
        }
    }

    /// The names in a folder, as [`Beneath::list`] has them.
    ///
    /// # Errors
    /// As [`Beneath::list`].
    pub fn list(&self, within: &str, folder: &str) -> io::Result<Option<Vec<String>>> {
        match self.beneath(within)? {
            Some(beneath) => beneath.list(Path::new(folder)),
            None => Ok(None),
        }
    }

    /// The root of the project or of a package; nothing where there is no such folder.
    ///
    /// # Errors
    /// It leads out of the project though it is said to lie in it, or cannot be entered.
    pub fn beneath(&self, within: &str) -> io::Result<Option<Beneath>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get(within) {
            return Ok(known.clone());
        }
        let found = self.opened(within)?;
        open.insert(within.to_owned(), found.clone());
        Ok(found)
    }

    fn opened(&self, within: &str) -> io::Result<Option<Beneath>> {
        if within.is_empty() {
            return crate::absent(Beneath::open(&self.root));
        }
        let path = plain(Path::new(within));
        let beside = path.is_absolute() || path.starts_with("..");
        let found = if beside {
            crate::absent(Beneath::open(&self.root.join(path)))?
        } else {
            match crate::absent(Beneath::open(&self.root))? {
                Some(project) => project.folder(&path)?,
                None => None,
            }
        };
        Ok(found.map(Beneath::without_links))
    }
}

/// A path in which `..` stands only where it begins.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn each_package_is_a_root_of_its_own() {
        let outer = tempfile::tempdir().unwrap();
        let at = |path: &str| outer.path().join(path);
        for folder in ["project/own", "project/own2", "beside"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["secret", "project/a", "project/own/b", "project/own2/c", "beside/d"] {
            std::fs::write(at(file), file).unwrap();
        }
        symlink("../beside", at("project/linked")).unwrap();
        let roots = Roots::new(&at("project"));
        let read = |within: &str, path: &str| match roots.read(within, path) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(None) => "absent".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(read("", "a"), "project/a");
        assert_eq!(read("", "own/b"), "project/own/b");
        assert_eq!(read("own", "b"), "project/own/b");
        assert_eq!(read("x/../own", "b"), "project/own/b");
        assert_eq!(read("../beside", "d"), "beside/d");
        assert_eq!(read("own/../../beside", "d"), "beside/d");
        assert_eq!(read(&at("beside").to_string_lossy(), "d"), "beside/d");
        assert_eq!(read("nothing", "d"), "absent");
        let out = "it leads out of the project's folder";
        for (within, path) in [("own", "../own2/c"), ("../beside", "../secret"), ("own", "/a")] {
            assert_eq!(read(within, path), out, "{within} {path}");
        }
        assert_eq!(read("linked", "d"), out);
    }
}
