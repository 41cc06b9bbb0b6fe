//! WebSockets and other protocols that begin as a request.

use super::{APPLY, PROBED, connected, deployed, half_close, program, rest, say, status};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const UPGRADE: &str =
    "GET /echo HTTP/1.1\r\nHost: t\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n";

/// A connection that speaks `echo`; what comes right after the request is sent with it.
fn tunnel(port: u16, first: &str) -> TcpStream {
    let mut stream = connected(port, Duration::from_secs(8));
    stream.write_all(format!("{UPGRADE}{first}").as_bytes()).expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert_eq!(status(&head), 101, "{head}");
    assert!(head.contains("\r\nupgrade: echo\r\n") && head.contains("\r\nconnection: upgrade\r\n"));
    stream
}

#[test]
fn bytes_pass_in_both_directions_until_both_sides_have_ended() {
    let project = deployed(2, "");
    let mut stream = tunnel(project.ports[0], "early");
    stream.write_all(b" and late").expect("sent");
    std::thread::sleep(Duration::from_millis(1500));
    half_close(&stream);
    assert_eq!(rest(&mut stream), "early and late");
}

#[test]
fn a_protocol_that_the_service_does_not_speak_and_http2_are_answered_as_requests() {
    let project = deployed(1, "");
    let port = project.ports[0];
    for (path, protocol) in [("/", "websocket"), ("/echo", "h2c")] {
        let said = say(
            port,
            &format!(
                "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
                 Upgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
            ),
        );
        assert_eq!(status(&said), 200, "{said}");
        assert!(!said.to_lowercase().contains("http2-settings"), "{said}");
    }
}

#[test]
fn a_rollout_waits_for_tunnels_as_long_as_it_drains_and_then_ends_them() {
    let project = deployed(1, "--version 1");
    let mut stream = tunnel(project.ports[0], "x");
    stream.read_exact(&mut [0]).expect("it is open");
    project.write(&program(1, "--version 2", PROBED).replace("rollout web with careful", ""));
    let mut rollout = project.start(APPLY);
    // Until its replica is retired, and for the two seconds of the drain, it goes on.
    std::thread::sleep(Duration::from_millis(1000));
    stream.write_all(b"still").expect("sent");
    let mut back = [0; 5];
    stream.read_exact(&mut back).expect("it goes on");
    assert_eq!(&back, b"still");
    let begun = Instant::now();
    assert_eq!(rest(&mut stream), "");
    assert!(begun.elapsed() < Duration::from_secs(8), "after {:?}", begun.elapsed());
    assert!(rollout.wait().expect("it ends").success());
}
