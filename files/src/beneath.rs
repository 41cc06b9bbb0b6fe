//! A folder that is read and written as it is found, and never left.

use crate::{absent, open_regular, read_bounded, refused, regular};
use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Folders that lie in a checkout and are none of its content, also where letters of another case
/// name them: the state and the tokens of this machine, and the repository itself.
const NOT_CONTENT: &[&str] = &[".dax", ".git"];

/// A project's folder, or a package's: each path is resolved beneath it, link by link, by handle.
///
/// A link is followed where it stays beneath the folder; one that leads out of it is an error of
/// kind `PermissionDenied`, also when it is put there between two steps of the resolution. What
/// lies in `.dax` or `.git` is refused, whatever path leads there.
#[derive(Clone, Debug)]
pub struct Beneath {
    dir: Arc<Dir>,
    /// Whether links that stay beneath are followed.
    links: bool,
}

impl Beneath {
    /// The folder at a path that a person gave; links on the way to it are that person's own.
    ///
    /// # Errors
    /// There is no such folder, or it cannot be entered.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let dir = Dir::open_ambient_dir(root, ambient_authority())?;
        Ok(Self { dir: Arc::new(dir), links: true })
    }

    /// The same folder, in which no link is followed at all: a package is what its files are.
    pub fn without_links(self) -> Self {
        Self { links: false, ..self }
    }

    /// A folder beneath as a root of its own; nothing where there is none.
    ///
    /// # Errors
    /// It leads out of this one, or cannot be entered.
    pub fn folder(&self, path: &Path) -> io::Result<Option<Self>> {
        let found = absent(self.real(path).and_then(|real| self.enter(&real)))?;
        Ok(found.map(|dir| Self { dir: Arc::new(dir), links: self.links }))
    }

    /// As [`Beneath::folder`], made where it lacks.
    ///
    /// # Errors
    /// It leads out of this one, or cannot be made.
    pub fn make_folder(&self, path: &Path) -> io::Result<Self> {
        let real = self.made(path)?;
        self.folder(&real)?.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The content of a regular file of at most `limit` bytes; nothing where there is none.
    ///
    /// # Errors
    /// It leads out of the folder, is no regular file, is larger, or cannot be read.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(real) = absent(self.real(path))? else { return Ok(None) };
        let (folder, name) = split(&real)?;
        let Some(folder) = absent(self.enter(folder))? else { return Ok(None) };
        let mut options = OpenOptions::new();
        options.follow(FollowSymlinks::No);
        let name = Path::new(&name);
        let found = open_regular(&folder, name, &mut options)
            .map_err(|error| not_followed(&folder, name, error))?;
        found.map(|file| read_bounded(file, limit)).transpose()
    }

    /// The names in a folder, those of folders with a `/` at their end; nothing where there is
    /// none.
    ///
    /// A link to a folder beneath is listed as a folder, unless no link is followed; any other link
    /// is listed as a file, so that whoever reads it is told. Names that are no text are left out:
    /// no program can name them.
    ///
    /// # Errors
    /// It leads out of the folder, or cannot be read.
    pub fn list(&self, folder: &Path) -> io::Result<Option<Vec<String>>> {
        let Some(real) = absent(self.real(folder))? else { return Ok(None) };
        let Some(dir) = absent(self.enter(&real))? else { return Ok(None) };
        let mut names = Vec::new();
        for entry in dir.entries()? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            let is_folder = if kind.is_symlink() && self.links {
                self.dir.metadata(real.join(&name)).is_ok_and(|found| found.is_dir())
            } else {
                kind.is_dir()
            };
            names.push(if is_folder { format!("{name}/") } else { name });
        }
        Ok(Some(names))
    }

    /// Replaces the content of a file, or makes it, all or nothing. Its folders are made where they
    /// lack.
    ///
    /// Where a link stands, the file that it leads to is replaced, if that lies beneath.
    ///
    /// # Errors
    /// It leads out of the folder, is no regular file, or cannot be written.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let found = match absent(self.real(path))? {
            Some(real) if self.links => real,
            // Also a link that leads nowhere: what it names is not made through it.
            _ => self.fresh(path)?,
        };
        let (folder, name) = split(&found)?;
        let folder = self.enter(folder)?;
        let name = Path::new(&name);
        let before = absent(folder.symlink_metadata(name))?;
        if before.as_ref().is_some_and(|found| !found.is_file() && !found.is_symlink()) {
            return Err(refused("it is not a regular file"));
        }
        let before = before.filter(|found| found.is_file());
        let fresh = beside(name.as_os_str());
        let written = write_new(&folder, &fresh, bytes).and_then(|()| {
            if let Some(before) = before {
                folder.set_permissions(&fresh, before.permissions())?;
            }
            // A rename replaces a link and does not follow it.
            folder.rename(&fresh, &folder, name)
        });
        written.map_err(|error| {
            let _ = folder.remove_file(&fresh);
            named(error)
        })
    }

    /// Makes a file that is not there yet. Its folders are made where they lack.
    ///
    /// # Errors
    /// Something has this name already, also a link; or it cannot be written.
    pub fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.fresh(path)?;
        let (folder, name) = split(&fresh)?;
        write_new(&self.enter(folder)?, Path::new(&name), bytes).map_err(named)
    }

    /// A regular file that is written at its end, made where it lacks. No link is followed at its name.
    ///
    /// # Errors
    /// It leads out of the folder, is no regular file, or cannot be written.
    pub fn append(&self, path: &Path) -> io::Result<std::fs::File> {
        use cap_fs_ext::OpenOptionsSyncExt;
        let fresh = self.fresh(path)?;
        let (folder, name) = split(&fresh)?;
        let (folder, name) = (self.enter(folder)?, Path::new(&name));
        let mut options = OpenOptions::new();
        options.append(true).create(true).nonblock(true).follow(FollowSymlinks::No);
        let file = folder.open_with(name, &options);
        let file = file.map_err(|error| not_followed(&folder, name, error))?;
        regular(&file)?;
        Ok(file.into_std())
    }

    /// Removes a folder with all that is in it; links in it are removed, not followed. Nothing
    /// happens where there is none.
    ///
    /// # Errors
    /// It leads out of the folder, or cannot be removed.
    pub fn remove_all(&self, path: &Path) -> io::Result<()> {
        let Some(real) = absent(self.real(path))? else { return Ok(()) };
        let (folder, name) = split(&real)?;
        absent(self.enter(folder)?.remove_dir_all(name)).map(|_| ()).map_err(named)
    }

    /// A path for something new: its folder, made where it lacks, as it really is.
    fn fresh(&self, path: &Path) -> io::Result<PathBuf> {
        let (folder, name) = split(path)?;
        content(path)?;
        if folder.as_os_str().is_empty() {
            return Ok(PathBuf::from(name));
        }
        Ok(self.made(folder)?.join(name))
    }

    /// A folder as it really is, made where it lacks.
    fn made(&self, folder: &Path) -> io::Result<PathBuf> {
        if let Some(real) = absent(self.real(folder))?
            && absent(self.enter(&real))?.is_some()
        {
            return Ok(real);
        }
        self.dir.create_dir_all(folder).map_err(named)?;
        self.real(folder)
    }

    /// A path without links, from the root; refused where it leads out, or into what is no content.
    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        content(path)?;
        let real =
            if self.links { self.dir.canonicalize(path).map_err(named)? } else { straight(path)? };
        content(&real)?;
        Ok(real)
    }

    /// Opens a folder step by step; what became a link since its path was resolved is refused.
    fn enter(&self, folder: &Path) -> io::Result<Dir> {
        let mut dir = self.dir.open_dir(".")?;
        for part in folder.components() {
            let Component::Normal(name) = part else { continue };
            dir = dir
                .open_dir_nofollow(name)
                .map_err(|error| not_followed(&dir, Path::new(name), error))?;
        }
        Ok(dir)
    }
}

