//! Ports: free ones for replicas, and who listens on one that is taken, so that a person knows what
//! to do.

use crate::marks;
use dax_core::Name;
use dax_core::printable::Line;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

/// The lowest port that a replica gets.
const LOWEST: u16 = 16_384;
/// From here on the ports below the system's own are enough.
const ENOUGH: u16 = 24_576;
/// Ports that were handed out last and are not handed out again: their replicas may not listen yet.
const REMEMBERED: usize = 2_048;

/// The ports that replicas got.
#[derive(Default)]
pub(super) struct RecentPorts(Mutex<VecDeque<u16>>);

/// The first port that the system gives to connections by itself: a replica's port must not be one
/// of those, or a connection that happens to have it keeps the replica from starting.
///
/// Source: ip(7), ip_local_port_range.
fn first_ephemeral() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = range.ok().and_then(|text| text.split_whitespace().next()?.parse().ok());
    first.unwrap_or(32_768)
}

impl RecentPorts {
    /// Ports that nobody listens on at this moment, one a name.
    pub(super) fn free(
        &self,
        names: impl Iterator<Item = Name>,
    ) -> Result<BTreeMap<Name, u16>, String> {
        let mut handed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = first_ephemeral();
        // Where the system leaves few below its own, one of its own has to do.
        let (low, high) = if first > ENOUGH { (LOWEST, first) } else { (first, u16::MAX) };
        let count = usize::from(high - low);
        let start = usize::try_from(std::hash::RandomState::new().build_hasher().finish() % 65_536);
        let start = start.unwrap_or(0);
        let mut candidates = (0..count).filter_map(|at| {
            let port = low + u16::try_from((start + at) % count).ok()?;
            let free = TcpListener::bind(("127.0.0.1", port)).is_ok();
            (free && !handed.contains(&port)).then_some(port)
        });
        let mut ports = BTreeMap::new();
        for name in names {
            ports.insert(name, candidates.next().ok_or("no free port")?);
        }
        drop(candidates);
        handed.extend(ports.values());
        while handed.len() > REMEMBERED {
            handed.pop_front();
        }
        Ok(ports)
    }
}

/// Why a port cannot be listened on, when another process does: which one it is, and what to do.
pub(super) fn taken(port: u16, name: &Name) -> String {
    let other_port = format!("give the service another port with `ports.{name} = …`");
    let Some(pid) = listens(port) else {
        return format!("port {port} is taken by another program: stop it, or {other_port}");
    };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let command: String = command.trim_end().chars().take(60).collect();
    let who = format!("port {port} is taken by process {pid} (`{}`)", Line::new(&command));
    match marks::folder_of(pid) {
        Some(folder) => format!(
            "{who}, which dax started for the project in `{}`: `dax agent --end` there ends all \
             that dax started for it; or {other_port}",
            Line::new(&marks::project_of(&folder).display().to_string())
        ),
        None => format!("{who}: stop it, or {other_port}"),
    }
}

/// The process that listens on a port of the loopback interface, if this user may see it.
///
/// Source: proc_pid_net(5). Addresses and ports are hexadecimal, `0A` is listening, the tenth field
/// is the inode.
fn listens(port: u16) -> Option<i32> {
    let wanted = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let lines = tables.iter().flat_map(|table| {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    });
    let inodes: Vec<String> = lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&wanted) && *fields.get(3)? == "0A";
            listens.then(|| format!("socket:[{}]", fields.get(9).unwrap_or(&"")))
        })
        .collect();
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let me = rustix::process::getuid();
    let mut pids = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
        let seen = me.is_root() || entry.metadata().ok()?.uid() == me.as_raw();
        seen.then_some(pid)
    });
    pids.find(|pid| {
        let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        fds.flatten().any(|fd| {
            let target = std::fs::read_link(fd.path()).unwrap_or_default();
            target.to_str().is_some_and(|target| inodes.iter().any(|inode| inode == target))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_handed_out_twice_and_none_that_connections_get() {
        let handed = RecentPorts::default();
        let mut all = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let ports = handed.free(["http", "admin"].map(Name::from).into_iter()).unwrap();
            assert_eq!(ports.len(), 2);
            all.extend(ports.into_values());
        }
        assert_eq!(all.len(), 400);
        let first = first_ephemeral();
        assert!(first <= ENOUGH || all.iter().all(|port| *port < first));
    }

    #[test]
    fn who_has_a_port_is_found() {
        let held = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let message = taken(port, &"http".into());
        let me = format!("port {port} is taken by process {}", std::process::id());
        assert!(message.starts_with(&me) && message.contains("ports.http"), "{message}");
    }
}
