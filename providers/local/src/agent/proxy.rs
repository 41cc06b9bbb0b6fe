//! The proxy on a service's own port: divides traffic among revisions and measures them.
//!
//! Shares are kept exactly, by smooth weighted round robin, not by chance. A request that reached no replica
//! goes to another one; a client sees a refusal only when no replica of any revision is ready.

use super::metrics::Metrics;
use super::replica::Replica;
use dax_core::{Name, RevisionId};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::GracefulShutdown;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Bodies up to this size are kept, so that a request that reached nobody can be sent again.
const KEPT_BODY: u64 = 64 * 1024;
/// Replicas that one request tries.
const TRIES: usize = 4;

type Error = Box<dyn std::error::Error + Send + Sync>;
type ReplyBody = BoxBody<Bytes, Error>;
type Sender = Client<HttpConnector, BoxBody<Bytes, Error>>;

/// A revision as the proxy sees it.
pub(crate) struct Backend {
    pub(crate) revision: RevisionId,
    pub(crate) share: u32,
    pub(crate) replicas: Vec<Arc<Replica>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Smooth weighted round robin: the credit of this revision.
    credit: i64,
    next: usize,
}

impl Backend {
    pub(crate) fn new(
        revision: RevisionId,
        share: u32,
        replicas: Vec<Arc<Replica>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { revision, share, replicas, metrics, credit: 0, next: 0 }
    }

    /// The next of its replicas that may be given a request.
    fn next_ready(
        &mut self,
        usable: impl Fn(&Arc<Replica>) -> bool,
    ) -> Option<(Arc<Replica>, Arc<Metrics>)> {
        let ready: Vec<&Arc<Replica>> =
            self.replicas.iter().filter(|replica| usable(replica)).collect();
        let replica = (*ready.get(self.next % ready.len().max(1))?).clone();
        self.next = self.next.wrapping_add(1);
        Some((replica, self.metrics.clone()))
    }
}

/// Who gets the next request.
#[derive(Default)]
pub(crate) struct Router {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    backends: Vec<Backend>,
    /// Header, value, and the revision that such requests reach.
    routes: Vec<(Name, Name, RevisionId)>,
}

impl Router {
    /// Replaces the backends; those that stay keep their place in the round.
    pub(crate) fn set(&self, mut backends: Vec<Backend>, routes: Vec<(Name, Name, RevisionId)>) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.routes = routes;
        let current = &mut table.backends;
        for backend in &mut backends {
            if let Some(old) = current
                .iter()
                .find(|old| old.revision == backend.revision && old.share == backend.share)
            {
                backend.credit = old.credit;
                backend.next = old.next;
            }
        }
        table.backends = backends;
    }

    /// The replica for the next request, passing over those already tried.
    fn pick(&self, headers: &HeaderMap, tried: &[u64]) -> Option<(Arc<Replica>, Arc<Metrics>)> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { backends, routes } = &mut *table;
        let meant = |(name, value, _): &&(Name, Name, RevisionId)| {
            headers.get_all(name.as_str()).iter().any(|found| found == value.as_str())
        };
        let routed = routes.iter().find(meant).map(|(_, _, revision)| revision.clone());
        let usable =
            |replica: &Arc<Replica>| replica.is_ready() && !tried.contains(&replica.number);
        let at = routed.and_then(|revision| {
            backends.iter().position(|b| b.revision == revision && b.replicas.iter().any(usable))
        });
        if let Some(at) = at {
            return backends[at].next_ready(usable);
        }
        let any_shared = backends.iter().any(|b| b.share > 0 && b.replicas.iter().any(usable));
        let mut total = 0;
        let mut best: Option<usize> = None;
        for at in 0..backends.len() {
            let backend = &mut backends[at];
            if backend.share == 0 || !any_shared || !backend.replicas.iter().any(usable) {
                continue;
            }
            backend.credit += i64::from(backend.share);
            total += i64::from(backend.share);
            if best.is_none_or(|best| backends[best].credit < backends[at].credit) {
                best = Some(at);
            }
        }
        let backend = &mut backends[best?];
        backend.credit -= total;
        backend.next_ready(usable)
    }
}

/// A port that is listened on; dropping it lets open requests finish.
pub(crate) struct Listener {
    pub(crate) port: u16,
    close: Option<oneshot::Sender<Duration>>,
    closed: Option<tokio::task::JoinHandle<()>>,
}

