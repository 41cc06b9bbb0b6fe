//! `cargo xtask`: the project's own chores.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod bench;
mod demo;
mod dist;
mod fuzz;
mod load;
mod peers;
mod tidy;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const USAGE: &str = "usage: cargo xtask <task>\n\n  test      every test of the workspace\n  tidy      the rules of the house that no compiler checks\n  peers     install the servers that some tests want, or those that are named\n  demo      deploy, canary and roll back on this machine, under load\n  simulate  every plan of the tests killed at every place, with a report\n  dist      the release build as an archive, with the line that install/checksums.txt lists it by\n  bench     speed and memory of the release build; `bench lsp` is how fast the language server answers\n  fuzz      every fuzz target for so many seconds, 60 by default; needs a nightly compiler";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("test") => test(&args.collect::<Vec<_>>()),
        Some("tidy") => tidy::run(&root()),
        Some("demo") => demo::run(&root()),
        Some("simulate") => simulate(),
        Some("dist") => dist::run(&root(), args.next().as_deref().unwrap_or("release")),
        Some("peers") => peers::run(&root(), &args.collect::<Vec<_>>()),
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

/// Every test; snapshots that differ fail, they are never rewritten here.
fn test(args: &[String]) -> Result<()> {
    run(cargo(&["build", "--package", "dax-cli"]))?;
    run(cargo(&["test", "--workspace"]).args(args).env("INSTA_UPDATE", "no"))?;
    let missing = peers::missing(&root());
    if !missing.is_empty() {
        println!(
            "NOT TESTED against {}: `cargo xtask peers` installs what is missing",
            missing.join(", ")
        );
    }
    Ok(())
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
