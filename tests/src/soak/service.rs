//! The service that the soak deploys: a small HTTP server that leaves traces outside of the project.
//!
//! It answers the text that it was sent with who it is. Every start is a line of one file, and every POST a line of a
//! file of its process, so that something that was done twice is found however it came about.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The service that has a secret, by the variable `TOKEN`.
pub const WITH_SECRET: &str = "s0";
/// The secret.
pub const SECRET: &str = "soak-secret-5f21";
/// The service whose replicas have each a process of their own beside them.
pub const WITH_CHILD: &str = "s4";
/// The time after which such a process ends by itself, whatever becomes of the soak.
const LONGEST_NAP: Duration = Duration::from_hours(6);
/// The file with a line for each start, in the folder of traces.
pub const STARTS: &str = "starts";
/// The folder with a file for each process, of the texts that were posted to it.
pub const POSTS: &str = "posts";

/// Who answers.
struct Service {
    name: String,
    tag: String,
    posts: PathBuf,
}

/// Serves until the process is ended.
///
/// # Errors
/// The traces cannot be written, or the port is another program's.
pub fn serve(traces: &Path, name: &str, version: &str) -> std::io::Result<()> {
    let note = std::env::var("NOTE").unwrap_or_default();
    let mut tag = format!("{version}.{note}");
    if name == WITH_SECRET && std::env::var("TOKEN").as_deref() != Ok(SECRET) {
        tag.push_str("-without-its-secret");
    }
    let port: u16 = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(0);
    let bound = TcpListener::bind(("127.0.0.1", port));
    let state = if bound.is_ok() { "up" } else { "port-taken" };
    let line = format!("{name} {tag} {} {state}\n", std::process::id());
    append(&traces.join(STARTS), &line)?;
    let posts = traces.join(POSTS).join(std::process::id().to_string());
    if name == WITH_CHILD && bound.is_ok() {
        child(traces, name, version)?;
    }
    let service = Arc::new(Service { name: name.to_owned(), tag, posts });
    for stream in bound?.incoming() {
        let (service, stream) = (service.clone(), stream?);
        std::thread::spawn(move || drop(connection(&service, stream)));
    }
    Ok(())
}

/// Starts a process in a group of its own, as servers do that have workers.
fn child(traces: &Path, name: &str, version: &str) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("nap").arg(traces).args([name, version]).process_group(0);
    command.stdin(Stdio::null()).spawn().map(drop)
}

/// What the process beside a replica does: nothing, until it is ended with its service.
pub fn nap() {
    std::thread::sleep(LONGEST_NAP);
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    std::fs::File::options().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

/// Answers the requests of a connection, one after the other.
fn connection(service: &Service, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut head = String::new();
        let mut length = 0;
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
            if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length:")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut words = head.split_whitespace();
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let mut id = path.trim_start_matches('/').to_owned();
        if method == "POST" {
            id = String::from_utf8_lossy(&body).into_owned();
            append(&service.posts, &format!("{id}\n"))?;
        }
        let text = format!("{} {} {id}\n", service.name, service.tag);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes())?;
    }
}
