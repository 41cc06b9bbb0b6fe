//! Clients that are slow, idle or too many take nothing from others.

use super::{APPLY, PROBED, answer, connected, deployed, good, program};
use crate::project::Project;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_head_that_does_not_come_ends_its_connection_and_an_idle_one_stays() {
    let project = deployed(1, "");
    let port = project.ports[0];
    let mut idle = connected(port, Duration::from_secs(5));
    let mut slow: Vec<TcpStream> =
        (0..20).map(|_| connected(port, Duration::from_millis(1))).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n").expect("sent");
    }
    let begun = Instant::now();
    while !slow.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{} are alive", slow.len());
        std::thread::sleep(Duration::from_millis(500));
        slow.retain_mut(|stream| {
            let _ = stream.write_all(b"X: 1\r\n");
            let ended = stream.read(&mut [0; 64]).map(|read| read < 64);
            ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        });
    }
    assert!(begun.elapsed() > Duration::from_secs(9), "after {:?}", begun.elapsed());
    idle.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").expect("sent");
    assert_eq!(answer(&mut idle).expect("an answer").0, 200);
}

/// Seconds of the processor that a process has used.
fn used(pid: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}

/// A deployed service whose agent was started with a limit of open files, as `ulimit` sets it.
fn deployed_with(limit: &str) -> Project {
    let project = Project::new(&program(1, "", PROBED));
    let text = format!("ulimit {limit}; exec {} {}", env!("CARGO_BIN_EXE_dax"), APPLY.join(" "));
    let here = project.path(".");
    let said = Command::new("sh").args(["-c", &text]).current_dir(here).env_remove("CI").output();
    assert!(said.expect("dax runs").status.success());
    project
}

/// How many files a process may have open, and how many it may allow itself.
fn files(pid: i32) -> (u64, u64) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("a process");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let mut words = line.split_whitespace().skip(3).map(|word| word.parse().expect("a number"));
    (words.next().expect("soft"), words.next().expect("hard"))
}

#[test]
fn the_agent_allows_itself_all_files_that_it_may_and_its_services_what_it_was_given() {
    let project = deployed_with("-Sn 300");
    assert_eq!(good(project.ports[0], 1), 1);
    let (soft, hard) = files(project.agent().expect("an agent"));
    assert_eq!(soft, hard.min(1 << 20));
    assert_eq!(files(project.services()[0]).0, 300);
}

#[test]
fn more_idle_connections_than_files_stop_neither_the_port_nor_the_probes() {
    let project = deployed_with("-n 200");
    let port = project.ports[0];
    let idle: Vec<TcpStream> =
        (0..400).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
    assert!(idle.len() > 300, "{} connections", idle.len());
    let agent = project.agent().expect("an agent");
    let (begun, before) = (Instant::now(), used(agent));
    assert_eq!(good(port, 20), 20);
    std::thread::sleep(Duration::from_secs(1));
    let share = (used(agent) - before) / begun.elapsed().as_secs_f64();
    assert!(share < 0.4, "the agent used {share} of a core");
    assert!(project.expect(0, &["status"]).out.contains("1/1"));
    drop(idle);
    assert_eq!(good(port, 20), 20);
}
