//! One request: to a replica, to another one if it reached none, and its answer back.

use super::super::metrics::{Measurement, Metrics, Outcome};
use super::body::{Answer, Open, Outgoing, PAUSE, Reply, Sent, Upload};
use super::links::{Link, connect, reuse};
use super::router::{Choice, Router};
use super::seats::{Seat, Turn};
use super::stream::{PATIENCE, Stream};
use super::tunnel::Tunnel;
use super::{head, limits};
use dax_core::Name;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Bodies up to this size are kept, so that a request that reached nobody can be sent again.
const KEPT_BODY: u64 = 64 * 1024;
/// Replicas that one request tries.
const TRIES: usize = 4;

/// A service's port.
pub(super) struct Door {
    pub(super) router: Arc<Router>,
    pub(super) port: Name,
}

/// Who asks.
pub(super) struct Client {
    pub(super) seat: Arc<Seat>,
    pub(super) stream: Stream,
    /// Its address.
    pub(super) address: HeaderValue,
    /// What follows when the connection is no longer one of HTTP.
    pub(super) tunnel: Mutex<Option<Tunnel>>,
}

/// A client that wants another protocol, and its side of the connection once it has it.
struct Upgrade {
    protocol: HeaderValue,
    client: OnUpgrade,
}

/// An exchange with a replica that gave no answer.
struct Failure {
    problem: String,
    /// Nobody listens where the replica should.
    refused: bool,
    /// Nobody has seen the request: its body, for whoever is asked next.
    unsent: Option<Outgoing>,
}

/// Answers one request.
pub(super) async fn forward(
    door: &Door,
    client: &Client,
    mut request: Request<Incoming>,
) -> Response<Reply> {
    let turn = client.seat.turn();
    let handed = hyper::upgrade::on(&mut request);
    let (mut head, body) = request.into_parts();
    let upgrade = match head::admit(&mut head, &client.address) {
        Ok(protocol) => protocol.map(|protocol| Upgrade { protocol, client: handed }),
        Err((status, message)) => return text(status, message, turn),
    };
    let small = body.size_hint().upper().is_some_and(|upper| upper <= KEPT_BODY);
    let (body, mut sent) = if body.is_end_stream() {
        (Outgoing::Whole(None), None)
    } else if small && upgrade.is_none() {
        match tokio::time::timeout(PAUSE, body.collect()).await {
            Ok(Ok(body)) => (Outgoing::Whole(Some(body.to_bytes())), None),
            Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, "the request's body was cut", turn),
            Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the body did not come", turn),
        }
    } else {
        let (upload, sent) = Upload::new(body);
        (Outgoing::Passed(Box::new(upload)), Some(sent))
    };
    tokio::select! {
        biased;
        response = exchange(door, client, &head, body, upgrade, turn) => response,
        () = left(&client.stream, &mut sent) => {
            // The request that is dropped here counts what it has waited for in vain.
            text(StatusCode::REQUEST_TIMEOUT, "the client waited no longer", client.seat.turn())
        }
    }
}

/// Waits until the client is gone: broken off in the middle of its request, or no longer waiting for the answer.
async fn left(stream: &Stream, sent: &mut Option<oneshot::Receiver<Sent>>) {
    if let Some(ended) = sent {
        let ended = ended.await;
        *sent = None;
        if ended == Ok(Sent::Cut) {
            return;
        }
    }
    stream.clone().left().await;
}

/// A request that a revision has; one that is dropped counts if its client waited in vain.
struct Waiting {
    measurement: Arc<Measurement>,
    answered: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.answered {
            let in_vain = self.measurement.waiting() >= PATIENCE;
            self.measurement.end(in_vain.then_some(Outcome::Broken));
        }
    }
}

/// The measurement for a try: the current one as long as the revision is the same, else a new one.
fn measured(current: &mut Option<Waiting>, metrics: &Arc<Metrics>) -> Arc<Measurement> {
    if let Some(waiting) = current
        && Arc::ptr_eq(&waiting.measurement.metrics, metrics)
    {
        return waiting.measurement.clone();
    }
    let measurement = Arc::new(Measurement::begin(metrics.clone()));
    let waiting = Waiting { measurement: measurement.clone(), answered: false };
    if let Some(former) = current.replace(waiting) {
        former.measurement.end(Some(Outcome::Broken));
    }
    measurement
}

