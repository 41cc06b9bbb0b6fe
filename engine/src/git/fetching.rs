//! One revision of another repository, file by file: never checked out, so that nothing in it is
//! run.

use super::process::{FETCHING, READING, prepared, run};
use super::{failed, read_objects};
use crate::EngineError;
use dax_core::printable::Line;
use dax_project::packages::{MOST_BYTES, MOST_FILES, is_part};
use dax_project::remote::{self, Remote};
use std::collections::BTreeMap;
use std::path::Path;

/// Largest file of a package, in bytes.
const LARGEST: u64 = dax_files::LARGEST;

/// The files of one revision of a package, by path.
///
/// # Errors
/// It cannot be fetched, or holds what a package may not: links, submodules, names that are one on
/// some systems, or too much.
pub(crate) fn package(
    root: &Path,
    url: &str,
    rev: &str,
) -> Result<BTreeMap<String, Vec<u8>>, EngineError> {
    let remote =
        remote::parse(url).map_err(|why| failed(url, format!("{why}; {}", remote::FORMS)))?;
    let work = tempfile::Builder::new()
        .prefix("dax-fetch-")
        .tempdir()
        .map_err(|error| failed("a folder to fetch into", error))?;
    let (place, transports) = match remote {
        Remote::Local(path) => (root.join(path).to_string_lossy().into_owned(), "file"),
        // Settings of the user may turn one of them into the other.
        Remote::Https | Remote::Ssh => (url.to_owned(), "https:ssh"),
    };
    let here = Repository { folder: work.path(), transports };
    here.git(&["init", "--quiet", "--bare", "--template=", "--object-format=sha1", "."])?;
    if here.fetch(&["--depth", "1"], &place, &[rev]).is_err() {
        // Servers may refuse to serve a commit that no branch points to; then all of it is fetched.
        let all = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
        here.fetch(&[], &place, &all)?;
    }
    let commit = format!("{rev}^{{commit}}");
    let found = here.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
    if !String::from_utf8_lossy(&found).trim().eq_ignore_ascii_case(rev) {
        return Err(failed(url, format!("`{rev}` is no commit of it")));
    }
    let listed = here.git(&["ls-tree", "-r", "-z", "-l", "--full-tree", &commit])?;
    let wanted = files(url, &listed)?;
    read_objects(&mut here.command(), &wanted)
}

/// A repository without files, which holds what was fetched.
struct Repository<'w> {
    folder: &'w Path,
    transports: &'static str,
}

impl Repository<'_> {
    fn command(&self) -> std::process::Command {
        let mut command = prepared(self.folder);
        command.env("GIT_DIR", self.folder).env("GIT_LFS_SKIP_SMUDGE", "1");
        command
    }

    fn git(&self, args: &[&str]) -> Result<Vec<u8>, EngineError> {
        run(&mut self.command(), args, Vec::new(), READING)
    }

    /// Whether the person says with which program git speaks ssh.
    fn has_own_ssh(&self) -> bool {
        let named = ["GIT_SSH", "GIT_SSH_COMMAND"].iter().any(|it| std::env::var_os(it).is_some());
        named || self.git(&["config", "--get", "core.sshCommand"]).is_ok()
    }

    fn fetch(&self, options: &[&str], place: &str, what: &[&str]) -> Result<(), EngineError> {
        let mut args = vec!["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
        args.extend(["--no-write-fetch-head"]);
        args.extend(options);
        args.extend(["--end-of-options", place]);
        args.extend(what);
        let mut command = self.command();
        command.env("GIT_ALLOW_PROTOCOL", self.transports).args(["-c", "fetch.fsckObjects=true"]);
        // Nobody is there to say a passphrase, or whether a host is known.
        if !self.has_own_ssh() {
            command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=30");
        }
        run(&mut command, &args, Vec::new(), FETCHING).map(drop)
    }
}

