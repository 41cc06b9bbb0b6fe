//! Test services: the real servers and programs that some tests run against.
//!
//! One table says which there are, where they lie and when one counts as present, for the tests that use them and for
//! `cargo xtask peers`, which installs them. A service is whole or absent: leftovers of an interrupted install, an
//! older version or a program that does not start never count.

mod kit;
mod not_tested;
mod programs;

pub use kit::{Go, Kit, MARKER, Recipe, cache};
pub use not_tested::{Gap, LOG, is_ci, not_tested, read_log};
pub use programs::{Debian, output, program};

use std::path::{Path, PathBuf};

/// A server or program that tests need beside the compiler.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its name on the command line and in messages.
    pub name: &'static str,
    /// The way it comes to a machine.
    pub source: Source,
}

/// The way a test service comes to a machine.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A package of Debian, or programs of the same names in the search path.
    Debian(&'static Debian),
    /// A folder in the user's cache that `cargo xtask peers` makes.
    Kit(&'static Kit),
}

/// Every test service, those that others are made with first.
pub const PEERS: [Peer; 12] = [
    Peer { name: "PostgreSQL", source: Source::Debian(&programs::POSTGRESQL) },
    Peer { name: "Chromium", source: Source::Debian(&programs::CHROMIUM) },
    Peer { name: "Prometheus", source: Source::Debian(&programs::PROMETHEUS) },
    Peer { name: "Neovim", source: Source::Debian(&programs::NEOVIM) },
    Peer { name: "OpenSSL", source: Source::Debian(&programs::OPENSSL) },
    Peer { name: "faketime", source: Source::Debian(&programs::FAKETIME) },
    Peer { name: "Node.js", source: Source::Kit(&kit::NODE) },
    Peer { name: "GitHub", source: Source::Kit(&kit::GITHUB) },
    Peer { name: "MinIO", source: Source::Kit(&kit::MINIO) },
    Peer { name: "Flagger", source: Source::Kit(&kit::FLAGGER) },
    Peer { name: "Argo-Rollouts", source: Source::Kit(&kit::ARGO) },
    Peer { name: "Kubernetes", source: Source::Kit(&kit::KUBERNETES) },
];

impl Peer {
    /// Returns the program's path, or the folder of a kit.
    ///
    /// # Errors
    /// The reason why it counts as absent.
    pub fn find(&self) -> Result<PathBuf, String> {
        match self.source {
            Source::Debian(debian) => debian.find(),
            Source::Kit(kit) => kit.find(&cache()?),
        }
    }
}

/// Returns a test service by name, in any case.
pub fn peer(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name.eq_ignore_ascii_case(name))
}

/// Returns where a test service is; where it is absent, records that it was not tested.
///
/// # Panics
/// There is no service of this name, or it is absent in CI and nobody collects the record.
pub fn require(name: &str) -> Option<PathBuf> {
    let peer = peer(name).expect("a name of the table");
    match peer.find() {
        Ok(path) => Some(path),
        Err(reason) => {
            not_tested(peer.name, &reason);
            None
        }
    }
}

/// The folder with the lists of packages: `tests/peers`.
pub fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
