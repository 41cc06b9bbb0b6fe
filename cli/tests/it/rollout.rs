//! Apply, canary, rollback and destroy with real processes.

use crate::project::{Project, WEB, wait_until};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const APPLY: &[&str] = &["apply", "-e", "dev", "--auto-approve", "-q"];

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

#[test]
fn a_service_is_deployed_found_unchanged_and_leaves_nothing_behind() {
    let project = Project::web();
    project.expect(0, APPLY);
    assert_eq!(
        project.get(project.ports[0]).expect("an answer"),
        (200, "web version 1".to_owned())
    );
    assert_eq!(project.services().len(), 3);
    let socket = std::fs::metadata(project.path(".dax/local/agent.sock")).expect("a socket");
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let again = project.expect(0, &["apply", "-e", "dev", "--auto-approve"]);
    assert!(again.out.contains("nothing to change"), "{}", again.out);
    project.expect(0, &["plan", "-e", "dev", "--detailed-exitcode"]);
    let status = project.expect(0, &["status"]).out;
    assert!(status.contains("2/2") && status.contains("100%"), "{status}");
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve", "-q"]);
    wait_until("no process", || project.processes().is_empty());
    assert!(!project.path(".dax/local").exists(), "the agent's folder is left");
    assert!(project.get(project.ports[0]).is_err());
    assert!(project.expect(0, &["history"]).out.contains("destroy"));
}

/// Sends requests until told to stop; counts those that were refused, cut or answered by dax itself.
fn visitors(
    project: &Project,
) -> (Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>, std::thread::JoinHandle<()>) {
    let (stop, good, bad) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let port = project.ports[0];
    let shared = (stop.clone(), good.clone(), bad.clone());
    let thread = std::thread::spawn(move || {
        let (stop, good, bad) = shared;
        while !stop.load(Ordering::Acquire) {
            let answer = super::project::Project::get_at(port);
            let fine = matches!(&answer, Ok((200, _)))
                || matches!(&answer, Ok((500, text)) if text.contains("failed on purpose"));
            if fine { &good } else { &bad }.fetch_add(1, Ordering::AcqRel);
        }
    });
    (stop, good, bad, thread)
}

#[test]
fn a_good_canary_is_promoted_a_bad_one_goes_back_by_itself_and_no_visitor_notices_dax() {
    let project = Project::web();
    project.expect(0, APPLY);
    let (stop, good, bad, thread) = visitors(&project);
    project.expect(0, &with(APPLY, &["-p", "version=2"]));
    assert_eq!(project.get(project.ports[0]).expect("an answer").1, "web version 2");
    let failed = project.expect(5, &with(APPLY, &["-p", "version=3", "-p", "errors=50%"]));
    assert!(failed.err.contains("measurements failed"), "{}", failed.err);
    assert_eq!(project.get(project.ports[0]).expect("an answer").1, "web version 2");
    // Nothing is left of the bad revision: the program for version 2 finds nothing to do.
    project.expect(0, &["plan", "-e", "dev", "-p", "version=2", "--detailed-exitcode"]);
    let back = project.expect(0, &["rollback", "-e", "dev", "--auto-approve"]);
    assert!(back.out.contains("rollback"), "{}", back.out);
    assert_eq!(project.get(project.ports[0]).expect("an answer").1, "web version 1");
    stop.store(true, Ordering::Release);
    thread.join().expect("the visitors went");
    assert_eq!(bad.load(Ordering::Acquire), 0, "of {} requests", good.load(Ordering::Acquire));
    assert!(good.load(Ordering::Acquire) > 100);
}

#[test]
fn a_saved_plan_is_applied_as_it_is_and_refused_when_its_target_changed() {
    let project = Project::web();
    let file = project.path("plan.json");
    let file = file.to_str().expect("a path");
    project.expect(0, APPLY);
    project.expect(0, &["plan", "-e", "dev", "-p", "version=2", "-o", file]);
    assert!(project.expect(0, &["show", file]).out.contains("1 to roll out"));
    project.write(&WEB.replace("replicas = 2", "replicas = 1"));
    project.expect(0, APPLY);
    let stale = project.expect(4, &["apply", file, "--auto-approve", "-q"]);
    assert!(
        stale.err.contains(".replicas` was 2") && stale.err.contains("now it is 1"),
        "{}",
        stale.err
    );
    project.write(WEB);
    project.expect(0, APPLY);
    project.expect(4, &["apply", file, "--auto-approve", "-q", "--expect", "0000"]);
    project.expect(0, &["apply", file, "--auto-approve", "-q"]);
    assert_eq!(project.get(project.ports[0]).expect("an answer").1, "web version 2");
    let text =
        std::fs::read_to_string(file).expect("the plan").replace("demo-service", "other-service");
    std::fs::write(file, text).expect("changed");
    assert!(
        project
            .expect(1, &["apply", file, "--auto-approve", "-q"])
            .err
            .contains("changed after it was written")
    );
}

#[test]
fn after_an_environment_that_was_not_applied_nothing_is_applied() {
    let text = format!(
        "{WEB}\nenvironment prod {{\n  after dev {{ soak = 1h }}\n  bind [api, web] to local.machine\n}}\n"
    );
    let project = Project::new(&text);
    let denied = project.expect(3, &["apply", "-e", "prod", "--auto-approve", "-q"]);
    assert!(denied.err.contains("`dev` was not applied"), "{}", denied.err);
    project.expect(0, APPLY);
    let early = project.expect(3, &["apply", "-e", "prod", "--auto-approve", "-q"]);
    assert!(early.err.contains("must have run for 1h"), "{}", early.err);
}

#[test]
fn a_replica_that_dies_is_started_again() {
    let project = Project::web();
    project.expect(0, APPLY);
    let victim = project.services()[0];
    std::process::Command::new("kill").args(["-9", &victim.to_string()]).status().expect("killed");
    wait_until("a new process", || {
        project.services().len() == 3 && !project.services().contains(&victim)
    });
}
