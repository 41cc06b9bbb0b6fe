//! A canary is judged by what its clients got.

use super::{APPLY, PROBED, ask, connected, program};
use crate::project::{Project, Said};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a client does.
#[derive(Clone, Copy)]
enum Manner {
    /// It waits this long for each part of an answer.
    Waits(Duration),
    /// It waits this long for the whole answer.
    Expects(Duration),
    /// It leaves as soon as it has asked.
    Leaves,
}

/// Deploys a good version, then one with these flags while clients ask.
fn rolled_out(flags: &str, manners: &[Manner]) -> (Project, Said) {
    let project = Project::new(&program(1, "--version 1", PROBED));
    project.expect(0, APPLY);
    let stop = Arc::new(AtomicBool::new(false));
    let port = project.ports[0];
    let clients: Vec<_> = manners
        .iter()
        .map(|manner| {
            let (stop, manner) = (stop.clone(), *manner);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    visit(port, manner);
                    std::thread::sleep(Duration::from_millis(5));
                }
            })
        })
        .collect();
    project.write(&program(1, &format!("--version 2 {flags}"), PROBED));
    let said = project.dax(APPLY);
    stop.store(true, Ordering::Release);
    for client in clients {
        client.join().expect("a client");
    }
    (project, said)
}

fn visit(port: u16, manner: Manner) {
    match manner {
        Manner::Waits(patience) => {
            let _ = ask(port, "GET", patience);
        }
        Manner::Expects(patience) => {
            let end = Instant::now() + patience;
            let mut stream = connected(port, patience);
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
            while let Some(left) = end.checked_duration_since(Instant::now())
                && stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).is_ok()
                && stream.read(&mut [0; 512]).is_ok_and(|read| read > 0)
            {}
        }
        Manner::Leaves => {
            let mut stream = connected(port, Duration::from_secs(1));
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n");
        }
    }
}

const PATIENT: Manner = Manner::Waits(Duration::from_secs(30));
const IMPATIENT: Manner = Manner::Waits(Duration::from_millis(400));

/// The bad version is taken back, and the good one answers.
fn is_taken_back(flags: &str, manners: &[Manner]) {
    let (project, said) = rolled_out(flags, manners);
    assert_eq!(said.code, 5, "{flags}: {}\n{}", said.out, said.err);
    assert!(said.err.contains("measurements failed"), "{flags}: {}", said.err);
    let answer = ask(project.ports[0], "GET", Duration::from_secs(5)).expect("an answer");
    assert_eq!(answer, (200, "web version 1\n".to_owned()));
}

#[test]
fn answers_that_end_in_the_middle_are_errors() {
    is_taken_back("--fault truncate --fault-every 2", &[PATIENT; 2]);
}

#[test]
fn answers_that_stop_in_the_middle_are_errors_once_their_clients_leave() {
    is_taken_back("--fault stall --fault-every 2", &[IMPATIENT; 4]);
}

#[test]
fn answers_that_drip_are_errors_once_their_clients_leave() {
    let expects = Manner::Expects(Duration::from_secs(1));
    is_taken_back("--fault drip --fault-every 2", &[expects; 4]);
}

#[test]
fn requests_that_hang_until_their_clients_leave_are_errors() {
    is_taken_back("--fault hang --fault-every 2", &[IMPATIENT; 4]);
}

#[test]
fn requests_that_hang_are_errors_also_while_their_clients_wait() {
    // Most clients are answered; some wait for ever.
    is_taken_back("--fault hang --fault-every 10", &[PATIENT; 8]);
}

#[test]
fn closed_connections_are_errors_of_the_canary_though_another_revision_answers() {
    is_taken_back("--fault close --fault-every 2", &[PATIENT; 2]);
}

#[test]
fn clients_that_leave_at_once_are_no_errors_of_the_service() {
    let (project, said) = rolled_out("--latency 20ms", &[PATIENT, PATIENT, Manner::Leaves]);
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    let answer = ask(project.ports[0], "GET", Duration::from_secs(5)).expect("an answer");
    assert_eq!(answer.1, "web version 2\n");
}
