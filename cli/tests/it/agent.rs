//! The local agent: what it trusts, what becomes of its processes, what it shows of their logs.

mod hostile;
mod kin;
mod logs;
mod lost;
mod secrets;

use crate::project::{Project, wait_until};
use std::process::Command;

const APPLY: &[&str] = &["apply", "-e", "dev", "--auto-approve", "-q"];
const PLAN: &[&str] = &["plan", "-e", "dev", "--detailed-exitcode"];

/// One service that runs a script of the project.
const SCRIPT: &str = r#"import local from "std/local"

param v: string = "good"

provider local.machine {
  drain        = 1s
  stop_timeout = 1s
}

service web {
  command = ["sh", "s.sh", v]
  ports   = { http: PORT0 }
  health http "/health" { every = 100ms, ready_within = 4s }
}

environment dev {
  bind web to local.machine
}
"#;

/// A project with one service and its script.
fn scripted(program: &str, script: &str) -> Project {
    let project = Project::new(program);
    std::fs::write(project.path("s.sh"), script).expect("written");
    project
}

fn kill(pid: i32) {
    Command::new("kill").args(["-9", &pid.to_string()]).status().expect("killed");
}

/// Kills the agent and waits until it is gone.
fn kill_agent(project: &Project) {
    kill(project.agent().expect("an agent"));
    wait_until("the agent's end", || project.agent().is_none());
}

/// Processes of the project whose command line holds a text.
fn running(project: &Project, text: &str) -> Vec<i32> {
    let found = project.processes().into_iter().filter(|(_, line)| line.contains(text));
    let mut pids: Vec<i32> = found.map(|(pid, _)| pid).collect();
    pids.sort_unstable();
    pids
}
