//! Clients that send requests without pause, on connections that stay open, and check every answer.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The pause of a client between two requests.
const PAUSE: Duration = Duration::from_millis(8);
/// The requests on one connection before a new one is made.
const PER_CONNECTION: usize = 200;
/// The time after which a client gives a request up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The failures that are kept with their cause between two looks.
const KEPT: usize = 10_000;

/// A request that was not answered rightly.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The service that was asked.
    pub service: String,
    /// A request that is never sent twice.
    pub is_post: bool,
    /// The moment when it was sent.
    pub begun: Instant,
    /// The moment when it failed.
    pub ended: Instant,
    /// The way in which it failed.
    pub cause: String,
}

/// Requests since the last look.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// All of them.
    pub requests: u64,
    /// Those that failed.
    pub failures: Vec<Failure>,
}

/// A service under load.
pub struct Target {
    /// Its name, with which its answers begin.
    pub name: String,
    /// The port of the agent's proxy.
    pub port: u16,
    /// The versions that may answer now.
    pub tags: Mutex<BTreeSet<String>>,
}

/// Clients under way.
pub struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts a client that gets and one that posts for each target.
    pub fn start(targets: &[Arc<Target>]) -> Self {
        let (stop, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Seen>>::default());
        let mut clients = Vec::new();
        for target in targets {
            for method in ["GET", "POST"] {
                let (target, stop, seen) = (target.clone(), stop.clone(), seen.clone());
                clients.push(std::thread::spawn(move || client(&target, method, &stop, &seen)));
            }
        }
        Self { stop, seen, clients }
    }

    /// Returns the requests since the last look.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends all clients.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.clients.drain(..).for_each(|client| drop(client.join()));
    }
}

fn client(target: &Target, method: &str, stop: &AtomicBool, seen: &Mutex<Seen>) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut connection: Option<BufReader<TcpStream>> = None;
    let mut used = 0;
    while !stop.load(Ordering::Acquire) {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        if used >= PER_CONNECTION {
            connection = None;
        }
        let begun = Instant::now();
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => {
                used = 0;
                connect(target.port)
            }
        };
        let result = open.map_err(|error| format!("connect: {error}")).and_then(|mut open| {
            let text = exchange(&mut open, target.port, method, id)
                .map_err(|error| format!("{method} number {used} of its connection: {error}"))?;
            judge(target, &text, id).map(|()| open)
        });
        let ended = Instant::now();
        let failed = result.is_err();
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.requests += 1;
            match result {
                Ok(open) => connection = Some(open),
                Err(cause) if seen.failures.len() < KEPT => {
                    let service = target.name.clone();
                    let is_post = method == "POST";
                    seen.failures.push(Failure { service, is_post, begun, ended, cause });
                }
                Err(_) => {}
            }
        }
        used += 1;
        std::thread::sleep(if failed { PAUSE * 3 } else { PAUSE });
    }
}

/// Holds an answer against what was asked of whom.
fn judge(target: &Target, text: &str, id: u64) -> Result<(), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [name, tag, echo] = words[..] else { return Err(format!("it answers {text:?}")) };
    let tags = target.tags.lock().unwrap_or_else(PoisonError::into_inner);
    if name == target.name && tags.contains(tag) && echo == id.to_string() {
        return Ok(());
    }
    Err(format!("it answers {text:?} to request {id} of {}, which is at {tags:?}", target.name))
}

fn connect(port: u16) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Asks a port once, on a connection of its own.
///
/// # Errors
/// There is no right answer.
pub fn ask(port: u16) -> std::io::Result<String> {
    exchange(&mut connect(port)?, port, "GET", 0)
}

/// One request and its answer of status 200.
fn exchange(
    open: &mut BufReader<TcpStream>,
    port: u16,
    method: &str,
    id: u64,
) -> std::io::Result<String> {
    let wrong = |what: String| std::io::Error::other(what);
    let id = id.to_string();
    let (path, body) = if method == "POST" { ("", id.as_str()) } else { (id.as_str(), "") };
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    open.get_mut().write_all(request.as_bytes())?;
    let mut head = String::new();
    let mut length = 0;
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if open.read_line(&mut head)? == 0 {
            return Err(wrong(format!("the connection was closed after {head:?}")));
        }
        if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| wrong("the length is no number".into()))?;
        }
    }
    let mut body = vec![0; length];
    open.read_exact(&mut body)?;
    let text = String::from_utf8_lossy(&body).into_owned();
    if head.split_whitespace().nth(1) != Some("200") {
        let first = head.lines().next().unwrap_or_default();
        return Err(wrong(format!("{first}: {}", text.trim())));
    }
    Ok(text)
}
