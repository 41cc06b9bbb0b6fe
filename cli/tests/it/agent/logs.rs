//! Logs: of this user alone, cut in time, read from their end; the agent stays small whatever a
//! service writes.

use super::{APPLY, SCRIPT, scripted};
use crate::project::{Project, WEB, wait_until};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

const MIB: u64 = 1 << 20;

/// The most memory that a process ever had, in MiB.
fn peak(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("its peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

#[test]
fn a_service_that_fails_after_it_wrote_a_lot_is_shown_by_its_end() {
    let dax = env!("CARGO_BIN_EXE_dax");
    let script = format!(
        "[ $1 = good ] && exec {dax} demo-service
truncate -s 400000000 /dev/stdout; echo; echo the very end; sleep 60
"
    );
    // Large enough that nothing is rotated meanwhile.
    let program = SCRIPT.replace("  drain ", "  log_size     = 1GiB\n  drain ").replace("4s", "6s");
    let project = scripted(&program, &script);
    project.expect(0, APPLY);
    let failed = project.expect(5, &[APPLY, &["-p", "v=bad"]].concat());
    assert!(failed.err.contains("its last lines: "), "{}", failed.err);
    assert!(failed.err.contains("the very end"), "{}", failed.err);
    let peak = peak(project.agent().expect("an agent"));
    assert!(peak < 200, "{peak} MiB");
}

#[test]
fn rotated_logs_keep_to_their_size_however_fast_they_are_written() {
    let dax = env!("CARGO_BIN_EXE_dax");
    let program = SCRIPT.replace("  drain ", "  log_size     = 1MiB\n  log_files    = 2\n  drain ");
    let script = format!(
        "(head -c 300000000 /dev/zero | tr '\\0' y; echo done >done) &\nexec {dax} demo-service\n"
    );
    let project = scripted(&program, &script);
    project.expect(0, APPLY);
    wait_until("all of it", || project.path("done").exists());
    let logs = project.path(".dax/local/logs/dev/web");
    let sizes = || -> Vec<u64> {
        let entries = std::fs::read_dir(&logs).expect("logs").flatten();
        entries.map(|entry| entry.metadata().map_or(0, |found| found.len())).collect()
    };
    wait_until("cut logs", || sizes().iter().all(|size| *size <= MIB));
    assert!(peak(project.agent().expect("an agent")) < 200);
}

#[test]
fn with_any_umask_everything_is_of_this_user_alone() {
    fn check(path: &Path) {
        let found = std::fs::symlink_metadata(path).expect("there");
        let mode = found.permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has {mode:o}", path.display());
        assert!(found.is_dir() || found.is_file() || found.file_type().is_socket());
        if found.is_dir() {
            for entry in std::fs::read_dir(path).expect("a folder").flatten() {
                check(&entry.path());
            }
        }
    }
    let project = Project::web();
    let mut shell = std::process::Command::new("sh");
    let dax = env!("CARGO_BIN_EXE_dax");
    shell.args(["-c", &format!("umask 000; exec {dax} apply -e dev --auto-approve -q")]);
    shell.current_dir(project.path(".")).env("NO_COLOR", "1").env_remove("CI");
    assert!(shell.status().expect("dax runs").success());
    assert!(project.path(".dax/local/logs/dev/web").exists());
    check(&project.path(".dax/local"));
}

#[test]
fn a_link_in_place_of_a_file_of_the_agent_is_not_followed() {
    for name in ["logs", "agent.log", "agent.lock", "agent.json", "agent.sock", "agent.json.next"] {
        let project = Project::new(WEB);
        project.expect(0, &["plan", "-e", "dev"]);
        let (victim, local) = (project.path("victim"), project.path(".dax/local"));
        std::fs::write(&victim, "mine").expect("written");
        std::fs::create_dir_all(&local).expect("made");
        std::os::unix::fs::symlink(&victim, local.join(name)).expect("linked");
        let said = project.dax(APPLY);
        // Nothing reads or writes the last one any more.
        if name != "agent.json.next" {
            assert_ne!(said.code, 0, "{name}");
            assert!(said.err.contains(name), "{name}: {}", said.err);
        }
        assert_eq!(std::fs::read(&victim).expect("there"), b"mine", "{name}");
    }
}
