//! Test services that start slowly, kept for all tests of a process.
//!
//! A value that lives as long as the process is never dropped, so whoever ends such a service has to outlive the
//! process: a shell that waits for the end of its input, which the process holds open.

use super::http::{forward, serve_whole};
use super::{Peer, free_port, postgres, wait};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Ends a process and removes a folder once this process has ended, however it does.
fn watch(pid: u32, folder: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "cat >/dev/null; kill -QUIT \"$0\" 2>/dev/null; sleep 1; rm -rf \"$1\""])
        .arg(pid.to_string())
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh runs")
}

/// A row of an answer, as text.
pub type Row = Vec<Option<String>>;

struct Shared {
    port: u16,
    _peer: Mutex<Peer>,
    _watch: Child,
}

/// The address of an empty database of its own, on one PostgreSQL server for all tests of this process.
///
/// # Panics
/// The server does not start, or makes no database.
pub fn database() -> Option<String> {
    static SERVER: OnceLock<Option<Shared>> = OnceLock::new();
    static MADE: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| {
        let peer = postgres()?;
        let watch = watch(peer.child.id(), peer.folder.path());
        ready(peer.port);
        Some(Shared { port: peer.port, _peer: Mutex::new(peer), _watch: watch })
    });
    let port = server.as_ref()?.port;
    let name = format!("test{}", MADE.fetch_add(1, Ordering::Relaxed));
    query(port, "postgres", &format!("CREATE DATABASE {name}"));
    Some(format!("postgres://dax@127.0.0.1:{port}/{name}"))
}

/// Asks a database at an address of [`database`]; gives the rows as text.
///
/// # Panics
/// It does not answer, or says no.
pub fn sql(address: &str, text: &str) -> Vec<Row> {
    let (server, name) = address.rsplit_once('/').expect("an address of a database");
    let port = server.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    query(port, name, text)
}

/// Waits until a server that listens answers questions.
fn ready(port: u16) {
    let until = Instant::now() + Duration::from_secs(60);
    while ask(port, "postgres", "SELECT 1").is_err() {
        assert!(Instant::now() < until, "PostgreSQL does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn query(port: u16, database: &str, text: &str) -> Vec<Row> {
    ask(port, database, text).unwrap_or_else(|message| panic!("PostgreSQL says no: {message}"))
}

/// Asks by the simple protocol: nothing is in between that a client library would add.
fn ask(port: u16, database: &str, text: &str) -> Result<Vec<Row>, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    let hello = format!("user\0dax\0database\0{database}\0\0");
    let mut message = length(hello.len() + 8).to_vec();
    message.extend(196_608_u32.to_be_bytes());
    message.extend(hello.as_bytes());
    stream.write_all(&message).map_err(|error| error.to_string())?;
    answers(&mut stream)?;
    let mut message = vec![b'Q'];
    message.extend(length(text.len() + 5));
    message.extend(text.as_bytes());
    message.push(0);
    stream.write_all(&message).map_err(|error| error.to_string())?;
    answers(&mut stream)
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("a short message").to_be_bytes()
}

/// The rows until the server waits for a question.
fn answers(stream: &mut TcpStream) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).map_err(|error| error.to_string())?;
        let size = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) - 4;
        let mut body = vec![0; size as usize];
        stream.read_exact(&mut body).map_err(|error| error.to_string())?;
        match head[0] {
            b'Z' => return Ok(rows),
            b'D' => rows.push(row(&body)),
            b'E' => return Err(String::from_utf8_lossy(&body).replace('\0', " ")),
            _ => {}
        }
    }
}

fn row(body: &[u8]) -> Row {
    let mut rest = body.get(2..).unwrap_or_default();
    let mut fields = Vec::new();
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        match usize::try_from(i32::from_be_bytes(*size)) {
            Err(_) => {
                fields.push(None);
                rest = after;
            }
            Ok(size) => {
                let (value, after) = after.split_at(size.min(after.len()));
                fields.push(Some(String::from_utf8_lossy(value).into_owned()));
                rest = after;
            }
        }
    }
    fields
}

/// A proxy that holds calls against GitHub's description; it goes back to the idle ones when it is dropped.
pub(super) struct Prism {
    running: Option<Running>,
}

/// A proxy in front of a server that leads to wherever the test that has it wants.
struct Running {
    port: u16,
    target: Arc<AtomicU16>,
    _watch: Child,
}

static IDLE: Mutex<Vec<Running>> = Mutex::new(Vec::new());

impl Prism {
    /// A proxy for a server: an idle one, else one that is started, which takes seconds.
    pub(super) fn before(server: u16, node: &Path, cache: &Path) -> Self {
        let idle = IDLE.lock().expect("nobody fails with this lock").pop();
        let running = idle.unwrap_or_else(|| run(node, cache));
        running.target.store(server, Ordering::SeqCst);
        Self { running: Some(running) }
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.running.as_ref().expect("it runs until it is dropped").port
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        if let Ok(mut idle) = IDLE.lock() {
            idle.extend(self.running.take());
        }
    }
}

fn run(node: &Path, cache: &Path) -> Running {
    let target = Arc::new(AtomicU16::new(0));
    let goal = target.clone();
    let behind = serve_whole(move |asked| {
        forward(goal.load(Ordering::SeqCst), asked).unwrap_or_else(|error| {
            let body = serde_json::json!({ "message": error.to_string() });
            super::http::Reply::json(502, &body)
        })
    });
    let port = free_port();
    let mut child = Command::new(node)
        .args(["node_modules/@stoplight/prism-cli/dist/index.js", "proxy", "-h", "127.0.0.1"])
        .args(["-p", &port.to_string(), "github.json", &behind.url()])
        .current_dir(cache)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("node runs");
    wait(port, &mut child, "prism");
    // The process is ended by its watcher; nothing of it is in a folder of its own.
    Running { port, target, _watch: watch(child.id(), Path::new("")) }
}
