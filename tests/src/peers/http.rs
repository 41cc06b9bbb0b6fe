//! A small HTTP server for what tests stand in for: it answers as it is told, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET /v1/things`.
    pub line: String,
    /// Headers as they were sent, one a line, with small names.
    pub headers: String,
    /// The body.
    pub body: String,
}

/// A server on loopback, for as long as the program runs.
pub struct Server {
    /// Where it listens.
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Everything that it was asked so far.
    ///
    /// # Panics
    /// Whoever answered has panicked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody fails with this lock").clone()
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Starts a server that answers with a status, a content type and a body.
///
/// # Panics
/// There is no free port.
pub fn serve(answer: impl Fn(&Asked) -> (u16, &'static str, String) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (kept, answer) = (asked.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (kept, answer) = (kept.clone(), answer.clone());
            std::thread::spawn(move || one(stream, &kept, &*answer));
        }
    });
    Server { port, asked }
}

fn one(mut stream: TcpStream, kept: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> (u16, &'static str, String)) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = lines.first()?.rsplit_once(' ')?.0.to_owned();
    let header = |line: &String| line.split_once(':').map(|(name, value)| format!("{}:{value}", name.to_lowercase()));
    let headers: Vec<String> = lines.iter().skip(1).filter_map(header).collect();
    let length = headers.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let asked = Asked { line: first, headers: headers.join("\n"), body: String::from_utf8_lossy(&body).into_owned() };
    let (status, kind, body) = answer(&asked);
    kept.lock().ok()?.push(asked);
    let head = format!("HTTP/1.1 {status} Status\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}
