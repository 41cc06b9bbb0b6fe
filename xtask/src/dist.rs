//! A release as the action installs it: the program in an archive, and the line that `install/checksums.txt` lists it by.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Builds the program and packs it; prints the line.
pub(crate) fn run(root: &Path, profile: &str) -> Result<()> {
    let status = Command::new("cargo")
        .current_dir(root)
        .args(["build", "--locked", "-p", "dax-cli", "--profile", profile])
        .status()?;
    if !status.success() {
        bail!("cargo build: {status}");
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let built = target.join(if profile == "dev" { "debug" } else { profile });
    let version = Command::new(built.join("dax")).arg("--version").output().context("dax")?;
    let version = String::from_utf8(version.stdout)?;
    let version = version.trim().strip_prefix("dax ").context("dax says its version")?;
    let host = Command::new("rustc").arg("-vV").output().context("rustc")?;
    let host = String::from_utf8(host.stdout)?;
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc says its host")?;
    let name = format!("dax-{version}-{host}.tar.gz");
    let folder = target.join("dist");
    std::fs::create_dir_all(&folder)?;
    // The same program gives the same archive: no times, no owners, names in order.
    let status = Command::new("tar")
        .args([
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--use-compress-program=gzip -n",
            "-cf",
        ])
        .arg(folder.join(&name))
        .arg("-C")
        .arg(&built)
        .arg("dax")
        .status()
        .context("tar")?;
    if !status.success() {
        bail!("tar: {status}");
    }
    let sum =
        Command::new("sha256sum").current_dir(&folder).arg(&name).output().context("sha256sum")?;
    let line = String::from_utf8(sum.stdout)?;
    println!("{}", line.trim());
    println!(
        "packed: {}; list it in install/checksums.txt by the line above",
        folder.join(&name).display()
    );
    Ok(())
}
