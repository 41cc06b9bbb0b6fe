//! The files of a commit, read as those of a checkout are read.
//!
//! Invariant: what is part of a program on disk is part of it here, or an error that names it. A
//! link is followed where it stays beneath the project's folder, by the same rules as on disk; one
//! that leads out is an error, and so is what lies in a submodule: its files are no part of the
//! commit. Neither is ever taken for a file that lacks, since what is not there guards nothing.

use super::process::{READING, prepared, run};
use super::{commit, failed, git, read_objects};
use crate::EngineError;
use dax_project::FileSystem;
use dax_project::packages::VENDOR;
use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Endings of files that a program can be made of: they are read at once.
const ENDINGS: &[&str] = &["dax", "mod", "lock", "yaml", "yml", "json", "toml"];
/// Links that a path may lead through; as many as Linux follows.
const MOST_LINKS: usize = 40;

/// An entry of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// A file, by its object.
    File(String),
    /// A link, by the object that holds its target.
    Link(String),
    /// Another repository.
    Submodule,
}

/// The files of a commit, by path from the top.
pub(crate) struct Tree {
    top: PathBuf,
    entries: BTreeMap<String, Entry>,
    /// Contents by object, as far as they were read.
    contents: Mutex<BTreeMap<String, Arc<[u8]>>>,
}

/// Something that a path leads to.
enum Found {
    /// A file, by its object.
    File(String),
    /// A folder, by its path; empty for the top.
    Folder(String),
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::PermissionDenied, message)
}

fn leads_out() -> Error {
    refused("it leads out of the project's folder".to_owned())
}

impl Tree {
    /// No file at all.
    pub(crate) fn empty(top: &Path) -> Self {
        let contents = Mutex::default();
        Self { top: top.to_owned(), entries: BTreeMap::new(), contents }
    }

    /// The files of a revision.
    ///
    /// # Errors
    /// [`EngineError::MissingCommit`] where this clone lacks it; git cannot be asked.
    pub(crate) fn at(top: &Path, revision: &str) -> Result<Self, EngineError> {
        let commit = commit(top, revision)?;
        let listed = git(top, &["ls-tree", "-r", "-z", "--full-tree", &commit])?;
        let (mut entries, mut wanted) = (BTreeMap::new(), Vec::new());
        for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let line = String::from_utf8_lossy(line);
            let Some((head, path)) = line.split_once('\t') else { continue };
            let mut head = head.split(' ');
            let (mode, object) = (head.next().unwrap_or(""), head.nth(1).unwrap_or("").to_owned());
            let entry = match mode {
                "120000" => Entry::Link(object.clone()),
                "160000" => Entry::Submodule,
                _ => Entry::File(object.clone()),
            };
            if entry == Entry::Link(object.clone()) || is_likely(path) {
                wanted.push((object.clone(), object));
            }
            entries.insert(path.to_owned(), entry);
        }
        wanted.sort();
        wanted.dedup();
        wanted.retain(|(object, _)| !object.is_empty());
        let read = read_objects(&mut prepared(top), &wanted)?;
        let contents = read.into_iter().map(|(object, bytes)| (object, bytes.into())).collect();
        Ok(Self { top: top.to_owned(), entries, contents: Mutex::new(contents) })
    }

    /// The paths of everything in it.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    /// The content of an object of at most so many bytes.
    fn content(&self, object: &str, most: u64) -> IoResult<Arc<[u8]>> {
        let asked = |args: &[&str]| {
            let out = run(&mut prepared(&self.top), args, Vec::new(), READING);
            out.map_err(|error| Error::other(error.to_string()))
        };
        let fits = |size: u64| {
            let larger = || Error::new(ErrorKind::FileTooLarge, format!("it has {size} bytes"));
            if size > most { Err(larger()) } else { Ok(()) }
        };
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = contents.get(object) {
            fits(known.len() as u64)?;
            return Ok(known.clone());
        }
        let size = asked(&["cat-file", "-s", object])?;
        let size = String::from_utf8_lossy(&size).trim().parse::<u64>();
        fits(size.map_err(|_| Error::other(failed("git cat-file", "no size").to_string()))?)?;
        let read: Arc<[u8]> = asked(&["cat-file", "blob", object])?.into();
        contents.insert(object.to_owned(), read.clone());
        Ok(read)
    }

    fn is_folder(&self, path: &str) -> bool {
        let below = format!("{path}/");
        path.is_empty()
            || self
                .entries
                .range(below.clone()..)
                .next()
                .is_some_and(|(at, _)| at.starts_with(&below))
    }

    /// What a path beneath a folder leads to, link by link; nothing where there is nothing.
    fn resolve(&self, root: &str, path: &str, links: bool) -> IoResult<Option<Found>> {
        dax_files::content(Path::new(path))?;
        let mut real: Vec<String> = Vec::new();
        let mut open: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let (mut followed, mut file) = (0, None);
        if path.starts_with('/') {
            return Err(leads_out());
        }
        let at = |real: &[String]| {
            let inner = real.join("/");
            if root.is_empty() || inner.is_empty() {
                format!("{root}{inner}")
            } else {
                format!("{root}/{inner}")
            }
        };
        while let Some(part) = open.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                // A file is no folder.
                _ if file.is_some() => return Ok(None),
                ".." => {
                    real.pop().ok_or_else(leads_out)?;
                    continue;
                }
                _ => real.push(part),
            }
            let whole = at(&real);
            match self.entries.get(&whole) {
                Some(Entry::File(object)) => file = Some(object.clone()),
                Some(Entry::Submodule) => {
                    let message = "it lies in a submodule, whose files are no part of the commit";
                    return Err(refused(message.to_owned()));
                }
                Some(Entry::Link(_)) if !links => {
                    let message = "it is a symbolic link, and none is followed here";
                    return Err(refused(message.to_owned()));
                }
                Some(Entry::Link(object)) => {
                    followed += 1;
                    if followed > MOST_LINKS {
                        return Err(refused("its links lead in a circle".to_owned()));
                    }
                    let target = self.content(object, 4096)?;
                    let target = String::from_utf8_lossy(&target).into_owned();
                    if target.starts_with('/') {
                        return Err(leads_out());
                    }
                    dax_files::content(Path::new(&target))?;
                    real.pop();
                    for part in target.split('/').rev() {
                        open.push_front(part.to_owned());
                    }
                }
                None if self.is_folder(&whole) => {}
                None => return Ok(None),
            }
        }
        Ok(Some(match file {
            Some(object) => Found::File(object),
            None => Found::Folder(at(&real)),
        }))
    }
}

