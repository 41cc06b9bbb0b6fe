//! The proxy on a service's own port: divides traffic among revisions and measures them.
//!
//! A request that reached no replica goes to another one; a client sees a refusal only when no replica of any
//! revision is ready. No replica is put aside for what a client did.

mod body;
mod forward;
mod head;
mod limits;
mod links;
mod router;
mod seats;
mod stream;
mod tunnel;
mod workers;

pub(super) use limits::{give_back, is_exhausted};
pub(crate) use router::{Backend, Router};

use dax_core::Name;
use forward::{Client, Door, forward};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use seats::{Order, Seat, Taken};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use stream::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinSet;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// Time between looks at connections that nobody uses.
const SWEEP: Duration = Duration::from_secs(1);
/// Pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(20);
/// Time for a connection to leave that was told to make room.
const ROOM: Duration = Duration::from_millis(1);

/// A port that is listened on; dropping it lets open requests finish.
pub(crate) struct Listener {
    pub(crate) port: u16,
    close: Option<oneshot::Sender<Duration>>,
    closed: Option<tokio::task::JoinHandle<()>>,
}

impl Listener {
    /// Listens on a port of the loopback interface.
    pub(crate) async fn open(port: u16, name: Name, router: Arc<Router>) -> Result<Self, String> {
        let listener = bind(port).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => super::ports::taken(port, &name),
            io::ErrorKind::PermissionDenied => {
                format!("port {port} may not be used without more rights; ports from 1024 on may")
            }
            _ => format!("port {port} cannot be listened on: {error}"),
        })?;
        let (close, closing) = oneshot::channel();
        let door = Arc::new(Door { router, port: name });
        let closed = tokio::spawn(listen(listener, door, closing));
        Ok(Self { port, close: Some(close), closed: Some(closed) })
    }

    /// Takes no new connection and waits until the open ones are done, at most `drain`; then they end.
    pub(crate) async fn close(mut self, drain: Duration) {
        if let Some(close) = self.close.take() {
            let _ = close.send(drain);
        }
        if let Some(closed) = self.closed.take() {
            let _ = closed.await;
        }
    }
}

fn bind(port: u16) -> io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
    socket.listen(BACKLOG)
}

/// Accepts connections until it is told to close, then lets the open ones finish.
async fn listen(listener: TcpListener, door: Arc<Door>, mut closing: oneshot::Receiver<Duration>) {
    let mut open = JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP);
    let port = listener.local_addr().map_or(0, |address| address.port());
    let drain = loop {
        tokio::select! {
            accepted = accept(&listener) => {
                if let Some((stream, peer, room)) = accepted {
                    let connection = serve(stream, peer, seats::take(port, room), door.clone());
                    open.spawn_on(connection, &workers::next());
                }
            }
            _ = open.join_next(), if !open.is_empty() => {}
            _ = sweep.tick() => seats::sweep(),
            drain = &mut closing => break drain.unwrap_or_default(),
        }
    };
    drop(listener);
    seats::finish(port);
    let done = async { while open.join_next().await.is_some() {} };
    // What is not done by then ends here, with the tasks.
    let _ = tokio::time::timeout(drain, done).await;
}

/// A connection that has just come, and the room for it.
type Accepted = (std::net::TcpStream, SocketAddr, OwnedSemaphorePermit);

/// The next connection; none when there is no room for one at the moment.
async fn accept(listener: &TcpListener) -> Option<Accepted> {
    let Some(room) = seats::room() else {
        tokio::time::sleep(ROOM).await;
        return None;
    };
    match listener.accept().await {
        // Another thread's event loop will look after it.
        Ok((stream, peer)) => stream.into_std().ok().map(|stream| (stream, peer, room)),
        Err(error) if limits::is_exhausted(&error) => {
            seats::make_room();
            tokio::time::sleep(PAUSE).await;
            None
        }
        Err(_) => None,
    }
}

/// Serves one connection until it ends, is told to, or another protocol has come and gone.
async fn serve(stream: std::net::TcpStream, peer: SocketAddr, taken: Taken, door: Arc<Door>) {
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let stream = Stream::new(stream);
    let seat = taken.seat.clone();
    let Ok(address) = HeaderValue::from_str(&peer.ip().to_string()) else { return };
    let client = Arc::new(Client {
        seat: seat.clone(),
        stream: stream.clone(),
        address,
        tunnel: Mutex::default(),
    });
    let asked = client.clone();
    let service = service_fn(move |request| {
        let (door, client) = (door.clone(), asked.clone());
        // In a box of its own, so that a connection without a request takes no room for one.
        Box::pin(async move { Ok::<_, Infallible>(forward(&door, &client, request).await) })
    });
    let mut orders = seat.orders();
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .max_headers(limits::MOST_HEADERS)
            .writev(false)
            .serve_connection(TokioIo::new(Heard { stream, seat }), service)
            .with_upgrades()
    );
    loop {
        tokio::select! {
            _ = connection.as_mut() => break,
            _ = orders.changed() => match *orders.borrow_and_update() {
                Order::Stay => {}
                Order::Finish => connection.as_mut().graceful_shutdown(),
                Order::Leave => return,
            }
        }
    }
    let tunnel = client.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(tunnel) = tunnel {
        tunnel.run().await;
    }
}

/// A client's connection whose seat learns of what is read and written.
struct Heard {
    stream: Stream,
    seat: Arc<Seat>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.seat.hears();
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.seat.sends(written.is_ready());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.seat.sends(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
