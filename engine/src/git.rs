//! The git client, as far as dax needs it: files of a revision, and revisions of other
//! repositories.
//!
//! A checkout's own configuration can name programs for git to run. None of those that are read
//! here is heard: no hook, monitor, pager, signature check or transport; and nothing takes longer
//! than it may.

mod fetching;
mod process;
mod tree;

pub(crate) use fetching::package;
pub(crate) use tree::{AtRevision, Tree};

use crate::EngineError;
use process::{READING, prepared, run};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    names: &[&str],
) -> Result<Vec<String>, EngineError> {
    let to = commit(folder, to)?;
    let mut args = vec!["rev-list", "--first-parent", "--reverse", "--end-of-options", to.as_str()];
    let left_out = from.map(|from| commit(folder, from)).transpose()?.map(|id| format!("^{id}"));
    args.extend(left_out.as_deref());
    args.push("--");
    args.extend(names);
    let out = git(folder, &args)?;
    Ok(String::from_utf8_lossy(&out).split_whitespace().map(str::to_owned).collect())
}

/// The commits of the first-parent line of `to` that change files of such names anywhere in the
/// repository, the oldest first; those before the first line with a text among them left out.
pub(crate) fn commits_since_text(
    folder: &Path,
    to: &str,
    names: &[&str],
    text: &str,
) -> Result<Vec<String>, EngineError> {
    let to = commit(folder, to)?;
    let listed = |more: &[&str]| -> Result<Vec<String>, EngineError> {
        let mut args = vec!["log", "--format=%H", "--first-parent", "-m", "--reverse"];
        args.extend(more);
        args.extend(["--end-of-options", to.as_str(), "--"]);
        args.extend(names);
        let out = git(folder, &args)?;
        Ok(String::from_utf8_lossy(&out).split_whitespace().map(str::to_owned).collect())
    };
    let quoted: String = text
        .chars()
        .flat_map(|c| if c.is_ascii_punctuation() { vec!['[', c, ']'] } else { vec![c] })
        .collect();
    let found = listed(&["--no-ext-diff", "--no-textconv", &format!("-G{quoted}")])?;
    let Some(first) = found.first() else { return Ok(Vec::new()) };
    Ok(listed(&[])?.into_iter().skip_while(|commit| commit != first).collect())
}

/// Whether one commit is another one, or comes before it.
pub(crate) fn is_ancestor(folder: &Path, one: &str, other: &str) -> Result<bool, EngineError> {
    let (one, other) = (commit(folder, one)?, commit(folder, other)?);
    // Those of `one` that `other` has not: none where it comes before.
    let other = format!("^{other}");
    let args = ["rev-list", "--max-count=1", "--end-of-options", &one, &other];
    Ok(git(folder, &args)?.is_empty())
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
