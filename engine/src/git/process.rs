//! Git as a process that asks nobody, runs nothing of a repository's, and ends in time.
//!
//! A checkout can hold what git takes for a repository with settings of its own, and settings name
//! programs. So no repository is found that was not meant, and every setting that starts something
//! is off.

use super::failed;
use crate::EngineError;
use crate::command::output_within;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Settings that outweigh those of a repository. Source: git-config(1).
const SETTINGS: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.alternateRefsCommand=",
    "diff.external=",
    "log.showSignature=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "protocol.ext.allow=never",
    "safe.bareRepository=explicit",
];

/// Variables by which a caller of dax, such as a hook of git, means a repository of its own.
const FOREIGN: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_EXTERNAL_DIFF",
];

/// Longest time for what only reads a repository.
pub(super) const READING: Duration = Duration::from_mins(2);
/// Longest time for what fetches another one.
pub(super) const FETCHING: Duration = Duration::from_mins(5);

/// Git in a folder, without what a repository's own configuration could make it run.
pub(super) fn prepared(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.args(["--no-pager", "--no-optional-locks"]);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    for name in FOREIGN {
        command.env_remove(name);
    }
    // A repository may lack objects and name a place to fetch them from: a command of its own
    // choice.
    command.env("GIT_ALLOW_PROTOCOL", "none").env("GIT_NO_LAZY_FETCH", "1");
    command.env("GIT_TERMINAL_PROMPT", "0");
    // A group of its own, so that its helpers end with it; it has no terminal to ask at, either.
    command.process_group(0).stderr(Stdio::piped()).arg("-C").arg(folder);
    command
}

/// Runs git to its end; gives what it prints.
pub(super) fn run(
    command: &mut Command,
    args: &[&str],
    input: Vec<u8>,
    limit: Duration,
) -> Result<Vec<u8>, EngineError> {
    let what = format!("git {}", args.first().copied().unwrap_or(""));
    let output = output_within(command.args(args), input, limit);
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => failed(&what, format!("{error} ({} s)", limit.as_secs())),
        _ => failed(&what, format!("git cannot be started: {error}")),
    })?;
    if !output.status.success() {
        return Err(failed(&what, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(output.stdout)
}
