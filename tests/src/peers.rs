//! Real servers for the tests: started on loopback, stopped by their own process, named when they cannot be had.

pub mod bitbucket;
pub mod github;
pub mod gitlab;
pub mod http;
pub mod kubernetes;
pub mod prometheus;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with this value.
pub struct Peer {
    child: Child,
    /// Where it listens.
    pub port: u16,
    /// Its files.
    _folder: tempfile::TempDir,
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

/// A program by name: in the search path, or in one of some folders.
pub fn program(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var("HOME").unwrap_or_default();
    let named = folders.iter().map(|folder| PathBuf::from(folder.replace('~', &home)));
    std::env::split_paths(&path)
        .chain(named)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Neovim, an editor with a client of its own for language servers.
pub fn neovim() -> Option<PathBuf> {
    let found = program("nvim", &[]);
    if found.is_none() {
        missing("Neovim");
    }
    found
}

/// The folder of Node.js and npm, which run what editors are extended with.
pub fn node() -> Option<PathBuf> {
    let found = program("npm", &["~/.local/bin"])
        .and_then(|npm| npm.parent().map(PathBuf::from))
        .filter(|folder| folder.join("node").is_file());
    if found.is_none() {
        missing("Node.js");
    }
    found
}

/// Says that a peer is not there: a failure where peers are required, as on the machine that runs every change.
#[expect(clippy::print_stderr, reason = "whoever reads the tests must see what was not tested")]
pub fn missing(name: &str) {
    let message =
        format!("NOT TESTED against {name}: it is not installed, `cargo xtask peers` says how");
    assert!(std::env::var_os("DAX_PEERS").is_none_or(|value| value != "required"), "{message}");
    eprintln!("{message}");
}

/// A port that nobody listens on, and that no connection is given meanwhile: those that the system hands out lie higher.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    const FIRST: u32 = 15_000;
    const ALL: u32 = 17_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Programs that run at one time begin at different places.
    let start = std::process::id().wrapping_mul(911);
    let mut ports =
        (0..ALL).map(|_| FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % ALL);
    let free = ports.find_map(|port| {
        u16::try_from(port).ok().filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
    });
    free.expect("a free port")
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
    let versions =
        ["18", "17", "16", "15", "14"].map(|version| format!("/usr/lib/postgresql/{version}/bin"));
    let folders: Vec<&str> = versions.iter().map(String::as_str).collect();
    let (Some(initdb), Some(server)) = (program("initdb", &folders), program("postgres", &folders))
    else {
        missing("PostgreSQL");
        return None;
    };
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
    let command = |program: &Path| {
        let mut command = if root { Command::new("setpriv") } else { Command::new(program) };
        if root {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        }
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let made = command(&initdb)
        .arg("-D")
        .arg(&data)
        .args(["-U", "dax", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])
        .status();
    assert!(made.expect("initdb").success(), "initdb makes a database");
    let port = free_port();
    let mut started = command(&server);
    started.arg("-D").arg(&data).args([
        "-p",
        &port.to_string(),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
    ]);
    started.args(["-c", "unix_socket_directories="]);
    let mut child = started.spawn().expect("postgres");
    wait(port, &mut child, "PostgreSQL");
    Some(Peer { child, port, _folder: folder })
}

/// A MinIO server with the user `daxdax` and the password `daxdaxdax`.
pub fn minio() -> Option<Peer> {
    let Some(server) = program("minio", &["~/go/bin"]) else {
        missing("MinIO");
        return None;
    };
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
    Some(Peer { child, port, _folder: folder })
}