/// Paths and objects of the files of a package, as git lists a revision.
fn files(url: &str, listed: &[u8]) -> Result<Vec<(String, String)>, EngineError> {
    let refused = |path: &str, why: &str| Err(failed(url, format!("`{}` {why}", Line::new(path))));
    let (mut wanted, mut together) = (Vec::new(), 0_u64);
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let Ok(line) = std::str::from_utf8(line) else {
            return refused(&String::from_utf8_lossy(line), "is no text");
        };
        let Some((head, path)) = line.split_once('\t') else { continue };
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !path.split('/').all(plain) || path.contains('\\') || path.chars().any(char::is_control)
        {
            return refused(path, "is no name of a file");
        }
        if !is_part(path) {
            continue;
        }
        let fields: Vec<&str> = head.split_ascii_whitespace().collect();
        let [mode, _, object, size] = fields.as_slice() else { continue };
        match *mode {
            "100644" | "100755" | "100664" => {}
            "120000" => return refused(path, "is a symbolic link; a package has files only"),
            "160000" => return refused(path, "is a submodule; a package has files only"),
            _ => return refused(path, "is no regular file"),
        }
        let size: u64 = size.parse().unwrap_or(u64::MAX);
        together = together.saturating_add(size);
        if size > LARGEST || together > MOST_BYTES || wanted.len() >= MOST_FILES {
            return refused(path, "makes the package too large");
        }
        wanted.push((path.to_owned(), (*object).to_owned()));
    }
    if let Some((one, other)) = same_name(wanted.iter().map(|(path, _)| path.as_str())) {
        return refused(&one, &format!("and `{}` are one file on some systems", Line::new(&other)));
    }
    if !wanted.iter().any(|(path, _)| path == "dax.mod") {
        return Err(failed(url, "there is no dax.mod in it; a package is a folder with one"));
    }
    Ok(wanted)
}

/// Two paths that differ in case only, folders among them.
fn same_name<'p>(paths: impl Iterator<Item = &'p str>) -> Option<(String, String)> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for path in paths {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let whole = path[..end].to_owned();
            let before = known.insert(whole.to_lowercase(), whole.clone());
            if let Some(before) = before.filter(|before| *before != whole) {
                return Some((before, whole));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(lines: &[&str]) -> String {
        let text: String = lines.iter().map(|line| format!("{line}\0")).collect();
        match files("url", text.as_bytes()) {
            Ok(found) => found.into_iter().map(|(path, _)| path).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    const MOD: &str = "100644 blob a 5\tdax.mod";

    #[test]
    fn a_package_has_regular_files_only() {
        assert_eq!(listed(&[MOD, "100755 blob b 5\ta/b"]), "dax.mod a/b");
        assert_eq!(
            listed(&[MOD, "120000 blob b 5\t.hidden", "160000 commit c -\tvendor/x"]),
            "dax.mod"
        );
        let wrong = [
            (
                "120000 blob b 5\ta.yaml",
                "url: `a.yaml` is a symbolic link; a package has files only",
            ),
            ("160000 commit b -\tsub", "url: `sub` is a submodule; a package has files only"),
            ("100644 blob b 5\ta/../../x", "url: `a/../../x` is no name of a file"),
            ("100644 blob b 5\ta\\b", r"url: `a\b` is no name of a file"),
            ("100644 blob b 99999999999\ta", "url: `a` makes the package too large"),
            (
                "100644 blob b 5\tDAX.MOD",
                "url: `dax.mod` and `DAX.MOD` are one file on some systems",
            ),
        ];
        for (line, says) in wrong {
            assert_eq!(listed(&[MOD, line]), says);
        }
        let folders = ["100644 blob b 5\tA/x", "100644 blob b 5\ta/y", MOD];
        assert_eq!(listed(&folders), "url: `A` and `a` are one file on some systems");
        assert_eq!(listed(&[]), "url: there is no dax.mod in it; a package is a folder with one");
    }
}
