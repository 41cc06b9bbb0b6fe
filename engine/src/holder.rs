//! Who we are, for leases; and whether another holder is still alive.

use dax_core::Name;
use dax_store::Holder;

/// Characters of a name on the record; a longer one is cut.
const LONGEST_NAME: usize = 128;

/// Who this is, for the record: the person that a CI system names, or the user of this machine.
pub(crate) fn who() -> Name {
    let known = [
        "DAX_USER",
        "GITHUB_ACTOR",
        "GITLAB_USER_LOGIN",
        "BITBUCKET_STEP_TRIGGERER_UUID",
        "USER",
        "LOGNAME",
    ];
    let found =
        known.iter().filter_map(|name| std::env::var(name).ok()).find(|name| !name.is_empty());
    found.map_or_else(|| Name::new_static("somebody"), |name| bounded(&name))
}

/// The beginning of a name that anybody may have chosen.
fn bounded(name: &str) -> Name {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]).into(),
        None => name.into(),
    }
}

/// This process.
pub(crate) fn this() -> Holder {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned());
    let user = who();
    let pid = std::process::id();
    Holder {
        name: format!("{user}@{host}, process {pid}"),
        host,
        pid,
        started: started(pid).unwrap_or(0),
    }
}

/// Whether a holder is known to be gone: on this machine, and its process is no more.
pub(crate) fn is_gone(holder: &Holder) -> bool {
    let ours = this();
    holder.host == ours.host
        && started(ours.pid).is_some()
        && started(holder.pid) != Some(holder.started)
}

/// When a process started, in the kernel's ticks since boot; nothing when there is none. Source: proc_pid_stat(5).
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // A program's name may be cut in the middle of a character.
    let stat = String::from_utf8_lossy(&stat);
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_length_takes_little_room_on_the_record() {
        assert_eq!(bounded("ada"), "ada");
        let long = bounded(&"é".repeat(100_000));
        assert_eq!(long.chars().count(), LONGEST_NAME + 1);
        assert!(long.ends_with('…'));
    }
}
