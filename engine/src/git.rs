//! The git client, as far as dax needs it: files of a revision, and revisions of other
//! repositories.
//!
//! A checkout's own configuration can name programs for git to run. None of those that are read
//! here is heard: no hook, monitor, pager, signature check or transport; and nothing takes longer
//! than it may.

mod fetching;
mod process;

pub(crate) use fetching::package;

use crate::EngineError;
use dax_project::FileSystem;
use process::{READING, prepared, run};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Endings of files that a program can be made of.
const ENDINGS: &[&str] = &["dax", "mod", "lock", "yaml", "yml", "json", "toml"];

fn failed(what: &str, detail: impl std::fmt::Display) -> EngineError {
    EngineError::Git { what: what.to_owned(), detail: detail.to_string().trim().to_owned() }
}

/// Runs git in a folder, on this machine alone; gives what it prints.
pub(crate) fn git(folder: &Path, args: &[&str]) -> Result<Vec<u8>, EngineError> {
    run(&mut prepared(folder), args, Vec::new(), READING)
}

/// The top folder of the repository that holds a folder.
pub(crate) fn top(folder: &Path) -> Result<PathBuf, EngineError> {
    let out = git(folder, &["rev-parse", "--show-toplevel"])?;
    Ok(PathBuf::from(String::from_utf8_lossy(&out).trim().to_owned()))
}

/// The commit that a folder is at, and when it was made in milliseconds since 1970; nothing outside
/// of a repository.
pub(crate) fn head(folder: &Path) -> Option<(String, u64)> {
    let out = git(folder, &["log", "-1", "--format=%H %ct"]).ok()?;
    let text = String::from_utf8_lossy(&out);
    let (id, seconds) = text.trim().split_once(' ')?;
    Some((id.to_owned(), seconds.parse::<u64>().ok()?.saturating_mul(1000)))
}

/// The hash of the commit that a name stands for.
///
/// # Errors
/// [`EngineError::MissingCommit`] where this clone has no such commit; git cannot be asked.
pub(crate) fn commit(folder: &Path, name: &str) -> Result<String, EngineError> {
    let wanted = format!("{name}^{{commit}}");
    let asked = git(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]);
    if let Ok(found) = asked {
        return Ok(String::from_utf8_lossy(&found).trim().to_owned());
    }
    // Not to be in a repository is another thing than to lack a commit of it.
    git(folder, &["rev-parse", "--git-dir"])?;
    Err(EngineError::MissingCommit { commit: name.to_owned() })
}

/// The commits of the first-parent line that `to` has and `from` has not, the oldest first; without
/// `from` the whole line.
pub(crate) fn commits(
    folder: &Path,
    from: Option<&str>,
    to: &str,
) -> Result<Vec<String>, EngineError> {
    let to = commit(folder, to)?;
    let mut args = vec!["rev-list", "--first-parent", "--reverse", "--end-of-options", to.as_str()];
    let left_out = from.map(|from| commit(folder, from)).transpose()?.map(|id| format!("^{id}"));
    args.extend(left_out.as_deref());
    let out = git(folder, &args)?;
    Ok(String::from_utf8_lossy(&out).split_whitespace().map(str::to_owned).collect())
}

/// Whether one commit is another one, or comes before it.
pub(crate) fn is_ancestor(folder: &Path, one: &str, other: &str) -> Result<bool, EngineError> {
    let (one, other) = (commit(folder, one)?, commit(folder, other)?);
    // Those of `one` that `other` has not: none where it comes before.
    let other = format!("^{other}");
    let args = ["rev-list", "--max-count=1", "--end-of-options", &one, &other];
    Ok(git(folder, &args)?.is_empty())
}

/// The text of one file of a commit; nothing where it has no such regular file.
pub(crate) fn file_at(
    top: &Path,
    commit: &str,
    path: &str,
    most: u64,
) -> Result<Option<Vec<u8>>, EngineError> {
    let mut command = prepared(top);
    command.env("GIT_LITERAL_PATHSPECS", "1");
    let args = ["ls-tree", "-l", "-z", "--full-tree", "--end-of-options", commit, path];
    let listed = run(&mut command, &args, Vec::new(), READING)?;
    let line = listed.split(|byte| *byte == 0).find(|line| !line.is_empty());
    let line = line.map(|line| String::from_utf8_lossy(line).into_owned()).unwrap_or_default();
    let Some((head, _)) = line.split_once('\t') else { return Ok(None) };
    let mut words = head.split_ascii_whitespace();
    let (mode, object) = (words.next().unwrap_or(""), words.nth(1).unwrap_or(""));
    let size = words.next().and_then(|size| size.parse::<u64>().ok());
    if !mode.starts_with("100") {
        return Ok(None);
    }
    if size.is_none_or(|size| size > most) {
        return Err(failed("git ls-tree", format!("{path} has more than {most} bytes")));
    }
    let wanted = [(path.to_owned(), object.to_owned())];
    Ok(read_objects(&mut prepared(top), &wanted)?.remove(path))
}

