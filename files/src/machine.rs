//! The machine's own memory, outside of all projects: a key, and which folders are whose.
//!
//! Whatever lies in a project may have come with it. What dax itself put there is told from that by a
//! mark made with a key that no repository can hold.

use crate::Private;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The name of the file that binds a folder to this machine and its place.
const BINDING: &str = "machine.binding";
/// More than any binding has.
const LONGEST: u64 = 16 * 1024;

/// Folders where the memory may lie, the best first.
fn candidates() -> Vec<(PathBuf, String)> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|path| path.is_absolute());
    let home = std::env::home_dir().filter(|path| path.is_absolute());
    let uid = rustix::process::geteuid().as_raw();
    let named = state.or_else(|| home.map(|home| home.join(".local/state")));
    let named = named.map(|folder| (folder, "dax".to_owned()));
    named.into_iter().chain([(std::env::temp_dir(), format!("dax-{uid}"))]).collect()
}

/// The folder of this user's memory on this machine: `$XDG_STATE_HOME/dax`, else `~/.local/state/dax`, else,
/// where there is no home that can be written, one of the folder for temporary files.
///
/// # Errors
/// None of them can be made, or one belongs to somebody else.
pub fn folder() -> io::Result<Private> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for (outer, name) in candidates() {
        let made = std::fs::create_dir_all(&outer).and_then(|()| Private::create(&outer, &name));
        match made {
            Ok(folder) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    let message = format!("no folder for this user's memory ({last}): set XDG_STATE_HOME to one");
    Err(io::Error::new(last.kind(), message))
}

/// The folder of what this machine remembers of a project, outside of it; made on first use.
///
/// # Errors
/// It cannot be made.
pub fn of_project(root: &Path) -> io::Result<Private> {
    let root = std::fs::canonicalize(root)?;
    let hash = blake3::hash(root.as_os_str().as_encoded_bytes()).to_hex();
    folder()?.create_sub("projects")?.create_sub(&hash[..32])
}

/// The key of this user on this machine, made on first use.
///
/// # Errors
/// The folder cannot be used.
pub fn key() -> io::Result<[u8; 32]> {
    folder()?.key("machine.key")
}

/// A mark that only this user on this machine can make, of some parts and for one purpose.
///
/// # Errors
/// There is no key, see [`key`].
pub fn mac(purpose: &str, parts: &[&[u8]]) -> io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new_keyed(&key()?);
    for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    Ok(*hasher.finalize().as_bytes())
}

/// Whether two marks are one, in a time that tells nothing.
pub fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    blake3::Hash::from_bytes(*one) == blake3::Hash::from_bytes(*other)
}

/// To whom a folder of dax's own belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// It was made here, on this machine by this user.
    Here,
    /// Nobody bound it: it is new, or came with the repository.
    Unbound,
    /// It was made elsewhere, or copied or moved here; where, as it says itself.
    Elsewhere(String),
}

fn binding_mac(place: &str) -> io::Result<String> {
    let mac = mac("dax folder binding", &[place.as_bytes()])?;
    Ok(blake3::Hash::from_bytes(mac).to_hex().to_string())
}

/// The folder's place as it is bound: its path without links.
fn place(folder: &Private) -> io::Result<String> {
    Ok(std::fs::canonicalize(folder.path())?.to_string_lossy().into_owned())
}

/// To whom a folder belongs.
///
/// # Errors
/// The binding or this machine's key cannot be read.
pub fn binding(folder: &Private) -> io::Result<Binding> {
    let Some(bytes) = folder.read(BINDING, LONGEST)? else { return Ok(Binding::Unbound) };
    let text = String::from_utf8_lossy(&bytes);
    let (found, mac) = text.trim_end().rsplit_once('\n').unwrap_or(("", ""));
    let place = place(folder)?;
    if found == place && mac == binding_mac(&place)? {
        return Ok(Binding::Here);
    }
    Ok(Binding::Elsewhere(found.to_owned()))
}

/// Binds a folder to this machine, this user and its place.
///
/// # Errors
/// It cannot be written, or this machine has no key.
pub fn bind(folder: &Private) -> io::Result<()> {
    let place = place(folder)?;
    let mac = binding_mac(&place)?;
    folder.replace(BINDING, format!("{place}\n{mac}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_copied_or_made_up_is_not_ours() {
        let root = tempfile::tempdir().unwrap();
        let own = Private::create(root.path(), ".dax").unwrap();
        assert_eq!(binding(&own).unwrap(), Binding::Unbound);
        bind(&own).unwrap();
        assert_eq!(binding(&own).unwrap(), Binding::Here);
        let other = tempfile::tempdir().unwrap();
        let copied = Private::create(other.path(), ".dax").unwrap();
        let bytes = own.read(BINDING, LONGEST).unwrap().unwrap();
        copied.replace(BINDING, &bytes).unwrap();
        let place = place(&own).unwrap();
        assert_eq!(binding(&copied).unwrap(), Binding::Elsewhere(place));
        let there = super::place(&copied).unwrap();
        copied.replace(BINDING, format!("{there}\n{}\n", "0".repeat(64)).as_bytes()).unwrap();
        assert_eq!(binding(&copied).unwrap(), Binding::Elsewhere(there));
    }

    #[test]
    fn marks_differ_by_purpose_and_by_where_parts_end() {
        let one = mac("a", &[b"bc", b"d"]).unwrap();
        assert!(same(&one, &mac("a", &[b"bc", b"d"]).unwrap()));
        assert!(!same(&one, &mac("a", &[b"b", b"cd"]).unwrap()));
        assert!(!same(&one, &mac("ab", &[b"c", b"d"]).unwrap()));
    }
}
