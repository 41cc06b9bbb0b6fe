//! Connections that speak another protocol than HTTP, such as WebSocket: bytes go through in both directions.

use super::body::Open;
use super::links::Link;
use super::seats::Turn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

/// Two connections that are about to be joined.
pub(super) struct Tunnel {
    pub(super) client: OnUpgrade,
    pub(super) replica: OnUpgrade,
    pub(super) link: Link,
    /// It counts as an open request, so that a drain waits for it.
    pub(super) open: Open,
    pub(super) turn: Turn,
}

impl Tunnel {
    /// Passes bytes on until both sides have ended; one may end before the other, and silence may last.
    pub(super) async fn run(self) {
        let Self { client, replica, mut link, open: _open, turn: _turn } = self;
        let ((), client, replica) = tokio::join!(link.run(), client, replica);
        let (Ok(client), Ok(replica)) = (client, replica) else { return };
        let (mut client, mut replica) = (TokioIo::new(client), TokioIo::new(replica));
        let _ = tokio::io::copy_bidirectional(&mut client, &mut replica).await;
    }
}
