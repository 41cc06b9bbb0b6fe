//! Peers that are built from published Go modules: once a machine, kept outside of the tree.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Programs of Go modules.
pub(super) struct Build {
    /// The folder below `tests/peers` with their `go.mod`.
    folder: &'static str,
    /// The module whose version names what is built.
    module: &'static str,
    /// Packages, and what the programs are called.
    programs: &'static [(&'static str, &'static str)],
    /// Files of modules that go beside them.
    files: &'static [(&'static str, &'static str)],
    /// Variables that hold the version.
    versions: &'static [&'static str],
}

/// A control plane, its store, its nodes and its client.
pub(super) const KUBERNETES: Build = Build {
    folder: "kubernetes",
    module: "k8s.io/kubernetes",
    programs: &[
        ("go.etcd.io/etcd/server/v3", "etcd"),
        ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
        ("k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
        ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
        ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
        ("sigs.k8s.io/kwok/cmd/kwok", "kwok"),
    ],
    files: &[(
        "sigs.k8s.io/gateway-api",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    )],
    versions: &[
        "k8s.io/component-base/version.gitVersion",
        "k8s.io/client-go/pkg/version.gitVersion",
    ],
};

/// The controllers to which a strategy can be handed over, with what they teach the API server.
pub(super) const FLAGGER: Build = Build {
    folder: "flagger",
    module: "github.com/fluxcd/flagger",
    programs: &[("github.com/fluxcd/flagger/cmd/flagger", "flagger")],
    files: &[("github.com/fluxcd/flagger", "artifacts/flagger/crd.yaml")],
    versions: &[],
};

pub(super) const ARGO: Build = Build {
    folder: "argo-rollouts",
    module: "github.com/argoproj/argo-rollouts",
    programs: &[(
        "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
        "rollouts-controller",
    )],
    files: &[
        ("github.com/argoproj/argo-rollouts", "manifests/crds/rollout-crd.yaml"),
        ("github.com/argoproj/argo-rollouts", "manifests/crds/analysis-run-crd.yaml"),
        ("github.com/argoproj/argo-rollouts", "manifests/crds/analysis-template-crd.yaml"),
        ("github.com/argoproj/argo-rollouts", "manifests/crds/cluster-analysis-template-crd.yaml"),
        ("github.com/argoproj/argo-rollouts", "manifests/crds/experiment-crd.yaml"),
    ],
    versions: &[],
};

impl Build {
    fn source(&self, root: &Path) -> PathBuf {
        root.join("tests/peers").join(self.folder)
    }

    fn version(&self, root: &Path) -> Result<String> {
        let path = self.source(root).join("go.mod");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let line = text.lines().find_map(|line| {
            line.trim()
                .trim_start_matches("require ")
                .strip_prefix(self.module)?
                .split_whitespace()
                .next()
        });
        line.map(str::to_owned)
            .with_context(|| format!("{} names no version of {}", path.display(), self.module))
    }

    /// Where what is built is kept: `~/.cache/dax/peers/kubernetes-v1.36.3`.
    fn cache(&self, root: &Path) -> Result<PathBuf> {
        let home = std::env::var("HOME").context("HOME says where built peers are kept")?;
        Ok(PathBuf::from(home).join(".cache/dax/peers").join(format!(
            "{}-{}",
            self.folder,
            self.version(root)?
        )))
    }

    /// The folder of the programs, when all are there.
    pub(super) fn found(&self, root: &Path) -> Option<PathBuf> {
        let cache = self.cache(root).ok()?;
        let name = |path: &str| Path::new(path).file_name().map(|name| cache.join(name));
        let programs = self.programs.iter().map(|(_, name)| Some(cache.join(name)));
        programs
            .chain(self.files.iter().map(|(_, path)| name(path)))
            .all(|path| path.is_some_and(|path| path.is_file()))
            .then_some(cache)
    }

    /// Builds the programs.
    pub(super) fn make(&self, root: &Path) -> Result<()> {
        let begun = Instant::now();
        let (source, cache, version) = (self.source(root), self.cache(root)?, self.version(root)?);
        std::fs::create_dir_all(&cache)?;
        let go = || {
            let mut command = Command::new("go");
            command.current_dir(&source).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod");
            command
        };
        let stamped: Vec<String> =
            self.versions.iter().map(|variable| format!("-X {variable}={version}")).collect();
        let flags = format!("-s -w {}", stamped.join(" "));
        for (package, name) in self.programs {
            println!("{}: go build {package}", self.folder);
            let target = cache.join(name);
            let status = go()
                .args(["build", "-trimpath", "-ldflags", &flags, "-o"])
                .arg(&target)
                .arg(package)
                .status()
                .context("go")?;
            if !status.success() {
                bail!("go build {package}: {status}");
            }
        }
        for (module, path) in self.files {
            let folder =
                go().args(["list", "-m", "-f", "{{.Dir}}", module]).output().context("go")?;
            let folder = PathBuf::from(String::from_utf8(folder.stdout)?.trim());
            let name = Path::new(path).file_name().context("a file has a name")?;
            let bytes =
                std::fs::read(folder.join(path)).with_context(|| format!("{path} of {module}"))?;
            std::fs::write(cache.join(name), bytes)?;
        }
        println!("{}: built in {} s", self.folder, begun.elapsed().as_secs());
        Ok(())
    }
}
