//! The language server: one synchronous loop over messages, so that edits stay in order.
//!
//! What is asked is answered first; what changed is checked when nothing is left to answer, and values are computed when nobody
//! types. A request that fails ends as an error of its own and never the server.

mod capabilities;
mod commands;
#[cfg(test)]
mod conduct;
mod dispatch;
mod documents;
mod handlers;
mod library;
pub mod measure;
mod positions;
mod progress;
#[cfg(test)]
mod replay;
mod server;
mod show;
mod workspace;

pub use server::{Ended, run};

use lsp_server::Connection;
use std::io::Error;

/// How a client reaches the server.
pub enum Way {
    /// Standard input and output.
    Stdio,
    /// One client that connects to an address.
    Listen(std::net::SocketAddr),
}

/// Serves one client until it is done; what is asked is written to `log`.
///
/// # Errors
/// The way to the client broke.
pub fn serve(way: &Way, log: Option<std::fs::File>) -> Result<Ended, Error> {
    let (connection, threads) = match way {
        Way::Stdio => Connection::stdio(),
        Way::Listen(address) => Connection::listen(address)?,
    };
    let ended = run(connection, log);
    threads.join()?;
    Ok(ended)
}
