//! What client and agent say to each other: one line of JSON each way on a Unix socket of mode 0600.

use dax_core::{LiveService, Name, RevisionId, Value};
use dax_provider_api::{Expect, Fence, Operation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file name of the agent's record.
pub(crate) const RECORD: &str = "agent.json";
/// Variables that the agent and its processes get from the command's own environment.
pub(crate) const INHERITED: &[&str] =
    &["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"];

/// Paths of Unix sockets are limited to about a hundred bytes.
const MAX_SOCKET_PATH: usize = 100;

/// A question or an order.
#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    Read {
        environment: Name,
    },
    Change {
        environment: Name,
        service: Name,
        operation: Operation,
        token: Name,
        fence: Fence,
        expect: Expect,
        timeout_ms: u64,
        secrets: BTreeMap<Name, String>,
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

/// An answer.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    Services(BTreeMap<Name, LiveService>),
    Done,
    Measured(Option<Value>),
    /// It will not be done.
    Refused(String),
    /// The object is not as the order needs it.
    Conflict(String),
}

/// Where the agent of a folder listens.
pub(crate) fn socket_path(folder: &Path) -> PathBuf {
    let path = folder.join("agent.sock");
    if path.as_os_str().len() <= MAX_SOCKET_PATH {
        return path;
    }
    // The folder's own name is too long; a short one that only this user can enter stands in for it.
    let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in folder.as_os_str().as_encoded_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    base.join(format!("dax-{}-{hash:016x}", rustix::process::getuid().as_raw())).join("agent.sock")
}