async fn exchange(
    door: &Door,
    client: &Client,
    head: &Parts,
    body: Outgoing,
    upgrade: Option<Upgrade>,
    turn: Turn,
) -> Response<Reply> {
    let asked_again = matches!(body, Outgoing::Whole(_))
        && upgrade.is_none()
        && matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let whole = match &body {
        Outgoing::Whole(bytes) => bytes.clone(),
        Outgoing::Passed(_) => None,
    };
    let sent = body.is_sent();
    let mut body = Some(body);
    let mut current: Option<Waiting> = None;
    let mut tried = Vec::new();
    let mut problem = None;
    while tried.len() < TRIES {
        let Some(mut outgoing) = body.take() else { break };
        let Some(choice) = door.router.pick(&head.headers, &tried) else { break };
        let Some(port) = choice.replica.ports.get(&door.port).copied() else { break };
        let measurement = measured(&mut current, &choice.metrics);
        if let Outgoing::Passed(upload) = &mut outgoing {
            upload.measurement = Some(measurement.clone());
        }
        let open = Open::on(choice.replica.clone());
        let failure = match ask(port, head, outgoing, asked_again, upgrade.is_some()).await {
            Ok((response, link)) => {
                if let Some(waiting) = &mut current {
                    waiting.answered = true;
                }
                let got = Got { response, link, measurement, open, turn };
                return match got.response.status() {
                    StatusCode::SWITCHING_PROTOCOLS => switch(client, upgrade, got),
                    _ => passed(got, client.stream.clone(), sent),
                };
            }
            Err(failure) => failure,
        };
        tried.push(choice.replica.number);
        blame(&choice, &failure);
        problem = Some(failure.problem);
        body = failure.unsent.or_else(|| asked_again.then(|| Outgoing::Whole(whole.clone())));
    }
    let status = match (&current, &problem) {
        (Some(waiting), Some(_)) => {
            waiting.measurement.end(Some(Outcome::Broken));
            StatusCode::BAD_GATEWAY
        }
        _ => {
            if let Some(metrics) = door.router.responsible(&head.headers) {
                metrics.refused();
            }
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let problem = problem.as_deref().unwrap_or("no replica is ready");
    text(status, &format!("dax: {problem}"), turn)
}

/// Has a replica looked at that did not answer; only one that nobody can reach is passed over at once, and the
/// last one of its revision is not.
fn blame(choice: &Choice, failure: &Failure) {
    if failure.refused && !choice.last {
        choice.replica.suspect();
    } else {
        choice.replica.look();
    }
}

/// Sends a request on a connection that is there, and if that one has just been closed, on a fresh one.
async fn ask(
    port: u16,
    head: &Parts,
    body: Outgoing,
    asked_again: bool,
    fresh: bool,
) -> Result<(Response<Incoming>, Link), Failure> {
    let spare = match &body {
        Outgoing::Whole(bytes) if asked_again => Some(bytes.clone()),
        _ => None,
    };
    let mut body = body;
    if !fresh && let Some(mut link) = reuse(port, !asked_again) {
        match link.send(made(head, body)).await {
            Ok(response) => return Ok((response, link)),
            Err(mut error) => {
                link.broke();
                let unsent = error.take_message().map(Request::into_body);
                let Some(again) = unsent.or_else(|| spare.clone().map(Outgoing::Whole)) else {
                    let problem = said(&error.into_error());
                    return Err(Failure { problem, refused: false, unsent: None });
                };
                body = again;
            }
        }
    }
    let mut link = match connect(port).await {
        Ok(link) => link,
        Err(error) => {
            let refused = error.kind() == io::ErrorKind::ConnectionRefused;
            let problem = if limits::is_exhausted(&error) {
                "too many connections are open".to_owned()
            } else {
                format!("the replica cannot be reached: {error}")
            };
            return Err(Failure { problem, refused, unsent: Some(body) });
        }
    };
    match link.send(made(head, body)).await {
        Ok(response) => Ok((response, link)),
        Err(mut error) => {
            let unsent = error.take_message().map(Request::into_body);
            Err(Failure { problem: said(&error.into_error()), refused: false, unsent })
        }
    }
}

/// An error with what is behind it.
fn said(error: &hyper::Error) -> String {
    let mut text = format!("the replica did not answer: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// A request as a replica gets it.
fn made(head: &Parts, body: Outgoing) -> Request<Outgoing> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.headers_mut() = head.headers.clone();
    request
}

/// The head of an answer, and what goes on until its end.
struct Got {
    response: Response<Incoming>,
    link: Link,
    measurement: Arc<Measurement>,
    open: Open,
    turn: Turn,
}

/// An answer on its way to the client.
fn passed(got: Got, client: Stream, sent: Arc<AtomicBool>) -> Response<Reply> {
    let Got { response, mut link, measurement, open, turn } = got;
    let (mut head, inner) = response.into_parts();
    link.heed(&head.headers);
    head::strip(&mut head.headers);
    let failed = head.status.is_server_error();
    let outcome = if failed { Outcome::Failed } else { Outcome::Good };
    let is_stream = head::is_stream(&head.headers);
    let until_head = measurement.served();
    if is_stream {
        measurement.end(Some(outcome));
    }
    let mut answer = Answer {
        inner,
        link: Some(link),
        measurement,
        outcome,
        is_stream,
        passed: 0,
        head: until_head,
        client,
        sent,
        left: None,
        _open: open,
        _turn: turn,
    };
    answer.settle();
    Response::from_parts(head, Reply::Passed(Box::new(answer)))
}

/// The replica speaks another protocol from now on, as the client wanted.
fn switch(client: &Client, upgrade: Option<Upgrade>, got: Got) -> Response<Reply> {
    let Got { mut response, link, measurement, open, turn } = got;
    let Some(upgrade) = upgrade else {
        measurement.end(Some(Outcome::Broken));
        return text(
            StatusCode::BAD_GATEWAY,
            "dax: the replica changed its protocol unasked",
            turn,
        );
    };
    measurement.end(Some(Outcome::Good));
    let replica = hyper::upgrade::on(&mut response);
    let protocol = response.headers().get(UPGRADE).cloned().unwrap_or(upgrade.protocol);
    let tunnel = Tunnel { client: upgrade.client, replica, link, open, turn };
    *client.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
    let (mut head, _) = response.into_parts();
    head::strip(&mut head.headers);
    head.headers.insert(UPGRADE, protocol);
    head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    Response::from_parts(head, Reply::Nothing)
}

/// What dax itself says.
fn text(status: StatusCode, message: &str, turn: Turn) -> Response<Reply> {
    let mut response = Response::new(Reply::Text(Some(Bytes::from(format!("{message}\n"))), turn));
    *response.status_mut() = status;
    response
}
