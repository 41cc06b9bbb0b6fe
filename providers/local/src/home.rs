//! The agent's folder, `.dax/local`: opened by handle, known by its canonical path.

use dax_files::Private;
use std::io;
use std::path::{Path, PathBuf};

/// Splits `ROOT/.dax/local` into the folder that must be there and the two names below it.
fn parts(folder: &Path) -> io::Result<(&Path, &str, &str)> {
    split(folder).ok_or_else(|| {
        let message = format!("`{}` cannot be an agent's folder", folder.display());
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

fn split(folder: &Path) -> Option<(&Path, &str, &str)> {
    let outer = folder.parent()?;
    Some((outer.parent()?, outer.file_name()?.to_str()?, folder.file_name()?.to_str()?))
}

/// The folder's path without links, also where it was deleted.
pub(crate) fn canonical(folder: &Path) -> io::Result<PathBuf> {
    let (root, outer, inner) = parts(folder)?;
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    Ok(std::fs::canonicalize(root)?.join(outer).join(inner))
}

/// The folder, if it is there.
pub(crate) fn open(folder: &Path) -> io::Result<Option<Private>> {
    let (root, outer, inner) = parts(folder)?;
    match Private::open(root, outer)? {
        Some(outer) => outer.sub(inner),
        None => Ok(None),
    }
}

/// The folder, made where it lacks. The one around it is the engine's, which binds it to this
/// machine.
pub(crate) fn create(folder: &Path) -> io::Result<Private> {
    let (root, outer, inner) = parts(folder)?;
    let Some(outer) = Private::open(root, outer)? else {
        let message = format!("`{}` was deleted", root.join(outer).display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    };
    outer.create_sub(inner)
}

/// Removes the folder if nothing is in it.
pub(crate) fn remove_empty(folder: &Path) {
    let Ok((root, outer, inner)) = parts(folder) else { return };
    if let Ok(Some(outer)) = Private::open(root, outer) {
        let _ = outer.remove_empty(inner);
    }
}

/// A name of an environment, a service or a revision as the name of a file: any name has one, no
/// two have the same, and none leads elsewhere.
pub(crate) fn file_name(name: &str) -> String {
    let plain = |at: usize, byte: u8| {
        byte.is_ascii_alphanumeric() || b"-_[]~@+=,".contains(&byte) || (byte == b'.' && at > 0)
    };
    let mut out = String::new();
    for (at, byte) in name.bytes().enumerate() {
        if plain(at, byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    if out.is_empty() { "%".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_elsewhere_and_no_two_names_meet() {
        let names =
            ["web", "web[eu]", "..", ".", "", "a/b", "../../etc", "a%2Fb", "é", "a\0b", "-"];
        let files: std::collections::BTreeSet<String> =
            names.iter().map(|name| file_name(name)).collect();
        assert_eq!(files.len(), names.len());
        for file in &files {
            assert!(!file.contains(['/', '\0']) && !file.starts_with('.') && !file.is_empty());
        }
        assert_eq!(file_name("web[eu]"), "web[eu]");
        assert_eq!(file_name("a.b"), "a.b");
    }
}
