//! Probes: whether a replica can take traffic.

use super::proxy::is_exhausted;
use dax_core::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Pause before a connection is tried again for which there was no file or no memory.
const AGAIN: Duration = Duration::from_millis(100);

/// How a replica is probed.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    /// The path of an HTTP probe; without one a connection is enough.
    path: Option<String>,
    pub(crate) every: Duration,
    timeout: Duration,
    pub(crate) fail_after: u32,
    pub(crate) ready_within: Duration,
}

impl Health {
    /// The probe of a revision; without `health` a connection to its port is enough, or a running process.
    pub(crate) fn of(spec: &Value) -> Self {
        let health = spec.get("health");
        let millis = |name: &str, default: u64| {
            Duration::from_millis(health.and_then(|h| h.get(name)?.as_millis()).unwrap_or(default))
        };
        let http = health.and_then(|h| h.get("kind")?.as_str()) == Some("http");
        Self {
            path: health.filter(|_| http).and_then(|h| h.get("path")?.as_str()).map(str::to_owned),
            every: millis("every", 1_000).max(Duration::from_millis(20)),
            timeout: millis("timeout", 2_000),
            fail_after: health
                .and_then(|h| h.get("fail_after")?.as_int())
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(3),
            ready_within: millis("ready_within", 60_000),
        }
    }

    /// Probes once.
    pub(crate) async fn probe(&self, port: Option<u16>) -> Result<(), String> {
        let Some(port) = port else { return Ok(()) };
        match tokio::time::timeout(self.timeout, self.ask(port)).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} ms", self.timeout.as_millis())),
        }
    }

    async fn ask(&self, port: u16) -> Result<(), String> {
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", port)).await {
                // That says nothing about the replica.
                Err(error) if is_exhausted(&error) => tokio::time::sleep(AGAIN).await,
                result => break result.map_err(|error| format!("port {port}: {error}"))?,
            }
        };
        let Some(path) = &self.path else { return Ok(()) };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: dax-health\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut head = [0_u8; 12];
        stream.read_exact(&mut head).await.map_err(|error| format!("no HTTP answer: {error}"))?;
        // `HTTP/1.1 200`: the status is all that counts.
        let status =
            std::str::from_utf8(&head[9..12]).ok().and_then(|status| status.parse::<u16>().ok());
        match status {
            Some(status) if status < 400 => Ok(()),
            Some(status) => Err(format!("GET {path} answered {status}")),
            None => Err("the answer is not HTTP".to_owned()),
        }
    }
}
