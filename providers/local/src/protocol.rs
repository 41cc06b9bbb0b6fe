//! Requests and replies between a command and the agent: one line of JSON each way, bounded in
//! length and time.

use dax_core::{Name, RevisionId, Value};
use dax_model::LiveService;
use dax_model::Operation;
use dax_provider_api::{Expect, Fence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Variables that the agent and its processes get from the command's own environment.
pub(crate) const INHERITED: &[&str] =
    &["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"];

/// Bytes that a request or a reply may have.
pub(crate) const LONGEST_LINE: u64 = 64 << 20;
/// The beginning of the answer to what is no request to this agent.
pub(crate) const NOT_UNDERSTOOD: &str = "the agent does not understand this request";
/// How long a client may take to say what it wants.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time that anything is given.
const LONGEST_MS: u64 = 30 * 24 * 3_600_000;

/// A question or an operation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Read {
        environment: Name,
    },
    Change {
        environment: Name,
        service: Name,
        operation: Box<Operation>,
        /// The fields of the revision with which a command runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<Value>,
        token: Name,
        fence: Fence,
        expect: Expect,
        timeout_ms: u64,
        /// Values of secrets by key.
        values: BTreeMap<Name, String>,
        /// Empty where there are none, else absent: an agent of before that knows secrets by their
        /// names only, and would start a process without them, refuses then.
        #[serde(default, rename = "secrets", skip_serializing_if = "Option::is_none")]
        named: Option<Empty>,
    },
    Measure {
        environment: Name,
        service: Name,
        revision: RevisionId,
        text: Name,
        window_ms: u64,
    },
    /// End when nothing runs any more.
    Settle,
}

/// A map of nothing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// An answer.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    Services(BTreeMap<Name, LiveService>),
    Done,
    Measured(Option<Value>),
    /// It will not be done.
    Refused(String),
    /// The object is not as the operation needs it.
    Conflict(String),
}

/// A time that a client named, within reason: what is too long for the clock is a month.
pub(crate) fn time(ms: u64) -> Duration {
    Duration::from_millis(ms.min(LONGEST_MS))
}

/// A request as an agent reads it from a line.
///
/// # Errors
/// It is none, in words for whoever sent it.
pub(crate) fn request(line: &[u8]) -> Result<Request, String> {
    let request: Request =
        serde_json::from_slice(line).map_err(|error| format!("{NOT_UNDERSTOOD}: {error}"))?;
    let names: &[&Name] = match &request {
        Request::Read { environment } => &[environment],
        Request::Change { environment, service, .. }
        | Request::Measure { environment, service, .. } => &[environment, service],
        Request::Settle => &[],
    };
    if names.iter().any(|name| name.is_empty()) {
        return Err("the agent needs the names of an environment and a service".to_owned());
    }
    Ok(request)
}

/// Reads a line of at most [`LONGEST_LINE`] bytes; nothing when there is none.
///
/// # Errors
/// The line is longer, or cannot be read.
pub(crate) async fn line<R: AsyncRead + Unpin>(stream: R) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut stream = BufReader::new(stream.take(LONGEST_LINE));
    stream.read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() as u64 >= LONGEST_LINE => {
            Err(io::Error::new(ErrorKind::InvalidData, "the line is too long"))
        }
        Some(_) => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Whether any bytes are read as a request or refused. For fuzzing.
#[doc(hidden)]
pub fn any_request(bytes: &[u8]) {
    if let Ok(request) = request(bytes) {
        let again = serde_json::to_vec(&request).expect("a request is JSON");
        assert!(self::request(&again).is_ok(), "{request:?}");
        if let Request::Change { timeout_ms, .. } = request {
            let _ = std::time::Instant::now() + time(timeout_ms);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
