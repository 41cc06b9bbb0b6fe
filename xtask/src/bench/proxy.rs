//! The proxy of a service's port beside nginx: the same backend, the same clients, in turns.
//!
//! wrk asks the backend itself, nginx in front of it and dax in front of it, round after round. nginx is there twice:
//! with `proxy_pass` and what it does by default, and tuned for this very load, with connections to the backend that
//! are kept and without a log. Then clients ask in step with a backend that closes idle connections after a
//! second, and every answer that is not 200 is counted.

use crate::{cargo, run as run_command};
use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 5;
const SECONDS: u32 = 5;
/// Throughput by that of nginx with its defaults that must be reached.
const THROUGHPUT: f64 = 1.0;
/// The 99th percentile by that of nginx with its defaults that must not be passed.
const P99: f64 = 1.5;
/// Clients in step, and how often each asks with each method.
const CLIENTS: usize = 25;
const STEPS: u32 = 20;

const DAX: u16 = 18_480;
const DAX_EARLY: u16 = 18_481;
const NGINX: u16 = 18_482;
const NGINX_TUNED: u16 = 18_483;
const NGINX_EARLY: u16 = 18_484;

/// Who is asked, and what wrk measured in each round.
struct Row {
    name: &'static str,
    port: u16,
    rounds: Vec<Round>,
}

/// What wrk measured.
#[derive(Clone, Copy, Debug)]
struct Round {
    per_second: f64,
    p99_ms: f64,
    errors: f64,
}

