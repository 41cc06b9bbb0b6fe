//! Secrets through a pipeline of fresh clones, and credentials that no change gets.

use super::clean;
use super::pipeline::{MANIFEST, Merged, PROGRAM, Pipeline, SECRET, ended, has, lacks};
use crate::project::all_bytes;
use dax_tests::peers::free_port;
use dax_tests::peers::github::{ADMIN, ANN};
use dax_tests::peers::shared;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const KEY: &str = "5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0";

#[test]
fn a_secret_gets_through_a_pipeline_and_a_fresh_clone_wants_nothing_afterwards() {
    for key in [None, Some(KEY)] {
        let Some(mut it) = Pipeline::new(PROGRAM) else { return };
        let program =
            PROGRAM.replace("default 2", "default 3").replace("acme/web", "acme/shop-web");
        it.remote.variables =
            key.iter().map(|key| ("DAX_STATE_KEY".to_owned(), (*key).to_owned())).collect();
        let number = it.propose("more", &program);
        let mut planning = it.job(&it.pull_request(number, "synchronize"));
        if key.is_some() {
            // Whoever holds the key makes the state; the job that plans cannot write with its own.
            let reading = ended(planning.dax(&["state", "read-key"]), 0).out.trim().to_owned();
            ended(planning.dax(&["plan", "-e", "production", "-q"]), 0);
            planning.set("DAX_STATE_KEY", &reading);
            let refused = ended(planning.dax(&["pin", "-e", "production"]), 1);
            has(&refused.err, &["only reads"]);
        }
        ended(planning.dax(&["ci"]), 0);
        it.approve(number, "ann");
        let merged = it.merge(number);
        let applying = it.job(&it.pushed(&merged));
        ended(applying.dax(&["ci", "apply"]), 0);
        assert_eq!(it.replicas("production"), Some(3));
        // In a fresh clone on another machine there is nothing to do.
        let mut fresh = it.person("cid", &merged.after);
        key.into_iter().for_each(|key| fresh.set("DAX_STATE_KEY", key));
        for environment in ["staging", "production"] {
            let said = ended(fresh.dax(&["plan", "-e", environment, "--detailed-exitcode"]), 0);
            lacks(&said.out, &["roll out", "other secrets"]);
            ended(fresh.dax(&["drift", "-e", environment]), 0);
        }
        // Another value is a change, which says so and shows neither.
        fresh.set("SHOP_DB", "postgres://shop:another-of-the-tests@db/shop");
        let said = fresh.dax(&["plan", "-e", "production"]);
        has(&said.out, &["secret"]);
        lacks(&said.out, &["hunter2", "another-of-the-tests"]);
        for job in [&planning, &applying] {
            for (path, bytes) in all_bytes(&job.path("dax-ci")) {
                let found = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
        // The state keeps neither; what it keeps can be found there, unless it is sealed.
        let rows = |text: &str| {
            let found =
                format!("SELECT key FROM dax_state WHERE position('{text}'::bytea IN bytes) > 0");
            shared::sql(&it.state, &found).len()
        };
        assert_eq!((rows("hunter2"), rows("another-of-the-tests")), (0, 0));
        assert_eq!(rows("acme/shop-web") > 0, key.is_none());
        clean(&it.github, &[SECRET, "hunter2", KEY, ADMIN, ANN]);
    }
}

/// A server that says it is PostgreSQL and asks for a password in the clear; what it was sent.
fn password_trap() -> (u16, Arc<Mutex<Vec<u8>>>) {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let kept = heard.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 1024];
            let _ = stream.set_read_timeout(Some(std::time::Duration::from_secs(2)));
            let read = stream.read(&mut bytes).unwrap_or(0);
            kept.lock().expect("a lock").extend(&bytes[..read]);
            // AuthenticationCleartextPassword.
            let _ = stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]);
            let read = stream.read(&mut bytes).unwrap_or(0);
            kept.lock().expect("a lock").extend(&bytes[..read]);
        }
    });
    (port, heard)
}

#[test]
fn a_pipeline_takes_no_address_of_the_state_from_the_change() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let (port, heard) = password_trap();
    it.branch("elsewhere");
    let state = format!("postgres://postgres@127.0.0.1:{port}/x?sslmode=disable");
    it.write("dax.mod", &format!("{MANIFEST}\nstate = \"{state}\"\n"));
    it.commit("another state");
    let number = it.open("elsewhere");
    let mut job = it.job(&it.pull_request(number, "synchronize"));
    job.unset("DAX_STATE");
    job.set("PGPASSWORD", "hunter2-of-postgres");
    let said = ended(job.dax(&["ci"]), 1);
    has(&said.err, &["DAX_STATE"]);
    // Not for a fork either, whose jobs have no other address.
    it.github.world.lock().expect("nobody fails with this lock").forks.push(number);
    let mut job = it.job(&it.pull_request_from(number, "synchronize", "mallory/shop"));
    job.unset("DAX_STATE");
    job.set("PGPASSWORD", "hunter2-of-postgres");
    let said = ended(job.dax(&["ci"]), 1);
    has(&said.err, &["DAX_STATE"]);
    let heard = heard.lock().expect("a lock").clone();
    assert!(heard.is_empty(), "{:?}", String::from_utf8_lossy(&heard));
    clean(&it.github, &[ADMIN, ANN, "hunter2-of-postgres"]);
}