/// Whether a file is one that a program is likely made of.
fn is_likely(path: &str) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    // Copies of packages are held against their hashes, whatever their files are called.
    let copied =
        || path.split('/').skip_while(|part| *part != VENDOR).any(|part| part.contains('@'));
    ENDINGS.contains(&ending) || copied()
}

/// A project's folder of a commit, as the language sees it.
pub(crate) struct AtRevision<'f> {
    /// Files from the top of the repository.
    pub(crate) tree: &'f Tree,
    /// The project's folder, empty or with `/` behind.
    pub(crate) prefix: String,
}

impl AtRevision<'_> {
    /// The content of a file of at most so many bytes; nothing where there is none.
    pub(crate) fn read_most(
        &self,
        within: &str,
        path: &str,
        most: u64,
    ) -> IoResult<Option<Vec<u8>>> {
        match self.find(within, path)? {
            Some(Found::File(object)) => Ok(Some(self.tree.content(&object, most)?.to_vec())),
            Some(Found::Folder(_)) => {
                let message = "it is a folder, not a regular file";
                Err(Error::new(ErrorKind::InvalidInput, message))
            }
            None => Ok(None),
        }
    }

    /// What a path of the project, or of the package in a folder, leads to.
    fn find(&self, within: &str, path: &str) -> IoResult<Option<Found>> {
        let project = self.prefix.trim_end_matches('/');
        if within.is_empty() {
            return self.tree.resolve(project, path, true);
        }
        let Some(root) = self.package(project, within)? else { return Ok(None) };
        // A package is what its files are.
        self.tree.resolve(&root, path, false)
    }

    /// The folder of a package from the top; nothing where it lies outside of the repository.
    fn package(&self, project: &str, within: &str) -> IoResult<Option<String>> {
        let found = match (plain("", within), plain(project, within)) {
            (Some(inner), _) => self.tree.resolve(project, &inner, true)?,
            // One beside the project may lie anywhere on disk; here, anywhere in the repository.
            (None, Some(beside)) => self.tree.resolve("", &beside, true)?,
            (None, None) => None,
        };
        Ok(match found {
            Some(Found::Folder(path)) => Some(path),
            Some(Found::File(..)) | None => None,
        })
    }
}

/// A path from a folder on; nothing when it leads out of the repository.
fn plain(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

impl FileSystem for AtRevision<'_> {
    fn read(&self, within: &str, path: &str) -> IoResult<Option<Vec<u8>>> {
        self.read_most(within, path, dax_files::LARGEST)
    }

    fn list(&self, within: &str, folder: &str) -> IoResult<Option<Vec<String>>> {
        let Some(Found::Folder(whole)) = self.find(within, folder)? else { return Ok(None) };
        let prefix = if whole.is_empty() { String::new() } else { format!("{whole}/") };
        let below = self.tree.entries.range(prefix.clone()..);
        let below = below.map_while(|(path, entry)| Some((path.strip_prefix(&prefix)?, entry)));
        let mut names: Vec<String> = Vec::new();
        for (rest, entry) in below {
            let name = rest.split_inclusive('/').next().unwrap_or(rest);
            let is_folder = match entry {
                Entry::Submodule => !name.ends_with('/'),
                // One that leads nowhere is listed as a file, so that whoever reads it is told.
                Entry::Link(_) if within.is_empty() && !name.ends_with('/') => {
                    let whole = format!("{prefix}{name}");
                    let found = whole.strip_prefix(self.prefix.as_str()).unwrap_or(&whole);
                    matches!(self.find("", found), Ok(Some(Found::Folder(_))))
                }
                Entry::Link(_) | Entry::File(_) => false,
            };
            names.push(if is_folder { format!("{name}/") } else { name.to_owned() });
        }
        names.dedup();
        Ok(Some(names).filter(|names| !names.is_empty()))
    }
}

#[cfg(test)]
mod tests;
