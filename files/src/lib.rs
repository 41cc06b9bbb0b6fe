//! Files that nobody vouches for: opened by handle, beneath a root, and never more than was asked for.
//!
//! A checkout may hold links, pipes, devices and files of any size, put there by whoever opened a pull
//! request. [`Beneath`] reads and writes such a folder and never leaves it. [`Private`] is a folder of
//! dax's own: no link in it is followed, nobody else may enter it. [`machine`] remembers outside of all
//! projects what a project cannot be asked about itself.

mod beneath;
pub mod machine;
mod private;
mod roots;

pub use beneath::{Beneath, content};
pub use private::Private;
pub use roots::{LARGEST, Roots};

use cap_std::fs::{Dir, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

fn refused(message: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, message.into())
}

/// Nothing where there is no such file, also where a part of its path is no folder.
fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Opens a file for reading without waiting for anybody, and only when it is a regular one.
fn open_regular(dir: &Dir, path: &Path, options: &mut OpenOptions) -> io::Result<Option<File>> {
    use cap_fs_ext::OpenOptionsSyncExt;
    // Without it a pipe that nobody writes to would be waited for.
    options.read(true).nonblock(true);
    let file = match absent(dir.open_with(path, options)) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Err(not_regular("a socket or a device"));
        }
        Err(error) => return Err(error),
    };
    regular(&file)?;
    Ok(Some(file))
}

/// Refuses what is no regular file.
fn regular(file: &File) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    use cap_std::fs::FileTypeExt;
    let what = match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a pipe (FIFO)",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "something else",
    };
    Err(not_regular(what))
}

/// The content of a regular file of at most `limit` bytes at a path that somebody gave as a whole;
/// links are followed wherever they lead. Nothing where there is none.
///
/// # Errors
/// It is no regular file, is larger, or cannot be read.
pub fn read_given(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    let Some(file) = absent(opened)? else { return Ok(None) };
    let file = File::from_std(file);
    regular(&file)?;
    read_bounded(file, limit).map(Some)
}

/// Writes a file at a path that somebody gave as a whole, all or nothing.
///
/// What is no regular file, such as `/dev/stdout` or a pipe, gets the bytes as they come. A link that
/// leads out of the folder in which it stands is not followed, because a checkout may bring one.
///
/// # Errors
/// It cannot be written; what was there before is still there.
pub fn write_given(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let special = std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    let Some(name) = path.file_name().filter(|_| !special) else {
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        return std::io::Write::write_all(&mut file, bytes);
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Beneath::open(folder.unwrap_or(Path::new(".")))?.write(Path::new(name), bytes)
}

fn not_regular(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a regular file"))
}

/// All of a file that is no larger than it may be.
fn read_bounded(file: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        let message = format!("it is larger than {}", shown_size(limit));
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn shown_size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}
