//! A release as the action installs it: the program in an archive, and its line in `install/checksums.txt`.
//!
//! What is listed there is downloaded and held against its digest; what is not is built from source by
//! `install/install.sh`. Each machine that packs a release writes its own line.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// The file that lists releases, from the workspace's folder.
const LISTED: &str = "install/checksums.txt";

/// Builds the program and packs it; lists the archive.
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
    if !sum.status.success() {
        bail!("sha256sum: {}", sum.status);
    }
    let line = String::from_utf8(sum.stdout)?;
    let digest = line.split(' ').next().unwrap_or_default();
    let list = root.join(LISTED);
    let before = std::fs::read_to_string(&list).context(LISTED)?;
    std::fs::write(&list, listed(&before, digest, &name)?).context(LISTED)?;
    println!("{digest}  {name}");
    println!(
        "packed: {}; {LISTED} lists it: commit that, and upload the archive to the release v{version}",
        folder.join(&name).display()
    );
    Ok(())
}

/// The list with a line for an archive, which replaces an older one of the same name; in the order of names.
fn listed(text: &str, digest: &str, name: &str) -> Result<String> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digest.len() != 64 || !digest.bytes().all(is_hex) {
        bail!("sha256sum gives no digest: {digest}");
    }
    let (notes, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with('#') || line.is_empty());
    let others = rest.into_iter().filter(|line| line.split_whitespace().nth(1) != Some(name));
    let mut lines: Vec<String> = others.map(str::to_owned).collect();
    lines.push(format!("{digest}  {name}"));
    lines.sort_by(|a, b| a.split_whitespace().nth(1).cmp(&b.split_whitespace().nth(1)));
    let all = notes.into_iter().map(str::to_owned).chain(lines);
    Ok(all.map(|line| line + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_one_line_and_the_others_stay() {
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        let first = listed("# releases\n", &one, "dax-0.1.0-b.tar.gz").unwrap();
        let both = listed(&first, &two, "dax-0.1.0-a.tar.gz").unwrap();
        let again = listed(&both, &two, "dax-0.1.0-b.tar.gz").unwrap();
        let wanted = format!("# releases\n{two}  dax-0.1.0-a.tar.gz\n{two}  dax-0.1.0-b.tar.gz\n");
        assert_eq!(again, wanted);
        assert!(both.contains(&format!("{one}  dax-0.1.0-b.tar.gz\n")));
        listed("", "sha256sum: no such file", "x").unwrap_err();
    }
}
