//! A connection whose owner reads and writes it while others may look at it.

use rustix::net::{RecvFlags, Shutdown};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Whoever leaves before the service was waited for so long has not given up on it.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);
/// How long a client that closed its side at once is thought to wait for its answer.
const HALF_CLOSED: Duration = Duration::from_secs(60);
/// Time between looks at a client that has sent its next request already.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Bytes that are read at once.
const PIECE: usize = 32 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into());
}

/// One end of a connection; all copies are the same connection.
#[derive(Clone)]
pub(super) struct Stream(Arc<TcpStream>);

/// What the other side has said that was not read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    Nothing,
    Something,
    /// It sends nothing more.
    End,
    /// The connection broke.
    Broken,
}

impl Stream {
    pub(super) fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self(Arc::new(stream))
    }

    /// Asks the system, not what was last heard of it.
    pub(super) fn unread(&self) -> Unread {
        let mut byte = [0_u8; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&*self.0, &mut byte, flags) {
            Ok((0, _)) => Unread::End,
            Ok(_) => Unread::Something,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Unread::Nothing,
            Err(_) => Unread::Broken,
        }
    }

    /// Reads what is there, through a buffer of this thread.
    ///
    /// When less came than there was room for, nothing is left, and the next read need not ask the system first.
    fn read(&self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = buffer.remaining().min(scratch.len());
            let mut last = None;
            let read = self.0.try_io(Interest::READABLE, || {
                let (read, _) =
                    rustix::net::recv(&*self.0, &mut scratch[..room], RecvFlags::empty())?;
                if 0 < read && read < room {
                    last = Some(read);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(read)
            });
            let read = match last {
                Some(read) => read,
                None => read?,
            };
            buffer.put_slice(&scratch[..read]);
            Ok(())
        })
    }

    /// Waits until the other side has said something, or nothing more will come.
    async fn heard(&self) -> Unread {
        match self.0.peek(&mut [0]).await {
            Ok(0) => Unread::End,
            Ok(_) => Unread::Something,
            Err(_) => Unread::Broken,
        }
    }

    /// Waits until the client that sent a request has given up waiting for its answer.
    ///
    /// HTTP cannot tell a client that has left from one that only sends nothing more. Who closes its side right
    /// after its request is taken to wait for the answer, who does so later to have given up.
    pub(super) async fn left(self) {
        tokio::time::sleep(PATIENCE).await;
        match self.unread() {
            Unread::End => return tokio::time::sleep(HALF_CLOSED).await,
            Unread::Broken => return,
            Unread::Nothing | Unread::Something => {}
        }
        while self.heard().await == Unread::Something {
            // The next request is there already, and hides what comes after it.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match self.0.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(rustix::net::shutdown(&*self.0, Shutdown::Write).map_err(io::Error::from))
    }
}
