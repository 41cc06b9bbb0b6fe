//! A git repository with a project in it, and pipelines that run for it.

use crate::project::{Said, said};
use dax_tests::peers::github::{ADMIN, GitHub, REPOSITORY};
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A repository; its remote is itself.
pub(crate) struct Repository {
    folder: tempfile::TempDir,
    /// The token that pipelines have.
    pub(crate) token: String,
    /// Variables that pipelines have beside those of the place.
    pub(crate) variables: Vec<(String, String)>,
}

/// Two environments, the second of which wants the agreement of the team that looks after it.
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

impl Repository {
    pub(crate) fn new(program: &str) -> Self {
        let repository = Self {
            folder: tempfile::tempdir().expect("a folder"),
            token: ADMIN.to_owned(),
            variables: Vec::new(),
        };
        repository.write(
            "dax.mod",
            "project = \"shop\"\n\ngroup \"team:sre\" { members = [\"ann\", \"cid\"] }\n",
        );
        repository.write("main.dax", program);
        repository.write(".gitignore", ".dax/\ndax-ci/\n");
        repository.git(&["init", "--quiet"]);
        repository.commit("first");
        repository
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        if let Some(folder) = self.path(name).parent() {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        std::fs::write(self.path(name), text).expect("written");
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.folder.path()).args([
            "-c",
            "user.name=bob",
            "-c",
            "user.email=bob@example.com",
            "-c",
            "init.defaultBranch=main",
        ]);
        let output = command.args(args).output().expect("git runs");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commits everything; gives the commit.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.head()
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs dax as a person at this folder.
    pub(crate) fn dax(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().expect("dax runs"))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dax"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env("NO_COLOR", "1")
            .env("SHOP_DB", SECRET);
        for name in [
            "CI",
            "GITHUB_ACTIONS",
            "GITLAB_CI",
            "BITBUCKET_BUILD_NUMBER",
            "GITHUB_ACTOR",
            "GITHUB_TOKEN",
            "DAX_STATE",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs dax in a job of GitHub Actions.
    pub(crate) fn actions(
        &self,
        github: &GitHub,
        event: &str,
        payload: &Json,
        args: &[&str],
    ) -> Said {
        let path = self.path(".git/event.json");
        std::fs::write(&path, payload.to_string()).expect("written");
        let mut command = self.command(args);
        command
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_EVENT_NAME", event)
            .env("GITHUB_EVENT_PATH", path);
        command
            .env("GITHUB_SHA", self.head())
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_API_URL", github.url());
        command
            .env("GITHUB_SERVER_URL", "https://github.com")
            .env("GITHUB_RUN_ID", "77")
            .env("GITHUB_ACTOR", "bob");
        command.env(
            "GITHUB_REF",
            if event == "push" { "refs/heads/main" } else { "refs/pull/1/merge" },
        );
        command
            .env("GITHUB_STEP_SUMMARY", self.path(".git/summary.md"))
            .env("GITHUB_OUTPUT", self.path(".git/output.txt"));
        if !self.token.is_empty() {
            command.env("GITHUB_TOKEN", &self.token);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        said(&command.output().expect("dax runs"))
    }

    /// The job of a pull request.
    pub(crate) fn pull_request(
        &self,
        github: &GitHub,
        number: u64,
        base: &str,
        args: &[&str],
    ) -> Said {
        let head = self.head();
        self.actions(github, "pull_request", &pull_request(number, base, &head, REPOSITORY), args)
    }
}

/// The event of a pull request that got new commits.
pub(crate) fn pull_request(number: u64, base: &str, head: &str, from: &str) -> Json {
    json!({
        "action": "synchronize", "number": number,
        "pull_request": {
            "number": number, "head": { "sha": head, "repo": { "full_name": from } },
            "base": { "sha": base, "ref": "main", "repo": { "full_name": REPOSITORY } },
        },
    })
}

/// The event of commits that came to a branch.
pub(crate) fn push(before: &str) -> Json {
    json!({ "ref": "refs/heads/main", "before": before })
}

/// A command must have ended so.
#[track_caller]
pub(crate) fn ended(said: Said, code: i32) -> Said {
    assert_eq!(said.code, code, "{}\n{}", said.out, said.err);
    said
}
