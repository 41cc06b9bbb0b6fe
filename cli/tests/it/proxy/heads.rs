//! Heads, trailers and ends of requests: what is passed on, what is not, and what cannot be smuggled.

use super::{connected, deployed, half_close, rest, say, status};
use std::io::Write;
use std::time::Duration;

/// What the service was asked by these bytes.
fn seen(port: u16, request: &str) -> String {
    let said = say(port, request);
    assert_eq!(status(&said), 200, "{request}\n{said}");
    said.split_once("\r\n\r\n").map(|(_, body)| body.to_lowercase()).unwrap_or_default()
}

#[test]
fn what_belongs_to_a_connection_stays_there_and_trailers_pass() {
    let project = deployed(1, "");
    let port = project.ports[0];
    let plain = seen(
        port,
        "GET /echo?a=1 HTTP/1.1\r\nHost: t\r\nX-Kept: 1\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n\
         Proxy-Connection: x\r\nConnection: close, X-Hop, Host\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n",
    );
    assert_eq!(
        plain,
        "get /echo?a=1\nhost: t\nx-kept: 1\nx-forwarded-for: 9.9.9.9\n\
         x-forwarded-for: 127.0.0.1\n0 bytes\n"
    );
    let chunked = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\
                   TE: trailers\r\nConnection: close, TE\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n";
    let said = say(port, chunked).to_lowercase();
    assert!(said.contains("\n3 bytes\nx-sum: 7\n"), "the request's trailer: {said}");
    assert!(said.contains("\r\n0\r\nx-echo: end\r\n\r\n"), "the answer's trailer: {said}");
    let absolute = "GET http://other/echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    assert!(seen(port, absolute).starts_with("get /echo\nhost: other\n"));
    let many: String = (0..200).map(|number| format!("X-{number}: 1\r\n")).collect();
    let head =
        |many: &str| format!("GET /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{many}\r\n");
    assert!(seen(port, &head(&many)).contains("x-199: 1"));
    assert_eq!(status(&say(port, &head(&many.repeat(2)))), 431);
}

#[test]
fn a_client_that_closes_its_side_after_its_request_gets_its_answer() {
    let project = deployed(1, "--latency 300ms");
    let mut stream = connected(project.ports[0], Duration::from_secs(5));
    stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").expect("sent");
    half_close(&stream);
    let said = rest(&mut stream);
    assert!(said.contains("web version 1"), "{said}");
}

#[test]
fn no_request_hides_in_another_one() {
    let project = deployed(1, "");
    let port = project.ports[0];
    let hidden = "GET /echo?hidden HTTP/1.1\r\nHost: t\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\u{b}chunked",
        "X: 1\r\n Transfer-Encoding: chunked",
        "X: a\u{0}b",
        "Connection: content-length\r\nContent-Length: 5",
    ] {
        let request =
            format!("POST /echo HTTP/1.1\r\nHost: t\r\n{fields}\r\n\r\n0\r\n\r\n{hidden}");
        let mut stream = connected(port, Duration::from_millis(700));
        stream.write_all(request.as_bytes()).expect("sent");
        let said = rest(&mut stream);
        let first = status(&said);
        let answers = said.matches("HTTP/1.1 ").count();
        // Refused at once and closed; or read the one right way, in which the hidden one is the client's own next
        // request, or the rest of it no request at all.
        let well = match first {
            400 => answers == 1,
            200 if fields.contains("chunked") => {
                answers <= 2 && !said.contains("content-length: 5")
            }
            200 => answers <= 2 && said.contains("5 bytes"),
            _ => false,
        };
        assert!(well, "{fields}\n{said}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let project = deployed(2, "");
    let one = |number: u32| format!("GET /echo?{number} HTTP/1.1\r\nHost: t\r\n\r\n");
    let mut stream = connected(project.ports[0], Duration::from_millis(1500));
    let all: String = (0..20).map(one).collect();
    stream.write_all(all.as_bytes()).expect("sent");
    let said = rest(&mut stream);
    let order: Vec<&str> = said.lines().filter(|line| line.starts_with("GET /echo?")).collect();
    let wanted: Vec<String> = (0..20).map(|number| format!("GET /echo?{number}")).collect();
    assert_eq!(order, wanted, "{said}");
}
