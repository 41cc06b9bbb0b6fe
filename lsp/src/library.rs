//! The standard library on disk, for editors that can open nothing else.

use std::path::PathBuf;

/// Where a person's caches are.
fn caches() -> Option<PathBuf> {
    let set =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("LOCALAPPDATA"))
        .or_else(|| Some(set("HOME")?.join(".cache")))
}

/// Writes something that an editor is to show.
pub(crate) fn written(name: &str, text: &str) -> Option<PathBuf> {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    let path = caches()?.join("dax").join("shown").join(name);
    std::fs::create_dir_all(path.parent()?).ok()?;
    std::fs::write(&path, text).ok()?;
    Some(path)
}

/// The path of a file of the standard library; it is written when it is not there as it should be.
pub(crate) fn placed(name: &str, text: &str) -> Option<PathBuf> {
    let path =
        caches()?.join("dax").join(concat!("library-", env!("CARGO_PKG_VERSION"))).join(name);
    if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Some(path);
    }
    std::fs::create_dir_all(path.parent()?).ok()?;
    // What is there is replaced at once, never half written.
    let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&fresh, text).ok()?;
    std::fs::rename(&fresh, &path).ok()?;
    Some(path)
}
