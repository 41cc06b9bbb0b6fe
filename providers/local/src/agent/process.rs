//! Processes: started in a group of their own, found again by number and start time, ended with all
//! their kin.

use super::kin::{self, Kin};
use crate::process_id::Identity;
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How often a process that is not our child is looked at.
const POLL: Duration = Duration::from_millis(100);

/// A running process, ours or adopted.
pub(super) struct Process {
    pub(super) identity: Identity,
    pub(super) kin: Kin,
    child: Option<Child>,
}

/// What to start.
pub(super) struct Launch<'l> {
    pub(super) command: &'l [String],
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) root: &'l Path,
    pub(super) log: File,
    /// What is known of its kin: all but their control group.
    pub(super) kin: Kin,
}

/// This very program, also after its file was replaced by a newer one.
fn this_program() -> PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        _ => PathBuf::from("/proc/self/exe"),
    }
}

/// The name of a start's control group: its mark, as far as that can be a file's name.
fn group_name(mark: &str) -> String {
    mark.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

impl Process {
    /// Starts a process; its output goes straight to the log, so that it outlives the agent.
    pub(super) fn start(launch: Launch<'_>) -> Result<Self, String> {
        let Some((program, args)) = launch.command.split_first() else {
            return Err("the command is empty".to_owned());
        };
        let errors = launch.log.try_clone().map_err(|error| error.to_string())?;
        // `dax` in a command is this very program, wherever it lies.
        let path = match program.as_str() {
            "dax" => this_program(),
            other => PathBuf::from(other),
        };
        let mut command = Command::new(&path);
        command.arg0(program).args(args).env_clear().envs(launch.env).current_dir(launch.root);
        command.stdin(Stdio::null()).stdout(launch.log).stderr(errors).process_group(0);
        let mut kin = launch.kin;
        let cgroups = kin.cgroups.clone();
        let started = cgroups.start(&group_name(&kin.mark), || command.spawn());
        let (child, group) = started.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!(
                    "there is no program `{program}` (looked for it in PATH and in {})",
                    launch.root.display()
                )
            }
            std::io::ErrorKind::PermissionDenied => format!("`{program}` may not be executed"),
            _ => format!("`{program}` cannot be started: {error}"),
        })?;
        kin.group = group;
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .ok_or("the process ended at once")?;
        super::proxy::give_back(pid);
        let identity = Identity::now(pid).unwrap_or(Identity { pid, started: 0 });
        Ok(Self { identity, kin, child: Some(child) })
    }

    /// A process that an earlier agent started, if it still runs.
    pub(super) fn adopt(identity: Identity, kin: Kin) -> Option<Self> {
        identity.runs().then_some(Self { identity, kin, child: None })
    }

    /// Returns when the process has ended, with how it ended as far as that is known.
    pub(super) async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            None => {
                while self.identity.runs() {
                    tokio::time::sleep(POLL).await;
                }
                "it ended".to_owned()
            }
        }
    }

    /// Returns when the process has ended: well, or how else.
    pub(super) async fn succeeded(&mut self) -> Result<(), String> {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(status.to_string()),
                Err(error) => Err(error.to_string()),
            },
            None => Err(self.ended().await),
        }
    }

    /// Asks the whole group to end, and after `patience` makes it end; what it left behind
    /// elsewhere ends too.
    pub(super) async fn stop(&mut self, patience: Duration) {
        let below = kin::below(self.identity).await;
        self.signal(Signal::TERM);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            self.ended().await;
        }
        self.kin.end(below).await;
    }

    fn signal(&self, signal: Signal) {
        // While it runs or nobody has waited for it, its number is nobody else's.
        let ours = self.child.as_ref().is_some_and(|child| child.id().is_some());
        if ours || self.identity.runs() {
            self.identity.signal_group(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::cgroups::Cgroups;
    use crate::marks;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    /// A child in its session, a daemon's child, and one that wiped its environment and stayed in
    /// the group.
    const FAMILY: &str = "setsid sleep 77101 & \
                          (setsid sh -c 'sleep 77102 & exec sleep 77103' &) ; \
                          env -i sleep 77104 & ";

    fn family(folder: &Path, cgroups: Cgroups, script: &str) -> Process {
        let token = marks::Token::fresh();
        let mut env: Vec<_> = marks::mark(folder, token.as_str()).into();
        env.push(("PATH".into(), std::env::var_os("PATH").unwrap_or_default()));
        let (cgroups, mark) = (Arc::new(cgroups), token.as_str().to_owned());
        let kin = Kin { cgroups, folder: folder.to_owned(), mark, group: None };
        let log = File::create(folder.join("log")).unwrap();
        let command = ["sh", "-c", script].map(str::to_owned);
        Process::start(Launch { command: &command, env, root: folder, log, kin }).unwrap()
    }

    /// The processes of a family, by the number that each sleeps.
    fn sleeping(numbers: &[&str]) -> BTreeSet<String> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        let of = |line: &String| numbers.iter().any(|number| *line == format!("sleep {number} "));
        lines.filter(of).collect()
    }

    async fn until(what: &str, holds: impl Fn() -> bool) {
        for _ in 0..3_000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("in vain waited for {what}");
    }

    #[tokio::test]
    async fn without_control_groups_all_that_bears_the_mark_of_a_start_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let all = ["77101", "77102", "77103", "77104", "77105"];
        let script = format!("{FAMILY} exec sleep 77105");
        let mut process = family(folder.path(), Cgroups::default(), &script);
        assert_eq!(process.kin.group, None);
        until("the family", || sleeping(&all).len() == all.len()).await;
        process.stop(Duration::from_secs(2)).await;
        assert_eq!(sleeping(&all), BTreeSet::new());
    }

    #[tokio::test]
    async fn in_a_control_group_even_what_wiped_its_environment_in_a_session_of_its_own_ends() {
        let folder = tempfile::tempdir().unwrap();
        let all = ["77201", "77202"];
        let script = "(env -i setsid sleep 77201 &); exec sleep 77202";
        let mut process = family(folder.path(), Cgroups::find(), script);
        until("the family", || sleeping(&all).len() == all.len()).await;
        let group = process.kin.group.clone();
        process.stop(Duration::from_secs(2)).await;
        let left = sleeping(&all);
        match group {
            Some(group) => {
                assert_eq!(left, BTreeSet::new());
                assert!(!group.exists(), "the group is left");
            }
            // Not every machine gives groups: there it stays, which docs/decisions/0018 says.
            None => {
                assert!(left.len() <= 1);
                let found = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
                    std::fs::read(entry.path().join("cmdline"))
                        .is_ok_and(|line| line == b"sleep\x0077201\0")
                });
                for entry in found {
                    let pid = entry.file_name().to_str().unwrap().parse().unwrap();
                    Identity::now(pid).unwrap().signal(Signal::KILL);
                }
            }
        }
    }
}
