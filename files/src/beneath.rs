//! A folder that is read and written as it is found, and never left.

use crate::{absent, open_regular, read_bounded, refused};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A project's folder, or a package's: each path is resolved beneath it, link by link, by handle.
///
/// A link is followed where it stays beneath the folder; one that leads out of it is an error of kind
/// `PermissionDenied`, also when it is put there between two steps of the resolution.
#[derive(Clone, Debug)]
pub struct Beneath {
    dir: Arc<Dir>,
}

impl Beneath {
    /// The folder at a path that a person gave; links on the way to it are that person's own.
    ///
    /// # Errors
    /// There is no such folder, or it cannot be entered.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        Ok(Self { dir: Arc::new(Dir::open_ambient_dir(root, ambient_authority())?) })
    }

    /// A folder beneath as a root of its own; nothing where there is none.
    ///
    /// # Errors
    /// It leads out of this one, or cannot be entered.
    pub fn folder(&self, path: &Path) -> io::Result<Option<Self>> {
        let found = absent(self.dir.open_dir(path).map_err(named))?;
        Ok(found.map(|dir| Self { dir: Arc::new(dir) }))
    }

    /// The content of a regular file of at most `limit` bytes; nothing where there is none.
    ///
    /// # Errors
    /// It leads out of the folder, is no regular file, is larger, or cannot be read.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let found = open_regular(&self.dir, path, &mut OpenOptions::new()).map_err(named)?;
        found.map(|file| read_bounded(file, limit)).transpose()
    }

    /// The names in a folder, those of folders with a `/` at their end; nothing where there is none.
    ///
    /// A link is listed as what it leads to, and not at all where that lies outside or nowhere.
    ///
    /// # Errors
    /// It leads out of the folder, or cannot be read. A name that is no text is an error.
    pub fn list(&self, folder: &Path) -> io::Result<Option<Vec<String>>> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Some(entries) = absent(self.dir.read_dir(folder).map_err(named))? else {
            return Ok(None);
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|name| {
                let shown = name.to_string_lossy().into_owned();
                io::Error::new(ErrorKind::InvalidData, format!("the name `{shown}` is not UTF-8"))
            })?;
            let kind = entry.file_type()?;
            let is_folder = if kind.is_symlink() {
                match self.dir.metadata(folder.join(&name)) {
                    Ok(found) => found.is_dir(),
                    Err(_) => continue,
                }
            } else {
                kind.is_dir()
            };
            names.push(if is_folder { format!("{name}/") } else { name });
        }
        Ok(Some(names))
    }

    /// Replaces the content of a file, or makes it, all or nothing. Its folders are made where they lack.
    ///
    /// Where a link stands, the file that it leads to is replaced, if that lies beneath.
    ///
    /// # Errors
    /// It leads out of the folder, is no regular file, or cannot be written.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let target = match self.dir.canonicalize(path).map_err(named) {
            Ok(target) => target,
            // Also a link that leads nowhere: what it names is not made through it.
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error),
        };
        let before = absent(self.dir.symlink_metadata(&target).map_err(named))?;
        if before.as_ref().is_some_and(|found| !found.is_file()) {
            return Err(refused("it is not a regular file"));
        }
        let name = target.file_name().ok_or_else(|| refused("it names no file"))?;
        if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            self.dir.create_dir_all(folder).map_err(named)?;
        }
        let fresh = beside(&target, name);
        let written = self.write_new(&fresh, bytes).and_then(|()| {
            if let Some(before) = before {
                self.dir.set_permissions(&fresh, before.permissions())?;
            }
            self.dir.rename(&fresh, &self.dir, &target)
        });
        written.map_err(|error| {
            let _ = self.dir.remove_file(&fresh);
            named(error)
        })
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.dir.open_with(path, OpenOptions::new().write(true).create_new(true))?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}

/// A name beside a file that no other writer uses at the same time.
fn beside(target: &Path, name: &std::ffi::OsStr) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut fresh = name.to_owned();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    fresh.push(format!(".{}-{number}.next", std::process::id()));
    target.with_file_name(fresh)
}

/// The library's word for a path that leads out, in ours.
fn named(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
        return refused("it leads out of the project's folder");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const LIMIT: u64 = 1 << 20;

    fn text(result: io::Result<Option<Vec<u8>>>) -> String {
        match result {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(None) => "absent".to_owned(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn links_are_followed_only_while_they_stay_beneath() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("project");
        std::fs::create_dir_all(root.join("inner")).unwrap();
        std::fs::write(outer.path().join("secret"), "outside").unwrap();
        std::fs::write(root.join("inner/a"), "inside").unwrap();
        symlink("inner/a", root.join("near")).unwrap();
        symlink("../secret", root.join("far")).unwrap();
        symlink(outer.path().join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let beneath = Beneath::open(&root).unwrap();
        let read = |path: &str| text(beneath.read(Path::new(path), LIMIT));
        assert_eq!(read("near"), "inside");
        assert_eq!(read("inner/../inner/a"), "inside");
        assert_eq!(read("nothing"), "absent");
        for path in ["far", "absolute", "up/secret", "../secret", "/etc/passwd"] {
            assert_eq!(read(path), "error: it leads out of the project's folder", "{path}");
        }
        assert!(read("loop").starts_with("error: "));
        let mut names = beneath.list(Path::new("")).unwrap().unwrap();
        names.sort();
        assert_eq!(names, ["inner/", "near"]);
        assert!(beneath.list(Path::new("up")).is_err());
    }

    #[test]
    fn what_is_no_regular_file_is_said_and_never_waited_for() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
        std::fs::write(root.path().join("large"), vec![b'x'; 2048]).unwrap();
        let status =
            std::process::Command::new("mkfifo").arg(root.path().join("pipe")).status().unwrap();
        assert!(status.success());
        let beneath = Beneath::open(root.path()).unwrap();
        let read = |path: &str| text(beneath.read(Path::new(path), 1024));
        assert_eq!(read("pipe"), "error: it is a pipe (FIFO), not a regular file");
        assert_eq!(read("socket"), "error: it is a socket or a device, not a regular file");
        assert_eq!(read("."), "error: it is a folder, not a regular file");
        assert_eq!(read("large"), "error: it is larger than 1 KiB");
    }

    #[test]
    fn nothing_is_written_through_a_link_that_leads_out() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("project");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(outer.path().join("victim"), "mine").unwrap();
        symlink("../victim", root.join("out")).unwrap();
        symlink("../fresh", root.join("dangling")).unwrap();
        symlink("real", root.join("in")).unwrap();
        std::fs::write(root.join("real"), "old").unwrap();
        let beneath = Beneath::open(&root).unwrap();
        assert!(beneath.write(Path::new("out"), b"x").is_err());
        let _ = beneath.write(Path::new("dangling"), b"x");
        assert_eq!(std::fs::read(outer.path().join("victim")).unwrap(), b"mine");
        assert!(!outer.path().join("fresh").exists());
        beneath.write(Path::new("in"), b"new").unwrap();
        assert!(root.join("in").is_symlink());
        assert_eq!(std::fs::read(root.join("real")).unwrap(), b"new");
        beneath.write(Path::new("a/b/c"), b"deep").unwrap();
        assert_eq!(std::fs::read(root.join("a/b/c")).unwrap(), b"deep");
    }
}