pub(super) fn run(root: &Path) -> Result<()> {
    for program in ["nginx", "wrk"] {
        ensure!(
            found(program).is_some(),
            "there is no {program}: `apt-get install nginx-light wrk`"
        );
    }
    let features = ["--no-default-features", "--features", "local"];
    run_command(cargo(&["build", "--release", "--package", "dax-cli"]).args(features))?;
    let folder = std::env::temp_dir().join(format!("dax-bench-proxy-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let project = Project { dax: root.join("target/release/dax"), folder: folder.clone() };
    let result = project.measure();
    let _ = project.dax(&["destroy", "-e", "dev", "--auto-approve", "-q"]);
    std::fs::remove_dir_all(&folder)?;
    result
}

/// A program in the usual places.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

struct Project {
    dax: PathBuf,
    folder: PathBuf,
}

/// nginx in front of the backends; it ends with this.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // nginx ends its workers when it is asked to end, and not when it is killed.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

impl Project {
    fn dax(&self, args: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.dax);
        command.args(args).current_dir(&self.folder).stdin(Stdio::null());
        run_command(command)
    }

    fn measure(&self) -> Result<()> {
        self.write()?;
        self.dax(&["apply", "-e", "dev", "--auto-approve", "-q"])?;
        let (web, early) = (self.port("web")?, self.port("early")?);
        let _nginx = self.nginx(web, early)?;
        let row = |name, port| Row { name, port, rounds: Vec::new() };
        let mut rows = [
            row("direct", web),
            row("nginx", NGINX),
            row("nginx, tuned", NGINX_TUNED),
            row("dax", DAX),
        ];
        for row in &rows {
            wrk(row.port, 1)?;
        }
        for _ in 0..ROUNDS {
            for row in &mut rows {
                row.rounds.push(wrk(row.port, SECONDS)?);
            }
        }
        println!("{:14} {:>12} {:>9} {:>8}", "", "requests/s", "p99 ms", "errors");
        for row in &rows {
            let (per_second, p99) = (median(row, |r| r.per_second), median(row, |r| r.p99_ms));
            let errors: f64 = row.rounds.iter().map(|round| round.errors).sum();
            println!("{:14} {per_second:>12.0} {p99:>9.2} {errors:>8}", row.name);
        }
        let [_, nginx, tuned, dax] = &rows;
        let by = |other: &Row| {
            let throughput = median(dax, |r| r.per_second) / median(other, |r| r.per_second);
            (throughput, median(dax, |r| r.p99_ms) / median(other, |r| r.p99_ms))
        };
        let (throughput, p99) = by(nginx);
        println!(
            "dax by nginx: throughput {throughput:.2} (at least {THROUGHPUT:.1}), \
             p99 {p99:.2} (at most {P99:.1})"
        );
        println!("dax by nginx, tuned: throughput {:.2}, p99 {:.2}", by(tuned).0, by(tuned).1);
        let mut lost = 0;
        for (name, port) in [("nginx", NGINX_EARLY), ("dax", DAX_EARLY)] {
            for method in ["GET", "POST"] {
                let count = in_step(port, method);
                println!("{name}: {count} of {} {method} in step lost", CLIENTS * STEPS as usize);
                lost += if name == "dax" { count } else { 0 };
            }
        }
        let errors: f64 = dax.rounds.iter().map(|round| round.errors).sum();
        ensure!(throughput >= THROUGHPUT && p99 <= P99, "dax is slower than it must be");
        ensure!(lost == 0 && errors == 0.0, "dax lost requests");
        Ok(())
    }

    /// A project of two backends that are nginx with a fixed answer; each writes down its port.
    fn write(&self) -> Result<()> {
        std::fs::write(self.folder.join("dax.mod"), "project = \"bench\"\nedition = 2026\n")?;
        std::fs::write(
            self.folder.join("backend.sh"),
            "echo $PORT >$DAX_SERVICE.port\n\
             cat >$DAX_SERVICE.conf <<END\n\
             daemon off; pid $PWD/$DAX_SERVICE.pid; error_log /dev/null; worker_processes 1;\n\
             events { worker_connections 4096; }\n\
             http { access_log off; keepalive_timeout $1; keepalive_requests 100000000;\n\
             server { listen 127.0.0.1:$PORT; location / { return 200 'a small answer'; } } }\n\
             END\n\
             exec nginx -c $PWD/$DAX_SERVICE.conf\n",
        )?;
        let service = |name: &str, port: u16, keepalive: &str| {
            format!(
                "service {name} {{\n  command = [\"sh\", \"backend.sh\", \"{keepalive}\"]\n  \
                 ports   = {{ http: {port} }}\n  health http \"/\"\n}}\n\n"
            )
        };
        let text = format!(
            "import local from \"std/local\"\n\nprovider local.machine {{\n}}\n\n{}{}\
             environment dev {{\n  bind [web, early] to local.machine\n}}\n",
            service("web", DAX, "75s"),
            service("early", DAX_EARLY, "1s"),
        );
        Ok(std::fs::write(self.folder.join("main.dax"), text)?)
    }

    /// The port on which a backend listens itself.
    fn port(&self, service: &str) -> Result<u16> {
        let text = std::fs::read_to_string(self.folder.join(format!("{service}.port")))?;
        text.trim().parse().with_context(|| format!("the port of {service}: {text}"))
    }

    /// nginx as a proxy: with its defaults, and as its documentation has it for connections that are kept.
    fn nginx(&self, web: u16, early: u16) -> Result<Nginx> {
        let tuned = |name: &str, port: u16, backend: u16| {
            format!(
                "upstream {name} {{ server 127.0.0.1:{backend}; keepalive 128;\n\
                 keepalive_requests 100000000; }}\n\
                 server {{ listen 127.0.0.1:{port}; access_log off; keepalive_requests 100000000;\n\
                 location / {{ proxy_pass http://{name};\n\
                 proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}\n"
            )
        };
        let file = self.folder.join("proxy.conf");
        let here = self.folder.display();
        let conf = format!(
            "daemon off; pid {here}/proxy.pid; error_log /dev/null; worker_processes auto;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log {here}/access.log;\n{}{}\
             server {{ listen 127.0.0.1:{NGINX};\n\
             location / {{ proxy_pass http://127.0.0.1:{web}; }} }} }}\n",
            tuned("web", NGINX_TUNED, web),
            tuned("early", NGINX_EARLY, early),
        );
        std::fs::write(&file, conf)?;
        let program = found("nginx").context("nginx")?;
        let child = Nginx(Command::new(program).arg("-c").arg(&file).spawn()?);
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", NGINX)).is_ok() {
                return Ok(child);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("nginx does not listen")
    }
}

fn median(row: &Row, figure: impl Fn(&Round) -> f64) -> f64 {
    let mut figures: Vec<f64> = row.rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One run of wrk.
fn wrk(port: u16, seconds: u32) -> Result<Round> {
    let output = Command::new("wrk")
        .args(["-t2", "--latency", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")])
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let after = |what: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(what))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    let per_second = after("Requests/sec:").and_then(|number| number.parse().ok());
    let errors = text.lines().filter(|line| {
        let line = line.trim();
        line.starts_with("Socket errors") || line.starts_with("Non-2xx")
    });
    let digits = |line: &str| -> f64 {
        let numbers = line.split(|c: char| !c.is_ascii_digit());
        // The 2 and 3 of "Non-2xx or 3xx responses" are none.
        numbers
            .skip(if line.contains("xx") { 4 } else { 0 })
            .filter_map(|n| n.parse::<f64>().ok())
            .sum()
    };
    Ok(Round {
        per_second: per_second.with_context(|| format!("wrk said {text}"))?,
        p99_ms: after("99%").and_then(|time| millis(&time)).context("a 99th percentile")?,
        errors: errors.map(digits).sum(),
    })
}

/// A time as wrk writes it, in milliseconds.
fn millis(text: &str) -> Option<f64> {
    let (number, factor) = if let Some(number) = text.strip_suffix("us") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1.0)
    } else {
        (text.strip_suffix('s')?, 1000.0)
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// How many requests were not answered with 200, of clients that ask once a second and all at once.
fn in_step(port: u16, method: &'static str) -> usize {
    let begun = Instant::now() + Duration::from_millis(100);
    let client = move || {
        let mut open: Option<TcpStream> = None;
        let mut lost = 0;
        for step in 0..STEPS {
            let due = begun + Duration::from_secs(1) * step;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let stream = open.take().map_or_else(|| TcpStream::connect(("127.0.0.1", port)), Ok);
            match stream.and_then(|stream| ask(stream, method)) {
                Ok(stream) => open = Some(stream),
                Err(_) => lost += 1,
            }
        }
        lost
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| std::thread::spawn(client)).collect();
    clients.into_iter().map(|client| client.join().unwrap_or(STEPS as usize)).sum()
}

/// Asks once; the connection comes back when the answer was 200 with its body.
fn ask(mut stream: TcpStream, method: &str) -> std::io::Result<TcpStream> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = format!("{method} / HTTP/1.1\r\nHost: bench\r\nContent-Length: 4\r\n\r\nabcd");
    stream.write_all(request.as_bytes())?;
    let mut text = Vec::new();
    let mut piece = [0; 2048];
    while !text.ends_with(b"a small answer") {
        let read = stream.read(&mut piece)?;
        text.extend_from_slice(&piece[..read]);
        if read == 0 || !text.starts_with(&b"HTTP/1.1 200"[..text.len().min(12)]) {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
    Ok(stream)
}
