//! A broken world: a clear error, nothing lost, the right exit code.

use crate::project::{Project, WEB, wait_until};
use std::net::TcpListener;

const APPLY: &[&str] = &["apply", "-e", "dev", "--auto-approve", "-q"];

#[test]
fn a_missing_program_is_named_and_everything_is_taken_back() {
    let project = Project::new(
        &WEB.replace("[\"dax\", \"demo-service\", \"--name\", \"api\"]", "[\"no-such-program\"]"),
    );
    let failed = project.expect(5, APPLY);
    assert!(failed.err.contains("there is no program `no-such-program`"), "{}", failed.err);
    wait_until("no process", || project.processes().is_empty());
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let project = Project::web();
    let _held = TcpListener::bind(("127.0.0.1", project.ports[0])).expect("the port");
    let failed = project.expect(5, APPLY);
    assert!(
        failed.err.contains(&format!("port {} is taken", project.ports[0]))
            && failed.err.contains("ports.http"),
        "{}",
        failed.err
    );
    // What came before its rollback point stays.
    assert!(project.expect(0, &["status"]).out.contains("api"));
}

#[test]
fn a_service_that_never_gets_well_is_taken_back_with_its_last_words() {
    let broken = WEB.replace(
        "\"/health\" { every = 200ms, ready_within = 10s }\n  needs",
        "\"/nowhere\" { every = 200ms, ready_within = 1s }\n  needs",
    );
    let project = Project::new(
        &broken.replace("\"--error-rate\"\n    string(errors)", "\"--error-rate\"\n    \"100%\""),
    );
    let failed = project.expect(5, APPLY);
    assert!(
        failed.err.contains("0 of 2 replicas ready") && failed.err.contains("answered 500"),
        "{}",
        failed.err
    );
    assert_eq!(project.services().len(), 1, "api stays, web is gone");
}

#[test]
fn a_program_that_ends_at_once_is_reported_with_what_it_wrote() {
    let project = Project::new(
        &WEB.replace(
            "[\"dax\", \"demo-service\", \"--name\", \"api\"]\n",
            "[\"sh\", \"-c\", \"echo the database is on fire; exit 3\"]\n",
        )
        .replace("ready_within = 10s", "ready_within = 1s"),
    );
    let failed = project.expect(5, APPLY);
    assert!(
        failed.err.contains("exit status: 3") && failed.err.contains("the database is on fire"),
        "{}",
        failed.err
    );
}

#[test]
fn a_state_of_a_newer_version_and_a_damaged_one_are_named_and_left_alone() {
    let project = Project::web();
    project.expect(0, &["plan", "-e", "dev"]);
    let path = project.path(".dax/state.db");
    // The version lies in bytes 60 to 63 of the header. Source: the SQLite file format, section 1.3.
    let mut bytes = std::fs::read(&path).expect("the state");
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&path, &bytes).expect("written");
    let newer = project.expect(1, APPLY);
    assert!(newer.err.contains("newer dax"), "{}", newer.err);
    std::fs::write(&path, b"this is no database, and that is all there is to say about it")
        .expect("written");
    let damaged = project.expect(1, APPLY);
    assert!(damaged.err.contains("is damaged"), "{}", damaged.err);
    assert!(std::fs::read(&path).expect("there").starts_with(b"this is no database"));
    assert!(project.processes().is_empty());
}

#[test]
fn the_platform_says_what_a_service_lacks_and_a_missing_secret_is_named() {
    let project = Project::new(&WEB.replace(
        "command = [\"dax\", \"demo-service\", \"--name\", \"api\"]",
        "image = \"api:1\"",
    ));
    assert!(project.expect(1, &["plan", "-e", "dev"]).err.contains("DAX7001"));
    let secret = WEB
        .replace("ports   = { http: PORT1 }", "ports   = { http: PORT1 }\n  env     = { T: token }")
        .replace(
            "service api",
            "secret token: string from env(\"DAX_TEST_MISSING\")\n\nservice api",
        );
    project.write(&secret);
    let missing = project.expect(1, &["plan", "-e", "dev"]);
    assert!(
        missing.err.contains("DAX7002") && missing.err.contains("DAX_TEST_MISSING"),
        "{}",
        missing.err
    );
}

#[test]
fn a_file_that_is_no_text_is_named_with_the_first_byte_that_is_none() {
    let project = Project::new("");
    std::fs::write(project.path("main.dax"), b"let a = 1\nlet b = \"\xff\"\n").expect("written");
    let failed = project.expect(1, &["check", "--format", "short"]);
    assert!(failed.out.contains("main.dax:2:10: error[DAX8003]"), "{}", failed.out);
}
