//! The proxy on a service's port, spoken to byte by byte.

mod canaries;
mod heads;
mod limits;
mod replicas;
mod tunnels;

use crate::project::Project;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

const APPLY: &[&str] = &["apply", "-e", "dev", "--auto-approve", "-q"];

/// A project with one service `web`; `flags` go to the demo service, `fields` into the service.
fn program(replicas: u32, flags: &str, fields: &str) -> String {
    let flags: String = flags.split_whitespace().map(|flag| format!(", \"{flag}\"")).collect();
    format!(
        r#"import local from "std/local"

provider local.machine {{
  drain        = 2s
  stop_timeout = 1s
}}

service web {{
  command  = ["dax", "demo-service", "--name", "web"{flags}]
  replicas = {replicas}
  ports    = {{ http: PORT0 }}
  {fields}
}}

strategy careful: canary {{
  step 50% hold 4s
  analysis every 500ms from local.machine {{
    metric errors: Percent = local"error_rate"
    require errors < 1%
    window = 2s
  }}
}}

environment dev {{
  bind web to local.machine
  rollout web with careful
}}
"#
    )
}

/// The default probe: every 10 s.
const PROBED: &str = "health http \"/health\"";

/// A deployed service.
fn deployed(replicas: u32, flags: &str) -> Project {
    let project = Project::new(&program(replicas, flags, PROBED));
    project.expect(0, APPLY);
    project
}

/// A connection on which nothing is waited for longer than this.
fn connected(port: u16, patience: Duration) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Everything that comes back for these bytes until the connection is closed; the client closes nothing.
fn say(port: u16, bytes: &str) -> String {
    let mut stream = connected(port, Duration::from_secs(8));
    stream.write_all(bytes.as_bytes()).expect("sent");
    rest(&mut stream)
}

/// Everything that comes until the connection is closed, or nothing comes for too long.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if let Err(error) = end {
        text.push_str(&format!("[{:?}]", error.kind()));
    }
    text
}

/// The status of an answer.
fn status(answer: &str) -> u16 {
    answer.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// One whole answer with a length, on a connection that stays open: its status and its body.
fn answer(stream: &mut TcpStream) -> std::io::Result<(u16, String)> {
    let cut = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok((status(head), body.to_owned()));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Err(cut()),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// A request of its own connection.
fn ask(port: u16, method: &str, patience: Duration) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(patience))?;
    let request = format!("{method} / HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    answer(&mut stream)
}

/// How many of so many requests were answered with 200.
fn good(port: u16, requests: usize) -> usize {
    let fine = |_: &usize| matches!(ask(port, "GET", Duration::from_secs(5)), Ok((200, _)));
    (0..requests).filter(fine).count()
}

/// Says that nothing more will be sent.
fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).expect("closed");
}
