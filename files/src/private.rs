//! A folder of dax's own: of this user alone, with no link in it that is followed.

use crate::{absent, open_regular, read_bounded, refused};
use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{
    Dir, DirBuilder, DirBuilderExt, MetadataExt, OpenOptions, OpenOptionsExt, Permissions,
    PermissionsExt,
};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The ending of files that are not whole yet.
const NEXT: &str = ".next";

/// A folder that only this user can enter. Its files have mode 0600, whatever the umask is.
#[derive(Clone, Debug)]
pub struct Private {
    dir: Arc<Dir>,
    path: PathBuf,
}

/// A name that is one step of a path.
fn one(name: &str) -> io::Result<&Path> {
    let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if is_name { Ok(Path::new(name)) } else { Err(refused(format!("`{name}` is no file name"))) }
}

impl Private {
    /// The folder `name` of a folder that a person gave; nothing where there is none.
    ///
    /// # Errors
    /// It is a link or no folder, or belongs to another user.
    pub fn open(root: &Path, name: &str) -> io::Result<Option<Self>> {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let Some(outer) = absent(Dir::open_ambient_dir(root, ambient_authority()))? else {
            return Ok(None);
        };
        Self { dir: Arc::new(outer), path: root.to_owned() }.sub(name)
    }

    /// As [`Private::open`], made where it lacks; the folder that it lies in has to be there.
    ///
    /// # Errors
    /// It is a link or no folder, belongs to another user, or cannot be made.
    pub fn create(root: &Path, name: &str) -> io::Result<Self> {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let outer = Dir::open_ambient_dir(root, ambient_authority())?;
        Self { dir: Arc::new(outer), path: root.to_owned() }.create_sub(name)
    }

    /// A folder in it; nothing where there is none.
    ///
    /// # Errors
    /// It is a link or no folder, or belongs to another user.
    pub fn sub(&self, name: &str) -> io::Result<Option<Self>> {
        let path = self.path.join(one(name)?);
        let dir = match self.dir.open_dir_nofollow(name) {
            Ok(dir) => dir,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                // A link and a file are told apart from what cannot be read.
                let kind = absent(self.dir.symlink_metadata(name))?.map(|found| found.file_type());
                return Err(match kind {
                    Some(kind) if kind.is_symlink() => refused(is_a_link(&path)),
                    Some(kind) if !kind.is_dir() => {
                        refused(format!("`{}` is not a folder", path.display()))
                    }
                    _ => error,
                });
            }
        };
        let found = dir.dir_metadata()?;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(refused(format!("`{}` belongs to another user", path.display())));
        }
        if found.mode() & 0o077 != 0 {
            dir.set_permissions(".", Permissions::from_mode(0o700))?;
        }
        Ok(Some(Self { dir: Arc::new(dir), path }))
    }

    /// As [`Private::sub`], made where it lacks.
    ///
    /// # Errors
    /// It is a link or no folder, belongs to another user, or cannot be made.
    pub fn create_sub(&self, name: &str) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        match self.dir.create_dir_with(one(name)?, &builder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sub(name)?.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The path of the folder, for messages and for what takes no handle.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which folder it is on this machine: device and inode. Another one under the same path differs.
    ///
    /// # Errors
    /// The system does not say.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let found = self.dir.dir_metadata()?;
        Ok((found.dev(), found.ino()))
    }

    /// The names in it, in order.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.dir.entries()? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// A regular file for reading; nothing where there is none.
    ///
    /// # Errors
    /// It is a link or no regular file, belongs to another user, or cannot be read.
    pub fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        options.follow(FollowSymlinks::No);
        let found = open_regular(&self.dir, one(name)?, &mut options);
        let Some(file) = found.map_err(|error| self.named(name, error))? else { return Ok(None) };
        self.own(name, file.into_std()).map(Some)
    }

    /// The content of a regular file of at most `limit` bytes; nothing where there is none.
    ///
    /// # Errors
    /// As [`Private::open_file`], or it is larger.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.open_file(name)?.map(|file| read_bounded(file, limit)).transpose()
    }

    /// Replaces a file, or makes it: a crash leaves the old content or the new one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        one(name)?;
        let fresh = format!("{name}.{}-{number}{NEXT}", std::process::id());
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).follow(FollowSymlinks::No);
            let mut file = self.dir.open_with(&fresh, &options)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            // A rename replaces a link and does not follow it.
            self.dir.rename(&fresh, &self.dir, name)
        };
        write().inspect_err(|_| drop(self.dir.remove_file(&fresh)))
    }

    /// A key of 32 random bytes, made on first use. Of two that make it at once, both get the same.
    ///
    /// # Errors
    /// It cannot be read or made, or is something else.
    pub fn key(&self, name: &str) -> io::Result<[u8; 32]> {
        let lock = self.lock_file("keys.lock")?;
        lock.lock()?;
        if let Some(bytes) = self.read(name, 1024)? {
            return bytes.as_slice().try_into().map_err(|_| {
                let message = format!("{} is not 32 bytes: remove it", self.shown(name));
                io::Error::new(ErrorKind::InvalidData, message)
            });
        }
        let mut key = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        self.replace(name, &key)?;
        Ok(key)
    }

    /// A file that is written at its end, made where it lacks.
    ///
    /// # Errors
    /// It is a link or no regular file, belongs to another user, or cannot be written.
    pub fn append(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        self.opened(name, options)
    }

    /// A file to be locked, made where it lacks.
    ///
    /// # Errors
    /// It is a link or no regular file, belongs to another user, or cannot be written.
    pub fn lock_file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        self.opened(name, options)
    }

    fn opened(&self, name: &str, mut options: OpenOptions) -> io::Result<File> {
        use cap_fs_ext::OpenOptionsSyncExt;
        options.mode(0o600).nonblock(true).follow(FollowSymlinks::No);
        let file = self.dir.open_with(one(name)?, &options);
        let file = file.map_err(|error| self.named(name, error))?.into_std();
        if !file.metadata()?.is_file() {
            return Err(refused(format!("`{}` is no regular file", self.shown(name))));
        }
        self.own(name, file)
    }

    /// A file that is this user's own and nobody else's to read.
    fn own(&self, name: &str, file: File) -> io::Result<File> {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let found = file.metadata()?;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(refused(format!("`{}` belongs to another user", self.shown(name))));
        }
        if found.mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }

    /// Moves a file to another name in this folder; what stood there is replaced.
    ///
    /// # Errors
    /// There is no such file, or it cannot be moved.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.dir.rename(one(from)?, &self.dir, one(to)?)
    }

    /// Removes a file or a link; nothing happens where there is none.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        absent(self.dir.remove_file_or_symlink(one(name)?)).map(|_| ())
    }

    /// Removes an empty folder; nothing happens where there is none or it is not empty.
    ///
    /// # Errors
    /// It cannot be removed for another reason.
    pub fn remove_empty(&self, name: &str) -> io::Result<()> {
        match absent(self.dir.remove_dir(one(name)?)) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Removes a folder with all that is in it; links in it are removed, not followed.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_all(&self, name: &str) -> io::Result<()> {
        absent(self.dir.remove_dir_all(one(name)?)).map(|_| ())
    }

    /// Removes what an interrupted [`Private::replace`] left behind. Only for who is alone in the folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn sweep(&self) -> io::Result<()> {
        let left = self.names()?.into_iter().filter(|name| name.ends_with(NEXT));
        left.for_each(|name| drop(self.dir.remove_file(name)));
        Ok(())
    }

    fn shown(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// The error of an opened name, with what it means.
    fn named(&self, name: &str, error: io::Error) -> io::Error {
        let link = absent(self.dir.symlink_metadata(name)).ok().flatten();
        if link.is_some_and(|found| found.is_symlink()) {
            return refused(is_a_link(&self.path.join(name)));
        }
        error
    }
}

