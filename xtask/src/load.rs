//! A client that sends requests without pause and writes down every answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Requests on one connection before a new one is made.
const PER_CONNECTION: usize = 50;

/// What came back: by the text of the answer and its status.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub(crate) answers: BTreeMap<(u16, String), usize>,
    /// Requests that were refused or cut.
    pub(crate) broken: Vec<String>,
}

/// Workers under way.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    workers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts workers against a port of this machine.
    pub(crate) fn start(port: u16, workers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tally: Arc<Mutex<Tally>> = Arc::default();
        let workers = (0..workers)
            .map(|_| {
                let (stop, tally) = (stop.clone(), tally.clone());
                std::thread::spawn(move || work(port, &stop, &tally))
            })
            .collect();
        Self { stop, tally, workers }
    }

    /// What came back since the last look.
    pub(crate) fn take(&self) -> Tally {
        std::mem::take(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Release);
        for worker in self.workers {
            let _ = worker.join();
        }
        std::mem::take(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn work(port: u16, stop: &AtomicBool, tally: &Mutex<Tally>) {
    let mut connection = None;
    let mut used = 0;
    while !stop.load(Ordering::Acquire) {
        if used >= PER_CONNECTION {
            connection = None;
        }
        let result = match connection.take() {
            Some(open) => request(open, port),
            None => {
                used = 0;
                connect(port).and_then(|open| request(open, port))
            }
        };
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok((status, text, open)) => {
                *tally.answers.entry((status, text)).or_default() += 1;
                connection = Some(open);
                used += 1;
            }
            Err(error) => tally.broken.push(error.to_string()),
        }
        drop(tally);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn connect(port: u16) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// One request on an open connection: status, text, and the connection for the next one.
fn request(
    mut open: BufReader<TcpStream>,
    port: u16,
) -> std::io::Result<(u16, String, BufReader<TcpStream>)> {
    let cut = |what: &str| std::io::Error::new(std::io::ErrorKind::UnexpectedEof, what.to_owned());
    open.get_mut()
        .write_all(format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes())?;
    let mut line = String::new();
    if open.read_line(&mut line)? == 0 {
        return Err(cut("the connection was closed before the answer"));
    }
    let status = line
        .split_whitespace()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| cut("the answer is not HTTP"))?;
    let mut length = 0;
    loop {
        line.clear();
        if open.read_line(&mut line)? == 0 {
            return Err(cut("the answer's head was cut"));
        }
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| cut("the length is no number"))?;
        }
    }
    let mut body = vec![0; length];
    open.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).trim().to_owned(), open))
}
