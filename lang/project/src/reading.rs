//! Reading: each file that a project consists of comes through here, once it may.
//!
//! A path leads nowhere but beneath the project, or beneath the package that names it. Nothing is
//! read of a package but what `dax.lock` has, by the hash that it has there: what was swapped after
//! the lock was held against the package is refused as well.

use crate::packages::{self, Locked};
use crate::{FileSystem, ProjectError};
use dax_core::Name;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};

/// Largest text of a program, in bytes.
const MOST_BYTES: usize = 16 << 20;
/// All texts of a project together, in bytes.
const MOST_TOGETHER: usize = 256 << 20;

/// Folders of a checkout that are none of its content, whatever case they are written in.
const NOT_CONTENT: &[&str] = &[".dax", ".git"];

/// The files of a project and its packages.
pub(crate) struct Reader<'f> {
    files: &'f dyn FileSystem,
    /// Hashes by path of each locked package, by its folder.
    locked: BTreeMap<String, BTreeMap<Name, Name>>,
    /// Bytes that were read so far.
    together: usize,
}

/// A file of the project, or of the package in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// The package's folder; empty for the project.
    pub(crate) within: String,
    /// The path beneath it.
    pub(crate) path: String,
}

impl At {
    /// The path from the project's folder, as messages have it.
    pub(crate) fn shown(&self) -> String {
        joined(&self.within, &self.path)
    }
}

/// A path beneath a folder, which may be the project's own.
pub(crate) fn joined(folder: &str, path: &str) -> String {
    match (folder.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (false, true) => folder.to_owned(),
        (false, false) => format!("{folder}/{path}"),
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::PermissionDenied, message)
}

impl<'f> Reader<'f> {
    pub(crate) fn new(files: &'f dyn FileSystem) -> Self {
        Self { files, locked: BTreeMap::new(), together: 0 }
    }

    /// From now on the files of a package are what the lock says.
    pub(crate) fn lock(&mut self, folder: &str, locked: &Locked) {
        self.locked.insert(folder.to_owned(), locked.files.clone());
    }

    /// The content of a file; nothing where there is none.
    pub(crate) fn read(&mut self, at: &At) -> Result<Option<Vec<u8>>> {
        allowed(at)?;
        let Some(bytes) = self.files.read(&at.within, &at.path)? else { return Ok(None) };
        if bytes.len() > MOST_BYTES {
            let message = format!("it is larger than {} MiB", MOST_BYTES >> 20);
            return Err(Error::new(ErrorKind::FileTooLarge, message));
        }
        if let Some(locked) = self.locked.get(&at.within) {
            let hash = blake3::hash(&bytes).to_hex();
            if locked.get(at.path.as_str()).is_none_or(|known| known.as_str() != hash.as_str()) {
                let lock = packages::LOCK;
                return Err(refused(format!("it is not what {lock} says of its package")));
            }
        }
        self.together += bytes.len();
        if self.together > MOST_TOGETHER {
            let most = MOST_TOGETHER >> 20;
            let message = format!("all files of the project are larger than {most} MiB together");
            return Err(Error::new(ErrorKind::FileTooLarge, message));
        }
        Ok(Some(bytes))
    }

    /// The names of the programs in a folder, in order; nothing where there is no such folder.
    ///
    /// Hidden files are none: editors keep what is not saved in them.
    pub(crate) fn programs(&self, folder: &At) -> Result<Option<Vec<String>>> {
        allowed(folder)?;
        let Some(mut names) = self.files.list(&folder.within, &folder.path)? else {
            return Ok(None);
        };
        names.retain(|name| name.ends_with(".dax") && !name.starts_with('.'));
        names.sort();
        Ok(Some(names))
    }

    /// The content of one of dax's own files in the project.
    pub(crate) fn own(&mut self, name: &str) -> std::result::Result<Option<Vec<u8>>, ProjectError> {
        let at = At { within: String::new(), path: name.to_owned() };
        self.read(&at).map_err(|source| ProjectError::Unreadable { path: name.to_owned(), source })
    }
}

/// Refuses what no path of a program may name.
fn allowed(at: &At) -> Result<()> {
    let whole = at.shown();
    let parts = || whole.split(['/', '\\']);
    if let Some(folder) =
        NOT_CONTENT.iter().find(|folder| parts().any(|part| part.eq_ignore_ascii_case(folder)))
    {
        return Err(refused(format!("it lies in `{folder}`, which no program can name")));
    }
    if !at.within.is_empty() && !at.path.is_empty() && !packages::is_part(&at.path) {
        let message = "it is no part of the package: what is hidden or lies in its `vendor` is not";
        return Err(refused(message.to_owned()));
    }
    Ok(())
}
