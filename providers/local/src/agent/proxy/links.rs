//! Connections to replicas: kept between requests, driven by whoever has one at the moment.
//!
//! A replica may close a connection at the very moment at which a request is sent on it. A request that may be
//! sent again is then sent on a fresh one. One that may not goes only on connections that were used a moment ago,
//! to replicas that are known to keep connections for longer than that, or on fresh ones.

use super::body::Outgoing;
use super::limits::{LIMITS, MOST_HEADERS, is_exhausted};
use super::seats;
use super::stream::{Stream, Unread};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::SendRequest;
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// How long a connection is kept without a request, unless the replica says that it keeps it for less.
const KEPT: Duration = Duration::from_secs(30);
/// A connection that was used this short a time ago is trusted with a request that must not be sent twice.
const TRUSTED: Duration = Duration::from_millis(20);
/// Connections that are kept of each replica.
const MOST_KEPT: usize = 1024;
/// How long a connection may take to come about, and how long a request waits for its turn to make one.
const CONNECT: Duration = Duration::from_secs(5);

/// What moves the bytes of a connection; it ends with the connection, or when another protocol takes over.
type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection to a replica that no other request uses.
pub(super) struct Link {
    port: u16,
    sender: SendRequest<Outgoing>,
    /// Gone once the connection has ended.
    connection: Option<Connection>,
    stream: Stream,
    keep: Duration,
    used: Instant,
    _permit: OwnedSemaphorePermit,
}

/// The idle connections to one replica.
#[derive(Default)]
struct Idle {
    links: Vec<Link>,
    /// It was seen to keep a connection for longer than [`TRUSTED`].
    keeps: bool,
}

thread_local! {
    /// The idle connections of this thread, by the port that they lead to.
    static IDLE: RefCell<BTreeMap<u16, Idle>> = RefCell::default();
}

/// An idle connection to a port; with `once` only one on which a request is safe that must not be sent twice.
pub(super) fn reuse(port: u16, once: bool) -> Option<Link> {
    IDLE.with_borrow_mut(|idle| idle.get_mut(&port)?.take(once))
}

impl Idle {
    fn take(&mut self, once: bool) -> Option<Link> {
        while let Some(link) = self.links.last() {
            let age = link.used.elapsed();
            if age < link.keep && once && (age >= TRUSTED || !self.keeps) {
                return None;
            }
            let link = self.links.pop()?;
            if age >= link.keep {
                continue;
            }
            if once && link.stream.unread() != Unread::Nothing {
                self.keeps = false;
                continue;
            }
            return Some(link);
        }
        None
    }
}

/// A fresh connection to a port of this machine.
pub(super) async fn connect(port: u16) -> io::Result<Link> {
    let timeout = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection within 5 s");
    let permit = match LIMITS.all.clone().try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => {
            IDLE.with_borrow_mut(BTreeMap::clear);
            seats::make_room();
            let turn = LIMITS.all.clone().acquire_owned();
            let turn = tokio::time::timeout(CONNECT, turn).await.map_err(|_| scarce())?;
            turn.map_err(|_| scarce())?
        }
    };
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(("127.0.0.1", port)));
    let stream = stream.await.map_err(timeout)?;
    if stream.as_ref().is_err_and(is_exhausted) {
        IDLE.with_borrow_mut(BTreeMap::clear);
    }
    let stream = Stream::new(stream?);
    let (sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_headers(MOST_HEADERS)
        .writev(false)
        .handshake(TokioIo::new(stream.clone()))
        .await
        .map_err(io::Error::other)?;
    Ok(Link {
        port,
        sender,
        connection: Some(Box::pin(connection.with_upgrades())),
        stream,
        keep: KEPT,
        used: Instant::now(),
        _permit: permit,
    })
}

fn scarce() -> io::Error {
    io::Error::from(rustix::io::Errno::MFILE)
}

/// Lets go of what replicas have closed and of what was not used for long, and learns who keeps connections.
pub(super) fn sweep() {
    IDLE.with_borrow_mut(|idle| {
        for Idle { links, keeps } in idle.values_mut() {
            links.retain(|link| {
                let age = link.used.elapsed();
                let open = link.stream.unread() == Unread::Nothing;
                if open && age > TRUSTED {
                    *keeps = true;
                }
                open && age < link.keep
            });
        }
        idle.retain(|_, known| !known.links.is_empty());
    });
}

impl Link {
    /// Notes that the replica closed the connection right after it was used.
    pub(super) fn broke(self) {
        if self.used.elapsed() < TRUSTED {
            IDLE.with_borrow_mut(|idle| {
                if let Some(known) = idle.get_mut(&self.port) {
                    known.keeps = false;
                }
            });
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            drive(&mut self.connection, context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// Moves bytes; to be called whenever a part of a body is waited for.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.connection, context);
    }

    /// Runs until the connection is handed over to another protocol, or ends.
    pub(super) async fn run(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = connection.await;
        }
    }

    /// Notes how long the replica says that it keeps the connection.
    pub(super) fn heed(&mut self, headers: &HeaderMap) {
        let Some(value) = headers.get("keep-alive").and_then(|value| value.to_str().ok()) else {
            return;
        };
        let seconds = value.split(',').find_map(|part| {
            let (name, seconds) = part.split_once('=')?;
            if !name.trim().eq_ignore_ascii_case("timeout") {
                return None;
            }
            seconds.trim().parse::<u64>().ok()
        });
        if let Some(seconds) = seconds {
            // With some time for the way, as the replica's clock has begun before ours.
            self.keep = (Duration::from_secs(seconds) / 2).min(KEPT);
        }
    }

    /// Keeps the connection for another request, if it is fit for one.
    pub(super) fn keep(mut self) {
        let mut context = Context::from_waker(Waker::noop());
        self.drive(&mut context);
        if self.connection.is_none() || !self.sender.is_ready() {
            return;
        }
        self.used = Instant::now();
        IDLE.with_borrow_mut(|idle| {
            let known = idle.entry(self.port).or_default();
            if known.links.len() < MOST_KEPT {
                known.links.push(self);
            }
        });
    }
}

fn drive(connection: &mut Option<Connection>, context: &mut Context<'_>) {
    if let Some(running) = connection
        && running.as_mut().poll(context).is_ready()
    {
        *connection = None;
    }
}
