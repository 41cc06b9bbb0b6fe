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

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status; zero closes the connection without an answer.
    pub status: u16,
    /// Its headers, but for the body's length.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Reply {
    /// JSON.
    pub fn json(status: u16, body: &impl ToString) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Asked {
    /// `GET`.
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// `/v1/things?page=2`.
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .lines()
            .find_map(|line| line.split_once(':').filter(|(known, _)| *known == name))
            .map(|(_, value)| value.trim())
    }
}

/// Asks a server on loopback what another server was asked.
///
/// # Errors
/// It does not answer.
pub fn forward(port: u16, asked: &Asked) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    // By the older version of HTTP nothing comes in chunks, and the end is the end.
    let mut head = format!(
        "{} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {}\r\n",
        asked.line,
        asked.body.len()
    );
    for line in asked.headers.lines() {
        let name = line.split(':').next().unwrap_or_default();
        if !matches!(
            name,
            "host" | "connection" | "content-length" | "transfer-encoding" | "accept-encoding"
        ) {
            head.push_str(line);
            head.push_str("\r\n");
        }
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(asked.body.as_bytes())?;
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole)?;
    let whole = String::from_utf8_lossy(&whole);
    let (head, body) = whole.split_once("\r\n\r\n").unwrap_or((&whole, ""));
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    let header = |line: &str| {
        line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
    };
    let kept = |(name, _): &(String, String)| {
        !matches!(name.as_str(), "content-length" | "connection" | "transfer-encoding")
    };
    Ok(Reply {
        status,
        headers: lines.filter_map(header).filter(kept).collect(),
        body: body.to_owned(),
    })
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
pub fn serve(
    answer: impl Fn(&Asked) -> (u16, &'static str, String) + Send + Sync + 'static,
) -> Server {
    serve_whole(move |asked| {
        let (status, kind, body) = answer(asked);
        Reply { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body }
    })
}

/// Starts a server that answers with headers of its own.
///
/// # Panics
/// There is no free port.
pub fn serve_whole(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
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

fn one(
    mut stream: TcpStream,
    kept: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked) -> Reply,
) -> Option<()> {
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
    let header = |line: &String| {
        line.split_once(':').map(|(name, value)| format!("{}:{value}", name.to_lowercase()))
    };
    let headers: Vec<String> = lines.iter().skip(1).filter_map(header).collect();
    let length = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if headers
        .iter()
        .any(|line| line.replace(' ', "").eq_ignore_ascii_case("transfer-encoding:chunked"))
    {
        body = chunks(&mut reader)?;
    }
    let asked = Asked {
        line: first,
        headers: headers.join("\n"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let reply = answer(&asked);
    kept.lock().ok()?.push(asked);
    if reply.status == 0 {
        return None;
    }
    let mut head = format!(
        "HTTP/1.1 {} Status\r\ncontent-length: {}\r\nconnection: close\r\n",
        reply.status,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    stream.write_all(reply.body.as_bytes()).ok()
}

/// A body that comes in chunks.
fn chunks(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}
