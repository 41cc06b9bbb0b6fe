//! Control groups: one for each replica, so that whatever it starts is known as its own and ends
//! with it.
//!
//! Only where the machine gives dax a part of the tree: version 2, writable, and delegated where
//! systemd manages it. Elsewhere the marks of processes have to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Attributes by which systemd says that a part of the tree is somebody else's to manage.
/// Source: "Control Group APIs and Delegation", systemd.io/CGROUP_DELEGATION.
const DELEGATED: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// Where groups can be made, if they can.
#[derive(Default)]
pub(super) struct Cgroups {
    /// The group of this process.
    own: Option<PathBuf>,
    /// Held while this process is in another group than its own.
    moving: Mutex<()>,
}

/// The folder of this process's own group.
fn own() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    // Source: proc_pid_mountinfo(5): root and mount point are the fields 4 and 5, the type follows
    // ` - `.
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let below = Path::new(group).strip_prefix(root).ok()?;
    Some(Path::new(point).join(below))
}

fn delegated(group: &Path) -> bool {
    let mut value = [0; 8];
    group.ancestors().any(|group| {
        DELEGATED.iter().any(|name| {
            rustix::fs::getxattr(group, *name, &mut value[..])
                .is_ok_and(|length| value[..length] == *b"1")
        })
    })
}

impl Cgroups {
    /// Those of this machine.
    pub(super) fn find() -> Self {
        let systemd = Path::new("/run/systemd/system").exists();
        let own = own().filter(|own| !systemd || delegated(own));
        let own = own.filter(|own| {
            let tried = own.join(format!("dax-try-{}", std::process::id()));
            let made = std::fs::create_dir(&tried).is_ok();
            let kills = tried.join("cgroup.kill").exists();
            made && std::fs::remove_dir(&tried).is_ok() && kills
        });
        Self { own, moving: Mutex::default() }
    }

    /// Starts something in a group of its own, where there can be one; gives the group.
    ///
    /// A child is born into the group that its parent is in at that moment, so no process of it can
    /// escape by being faster than whoever would move it.
    pub(super) fn start<T>(
        &self,
        name: &str,
        start: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<(T, Option<PathBuf>)> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = &self.own else { return Ok((start()?, None)) };
        let group = own.join(format!("dax-{name}"));
        let entered = std::fs::create_dir(&group).is_ok() && enter(&group).is_ok();
        let started = start();
        let mut group = Some(group).filter(|_| entered);
        if let Some(entered) = &group
            && enter(own).is_err()
        {
            // Never to be ended as a whole: this process is in it.
            eprintln_stuck(entered);
            group = None;
        }
        if started.is_err()
            && let Some(group) = &group
        {
            remove(group);
        }
        Ok((started?, group))
    }

    /// Ends every process of a group at once.
    pub(super) fn kill(&self, group: &Path) {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        if !members(group).contains(&me) {
            let _ = std::fs::write(group.join("cgroup.kill"), "1");
        }
    }
}

#[expect(clippy::print_stderr, reason = "the agent's standard error is its log file")]
fn eprintln_stuck(group: &Path) {
    eprintln!("the agent cannot leave the control group {}", group.display());
}

fn enter(group: &Path) -> io::Result<()> {
    // Zero is the process that writes. Source: the kernel's cgroup-v2.rst.
    std::fs::write(group.join("cgroup.procs"), "0")
}

/// The processes of a group.
pub(super) fn members(group: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 1).collect()
}

/// Ends every process of a group whose agent is gone, and removes it.
pub(crate) fn end_group(group: &Path) {
    Cgroups::default().kill(group);
    remove(group);
}

/// Removes a group in which nothing runs.
pub(super) fn remove(group: &Path) {
    let _ = std::fs::remove_dir(group);
}
