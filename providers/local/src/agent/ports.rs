//! Ports that somebody else listens on: who that is, so that a person knows what to do.

use crate::marks;
use dax_core::Name;
use std::os::unix::fs::MetadataExt;

/// Why a port cannot be listened on, when another process does: which one it is, and what to do.
pub(super) fn taken(port: u16, name: &Name) -> String {
    let other_port = format!("give the service another port with `ports.{name} = …`");
    let Some(pid) = listens(port) else {
        return format!("port {port} is taken by another program: stop it, or {other_port}");
    };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let command: String = command.trim_end().chars().take(60).collect();
    let who = format!("port {port} is taken by process {pid} (`{}`)", command.escape_debug());
    match marks::folder_of(pid) {
        Some(folder) => format!(
            "{who}, which dax started for the project in `{}`: `dax agent --end` there ends all that \
             dax started for it; or {other_port}",
            marks::project_of(&folder).display().to_string().escape_debug()
        ),
        None => format!("{who}: stop it, or {other_port}"),
    }
}

/// The process that listens on a port of the loopback interface, if this user may see it.
///
/// Source: proc_pid_net(5). Addresses and ports are hexadecimal, `0A` is listening, the tenth field is the inode.
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
