//! The servers and programs that some tests want beside the compiler: which are there, and how the rest is installed.

use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The release of MinIO that the tests were written against, as the Go module that it is.
const MINIO: &str = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";

/// A peer: what it is called, the programs of which one must be there, where they may lie, and how it comes.
struct Peer {
    name: &'static str,
    programs: &'static [&'static str],
    folders: &'static [&'static str],
    install: &'static [&'static str],
}

const PEERS: [Peer; 3] = [
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
        install: &["apt-get", "install", "-y", "-q", "--no-install-recommends", "postgresql"],
    },
    Peer { name: "MinIO", programs: &["minio"], folders: &["~/go/bin"], install: &["go", "install", MINIO] },
    Peer {
        name: "Chromium",
        programs: &["chromium-headless-shell", "chromium", "chrome-headless-shell"],
        folders: &["/usr/lib/chromium"],
        install: &["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium-headless-shell"],
    },
];

impl Peer {
    fn found(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let home = std::env::var("HOME").unwrap_or_default();
        let named = self.folders.iter().map(|folder| PathBuf::from(folder.replace('~', &home)));
        let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(named).collect();
        self.programs.iter().flat_map(|program| folders.iter().map(move |folder| folder.join(program))).find(|path| path.is_file())
    }
}

/// Peers that are not there, by name.
pub(crate) fn missing() -> Vec<&'static str> {
    PEERS.iter().filter(|peer| peer.found().is_none()).map(|peer| peer.name).collect()
}

/// Installs what is not there, by the package client that has it, and says what is there in the end.
pub(crate) fn run() -> Result<()> {
    let mut fresh = false;
    for peer in PEERS.iter().filter(|peer| peer.found().is_none()) {
        println!("{}: {}", peer.name, peer.install.join(" "));
        if peer.install[0] == "apt-get" && !std::mem::replace(&mut fresh, true) {
            let _ = Command::new("apt-get").args(["update", "-q"]).status();
        }
        match Command::new(peer.install[0]).args(&peer.install[1..]).env("DEBIAN_FRONTEND", "noninteractive").status() {
            Ok(status) if status.success() => {}
            Ok(status) => println!("{}: {status}", peer.name),
            Err(error) => println!("{}: {error}", peer.name),
        }
    }
    for peer in &PEERS {
        match peer.found() {
            Some(path) => println!("{:<12} {}", peer.name, path.display()),
            None => println!("{:<12} not there: what wants it is not tested", peer.name),
        }
    }
    Ok(())
}
