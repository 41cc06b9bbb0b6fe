//! Processes of services: their children live with them and go with them; nothing is started twice.

use super::{APPLY, PLAN, SCRIPT, kill, kill_agent, running, scripted};
use crate::project::{Project, wait_until};
use std::collections::BTreeMap;
use std::time::Duration;

/// A child in a session of its own, and one that has made itself a daemon.
const CHILDREN: &str = "setsid sleep 77001 &
(setsid sh -c 'sleep 77002 & sleep 77003' &)
exec dax demo-service
";

#[test]
fn the_children_of_a_service_live_with_it_and_go_with_it() {
    let dax = env!("CARGO_BIN_EXE_dax");
    let project = scripted(SCRIPT, &CHILDREN.replace("exec dax", &format!("exec {dax}")));
    project.expect(0, APPLY);
    let children = || {
        let all = ["sleep 77001", "sleep 77002", "sleep 77003"].map(|one| running(&project, one));
        all.concat().into_iter().filter(|pid| !is_shell(*pid)).collect::<Vec<_>>()
    };
    wait_until("its children", || children().len() == 3);
    let before = children();
    kill_agent(&project);
    project.dax(&["status"]);
    project.dax(PLAN);
    assert_eq!(children(), before, "a read ended a part of a healthy service");
    project.expect(0, APPLY);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(children(), before, "the next agent ended a part of a healthy service");
    // When the service itself dies, what it left behind goes before it starts again.
    kill(running(&project, "demo-service")[0]);
    wait_until("other children", || {
        let now = children();
        now.len() == 3 && now.iter().all(|pid| !before.contains(pid))
    });
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve", "-q"]);
    assert!(project.processes().is_empty(), "{:?}", project.processes());
}

fn is_shell(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sh")
}

#[test]
fn what_nothing_knows_of_is_asked_to_end_by_the_next_change_and_by_no_read() {
    let project = Project::web();
    project.expect(0, APPLY);
    let before = project.services();
    kill_agent(&project);
    // As if an older agent had died between the start of this process and its entry in the record.
    let folder = project.path(".").canonicalize().expect("a path").join(".dax/local");
    let mut command = project.command(&["demo-service", "--port", "0", "--start-delay", "1h"]);
    let mut stray = std::os::unix::process::CommandExt::process_group(&mut command, 0)
        .env("DAX_AGENT", folder)
        .spawn()
        .expect("a stray");
    project.dax(&["status"]);
    project.dax(PLAN);
    assert!(stray.try_wait().expect("asked").is_none(), "a read ended a process");
    project.expect(0, APPLY);
    let how = stray.wait().expect("ended");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&how), Some(15));
    assert_eq!(project.services(), before, "those that were written down go on");
}

/// Each start writes its revision and the number of its replica.
const COUNTED: &str = "echo $DAX_REVISION-$DAX_REPLICA >>starts\nexec dax demo-service\n";

#[test]
fn however_often_the_agent_is_killed_in_the_middle_nothing_is_started_twice() {
    let dax = env!("CARGO_BIN_EXE_dax");
    let program = SCRIPT.replace("  ports ", "  replicas = 8\n  ports ");
    let project = scripted(&program, &COUNTED.replace("exec dax", &format!("exec {dax}")));
    project.expect(0, APPLY);
    for round in 0..8 {
        let version = format!("v={round}");
        let upgrade = ["apply", "-e", "dev", "--auto-approve", "-q", "-p", &version];
        std::fs::remove_file(project.path("starts")).expect("starts");
        let mut child = project.start(&upgrade);
        std::thread::sleep(Duration::from_millis(60 + 45 * round));
        if let Some(agent) = project.agent() {
            kill(agent);
        }
        child.wait().expect("ended");
        if project.dax(&["history"]).out.contains("unfinished") {
            project.expect(0, &["resume", "-e", "dev", "-q"]);
        }
        project.expect(0, &upgrade);
        wait_until("eight processes", || running(&project, "demo-service").len() == 8);
        let starts = std::fs::read_to_string(project.path("starts")).unwrap_or_default();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        starts.lines().for_each(|line| *counts.entry(line).or_default() += 1);
        assert!(counts.values().all(|count| *count == 1), "round {round}: {counts:?}");
        assert_eq!(counts.len(), 8, "round {round}: {counts:?}");
    }
}
