//! A small HTTP service inside dax, so that a first deployment needs nothing else.
//!
//! `/` answers its name and version, `/health` says that it is well, `/metrics` counts, `/echo` answers what it
//! was asked, and a request to upgrade to `echo` gets every byte back. Errors and faults come evenly spread, so
//! that a rate of 20 % is 20 of every 100 requests and not a matter of luck.

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TE, TRAILER, UPGRADE};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt::Write;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};

/// Headers that a request may have.
const MOST_HEADERS: usize = 1024;

/// How the service behaves.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it listens.
    pub port: u16,
    /// Errors in a million requests.
    pub errors_per_million: u64,
    /// How long each answer takes.
    pub latency: Duration,
    /// How long it takes to start.
    pub start_delay: Duration,
    /// It ends after so many requests.
    pub crash_after: Option<u64>,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// One of so many requests has the fault.
    pub fault_every: u64,
    /// A connection without a request is closed after this time.
    pub idle_close: Option<Duration>,
}

/// What can go wrong with an answer, other than its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its body ends in the middle.
    Truncate,
    /// Its body stops in the middle, and nothing more comes.
    Stall,
    /// Its body comes byte by byte, one each 50 ms.
    Drip,
    /// It never comes.
    Hang,
    /// The connection is closed instead.
    Close,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    errors: AtomicU64,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Serves until it is told to stop.
///
/// # Errors
/// The port cannot be listened on.
pub async fn run(demo: Demo) -> io::Result<()> {
    tokio::time::sleep(demo.start_delay).await;
    let listener = TcpListener::bind(("127.0.0.1", demo.port)).await?;
    let (demo, counters) = (Arc::new(demo), Arc::new(Counters::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, demo.clone(), counters.clone()));
    }
}

/// Serves a connection until it ends, or nothing was asked on it for too long.
async fn serve(stream: TcpStream, demo: Arc<Demo>, counters: Arc<Counters>) {
    let _ = stream.set_nodelay(true);
    // Since when nothing is asked; nothing while something is.
    let idle = Arc::new(Mutex::new(Some(Instant::now())));
    let idle_close = demo.idle_close;
    let since = idle.clone();
    let service = hyper::service::service_fn(move |request| {
        let (demo, counters, idle) = (demo.clone(), counters.clone(), idle.clone());
        async move {
            *idle.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let response = answer(&demo, &counters, request).await;
            *idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            response
        }
    });
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let Some(limit) = idle_close else {
        let _ = connection.await;
        return;
    };
    loop {
        let last = *since.lock().unwrap_or_else(PoisonError::into_inner);
        let left = last.map_or(limit, |last| limit.saturating_sub(last.elapsed()));
        if left.is_zero() {
            return;
        }
        if tokio::time::timeout(left, connection.as_mut()).await.is_ok() {
            return;
        }
    }
}

async fn answer(
    demo: &Demo,
    counters: &Counters,
    mut request: Request<Incoming>,
) -> io::Result<Response<Body>> {
    match request.uri().path() {
        "/health" => return Ok(reply(StatusCode::OK, "ok\n".to_owned())),
        "/metrics" => return Ok(reply(StatusCode::OK, shown(counters))),
        "/echo" if request.headers().contains_key(UPGRADE) => return Ok(echo(&mut request)),
        "/echo" => return repeated(request).await,
        _ => {}
    }
    let number = counters.requests.fetch_add(1, Ordering::Relaxed) + 1;
    if demo.crash_after.is_some_and(|limit| number > limit) {
        std::process::exit(1);
    }
    tokio::time::sleep(demo.latency).await;
    if let Some(fault) = demo.fault
        && number.is_multiple_of(demo.fault_every.max(1))
    {
        return broken(fault).await;
    }
    // What was sent is read, so that the connection can be used again.
    let _ = request.into_body().collect().await;
    // The share of errors so far is always the wanted one, rounded down.
    let due = |count: u64| count * demo.errors_per_million / 1_000_000;
    if due(number) > due(number - 1) {
        counters.errors.fetch_add(1, Ordering::Relaxed);
        return Ok(reply(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{} version {} failed on purpose\n", demo.name, demo.version),
        ));
    }
    Ok(reply(StatusCode::OK, format!("{} version {}\n", demo.name, demo.version)))
}

fn reply(status: StatusCode, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}

fn shown(counters: &Counters) -> String {
    let requests = counters.requests.load(Ordering::Relaxed);
    let errors = counters.errors.load(Ordering::Relaxed);
    format!(
        "# TYPE demo_requests_total counter\ndemo_requests_total {requests}\n\
         # TYPE demo_errors_total counter\ndemo_errors_total {errors}\n"
    )
}

/// An answer with something wrong.
async fn broken(fault: Fault) -> io::Result<Response<Body>> {
    let closed = || io::Error::new(io::ErrorKind::ConnectionReset, "closed on purpose");
    let part = futures::stream::iter([Ok(Frame::data(Bytes::from_static(b"part")))]);
    let body = match fault {
        Fault::Hang => std::future::pending().await,
        Fault::Close => return Err(closed()),
        Fault::Truncate => {
            let cut = futures::stream::once(async move {
                // What was written before is on its way first.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(closed())
            });
            StreamBody::new(futures::StreamExt::chain(part, cut)).boxed_unsync()
        }
        Fault::Drip => {
            let bytes = futures::stream::repeat(Bytes::from_static(b"."));
            let slow = futures::StreamExt::then(bytes, |byte| async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(Frame::data(byte))
            });
            StreamBody::new(slow).boxed_unsync()
        }
        Fault::Stall => {
            let never = futures::stream::pending();
            StreamBody::new(futures::StreamExt::chain(part, never)).boxed_unsync()
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("1000"));
    Ok(response)
}

/// What was asked, as it came: method and target, headers, the length of the body, trailers.
async fn repeated(request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let mut text = format!("{} {}\n", head.method, head.uri);
    list(&mut text, &head.headers);
    let body = body.collect().await.map_err(io::Error::other)?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let _ = writeln!(text, "{} bytes", body.to_bytes().len());
    list(&mut text, &trailers);
    if !head.headers.contains_key(TE) {
        return Ok(reply(StatusCode::OK, text));
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("x-echo", HeaderValue::from_static("end"));
    let frames = [Ok(Frame::data(Bytes::from(text))), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(futures::stream::iter(frames)).boxed_unsync());
    response.headers_mut().insert(TRAILER, HeaderValue::from_static("x-echo"));
    Ok(response)
}

fn list(text: &mut String, headers: &HeaderMap) {
    for (name, value) in headers {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
}

/// Speaks the protocol `echo`: every byte comes back.
fn echo(request: &mut Request<Incoming>) -> Response<Body> {
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut write).await;
    });
    let mut response = reply(StatusCode::SWITCHING_PROTOCOLS, String::new());
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("echo"));
    response
}