/// The error of opening a name, in our words where that is a link.
fn not_followed(folder: &Dir, name: &Path, error: io::Error) -> io::Error {
    match folder.symlink_metadata(name) {
        Ok(found) if found.is_symlink() => {
            refused("it is a symbolic link, and none is followed here")
        }
        _ => named(error),
    }
}

/// A path that climbs nowhere, for a folder in which no link is followed.
fn straight(path: &Path) -> io::Result<PathBuf> {
    let mut real = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => real.push(name),
            Component::CurDir => {}
            Component::ParentDir if real.pop() => {}
            _ => return Err(leads_out()),
        }
    }
    Ok(real)
}

/// Refuses paths into folders that are none of a checkout's content: `.dax` and `.git`, in any case of letters.
///
/// # Errors
/// The path has such a part.
pub fn content(path: &Path) -> io::Result<()> {
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        if let Some(folder) = NOT_CONTENT.iter().find(|folder| name.eq_ignore_ascii_case(folder)) {
            return Err(refused(format!("it lies in `{folder}`, which no program can name")));
        }
    }
    Ok(())
}

/// The folder and the name of a path.
fn split(path: &Path) -> io::Result<(&Path, OsString)> {
    match path.components().next_back() {
        Some(Component::Normal(name)) => {
            Ok((path.parent().unwrap_or_else(|| Path::new("")), name.to_owned()))
        }
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "it is a folder, not a regular file")),
    }
}

