//! A real Prometheus, and something for it to scrape.

use super::http::serve;
use super::{Peer, free_port, wait};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A Prometheus server that scrapes a text which a test may change at any time.
pub struct Prometheus {
    peer: Peer,
    text: Arc<Mutex<String>>,
}

impl Prometheus {
    /// Where its API is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.peer.port)
    }

    /// What it scrapes from now on; returns when it has.
    ///
    /// # Panics
    /// It does not, for a long time.
    pub fn expose(&self, name: &str, labels: &str, number: &str) {
        *self.text.lock().expect("nobody fails with this lock") =
            format!("{name}{{{labels}}} {number}\n");
        let until = std::time::Instant::now() + super::PATIENCE;
        while std::time::Instant::now() < until {
            if self.ask(name).contains(&format!("\"{number}\"")) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("Prometheus has not seen {name}: {}", self.ask(name));
    }

    /// What it answers to an instant query of one word.
    fn ask(&self, query: &str) -> String {
        let mut answer = String::new();
        let asked =
            std::net::TcpStream::connect(("127.0.0.1", self.peer.port)).and_then(|mut stream| {
                let request =
                    format!("GET /api/v1/query?query={query} HTTP/1.0\r\nhost: localhost\r\n\r\n");
                stream
                    .write_all(request.as_bytes())
                    .and_then(|()| stream.read_to_string(&mut answer))
            });
        asked.map_or_else(|error| error.to_string(), |_| answer)
    }
}

/// Starts a server, if it is installed.
pub fn prometheus() -> Option<Prometheus> {
    let server = super::require("Prometheus")?;
    let text = Arc::new(Mutex::new(String::new()));
    let shown = text.clone();
    let target = serve(move |_| {
        (
            200,
            "text/plain; version=0.0.4",
            shown.lock().expect("nobody fails with this lock").clone(),
        )
    });
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs: [{{job_name: test, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n",
        target.port
    );
    std::fs::write(folder.path().join("prometheus.yml"), config).expect("a file");
    let port = free_port();
    let mut command = Command::new(server);
    command.arg("--config.file").arg(folder.path().join("prometheus.yml"));
    command
        .arg("--storage.tsdb.path")
        .arg(folder.path().join("data"))
        .arg("--web.listen-address")
        .arg(format!("127.0.0.1:{port}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("prometheus");
    wait(port, &mut child, "Prometheus");
    Some(Prometheus { peer: Peer { child, again: None, port, folder }, text })
}
