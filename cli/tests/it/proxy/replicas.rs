//! No replica is put aside for what a client did, and no request is lost because a connection was just closed.

use super::{answer, ask, connected, deployed, good, say, status};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn strange_requests_are_answered_and_change_nothing_for_others() {
    let project = deployed(2, "");
    let port = project.ports[0];
    for (request, expected) in [
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n", 501),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        ("GET a:1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        ("GET\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
    ] {
        let said = say(port, request);
        assert_eq!(status(&said), expected, "{request}\n{said}");
        assert_eq!(good(port, 10), 10, "after {request}");
    }
}

#[test]
fn what_a_service_closes_goes_to_another_replica_and_takes_none_out() {
    let project = deployed(3, "--fault close --fault-every 5");
    let port = project.ports[0];
    let mut statuses = [0; 3];
    for _ in 0..100 {
        match ask(port, "POST", Duration::from_secs(5)) {
            Ok((200, _)) => statuses[0] += 1,
            Ok((502, _)) => statuses[1] += 1,
            _ => statuses[2] += 1,
        }
    }
    assert_eq!(good(port, 100), 100, "GET is asked again");
    // Each POST was seen once: what was closed is the share that the service closes, and none is refused.
    assert_eq!(statuses[2], 0, "{statuses:?}");
    assert!((18..=20).contains(&statuses[1]), "{statuses:?}");
}

/// Clients that ask in step with a service that closes idle connections: what was not answered with 200.
fn lost_in_step(port: u16, method: &'static str, step: Duration, rounds: u32) -> Vec<String> {
    let begun = Instant::now() + Duration::from_millis(50);
    let client = move || {
        let mut lost = Vec::new();
        let mut stream: Option<TcpStream> = None;
        for round in 0..rounds {
            let due = begun + step * round;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut open = stream.take().unwrap_or_else(|| connected(port, Duration::from_secs(5)));
            let request =
                format!("{method} / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nabcd");
            let result = open.write_all(request.as_bytes()).and_then(|()| answer(&mut open));
            match result {
                Ok((200, _)) => stream = Some(open),
                Ok((status, text)) => lost.push(format!("{status} {text}")),
                Err(error) => lost.push(error.to_string()),
            }
        }
        lost
    };
    let clients: Vec<_> = (0..25).map(|_| std::thread::spawn(client)).collect();
    clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
}

/// All of these are answered, GET and POST.
fn loses_nothing_in_step(closes: &str, step_ms: u64, rounds: u32) {
    let project = deployed(2, &format!("--idle-close {closes}"));
    let step = Duration::from_millis(step_ms);
    for method in ["GET", "POST"] {
        let lost = lost_in_step(project.ports[0], method, step, rounds);
        assert!(lost.is_empty(), "{method}: {} lost, {:?}", lost.len(), lost.first());
    }
}

#[test]
fn a_service_that_closes_idle_connections_after_a_second_loses_no_request_of_clients_in_step() {
    loses_nothing_in_step("1s", 1000, 6);
}

#[test]
fn a_service_that_closes_idle_connections_at_once_loses_no_request_of_clients_in_step() {
    loses_nothing_in_step("100ms", 100, 40);
}

#[test]
fn a_replica_that_dies_is_passed_over_and_no_request_is_lost() {
    let project = deployed(2, "");
    let victim = project.services()[0];
    std::process::Command::new("kill").args(["-9", &victim.to_string()]).status().expect("kill");
    assert_eq!(good(project.ports[0], 100), 100);
}
