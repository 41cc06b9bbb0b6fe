//! The socket between a command and the agent: in the agent's own folder, reached by the folder's
//! handle.
//!
//! What goes through it are values of secrets, so both ends look before they speak: the folder and
//! the socket belong to this user and nobody else can enter, and the kernel says that the other end
//! is this user too. The handle also keeps the path short, whatever the project's path is.

use dax_files::Private;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// The socket's file name.
pub(crate) const SOCKET: &str = "agent.sock";

fn refused(message: String) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, message)
}

/// Opens the folder for its handle and proves that it is this user's alone.
fn handle(folder: &Private) -> io::Result<OwnedFd> {
    let path = folder.path();
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&handle)?;
    if (found.st_dev, found.st_ino) != folder.identity()? {
        return Err(refused(format!("`{}` was replaced just now", path.display())));
    }
    let mine = found.st_uid == rustix::process::geteuid().as_raw();
    if !mine || found.st_mode & 0o077 != 0 {
        let message =
            format!("`{}` is not this user's alone; nothing is sent there", path.display());
        return Err(refused(message));
    }
    Ok(handle)
}

/// The socket's path through the folder's handle. Source: proc_pid_fd(5).
fn path(handle: &OwnedFd) -> PathBuf {
    Path::new("/proc/self/fd").join(handle.as_raw_fd().to_string()).join(SOCKET)
}

/// Proves that the other end of a connection is this user.
fn check_peer(stream: &UnixStream, folder: &Private) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let shown = folder.path().join(SOCKET);
    let message = format!("user {uid} answers at `{}`; nothing is sent there", shown.display());
    Err(refused(message))
}

/// A connection to the agent, or nothing when none listens.
///
/// # Errors
/// Something else than this user's own agent is there.
pub(crate) async fn connect(folder: &Private) -> io::Result<Option<UnixStream>> {
    let handle = handle(folder)?;
    let found = match rustix::fs::statat(handle.as_fd(), SOCKET, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let is_socket = FileType::from_raw_mode(found.st_mode) == FileType::Socket;
    if !is_socket || found.st_uid != rustix::process::geteuid().as_raw() {
        let shown = folder.path().join(SOCKET);
        return Err(refused(format!(
            "`{}` is not a socket of this user: remove it",
            shown.display()
        )));
    }
    match UnixStream::connect(path(&handle)).await {
        Ok(stream) => check_peer(&stream, folder).map(|()| Some(stream)),
        // One that is too busy to take the connection now is there all the same.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Listens in the folder; a socket of an agent that is gone gives way.
///
/// # Errors
/// The socket cannot be made.
pub(crate) fn listen(folder: &Private) -> io::Result<UnixListener> {
    let handle = handle(folder)?;
    folder.remove(SOCKET)?;
    let path = path(&handle);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// A connection of a client, if it is this user's.
pub(crate) fn of_this_user(stream: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == me)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(root: &Path) -> Private {
        Private::create(root, ".dax").unwrap().create_sub("local").unwrap()
    }

    #[tokio::test]
    async fn a_path_of_any_length_has_its_socket_in_its_own_folder() {
        let root = tempfile::tempdir().unwrap();
        let deep = (0..6).fold(root.path().to_owned(), |path, _| path.join("x".repeat(120)));
        std::fs::create_dir_all(&deep).unwrap();
        let folder = folder(&deep);
        assert!(connect(&folder).await.unwrap().is_none());
        let listener = listen(&folder).unwrap();
        let (stream, accepted) = tokio::join!(connect(&folder), listener.accept());
        assert!(stream.unwrap().is_some());
        assert!(of_this_user(&accepted.unwrap().0));
        assert!(folder.path().join(SOCKET).exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let victim = root.path().join("victim");
        std::fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(SOCKET)).unwrap();
        let error = connect(&folder).await.unwrap_err().to_string();
        assert!(error.contains("agent.sock") && error.contains("not a socket"), "{error}");
        drop(listen(&folder).unwrap());
        assert_eq!(std::fs::read(victim).unwrap(), b"mine", "a link gives way and is not followed");
    }

    #[tokio::test]
    async fn a_folder_that_others_can_enter_is_not_spoken_in() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let _listener = listen(&folder).unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = connect(&folder).await.unwrap_err().to_string();
        assert!(error.contains("this user's alone"), "{error}");
    }
}
