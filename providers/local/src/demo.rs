//! A small HTTP service inside dax, so that a first deployment needs nothing else.
//!
//! `/` answers its name and version, `/health` says that it is well, `/metrics` counts. Errors come evenly
//! spread, so that a rate of 20 % is 20 of every 100 requests and not a matter of luck.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

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
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    errors: AtomicU64,
}

/// Serves until it is told to stop.
///
/// # Errors
/// The port cannot be listened on.
pub async fn run(demo: Demo) -> std::io::Result<()> {
    tokio::time::sleep(demo.start_delay).await;
    let listener = TcpListener::bind(("127.0.0.1", demo.port)).await?;
    let (demo, counters) = (Arc::new(demo), Arc::new(Counters::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let (demo, counters) = (demo.clone(), counters.clone());
        let serve = hyper::service::service_fn(move |request| {
            let (demo, counters) = (demo.clone(), counters.clone());
            async move { Ok::<_, std::convert::Infallible>(answer(&demo, &counters, &request).await) }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), serve),
        );
    }
}

async fn answer(
    demo: &Demo,
    counters: &Counters,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    let reply = |status: StatusCode, text: String| {
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        response
    };
    match request.uri().path() {
        "/health" => return reply(StatusCode::OK, "ok\n".to_owned()),
        "/metrics" => {
            let (requests, errors) = (
                counters.requests.load(Ordering::Relaxed),
                counters.errors.load(Ordering::Relaxed),
            );
            let text = format!(
                "# TYPE demo_requests_total counter\ndemo_requests_total {requests}\n# TYPE demo_errors_total counter\ndemo_errors_total {errors}\n"
            );
            return reply(StatusCode::OK, text);
        }
        _ => {}
    }
    let number = counters.requests.fetch_add(1, Ordering::Relaxed) + 1;
    if demo.crash_after.is_some_and(|limit| number > limit) {
        std::process::exit(1);
    }
    tokio::time::sleep(demo.latency).await;
    // The share of errors so far is always the wanted one, rounded down.
    let due = |count: u64| count * demo.errors_per_million / 1_000_000;
    if due(number) > due(number - 1) {
        counters.errors.fetch_add(1, Ordering::Relaxed);
        return reply(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{} version {} failed on purpose\n", demo.name, demo.version),
        );
    }
    reply(StatusCode::OK, format!("{} version {}\n", demo.name, demo.version))
}
