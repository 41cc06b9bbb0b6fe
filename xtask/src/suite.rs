//! `cargo xtask test`: every test of the workspace, and at the end what was not tested.

use crate::{cargo, peers, run as run_command};
use anyhow::{Result, bail};
use dax_peers::{Gap, LOG, is_ci, program, read_log};
use std::collections::BTreeSet;
use std::path::Path;

/// Programs that the build and the tests start, and the packages of Debian that bring them.
const TOOLS: [(&str, &str); 3] = [("cc", "gcc libc6-dev"), ("git", "git"), ("kill", "procps")];

/// Runs the tests. Snapshots that differ fail, they are never rewritten here.
///
/// A test service that is absent is named at the end; where `CI` is set that is a failure.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    tools()?;
    run_command(cargo(&["build", "--package", "dax-cli"]))?;
    let log = root.join(format!("target/not-tested-{}.txt", std::process::id()));
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    let tested = run_command(command.args(args).env("INSTA_UPDATE", "no").env(LOG, &log));
    let mut gaps = read_log(&log)?;
    gaps.extend(peers::missing());
    let _ = std::fs::remove_file(&log);
    report(&gaps);
    tested?;
    verdict(&gaps, is_ci())
}

/// A gap is a failure in CI, and only there.
fn verdict(gaps: &BTreeSet<Gap>, is_ci: bool) -> Result<()> {
    if is_ci && !gaps.is_empty() {
        bail!("not tested, which is a failure where CI is set: {}", names(gaps));
    }
    Ok(())
}

/// Says which program is lacking before a compiler fails at it.
fn tools() -> Result<()> {
    let lacking = TOOLS.iter().filter(|(name, _)| program(name, &[]).is_none());
    let (names, packages): (Vec<&str>, Vec<&str>) = lacking.copied().unzip();
    if names.is_empty() {
        return Ok(());
    }
    bail!(
        "the build and the tests need `{}`, which this machine lacks; on Debian: apt-get install {}",
        names.join("`, `"),
        packages.join(" ")
    )
}

fn names(gaps: &BTreeSet<Gap>) -> String {
    let names: BTreeSet<&str> = gaps.iter().map(|gap| gap.name.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn report(gaps: &BTreeSet<Gap>) {
    if gaps.is_empty() {
        return;
    }
    println!();
    gaps.iter().for_each(|gap| println!("NOT TESTED: {gap}"));
    println!("`cargo xtask peers` installs test services, or tells why it cannot.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tested_fails_in_ci_alone_and_by_name() {
        let gap = |name: &str| Gap { name: name.to_owned(), reason: "not installed".to_owned() };
        let gaps = BTreeSet::from(["MinIO", "Kubernetes"].map(gap));
        let failed = verdict(&gaps, true).expect_err("a failure");
        assert!(failed.to_string().ends_with("CI is set: Kubernetes, MinIO"), "{failed}");
        verdict(&gaps, false).expect("only named");
        verdict(&BTreeSet::new(), true).expect("nothing is lacking");
    }
}
