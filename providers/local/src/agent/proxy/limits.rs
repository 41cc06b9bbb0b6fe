//! How many connections there may be: what this process may open, divided so that no side starves another.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// What counts as "as many as you like".
const PLENTY: u64 = 1 << 20;
/// Connections of clients at the same time, whatever the system allows.
const MOST_CLIENTS: u64 = 100_000;

/// Headers that a request or an answer may have.
pub(super) const MOST_HEADERS: usize = 256;

/// The connections that this process may have.
pub(super) struct Limits {
    /// Connections of clients.
    pub(super) clients: usize,
    /// All connections, those to replicas as well.
    pub(super) all: Arc<Semaphore>,
}

/// The limits of this process; looking at them first raises the limit of open files as far as it may be raised.
pub(super) static LIMITS: LazyLock<Limits> = LazyLock::new(|| Limits::of(raised()));

impl Limits {
    /// Three quarters of all files are for clients at most, an eighth for replicas at least, and an eighth is left
    /// for probes, logs and starts.
    fn of(files: u64) -> Self {
        let whole = |number: u64| usize::try_from(number.max(1)).unwrap_or(usize::MAX);
        Self {
            clients: whole((files / 4 * 3).min(MOST_CLIENTS)),
            all: Arc::new(Semaphore::new(whole(files / 8 * 7).min(Semaphore::MAX_PERMITS))),
        }
    }
}

/// The limit of open files that this process was started with.
static GIVEN: LazyLock<Rlimit> = LazyLock::new(|| getrlimit(Resource::Nofile));

/// Gives a process that was just started here the limit that the agent was started with: programs that go through
/// all files that they may have open are slow under a high one.
pub(in super::super) fn give_back(pid: i32) {
    #[cfg(target_os = "linux")]
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::prlimit(Some(pid), Resource::Nofile, *GIVEN);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = pid;
}

/// Raises the limit of open files as far as it may be raised, and says what it is now.
fn raised() -> u64 {
    let limit = *GIVEN;
    let most = limit.maximum.unwrap_or(PLENTY).min(PLENTY);
    let now = limit.current.unwrap_or(PLENTY);
    if now >= most {
        return now.min(PLENTY);
    }
    let wanted = Rlimit { current: Some(most), maximum: limit.maximum };
    if setrlimit(Resource::Nofile, wanted).is_ok() { most } else { now }
}

/// Whether an error says that there are too many open files or too little memory for one more.
pub(in super::super) fn is_exhausted(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| scarce.iter().any(|e| e.raw_os_error() == code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_and_replicas_leave_files_for_probes_and_starts() {
        let small = Limits::of(1024);
        assert_eq!((small.clients, small.all.available_permits()), (768, 896));
        let tiny = Limits::of(1);
        assert_eq!((tiny.clients, tiny.all.available_permits()), (1, 1));
        assert_eq!(Limits::of(u64::MAX).clients, 100_000);
    }
}
