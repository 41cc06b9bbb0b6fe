//! A repository at a code host, and jobs that run for it as real pipelines do.
//!
//! ```text
//! work ──push──▶ remote.git ──clone──▶ jobs/1, jobs/2, …   each with a HOME of its own
//! people            │ pull requests        │
//!                   ▼                      ▼
//!                GitHub            PostgreSQL, world/
//! ```
//!
//! Jobs share the remote, the code host, the state and the platform, and nothing else: each begins with a fresh
//! clone of what the code host would check out.

pub(crate) mod events;
pub(crate) mod job;
mod people;
pub(crate) mod world;

use crate::project::Said;
use dax_tests::peers::github::{ACTIONS, GitHub, start};
use dax_tests::peers::shared;
use events::Event;
use job::{Job, Spot};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two environments, the second of which wants the approval of a team.
pub(crate) const PROGRAM: &str = r#"import memory from "std/memory"

param version: string = "1"

secret db_url: string from env("SHOP_DB")

provider memory.world {
}

service web {
  image = "acme/web:${version}"
  ports = { http: 8080 }

  env = { DATABASE_URL: db_url }

  replicas = default 2
}

environment staging {
  bind web to memory.world
  set web { replicas = 1 }
}

environment production {
  bind web to memory.world
  approve 1 of ["team:sre"]
}

policy enough on plan of environment.production {
  deny s in services where s.replicas < 2 {
    message = "${s.name} needs 2 or more replicas, has ${s.replicas}"
  }
}

test "staging is small" {
  assert plan(environment.staging).web.replicas == 1
}
"#;

/// The value of the program's secret.
pub(crate) const SECRET: &str = "postgres://shop:hunter2-of-the-tests@db/shop";

/// The project's manifest: a team of two.
pub(crate) const MANIFEST: &str =
    "project = \"shop\"\n\ngroup \"team:sre\" { members = [\"ann\", \"cid\"] }\n";

/// A repository without a code host: a bare remote, a clone that people work in, a state and a platform.
pub(crate) struct Remote {
    folder: tempfile::TempDir,
    /// The address of the state.
    pub(crate) state: String,
    /// Variables that jobs have beside those of the code host.
    pub(crate) variables: Vec<(String, String)>,
    runs: Cell<u64>,
}

/// A repository at GitHub.
pub(crate) struct Pipeline {
    pub(crate) remote: Remote,
    pub(crate) github: GitHub,
    /// The token of jobs; none where it is empty.
    pub(crate) token: String,
    branches: RefCell<BTreeMap<u64, String>>,
}

/// A change of the target branch.
#[derive(Clone, Debug)]
pub(crate) struct Merged {
    /// Its commit before.
    pub(crate) before: String,
    /// Its commit now.
    pub(crate) after: String,
}

/// The kind of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Merge,
    Squash,
}

impl std::ops::Deref for Pipeline {
    type Target = Remote;

    fn deref(&self) -> &Remote {
        &self.remote
    }
}

/// Runs git; gives its output.
#[track_caller]
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    for setting in ["user.name=bob", "user.email=bob@example.com", "init.defaultBranch=main"] {
        command.args(["-c", setting]);
    }
    // Nothing of this machine's own settings counts.
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.current_dir(folder).args(args).output().expect("git runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A command must have ended so.
#[track_caller]
pub(crate) fn ended(said: Said, code: i32) -> Said {
    assert_eq!(said.code, code, "{}\n{}", said.out, said.err);
    said
}

/// Texts must stand there.
#[track_caller]
pub(crate) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

/// Texts must not stand there.
#[track_caller]
pub(crate) fn lacks(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(!text.contains(part), "`{part}` is in\n{text}");
    }
}