#[test]
fn links_of_the_change_lead_nowhere_outside_of_the_folder_of_the_run() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    it.branch("links");
    let outside = it.at("outside.txt");
    std::fs::write(&outside, "mine").expect("written");
    let work = it.at("work");
    std::fs::write(work.join(".gitignore"), ".dax/\n").expect("written");
    std::fs::create_dir(work.join("dax-ci")).expect("a folder");
    for name in ["summary.md", "requests.jsonl", "report.json", "x"] {
        std::os::unix::fs::symlink(&outside, work.join("dax-ci").join(name)).expect("a link");
    }
    it.write("main.dax", &PROGRAM.replace("default 2", "default 3"));
    it.commit("links");
    let number = it.open("links");
    let job = it.job(&it.pull_request(number, "synchronize"));
    has(&ended(job.dax(&["ci"]), 1).err, &["git tracks", "dax-ci"]);
    assert_eq!(std::fs::read_to_string(&outside).expect("it is there"), "mine");
    // What a step before left there is not dax's to remove, and not to be written through.
    let other = it.propose("other", &PROGRAM.replace("default 2", "default 3"));
    let job = it.job(&it.pull_request(other, "synchronize"));
    std::fs::create_dir(job.path("dax-ci")).expect("a folder");
    for name in ["summary.md", "requests.jsonl", "report.json", "x"] {
        std::os::unix::fs::symlink(&outside, job.path("dax-ci").join(name)).expect("a link");
    }
    has(&ended(job.dax(&["ci"]), 1).err, &["dax-ci", "files that dax did not write"]);
    assert_eq!(std::fs::read_to_string(&outside).expect("it is there"), "mine");
    // Of a folder that an earlier run made, links are removed with the rest.
    std::fs::remove_dir_all(job.path("dax-ci")).expect("removed");
    ended(job.dax(&["ci"]), 0);
    std::fs::remove_file(job.path("dax-ci/report.json")).expect("it is there");
    for name in ["report.json", "x"] {
        std::os::unix::fs::symlink(&outside, job.path("dax-ci").join(name)).expect("a link");
    }
    ended(job.dax(&["ci"]), 0);
    assert_eq!(std::fs::read_to_string(&outside).expect("it is there"), "mine");
    for entry in std::fs::read_dir(job.path("dax-ci")).expect("a folder").flatten() {
        assert!(!entry.file_type().expect("a kind").is_symlink(), "{}", entry.path().display());
    }
    assert!(!job.path("dax-ci/x").exists());
    // A link in its place is none of dax's folders.
    std::fs::remove_dir_all(job.path("dax-ci")).expect("removed");
    let elsewhere = it.at("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    std::os::unix::fs::symlink(&elsewhere, job.path("dax-ci")).expect("a link");
    let said = job.dax(&["ci"]);
    assert_eq!(std::fs::read_dir(&elsewhere).expect("a folder").count(), 0, "{}", said.err);
    clean(&it.github, &[SECRET, ADMIN, ANN]);
}

#[test]
fn a_program_that_is_a_link_to_a_file_outside_is_not_read() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    it.branch("passwd");
    std::os::unix::fs::symlink("/etc/passwd", it.at("work/x.dax")).expect("a link");
    it.commit("a link");
    let number = it.open("passwd");
    let job = it.job(&it.pull_request(number, "synchronize"));
    let said = ended(job.dax(&["ci"]), 1);
    has(&said.err, &["`x.dax`", "leads out of the project's folder"]);
    lacks(&(said.out + &said.err + &job.summary()), &["root:x:0", "/bin/bash", "/bin/sh"]);
    // Nor is a link to a folder.
    it.branch("folder");
    std::os::unix::fs::symlink("/tmp", it.at("work/y.dax")).expect("a link");
    it.write("main.dax", &PROGRAM.replace("default 2", "default 3"));
    it.commit("a link to a folder");
    let number = it.open("folder");
    let said = ended(it.plan(number), 1);
    has(&said.err, &["`y.dax`", "leads out of the project's folder"]);
    lacks(&said.err, &["Is a directory"]);
    clean(&it.github, &[SECRET, ADMIN, ANN]);
}

#[test]
fn the_first_commit_of_a_repository_is_planned_against_nothing() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let after = it.head("main");
    let before = "0".repeat(40);
    let said = it.job(&it.pushed(&Merged { before, after: after.clone() })).dax(&["ci"]);
    let said = ended(said, 0);
    lacks(&said.err, &["fetch the whole history"]);
    // A release of it as well.
    let mut release = it.pushed(&Merged { before: after.clone(), after });
    release.name = "release";
    release.reference = "refs/tags/v1".to_owned();
    release.payload = serde_json::json!({ "action": "released", "release": { "tag_name": "v1" } });
    let said = ended(it.job(&release).dax(&["ci"]), 0);
    lacks(&said.err, &["fetch the whole history"]);
    clean(&it.github, &[SECRET, ADMIN, ANN]);
}
