//! A project in a folder of its own, and what is asked of it.

use dax_tests::peers::free_port;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A project; everything that it runs goes with it.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    pub(crate) ports: [u16; 2],
}

/// How a command ended and what it said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Project {
    /// `text` with `PORT0` and `PORT1` replaced.
    pub(crate) fn new(text: &str) -> Self {
        let project = Self {
            folder: tempfile::tempdir().expect("a folder"),
            ports: [free_port(), free_port()],
        };
        std::fs::write(project.path("dax.mod"), "project = \"test\"\n").expect("written");
        project.write(text);
        project
    }

    /// Two services, a canary, and parameters for all that tests change.
    pub(crate) fn web() -> Self {
        Self::new(WEB)
    }

    pub(crate) fn write(&self, text: &str) {
        let text = text
            .replace("PORT0", &self.ports[0].to_string())
            .replace("PORT1", &self.ports[1].to_string());
        std::fs::write(self.path("main.dax"), text).expect("written");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file in which this machine remembers the project's states.
    pub(crate) fn memory(&self) -> PathBuf {
        let folder = dax_files::machine::of_project(self.folder.path()).expect("a memory");
        folder.path().join("anchor.json")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dax"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env("NO_COLOR", "1")
            .env_remove("CI");
        command
    }

    /// A command with something on its standard input.
    pub(crate) fn with_input(&self, args: &[&str], input: &str) -> Said {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("dax runs");
        child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("written");
        said(&child.wait_with_output().expect("dax ends"))
    }

    pub(crate) fn dax(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().expect("dax runs"))
    }

    /// Like [`Self::dax`], and it must end with this code.
    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> Said {
        let said = self.dax(args);
        assert_eq!(said.code, code, "dax {args:?}\n{}\n{}", said.out, said.err);
        said
    }

    /// The same by somebody with this name.
    pub(crate) fn expect_as(&self, who: &str, code: i32, args: &[&str]) -> Said {
        let ran = self.command(args).env("DAX_USER", who).output().expect("dax runs");
        let said = said(&ran);
        assert_eq!(said.code, code, "{who}: dax {args:?}\n{}\n{}", said.out, said.err);
        said
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("dax starts")
    }

    /// Processes that run in the project's folder, by number, with their command lines.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let here = self.folder.path().canonicalize().expect("a path");
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let inside = std::fs::read_link(entry.path().join("cwd"))
                .is_ok_and(|cwd| cwd.starts_with(&here));
            if inside && !line.is_empty() {
                found.push((pid, line));
            }
        }
        found
    }

    pub(crate) fn services(&self) -> Vec<i32> {
        let mut all: Vec<i32> = self
            .processes()
            .into_iter()
            .filter(|(_, line)| line.contains("demo-service"))
            .map(|(pid, _)| pid)
            .collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn agent(&self) -> Option<i32> {
        self.processes()
            .into_iter()
            .find(|(_, line)| line.contains("agent --stay"))
            .map(|(pid, _)| pid)
    }

    /// What a port answers: status and text.
    pub(crate) fn get(&self, port: u16) -> Result<(u16, String), std::io::Error> {
        Self::get_at(port)
    }

    /// What a port answers, for whoever has no project at hand.
    pub(crate) fn get_at(port: u16) -> Result<(u16, String), std::io::Error> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let status = text.split_whitespace().nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        Ok((status, text.rsplit("\r\n\r\n").next().unwrap_or("").trim().to_owned()))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = self.command(&["destroy", "-e", "dev", "--auto-approve", "-q"]).output();
        // What a failed test left; each was started by this test's own project.
        for (pid, _) in self.processes() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        let _ = self.memory().parent().map(std::fs::remove_dir_all);
    }
}

pub(crate) fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every byte of every file below a folder.
pub(crate) fn all_bytes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            all.extend(all_bytes(&entry.path()));
        } else {
            all.push((entry.path(), std::fs::read(entry.path()).unwrap_or_default()));
        }
    }
    all
}

pub(crate) const WEB: &str = r#"import local from "std/local"

param version: string = "1"
param errors: Percent = 0%

provider local.machine {
  drain        = 2s
  stop_timeout = 1s
}

service api {
  command = ["dax", "demo-service", "--name", "api"]
  ports   = { http: PORT1 }
  health http "/health" { every = 200ms, ready_within = 10s }
}

service web {
  command = [
    "dax"
    "demo-service"
    "--name"
    "web"
    "--version"
    version
    "--error-rate"
    string(errors)
  ]
  replicas = 2
  ports    = { http: PORT0 }
  health http "/health" { every = 200ms, ready_within = 10s }
  needs    = [api]
}

strategy careful: canary {
  step 50% hold 600ms
  analysis every 200ms from local.machine {
    metric errors: Percent = local"error_rate"
    require errors < 5%
    window     = 2s
    on_no_data = "pass"
  }
}

environment dev {
  bind [api, web] to local.machine
  rollout web with careful
}
"#;