fn is_a_link(path: &Path) -> String {
    format!("`{}` is a symbolic link, and dax follows none there", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn no_link_is_followed_neither_to_read_nor_to_write() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("project");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(outer.path().join("victim"), "mine").unwrap();
        let own = Private::create(&root, ".dax").unwrap();
        for name in ["key", "log", "lock"] {
            symlink(outer.path().join("victim"), own.path().join(name)).unwrap();
        }
        assert!(own.read("key", 100).unwrap_err().to_string().contains("symbolic link"));
        assert!(own.append("log").unwrap_err().to_string().contains("symbolic link"));
        assert!(own.lock_file("lock").unwrap_err().to_string().contains("symbolic link"));
        own.replace("key", b"new").unwrap();
        assert_eq!(own.read("key", 100).unwrap().unwrap(), b"new");
        assert_eq!(std::fs::read(outer.path().join("victim")).unwrap(), b"mine");
        symlink(outer.path(), root.join("linked")).unwrap();
        assert!(Private::open(&root, "linked").unwrap_err().to_string().contains("symbolic link"));
        assert!(Private::create(&root, "linked").is_err());
        assert!(own.sub("..").is_err() && own.read("../project/x", 1).is_err());
    }

    #[test]
    fn folders_and_files_are_of_this_user_alone() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".dax")).unwrap();
        std::fs::set_permissions(root.path().join(".dax"), std::fs::Permissions::from_mode(0o777))
            .unwrap();
        std::fs::write(root.path().join(".dax/old"), "x").unwrap();
        let own = Private::create(root.path(), ".dax").unwrap();
        assert_eq!(mode(own.path()), 0o700);
        own.read("old", 10).unwrap();
        own.replace("a", b"1").unwrap();
        drop(own.append("b").unwrap());
        for name in ["old", "a", "b"] {
            assert_eq!(mode(&own.path().join(name)), 0o600, "{name}");
        }
        std::fs::write(own.path().join("a.1-2.next"), "half").unwrap();
        own.sweep().unwrap();
        assert_eq!(own.names().unwrap(), ["a", "b", "old"]);
    }
}
