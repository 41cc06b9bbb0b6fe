//! Test services that are built from published Go modules.

use super::install::step;
use anyhow::{Context, Result, anyhow, ensure};
use dax_peers::{Go, Kit, output, program, sources};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the programs into a folder, starts each once, and puts files of modules beside them.
pub(super) fn make(kit: &Kit, go: &Go, part: &Path) -> Result<()> {
    let source = sources().join(kit.name);
    let manifest = Manifest::read(&source, go.module)?;
    compiler(&manifest)?;
    // A module that no built package needs lies in no cache yet; it costs a second, the build minutes.
    let files: Vec<PathBuf> = go
        .files
        .iter()
        .map(|(module, path)| Ok(folder_of(&source, module)?.join(path)))
        .collect::<Result<_>>()?;
    for file in files {
        let name = file.file_name().context("a file has a name")?;
        std::fs::copy(&file, part.join(name)).with_context(|| file.display().to_string())?;
    }
    let built = part.join("built");
    let stamps = go.versions.iter().map(|variable| format!("-X {variable}={}", manifest.version));
    let flags = stamps.fold("-s -w".to_owned(), |flags, stamp| format!("{flags} {stamp}"));
    let mut build = command(&source);
    build.args(["build", "-trimpath", "-ldflags", &flags, "-o"]).arg(built.join(""));
    build.args(go.programs.iter().map(|(package, ..)| package));
    step(kit.name, &mut build)?;
    for (package, name, version) in go.programs {
        let path = part.join(name);
        std::fs::rename(built.join(built_name(package)), &path)
            .with_context(|| format!("go build made no program of {package}"))?;
        let said = output(Command::new(&path).current_dir(part).args(*version));
        let said = said.map_err(|error| anyhow!(error))?;
        println!("{}: {name} {}", kit.name, said.lines().next().unwrap_or_default());
    }
    Ok(std::fs::remove_dir(&built)?)
}

/// The name that `go build` gives a program: the last part of its package that is no major version.
fn built_name(package: &str) -> &str {
    let is_major = |part: &str| {
        part.strip_prefix('v').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    package.rsplit('/').find(|part| !is_major(part)).unwrap_or(package)
}

/// The lines of a `go.mod` that matter here.
struct Manifest {
    /// The compiler that it wants at least.
    go: String,
    /// The version of the module that is built.
    version: String,
}

impl Manifest {
    fn read(source: &Path, module: &str) -> Result<Self> {
        let path = source.join("go.mod");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let word = |start: &str| {
            text.lines().find_map(|line| {
                let line = line.trim();
                let rest = line.strip_prefix("require ").unwrap_or(line).strip_prefix(start)?;
                rest.strip_prefix(' ')?.split_whitespace().next().map(str::to_owned)
            })
        };
        let lacks = |what: &str| format!("{} names no version of {what}", path.display());
        Ok(Self {
            go: word("go").with_context(|| lacks("Go"))?,
            version: word(module).with_context(|| lacks(module))?,
        })
    }
}

/// Makes sure that there is a compiler and that it is new enough; another one is never downloaded.
fn compiler(manifest: &Manifest) -> Result<()> {
    let wanted = &manifest.go;
    ensure!(
        program("go", GO).is_some(),
        "Go {wanted} or newer builds it, and there is no `go`: https://go.dev/doc/install"
    );
    let said = output(command(Path::new("/")).args(["env", "GOVERSION"]));
    let here = said.map_err(|error| anyhow!(error))?;
    // `go1.26.8`, or `devel go1.27-0a1b2c3` of one that is built from its sources.
    let here = here.trim().rsplit("go").next().unwrap_or_default();
    ensure!(
        version(here) >= version(wanted),
        "Go {wanted} or newer builds it, and `go` is {here}: https://go.dev/doc/install"
    );
    Ok(())
}

/// The folder where Go's own archive is unpacked, should the search path lack it.
const GO: &[&str] = &["/usr/local/go/bin"];

fn version(text: &str) -> Vec<u32> {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
    text.split('.').map(|part| digits(part).parse().unwrap_or(0)).collect()
}

/// A command of the compiler that is here, for this machine, that changes no list of modules.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(program("go", GO).unwrap_or_else(|| "go".into()));
    command.current_dir(folder).env("GOFLAGS", "-mod=readonly").env("GOTOOLCHAIN", "local");
    command.env("GOWORK", "off").env("CGO_ENABLED", "0").env_remove("GOOS").env_remove("GOARCH");
    command
}

/// Downloads a module and returns its folder in the cache of modules.
fn folder_of(source: &Path, module: &str) -> Result<PathBuf> {
    println!("{}: go mod download {module}", source.display());
    let mut download = command(source);
    download.args(["mod", "download", "-json", module]).stderr(std::process::Stdio::inherit());
    // A failure is told in JSON as well.
    let said = String::from_utf8(download.output().context("go")?.stdout)?;
    let json: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
    let folder = json["Dir"].as_str().filter(|folder| !folder.is_empty());
    Ok(folder.with_context(|| format!("{module} was not downloaded: {said}"))?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_versions_are_named_as_go_does() {
        assert_eq!(built_name("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(built_name("k8s.io/kubernetes/cmd/kubectl"), "kubectl");
        assert!(version("1.26.10") > version("1.26.9") && version("1.27rc1") > version("1.26.1"));
        assert!(version("1.19.8") < version("1.26.0"));
        for kit in ["kubernetes", "flagger", "argo-rollouts", "minio"] {
            let module = ["k8s.io/kubernetes", "github.com/fluxcd/flagger"];
            let more = ["github.com/argoproj/argo-rollouts", "github.com/minio/minio"];
            let read = module
                .iter()
                .chain(&more)
                .find_map(|module| Manifest::read(&sources().join(kit), module).ok());
            let read = read.expect("a go.mod that names its module and its compiler");
            assert!(version(&read.go) >= version("1.26"), "{kit}");
        }
    }
}
