//! `kill -9` of a running apply, and two of them at once.

use crate::project::{Project, said, wait_until};
use std::process::Stdio;
use std::time::Duration;

const UPGRADE: &[&str] = &["apply", "-e", "dev", "--auto-approve", "-q", "-p", "version=2"];

#[test]
fn killed_at_any_moment_a_run_is_resumed_and_finished() {
    for delay_ms in [5, 40, 120, 300, 500, 700, 900] {
        let project = Project::web();
        project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
        let mut child = project.start(UPGRADE);
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().expect("killed"); // SIGKILL
        child.wait().expect("gone");
        let history: serde_json::Value =
            serde_json::from_str(&project.expect(0, &["history", "--format", "json"]).out)
                .expect("JSON");
        let latest = &history["runs"][0];
        if latest["run"] == 1 {
            project.expect(0, UPGRADE); // it died before its run began
        } else if latest["outcome"].is_null() {
            let refused = project.expect(1, UPGRADE);
            assert!(refused.err.contains("dax resume"), "{}", refused.err);
            project.expect(0, &["resume", "-e", "dev", "-q"]);
        }
        assert_eq!(
            project.get(project.ports[0]).expect("an answer").1,
            "web version 2",
            "after {delay_ms} ms"
        );
        // Each effect once: two replicas of web, one of api, and nothing left of version 1.
        wait_until("three processes", || project.services().len() == 3);
        project.expect(0, &["plan", "-e", "dev", "-p", "version=2", "--detailed-exitcode"]);
    }
}

#[test]
fn of_two_at_once_the_second_is_refused_with_the_holders_name_or_waits() {
    let project = Project::web();
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    let first = project
        .command(UPGRADE)
        .env("USER", "ann")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    wait_until("the first one's run", || project.dax(&["history"]).out.contains("unfinished"));
    let refused = project.dax(UPGRADE);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(
        refused.err.contains("ann@") && refused.err.contains("--lock-timeout"),
        "{}",
        refused.err
    );
    // Made against the same objects, it finds them changed by the first one when its turn comes.
    let waited = project.dax(&[UPGRADE, &["--lock-timeout", "20s"]].concat());
    assert!(matches!(waited.code, 0 | 4), "{}\n{}", waited.code, waited.err);
    assert_eq!(said(&first.wait_with_output().expect("ended")).code, 0);
    project.expect(0, &["plan", "-e", "dev", "-p", "version=2", "--detailed-exitcode"]);
}

#[test]
fn interrupted_it_stops_at_a_safe_place_and_is_carried_on() {
    let project = Project::web();
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    let mut child = project.start(UPGRADE);
    wait_until("the run", || project.dax(&["history"]).out.contains("unfinished"));
    std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("sent");
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    project.expect(0, &["resume", "-q"]);
    assert_eq!(project.get(project.ports[0]).expect("an answer").1, "web version 2");
    assert!(project.expect(1, &["resume"]).err.contains("no unfinished run"));
}
