//! Test services from Debian's packages.

use super::install::step;
use anyhow::{Result, anyhow, bail};
use dax_peers::{Debian, program};
use std::process::Command;
use std::sync::Once;

/// Installs the package and starts its programs once.
pub(super) fn install(name: &str, debian: &Debian) -> Result<()> {
    packages(name, &[debian.package])?;
    debian.find().map_err(|error| anyhow!("{error} after `{}` was installed", debian.package))?;
    Ok(())
}

/// Installs packages; another run of the package manager is waited for.
pub(super) fn packages(name: &str, packages: &[&str]) -> Result<()> {
    static LISTS: Once = Once::new();
    let words = packages.join(" ");
    if program("apt-get", &[]).is_none() {
        bail!("install {words} with the package manager of this machine: it has no `apt-get`");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("run `sudo apt-get install {words}`: only root may install packages");
    }
    let apt = |program: &str| {
        let mut command = Command::new(program);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let wait = ["-q", "-o", "DPkg::Lock::Timeout=600"];
    LISTS.call_once(|| {
        // An interrupted run of dpkg refuses every other until it is finished.
        let _ = apt("dpkg").args(["--configure", "-a"]).status();
        if let Err(error) = step(name, apt("apt-get").arg("update").args(wait)) {
            println!("{name}: {error:#}");
        }
    });
    let install = ["install", "-y", "--no-install-recommends"];
    step(name, apt("apt-get").args(install).args(wait).args(packages))
}
