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
        assert!(begun.elapsed() < Duration::from_secs(16), "{} are alive", slow.len());
        std::thread::sleep(Duration::from_millis(500));
        slow.retain_mut(|stream| {
            let _ = stream.write_all(b"X: 1\r\n");
            match stream.read(&mut [0; 64]) {
                Ok(_) => false,
                Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            }
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

#[test]
fn more_idle_connections_than_files_stop_neither_the_port_nor_the_probes() {
    let project = Project::new(&program(1, "", PROBED));
    let text = format!("ulimit -n 200; exec {} {}", env!("CARGO_BIN_EXE_dax"), APPLY.join(" "));
    let mut command = Command::new("sh");
    let here = project.path(".");
    let said = command.args(["-c", &text]).current_dir(here).env_remove("CI").output();
    assert!(said.expect("dax runs").status.success());
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
