//! A process as a number and the time of its start, and signals to exactly that one.

use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

/// A process by number and by when it started, so that a number used again is not mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    pub(crate) started: u64,
}

/// An identity as a record has it.
#[derive(Deserialize)]
struct Raw {
    pid: i32,
    started: u64,
}

impl TryFrom<Raw> for Identity {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        // To a signal, zero and one and what is below mean many processes or all.
        if raw.pid > 1 {
            return Ok(Self { pid: raw.pid, started: raw.started });
        }
        Err(format!("{} is no process of a service", raw.pid))
    }
}

/// What the kernel says of a process that has not ended.
pub(crate) struct Stat {
    /// When it started, in ticks since boot.
    pub(crate) started: u64,
    /// The process that it is a child of.
    pub(crate) parent: i32,
    /// Its group; 0 where whoever leads it is of another PID namespace.
    group: i32,
    /// Its session; 0 where whoever leads it is of another PID namespace.
    session: i32,
}

impl Stat {
    /// Of a process, if there is one.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&stat))
    }

    /// Source: proc_pid_stat(5), fields 3 to 6 and 22. The second field may hold anything, so
    /// fields count from its last `)`.
    fn parse(stat: &str) -> Option<Self> {
        let rest = stat.rsplit_once(')')?.1;
        let mut fields = rest.split_whitespace();
        if matches!(fields.next()?, "Z" | "X") {
            return None; // ended, only not yet waited for
        }
        let [parent, group, session] =
            [fields.next()?, fields.next()?, fields.next()?].map(|field| field.parse().ok());
        let started = fields.nth(15)?.parse().ok()?;
        Some(Self { started, parent: parent?, group: group?, session: session? })
    }

    /// Whether this process, which has this number, leads a group in somebody else's session.
    pub(crate) fn leads(&self, pid: i32) -> bool {
        self.group == pid && self.session != pid
    }
}

impl Identity {
    /// The process that has this number now.
    pub(crate) fn now(pid: i32) -> Option<Self> {
        Stat::of(pid).map(|stat| Self { pid, started: stat.started })
    }

    /// Whether it still runs.
    pub(crate) fn runs(self) -> bool {
        Stat::of(self.pid).is_some_and(|stat| stat.started == self.started)
    }

    /// Sends a signal to this very process and to no other that has its number by now.
    pub(crate) fn signal(self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
        if self.runs() {
            let _ = rustix::process::pidfd_send_signal(handle, signal);
        }
    }

    /// Sends a signal to the group that it leads.
    pub(crate) fn signal_group(self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.pid) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

/// The number of this boot of the machine: processes of an earlier one are gone, whatever their
/// numbers are.
pub(crate) fn boot() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_led_from_outside_a_container_is_nobodys_here() {
        let of = |family: &str| {
            Stat::parse(&format!(
                "71 (a) b) S {family} 0 -1 4194304 9 0 0 0 1 2 0 0 20 0 3 0 5501 8"
            ))
        };
        let inside = of("3 71 40").expect("a process");
        assert_eq!((inside.started, inside.parent, inside.leads(71)), (5501, 3, true));
        // What `docker exec` started: the kernel has no number for whoever leads its session.
        assert!(of("0 71 0").is_some_and(|stat| stat.leads(71)));
        assert!(of("0 0 0").is_some_and(|stat| !stat.leads(71)));
        assert!(of("3 71 71").is_some_and(|stat| !stat.leads(71)));
        assert!(Stat::parse("71 (a) S 3 71 40 0 -1").is_none(), "a line that is cut");
    }
}
