//! A job: a fresh clone, a home of its own, and the variables that the code host's runner sets.

use super::events::Event;
use super::{Remote, SECRET, git};
use crate::project::{Said, said};
use dax_tests::peers::github::REPOSITORY;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a job checks out.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// The commit.
    pub(crate) commit: String,
    /// The local name that the checkout gives it: `main` for a branch, `pull/1/merge` for a pull request.
    pub(crate) reference: Option<String>,
}

/// A job, or a person at a machine.
pub(crate) struct Job {
    folder: PathBuf,
    variables: BTreeMap<String, String>,
}

/// The folders that a job has to itself, by the variables that name them.
const FOLDERS: [(&str, &str); 6] = [
    ("HOME", "home"),
    ("XDG_STATE_HOME", "home/state"),
    ("XDG_CONFIG_HOME", "home/config"),
    ("XDG_CACHE_HOME", "home/cache"),
    ("XDG_DATA_HOME", "home/data"),
    ("TMPDIR", "tmp"),
];

impl Job {
    /// A fresh clone; all that is shared with other jobs is the state and the platform.
    pub(crate) fn new(remote: &Remote, spot: &Spot) -> Self {
        let run = remote.next_run();
        let folder = remote.at(&format!("jobs/{run}"));
        for (_, name) in FOLDERS {
            std::fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        clone(&remote.at("remote.git"), &folder, spot);
        let text = |path: &Path| path.display().to_string();
        let mut variables: BTreeMap<String, String> = FOLDERS
            .map(|(variable, name)| (variable.to_owned(), text(&folder.join(name))))
            .into_iter()
            .collect();
        for name in ["PATH", "DAX_LOG"] {
            variables.extend(std::env::var(name).ok().map(|value| (name.to_owned(), value)));
        }
        for (name, value) in [
            ("NO_COLOR", "1".to_owned()),
            ("SHOP_DB", SECRET.to_owned()),
            ("DAX_STATE", remote.state.clone()),
            ("DAX_MEMORY", text(&remote.at("world"))),
            ("GITHUB_RUN_ID", (1000 + run).to_string()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        Self { folder, variables }
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a variable away.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// A file of the clone.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join("shop").join(name)
    }

    /// The page that the runner shows below the run.
    pub(crate) fn summary(&self) -> String {
        std::fs::read_to_string(self.folder.join("summary.md")).unwrap_or_default()
    }

    /// A file of the clone, as text.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The variables of GitHub Actions.
    pub(crate) fn actions(&mut self, event: &Event, api: &str) {
        let path = self.folder.join("event.json");
        std::fs::write(&path, event.payload.to_string()).expect("written");
        let own = |name: &str| self.folder.join(name).display().to_string();
        let files = [
            ("GITHUB_EVENT_PATH", own("event.json")),
            ("GITHUB_STEP_SUMMARY", own("summary.md")),
            ("GITHUB_OUTPUT", own("output.txt")),
            ("GITHUB_WORKSPACE", own("shop")),
            ("RUNNER_TEMP", own("tmp")),
        ];
        let words = [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", event.name),
            ("GITHUB_SHA", &event.sha),
            ("GITHUB_REF", &event.reference),
            ("GITHUB_BASE_REF", &event.base),
            ("GITHUB_REPOSITORY", REPOSITORY),
            ("GITHUB_API_URL", api),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_ACTOR", &event.actor),
            ("GITHUB_TRIGGERING_ACTOR", &event.actor),
        ];
        let words = words.map(|(name, value)| (name, value.to_owned()));
        for (name, value) in words.into_iter().chain(files) {
            self.set(name, &value);
        }
    }

    /// The command, not started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.path("")).stdin(Stdio::null());
        command.env_clear().envs(&self.variables);
        command
    }

    /// Runs dax.
    #[track_caller]
    pub(crate) fn dax(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().expect("dax runs"))
    }
}

fn program() -> String {
    env!("CARGO_BIN_EXE_dax").to_owned()
}

/// What `actions/checkout` does with `fetch-depth: 0` and without credentials that stay.
fn clone(remote: &Path, folder: &Path, spot: &Spot) {
    let remote = remote.display().to_string();
    // A clone by a path would have what no branch of the remote has.
    let url = format!("file://{remote}");
    git(folder, &["clone", "--quiet", "--no-checkout", &url, "shop"]);
    let clone = folder.join("shop");
    let name = spot.reference.as_deref().unwrap_or("here");
    let local = format!("+{}:refs/remotes/origin/{name}", spot.commit);
    git(&clone, &["fetch", "--quiet", "origin", &local]);
    if spot.reference.as_deref().is_some_and(|name| !name.starts_with("pull/")) {
        git(&clone, &["checkout", "--quiet", "--force", "-B", name, &spot.commit]);
    } else {
        git(&clone, &["checkout", "--quiet", "--force", "--detach", &spot.commit]);
    }
}