fn write_new(folder: &Dir, name: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).follow(FollowSymlinks::No);
    let mut file = folder.open_with(name, &options)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name beside a file that no other writer uses at the same time.
fn beside(name: &std::ffi::OsStr) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut fresh = OsString::from(".");
    fresh.push(name);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    fresh.push(format!(".{}-{number}.next", std::process::id()));
    PathBuf::from(fresh)
}

fn leads_out() -> io::Error {
    refused("it leads out of the project's folder")
}

/// The library's word for a path that leads out, in ours.
fn named(error: io::Error) -> io::Error {
    let foreign = error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none();
    if foreign { leads_out() } else { error }
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
        assert_eq!(names, ["absolute", "far", "inner/", "loop", "near", "up"]);
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
        symlink("..", root.join("up")).unwrap();
        for path in ["out", "up/fresh", "up/victim"] {
            let error = beneath.write(Path::new(path), b"x").unwrap_err();
            assert_eq!(error.to_string(), "it leads out of the project's folder", "{path}");
        }
        assert!(beneath.create(Path::new("up/fresh"), b"x").is_err());
        assert!(beneath.make_folder(Path::new("up/made")).is_err());
        assert!(beneath.make_folder(Path::new("up")).is_err());
        assert!(beneath.make_folder(Path::new("made/deep")).is_ok());
        let _ = beneath.write(Path::new("dangling"), b"x");
        assert_eq!(std::fs::read(outer.path().join("victim")).unwrap(), b"mine");
        assert!(!outer.path().join("fresh").exists());
        beneath.write(Path::new("in"), b"new").unwrap();
        assert!(root.join("in").is_symlink());
        assert_eq!(std::fs::read(root.join("real")).unwrap(), b"new");
        beneath.write(Path::new("a/b/c"), b"deep").unwrap();
        assert_eq!(std::fs::read(root.join("a/b/c")).unwrap(), b"deep");
    }

    #[test]
    fn what_is_no_content_is_refused_whatever_leads_there() {
        let root = tempfile::tempdir().unwrap();
        for folder in [".dax", ".git", "inner"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        std::fs::write(root.path().join(".dax/state.db"), "secret").unwrap();
        std::fs::write(root.path().join(".git/config"), "token").unwrap();
        symlink(".dax", root.path().join("harmless")).unwrap();
        symlink("../.git/config", root.path().join("inner/config")).unwrap();
        symlink("harmless/state.db", root.path().join("twice")).unwrap();
        let beneath = Beneath::open(root.path()).unwrap();
        let read = |path: &str| text(beneath.read(Path::new(path), LIMIT));
        let paths = [
            ".dax/state.db",
            ".DAX/state.db",
            "inner/../.dax/state.db",
            "harmless/state.db",
            "inner/config",
            "twice",
            ".git/config",
        ];
        for path in paths {
            assert!(read(path).contains("which no program can name"), "{path}: {}", read(path));
            assert!(beneath.write(Path::new(path), b"x").is_err(), "{path}");
        }
        assert!(beneath.list(Path::new("harmless")).is_err());
        assert!(beneath.folder(Path::new("harmless")).is_err());
        assert!(beneath.create(Path::new("harmless/new"), b"x").is_err());
        assert!(beneath.remove_all(Path::new(".git")).is_err());
        assert_eq!(std::fs::read(root.path().join(".dax/state.db")).unwrap(), b"secret");
    }

    #[test]
    fn a_package_has_no_links() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("package/inner")).unwrap();
        std::fs::write(root.path().join("package/inner/a"), "inside").unwrap();
        symlink("inner/a", root.path().join("package/near")).unwrap();
        symlink("inner", root.path().join("package/folder")).unwrap();
        symlink(".", root.path().join("package/loop")).unwrap();
        let outer = Beneath::open(root.path()).unwrap();
        let package = outer.folder(Path::new("package")).unwrap().unwrap().without_links();
        let read = |path: &str| text(package.read(Path::new(path), LIMIT));
        assert_eq!(read("inner/a"), "inside");
        assert_eq!(read("folder/../inner/a"), "inside");
        for path in ["near", "folder/a", "loop/inner/a"] {
            let wanted = "error: it is a symbolic link, and none is followed here";
            assert_eq!(read(path), wanted, "{path}");
        }
        assert_eq!(read("../package/inner/a"), "error: it leads out of the project's folder");
        let mut names = package.list(Path::new("")).unwrap().unwrap();
        names.sort();
        assert_eq!(names, ["folder", "inner/", "loop", "near"]);
        package.write(Path::new("near"), b"own").unwrap();
        package.write(Path::new("new/deep"), b"new").unwrap();
        assert!(package.write(Path::new("folder/b"), b"x").is_err());
        assert_eq!(
            (read("near"), read("new/deep"), read("inner/a")),
            ("own".into(), "new".into(), "inside".into())
        );
    }

    #[test]
    fn a_file_grows_at_its_end_and_never_through_a_link() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("project");
        std::fs::create_dir_all(root.join("inner")).unwrap();
        std::fs::write(outer.path().join("victim"), "mine").unwrap();
        std::fs::write(root.join("real"), "mine").unwrap();
        symlink("../victim", root.join("out")).unwrap();
        symlink("real", root.join("near")).unwrap();
        symlink("../fresh", root.join("dangling")).unwrap();
        symlink("inner", root.join("folder")).unwrap();
        let status = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
        assert!(status.success());
        let beneath = Beneath::open(&root).unwrap().without_links();
        for path in ["out", "near", "dangling", "folder/a", "pipe", "inner", "../fresh"] {
            beneath.append(Path::new(path)).unwrap_err();
        }
        for text in ["one\n", "two\n"] {
            beneath.append(Path::new("inner/log")).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(root.join("inner/log")).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read(outer.path().join("victim")).unwrap(), b"mine");
        assert_eq!(std::fs::read(root.join("real")).unwrap(), b"mine");
        assert!(!outer.path().join("fresh").exists());
    }

    #[test]
    fn new_files_replace_nothing_and_folders_go_without_what_their_links_lead_to() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("old/inner")).unwrap();
        std::fs::write(root.path().join("kept"), "kept").unwrap();
        symlink("../kept", root.path().join("old/link")).unwrap();
        symlink("made", root.path().join("dangling")).unwrap();
        let beneath = Beneath::open(root.path()).unwrap();
        assert!(beneath.create(Path::new("kept"), b"x").is_err());
        assert!(beneath.create(Path::new("dangling"), b"x").is_err());
        beneath.create(Path::new("a/new"), b"x").unwrap();
        beneath.remove_all(Path::new("old")).unwrap();
        beneath.remove_all(Path::new("nothing")).unwrap();
        assert!(!root.path().join("old").exists() && !root.path().join("made").exists());
        assert_eq!(std::fs::read(root.path().join("kept")).unwrap(), b"kept");
    }
}