impl Remote {
    /// A repository with one commit on `main`; nothing where PostgreSQL is not installed.
    pub(crate) fn new(program: &str) -> Option<Self> {
        let state = shared::database()?;
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["jobs", "world"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        git(folder.path(), &["init", "--quiet", "--bare", "remote.git"]);
        let remote = Self { folder, state, variables: Vec::new(), runs: Cell::new(0) };
        // GitHub gives any commit that somebody knows.
        remote.bare(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        git(remote.folder.path(), &["clone", "--quiet", "remote.git", "work"]);
        remote.write("dax.mod", MANIFEST);
        remote.write("main.dax", program);
        remote.write(".gitignore", ".dax/\ndax-ci/\n");
        remote.commit("first");
        Some(remote)
    }

    /// Something in the folder of all.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the clone that people work in.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.at("work").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    /// Runs git where people work.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.at("work"), args)
    }

    /// Runs git at the remote.
    #[track_caller]
    pub(crate) fn bare(&self, args: &[&str]) -> String {
        git(&self.at("remote.git"), args)
    }

    /// Commits everything that people wrote and pushes it to the branch of the same name; gives the commit.
    #[track_caller]
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A branch from the newest `main`, where people work from now on.
    #[track_caller]
    pub(crate) fn branch(&self, name: &str) {
        self.git(&["fetch", "--quiet", "origin"]);
        self.git(&["checkout", "--quiet", "-B", name, "origin/main"]);
    }

    /// The newest commit of a branch at the remote.
    #[track_caller]
    pub(crate) fn head(&self, branch: &str) -> String {
        self.bare(&["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// The commit that merges two, made at the remote as code hosts do.
    #[track_caller]
    pub(crate) fn merge_commit(&self, base: &str, head: &str, how: How, message: &str) -> String {
        let tree = self.bare(&["merge-tree", "--write-tree", base, head]);
        let parents: &[&str] = match how {
            How::Merge => &["-p", base, "-p", head],
            How::Squash => &["-p", base],
        };
        self.bare(&[&["commit-tree", &tree, "-m", message], parents].concat())
    }

    /// Merges a branch into `main` at the remote.
    #[track_caller]
    pub(crate) fn merge_branch(&self, branch: &str, how: How) -> Merged {
        let (before, head) = (self.head("main"), self.head(branch));
        let after = self.merge_commit(&before, &head, how, &format!("merge {branch}"));
        self.bare(&["update-ref", "refs/heads/main", &after]);
        Merged { before, after }
    }

    /// The number of the next run.
    pub(crate) fn next_run(&self) -> u64 {
        self.runs.set(self.runs.get() + 1);
        self.runs.get()
    }

    /// A person with a fresh clone of a commit on a machine of their own.
    pub(crate) fn person(&self, login: &str, commit: &str) -> Job {
        let spot = Spot { commit: commit.to_owned(), reference: None };
        let mut job = Job::new(self, &spot);
        job.set("DAX_USER", login);
        job
    }

    /// What ann sees at the newest commit of `main`.
    #[track_caller]
    pub(crate) fn dax(&self, args: &[&str]) -> Said {
        self.person("ann", &self.head("main")).dax(args)
    }
}

impl Pipeline {
    /// A repository at GitHub with one commit; nothing where something is not installed.
    pub(crate) fn new(program: &str) -> Option<Self> {
        let github = start()?;
        let remote = Remote::new(program)?;
        Some(Self { remote, github, token: ACTIONS.to_owned(), branches: RefCell::default() })
    }

    /// Opens a pull request of the branch that people work on; `admin` is its author.
    pub(crate) fn open(&self, branch: &str) -> u64 {
        self.bare(&["rev-parse", &format!("refs/heads/{branch}")]);
        let number = self.github.open(branch, &self.head(branch));
        self.branches.borrow_mut().insert(number, branch.to_owned());
        number
    }

    /// A branch whose program is this one, and its pull request.
    #[track_caller]
    pub(crate) fn propose(&self, branch: &str, program: &str) -> u64 {
        self.branch(branch);
        self.write("main.dax", program);
        self.commit(branch);
        self.open(branch)
    }

    /// The branch of a pull request.
    pub(crate) fn branch_of(&self, number: u64) -> String {
        self.branches.borrow()[&number].clone()
    }

    /// The newest commit of a pull request.
    #[track_caller]
    pub(crate) fn head_of(&self, number: u64) -> String {
        self.head(&self.branch_of(number))
    }

    /// A push to a pull request: the program is another one.
    #[track_caller]
    pub(crate) fn push(&self, number: u64, program: &str) -> String {
        let branch = self.branch_of(number);
        self.git(&["fetch", "--quiet", "origin"]);
        self.git(&["checkout", "--quiet", "-B", &branch, &format!("origin/{branch}")]);
        self.write("main.dax", program);
        let head = self.commit("another push");
        self.moved(number);
        head
    }

    /// A job for an event.
    pub(crate) fn job(&self, event: &Event) -> Job {
        let mut job = Job::new(&self.remote, &event.spot);
        job.actions(event, &self.github.url());
        if !self.token.is_empty() {
            job.set("GITHUB_TOKEN", &self.token);
        }
        for (name, value) in &self.remote.variables {
            job.set(name, value);
        }
        job
    }

    /// The job that plans a pull request.
    #[track_caller]
    pub(crate) fn plan(&self, number: u64) -> Said {
        self.job(&self.pull_request(number, "synchronize")).dax(&["ci"])
    }

    /// The job that applies what came to `main`.
    #[track_caller]
    pub(crate) fn apply(&self, merged: &Merged, args: &[&str]) -> Said {
        self.job(&self.pushed(merged)).dax(&[&["ci", "apply"], args].concat())
    }
}