impl Listener {
    /// Listens on a port of the loopback interface.
    pub(crate) async fn open(port: u16, name: Name, router: Arc<Router>) -> Result<Self, String> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("port {port} is taken by another program: stop it, or give the service another port with `ports.{name} = …`")
            }
            std::io::ErrorKind::PermissionDenied => format!("port {port} may not be used without more rights; ports from 1024 on may"),
            _ => format!("port {port} cannot be listened on: {error}"),
        })?;
        let (close, mut closing) = oneshot::channel();
        let closed = tokio::spawn(async move {
            let client = Client::builder(TokioExecutor::new())
                .pool_idle_timeout(Duration::from_secs(30))
                .build_http();
            let open = GracefulShutdown::new();
            let drain = loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, peer)) = accepted else { continue };
                        let _ = stream.set_nodelay(true);
                        let (router, client, name) = (router.clone(), client.clone(), name.clone());
                        let serve = hyper::service::service_fn(move |request| {
                            let (router, client, name) = (router.clone(), client.clone(), name.clone());
                            async move { Ok::<_, std::convert::Infallible>(forward(&router, &client, &name, peer.ip(), request).await) }
                        });
                        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
                        tokio::spawn(open.watch(connection));
                    }
                    drain = &mut closing => break drain.unwrap_or_default(),
                }
            };
            drop(listener);
            let _ = tokio::time::timeout(drain, open.shutdown()).await;
        });
        Ok(Self { port, close: Some(close), closed: Some(closed) })
    }

    /// Takes no new connection and waits until the open ones are done, at most `drain`.
    pub(crate) async fn close(mut self, drain: Duration) {
        if let Some(close) = self.close.take() {
            let _ = close.send(drain);
        }
        if let Some(closed) = self.closed.take() {
            let _ = closed.await;
        }
    }
}

fn text(status: StatusCode, message: &str) -> Response<ReplyBody> {
    let mut response = Response::new(
        Full::new(Bytes::from(format!("{message}\n"))).map_err(|never| match never {}).boxed(),
    );
    *response.status_mut() = status;
    response
}

/// Headers that belong to one connection and are not passed on. Source: RFC 9110, section 7.6.1.
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

async fn forward(
    router: &Router,
    client: &Sender,
    port: &Name,
    peer: std::net::IpAddr,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let (mut head, body) = request.into_parts();
    for name in HOP_BY_HOP {
        head.headers.remove(name);
    }
    if let Ok(value) = HeaderValue::from_str(&peer.to_string()) {
        head.headers.append(HeaderName::from_static("x-forwarded-for"), value);
    }
    let small =
        body.is_end_stream() || body.size_hint().upper().is_some_and(|upper| upper <= KEPT_BODY);
    let (kept, mut stream) = if small {
        match body.collect().await {
            Ok(body) => (Some(body.to_bytes()), None),
            Err(_) => return text(StatusCode::BAD_REQUEST, "the request's body was cut"),
        }
    } else {
        head.headers.remove(CONTENT_LENGTH);
        (None, Some(body))
    };
    let mut tried = Vec::new();
    let mut problem = "no replica is ready".to_owned();
    while tried.len() < TRIES {
        let Some((replica, metrics)) = router.pick(&head.headers, &tried) else { break };
        let Some(target) = replica.ports.get(port) else { break };
        let guard = Open::on(replica.clone());
        let body: BoxBody<Bytes, Error> = match (&kept, stream.take()) {
            (Some(bytes), _) => Full::new(bytes.clone()).map_err(|never| match never {}).boxed(),
            (None, Some(stream)) => stream.map_err(Error::from).boxed(),
            (None, None) => break,
        };
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("http://127.0.0.1:{target}{path}").parse::<Uri>() else { break };
        let mut outgoing = Request::new(body);
        (*outgoing.method_mut(), *outgoing.uri_mut(), *outgoing.headers_mut()) =
            (head.method.clone(), uri, head.headers.clone());
        let begun = Instant::now();
        match client.request(outgoing).await {
            Ok(response) => {
                metrics.record(begun.elapsed(), response.status().is_server_error());
                let (mut head, body) = response.into_parts();
                for name in HOP_BY_HOP {
                    head.headers.remove(name);
                }
                return Response::from_parts(head, Guarded { inner: body, _open: guard }.boxed());
            }
            Err(error) => {
                // It never got there, or asking again does no harm: another replica may answer.
                let again = error.is_connect()
                    || matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
                problem = error.to_string();
                replica.suspect();
                tried.push(replica.number);
                if !again || kept.is_none() {
                    metrics.record(begun.elapsed(), true);
                    break;
                }
            }
        }
    }
    let status =
        if tried.is_empty() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_GATEWAY };
    text(status, &format!("dax: {problem}"))
}

/// Counts a request as open for as long as it lives.
struct Open(Arc<Replica>);

impl Open {
    fn on(replica: Arc<Replica>) -> Self {
        replica.open.fetch_add(1, Ordering::AcqRel);
        Self(replica)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A reply's body; its replica is busy until the last byte is through.
struct Guarded {
    inner: Incoming,
    _open: Open,
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.inner).poll_frame(context).map_err(Error::from)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
