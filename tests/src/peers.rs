//! Real servers for the tests: started on loopback, stopped by their own process, named when they cannot be had.

pub mod bitbucket;
pub mod github;
pub mod gitlab;
pub mod http;
pub mod kubernetes;
mod ports;
pub mod prometheus;
pub mod shared;

pub use dax_peers::not_tested;
pub use ports::free_port;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with this value.
pub struct Peer {
    child: Child,
    /// The command that started it, for a server that is killed on purpose.
    again: Option<Box<dyn Fn() -> Command + Send>>,
    /// Where it listens.
    pub port: u16,
    /// Its files.
    folder: tempfile::TempDir,
}

impl Peer {
    /// Kills the server, as a crash does.
    pub fn crash(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts a server that was killed on its files and its port.
    ///
    /// # Panics
    /// It does not start, or is none that can be started again.
    pub fn start_again(&mut self) {
        let again = self.again.as_ref().expect("a server that can be started again");
        // Those of its processes that the crash left end by themselves, and until then it refuses to start.
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            self.child = again().spawn().expect("a server");
            while matches!(self.child.try_wait(), Ok(None)) {
                if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not start again");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            // PostgreSQL ends at once on this signal, and ends its own children.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns where a test service is: its program, or the folder of what was built. Where it is absent, the gap is
/// recorded, and the test that asked has to end there.
pub fn require(name: &str) -> Option<PathBuf> {
    dax_peers::require(name)
}

/// Neovim, an editor with a client of its own for language servers.
pub fn neovim() -> Option<PathBuf> {
    require("Neovim")
}

/// A browser without a window.
pub fn chromium() -> Option<PathBuf> {
    require("Chromium")
}

/// The folder of Node.js and npm, which run what editors are extended with.
pub fn node() -> Option<PathBuf> {
    Some(require("Node.js")?.join("bin"))
}

fn wait(port: u16, child: &mut Child, name: &str) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        assert!(!matches!(child.try_wait(), Ok(Some(_))), "{name} ended at once");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{name} did not start");
}

/// A PostgreSQL server with the superuser `dax` and no password.
pub fn postgres() -> Option<Peer> {
    let server = require("PostgreSQL")?;
    // Both of one version: the link that leads to it may be in another folder.
    let server = server.canonicalize().expect("a program has a path");
    let initdb = server.with_file_name("initdb");
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    // PostgreSQL refuses to run as root: there it runs as the user that its package made.
    let root = rustix::process::geteuid().is_root();
    if root {
        let owned = Command::new("chown")
            .arg("-R")
            .arg("postgres")
            .arg(folder.path())
            .status()
            .expect("chown");
        assert!(owned.success(), "the folder has another owner now");
    }
    let here = folder.path().to_owned();
    let command = move |program: &Path| {
        let mut command = if root { Command::new("setpriv") } else { Command::new(program) };
        if root {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        }
        command.current_dir(&here).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let made = command(&initdb)
        .arg("-D")
        .arg(&data)
        .args(["-U", "dax", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])
        .status();
    assert!(made.expect("initdb").success(), "initdb makes a database");
    let port = free_port();
    let again = move || {
        let mut started = command(&server);
        started.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "fsync=off"]);
        started.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        started
    };
    let mut child = again().spawn().expect("postgres");
    wait(port, &mut child, "PostgreSQL");
    Some(Peer { child, again: Some(Box::new(again)), port, folder })
}

/// A MinIO server with the user `daxdax` and the password `daxdaxdax`.
pub fn minio() -> Option<Peer> {
    let server = require("MinIO")?.join("minio");
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let mut command = Command::new(server);
    command
        .arg("server")
        .arg(folder.path().join("data"))
        .arg("--address")
        .arg(format!("127.0.0.1:{port}"))
        .arg("--quiet");
    command
        .env("MINIO_ROOT_USER", "daxdax")
        .env("MINIO_ROOT_PASSWORD", "daxdaxdax")
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    // A bucket is a folder of its data.
    std::fs::create_dir_all(folder.path().join("data/state")).expect("a folder");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("minio");
    wait(port, &mut child, "MinIO");
    Some(Peer { child, again: None, port, folder })
}
