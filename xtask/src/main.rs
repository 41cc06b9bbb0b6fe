//! `cargo xtask`: the project's own chores.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

mod bench;
mod demo;
mod dist;
mod fuzz;
mod load;
mod peers;
mod suite;
mod tidy;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask <task>

  test [ARGS]      run every test; ARGS go to `cargo test`
  tidy             check the rules that no compiler checks
  peers [NAME]...  install the test services that some tests run against
  demo             deploy, canary and roll back on this machine, under load
  simulate         kill every plan of the tests at every place, with a report
  soak [ARGS]      kill real processes under load for minutes or hours; `soak --help`
  dist [PROFILE]   pack the release build and list it in install/checksums.txt
  bench [N | lsp | proxy]  measure speed and memory of the release build; `proxy` stands beside nginx
  fuzz [SECONDS]   run every fuzz target, 60 s each by default; needs a nightly compiler";

fn main() -> ExitCode {
    match chosen() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One message for whoever types it; a backtrace of this program helps nobody.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The task that the arguments name.
fn chosen() -> Result<()> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("test") => suite::run(&root(), &args.collect::<Vec<_>>()),
        Some("tidy") => tidy::run(&root()),
        Some("demo") => demo::run(&root()),
        Some("simulate") => simulate(),
        Some("soak") => soak(&args.collect::<Vec<_>>()),
        Some("dist") => dist::run(&root(), args.next().as_deref().unwrap_or("release")),
        Some("peers") => peers::run(&args.collect::<Vec<_>>()),
        Some("fuzz") => fuzz::run(&root(), &args.collect::<Vec<_>>()),
        Some("bench") => bench::run(&root(), &args.collect::<Vec<_>>()),
        _ => bail!("{USAGE}"),
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_owned(), Path::to_owned)
}

/// Every schedule of the kill-everywhere tests, in the release profile.
fn simulate() -> Result<()> {
    let test = [
        "test",
        "--release",
        "--package",
        "dax-tests",
        "--test",
        "it",
        "--",
        "--ignored",
        "--nocapture",
        "killed_at_all_places",
    ];
    run(cargo(&test))
}

/// The kill loop with real processes.
fn soak(args: &[String]) -> Result<()> {
    run(cargo(&["build", "--package", "dax-cli"]))?;
    let mut command = cargo(&["run", "--quiet", "--package", "dax-tests", "--bin", "dax-soak"]);
    run(command.arg("--").args(args))
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

fn run(mut command: impl std::borrow::BorrowMut<Command>) -> Result<()> {
    let command = command.borrow_mut();
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
