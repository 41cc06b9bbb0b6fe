//! Processes: started in a group of their own, found again by number and start time, stopped as a group.

use dax_core::Name;
use rustix::process::{Pid, Signal};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How often a process that is not our child is looked at.
const POLL: Duration = Duration::from_millis(100);

/// A process by number and by when it started, so that a number used again is not mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    pub(crate) started: u64,
}

/// A running process, ours or adopted.
pub(crate) struct Process {
    pub(crate) identity: Identity,
    child: Option<Child>,
}

/// What to start.
pub(crate) struct Launch<'l> {
    pub(crate) command: &'l [String],
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) root: &'l Path,
    pub(crate) log: &'l Path,
}

/// When a process started, in the kernel's ticks since boot; nothing when there is none.
///
/// Source: proc_pid_stat(5), field 22. The second field may hold anything, so fields count from its last `)`.
pub(crate) fn started(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.rsplit_once(')')?.1;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None; // ended, only not yet waited for
    }
    fields.nth(18)?.parse().ok()
}

/// This very program, also after its file was replaced by a newer one.
fn this_program() -> PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        _ => PathBuf::from("/proc/self/exe"),
    }
}

/// The variable by which an agent knows its processes.
const MARK: &str = "DAX_AGENT";

/// The variable that marks the processes of a folder's agent.
pub(crate) fn mark(folder: &Path) -> (OsString, OsString) {
    (MARK.into(), folder.into())
}

/// Leaders of process groups that carry the mark of a folder's agent.
pub(crate) fn marked(folder: &Path) -> Vec<i32> {
    let mut wanted = format!("{MARK}=").into_bytes();
    wanted.extend_from_slice(folder.as_os_str().as_encoded_bytes());
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let is_marked = environ.split(|byte| *byte == 0).any(|variable| variable == wanted);
        // Asked only of marked processes: the kernel's own threads have no group.
        is_marked
            && Pid::from_raw(*pid).is_some_and(|pid| {
                rustix::process::getpgid(Some(pid)).is_ok_and(|group| group == pid)
            })
    })
    .collect()
}

/// Ends a process group at once.
pub(crate) fn end_group(leader: i32) {
    if let Some(group) = Pid::from_raw(leader) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

/// A text without the values of secrets, for what is told to others.
pub(crate) fn redacted(text: &str, secrets: &BTreeMap<Name, String>) -> String {
    let mut text = text.to_owned();
    // The longest first, should one stand inside another.
    let mut values: Vec<&String> = secrets.values().filter(|value| !value.is_empty()).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        text = text.replace(value.as_str(), "***");
    }
    text
}

impl Process {
    /// Starts a process; its output goes straight to the log, so that it outlives the agent.
    pub(crate) fn start(launch: &Launch<'_>) -> Result<Self, String> {
        let Some((program, args)) = launch.command.split_first() else {
            return Err("the command is empty".to_owned());
        };
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(launch.log)
            .map_err(|e| format!("{}: {e}", launch.log.display()))?;
        let errors = log.try_clone().map_err(|e| e.to_string())?;
        // `dax` in a command is this very program, wherever it lies.
        let path = match program.as_str() {
            "dax" => this_program(),
            other => PathBuf::from(other),
        };
        let mut command = Command::new(&path);
        command
            .arg0(program)
            .args(args)
            .env_clear()
            .envs(launch.env.iter().cloned())
            .current_dir(launch.root);
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!(
                    "there is no program `{program}` (looked for it in PATH and in {})",
                    launch.root.display()
                )
            }
            std::io::ErrorKind::PermissionDenied => format!("`{program}` may not be executed"),
            _ => format!("`{program}` cannot be started: {error}"),
        })?;
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .ok_or("the process ended at once")?;
        Ok(Self {
            identity: Identity { pid, started: started(pid).unwrap_or(0) },
            child: Some(child),
        })
    }

    /// A process that an earlier agent started, if it still runs.
    pub(crate) fn adopt(identity: Identity) -> Option<Self> {
        (started(identity.pid) == Some(identity.started)).then_some(Self { identity, child: None })
    }

    /// Returns when the process has ended, with how it ended as far as that is known.
    pub(crate) async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            None => {
                while started(self.identity.pid) == Some(self.identity.started) {
                    tokio::time::sleep(POLL).await;
                }
                "it ended".to_owned()
            }
        }
    }

    /// Returns when the process has ended: well, or how else.
    pub(crate) async fn succeeded(&mut self) -> Result<(), String> {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(status.to_string()),
                Err(error) => Err(error.to_string()),
            },
            None => Err(self.ended().await),
        }
    }

    /// Asks the whole group to end, and after `patience` makes it end.
    pub(crate) async fn stop(&mut self, patience: Duration) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            self.ended().await;
        }
        // What the process itself left behind in its group ends with it.
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.identity.pid) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}