/// The files of a revision that a program can be made of, by path from the top.
pub(crate) fn files_at(
    top: &Path,
    revision: &str,
) -> Result<BTreeMap<String, Vec<u8>>, EngineError> {
    let commit = commit(top, revision)?;
    let listed = git(top, &["ls-tree", "-r", "-z", &commit])?;
    let mut wanted = Vec::new();
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let line = String::from_utf8_lossy(line);
        let Some((head, path)) = line.split_once('\t') else { continue };
        let mut head = head.split(' ');
        let (mode, object) = (head.next().unwrap_or(""), head.nth(1).unwrap_or(""));
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        if mode.starts_with("100") && ENDINGS.contains(&ending) {
            wanted.push((path.to_owned(), object.to_owned()));
        }
    }
    read_objects(&mut prepared(top), &wanted)
}

/// The files below `name` in a folder that git tracks; none outside of a repository, or where there is no git.
///
/// The repository is named, not searched for: a checkout can hold what git takes for another one.
///
/// # Errors
/// Git does not say.
pub fn tracked(folder: &Path, name: &str) -> Result<Vec<String>, EngineError> {
    let has_repository = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
    let Some(top) = folder.ancestors().find(has_repository) else { return Ok(Vec::new()) };
    let mut command = prepared(folder);
    command.arg("--git-dir").arg(top.join(".git")).arg("--work-tree").arg(top);
    // A name is that name, not a pattern.
    command.env("GIT_LITERAL_PATHSPECS", "1");
    let listed = match run(&mut command, &["ls-files", "-z", "--", name], Vec::new(), READING) {
        Err(_) if is_absent() => return Ok(Vec::new()),
        listed => listed?,
    };
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// Reports whether this machine has no git at all.
fn is_absent() -> bool {
    let started = Command::new("git").arg("--version").output();
    started.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Reads many objects by one process.
fn read_objects(
    command: &mut Command,
    wanted: &[(String, String)],
) -> Result<BTreeMap<String, Vec<u8>>, EngineError> {
    let what = "git cat-file";
    let names: String = wanted.iter().map(|(_, object)| format!("{object}\n")).collect();
    let output = run(command, &["cat-file", "--batch"], names.into_bytes(), READING)?;
    let mut rest = output.as_slice();
    let mut files = BTreeMap::new();
    for (path, _) in wanted {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
        let head = String::from_utf8_lossy(&rest[..end]);
        let size: usize = head
            .rsplit(' ')
            .next()
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| failed(what, &head))?;
        let content =
            rest.get(end + 1..end + 1 + size).ok_or_else(|| failed(what, "the answer is short"))?;
        files.insert(path.clone(), content.to_vec());
        rest = rest.get(end + 2 + size..).unwrap_or(&[]);
    }
    Ok(files)
}

/// A folder of a revision, as the language sees it.
pub(crate) struct AtRevision<'f> {
    /// Files from the top of the repository.
    pub(crate) files: &'f BTreeMap<String, Vec<u8>>,
    /// The project's folder, empty or with `/` behind.
    pub(crate) prefix: String,
}

impl AtRevision<'_> {
    /// A path from the top; nothing when it leads out of the repository.
    fn whole(&self, within: &str, path: &str) -> Option<String> {
        let mut parts: Vec<&str> = self.prefix.split('/').filter(|part| !part.is_empty()).collect();
        for part in within.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                name => parts.push(name),
            }
        }
        Some(parts.join("/"))
    }
}

impl FileSystem for AtRevision<'_> {
    fn read(&self, within: &str, path: &str) -> Result<Option<Vec<u8>>, std::io::Error> {
        Ok(self.whole(within, path).and_then(|path| self.files.get(&path).cloned()))
    }

    fn list(&self, within: &str, folder: &str) -> Result<Option<Vec<String>>, std::io::Error> {
        let Some(whole) = self.whole(within, folder) else { return Ok(None) };
        let prefix = if whole.is_empty() { String::new() } else { format!("{whole}/") };
        let below =
            self.files.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix));
        let mut names: Vec<String> =
            below.map(|rest| rest.split_inclusive('/').next().unwrap_or(rest).to_owned()).collect();
        names.dedup();
        Ok((!names.is_empty()).then_some(names))
    }
}
