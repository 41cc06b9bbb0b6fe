//! The agent: one process per project that looks after all of its local services.
//!
//! It writes down what runs before it says that it runs, so that after its own death the next agent finds
//! the processes again by number and start time. What it writes holds references to secrets, no values.

mod commands;
mod health;
mod keep;
mod metrics;
mod operations;
mod process;
mod proxy;
mod record;
mod replica;
mod service;

use crate::protocol::{RECORD, Reply, Request, socket_path};
use dax_core::{LiveService, Name};
use dax_provider_api::Fence;
use operations::Order;
use service::Service;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// How often log files are held against their size.
const LOG_CHECK: Duration = Duration::from_secs(2);

/// An environment and a service.
pub(crate) type Key = (Name, Name);

/// Everything that the agent looks after.
pub(crate) struct Agent {
    folder: PathBuf,
    root: PathBuf,
    services: Mutex<BTreeMap<Key, Arc<Service>>>,
    /// The latest holder of each environment's lease; a new agent learns it from the first call.
    fences: Mutex<BTreeMap<Name, Option<Fence>>>,
    /// Held while the record is written, so that an older one never replaces a newer one.
    writing: Mutex<()>,
}

/// Runs the agent until nothing is left to look after.
///
/// # Errors
/// The folder or the socket cannot be used.
pub async fn run(folder: PathBuf, root: PathBuf) -> std::io::Result<()> {
    std::fs::create_dir_all(&folder)?;
    let lock = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("agent.lock"))?;
    if lock.try_lock().is_err() {
        return Ok(()); // another agent was faster
    }
    let socket = socket_path(&folder);
    let listener = listen(&socket)?;
    let agent = Arc::new(Agent {
        folder,
        root,
        services: Mutex::default(),
        fences: Mutex::default(),
        writing: Mutex::default(),
    });
    agent.adopt().await;
    let mut logs = tokio::time::interval(LOG_CHECK);
    let (ended, mut end) = tokio::sync::mpsc::channel(1);
    loop {
        tokio::select! {
            connection = listener.accept() => {
                if let Ok((stream, _)) = connection {
                    let (agent, ended) = (agent.clone(), ended.clone());
                    tokio::spawn(async move {
                        if agent.serve(stream).await == Some(true) {
                            let _ = ended.send(()).await;
                        }
                    });
                }
            }
            _ = logs.tick() => agent.rotate_logs(),
            Some(()) = end.recv() => break,
        }
    }
    agent.leave(&socket);
    drop(lock);
    Ok(())
}

/// Listens on the socket, which only this user can reach.
fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    if let Some(folder) = socket.parent() {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Agent {
    fn services(&self) -> Vec<(Key, Arc<Service>)> {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.iter().map(|(key, service)| (key.clone(), service.clone())).collect()
    }

    fn service(&self, key: &Key) -> Option<Arc<Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Answers one request; says whether the agent is to end.
    async fn serve(self: &Arc<Self>, stream: UnixStream) -> Option<bool> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let (reply, end) = match serde_json::from_str(&line) {
            Ok(request) => self.answer(request).await,
            Err(error) => (
                Reply::Refused(format!("the agent does not understand this request: {error}")),
                false,
            ),
        };
        let mut text = serde_json::to_string(&reply).ok()?;
        text.push('\n');
        stream.get_mut().write_all(text.as_bytes()).await.ok()?;
        stream.get_mut().shutdown().await.ok()?;
        Some(end)
    }

    async fn answer(self: &Arc<Self>, request: Request) -> (Reply, bool) {
        match request {
            Request::Read { environment } => {
                let services =
                    self.services().into_iter().filter(|((of, _), _)| *of == environment);
                let live: BTreeMap<Name, LiveService> =
                    services.map(|((_, name), service)| (name, service.live())).collect();
                (Reply::Services(live), false)
            }
            Request::Change {
                environment,
                service,
                operation,
                token,
                fence,
                expect,
                timeout_ms,
                secrets,
            } => {
                let timeout = Duration::from_millis(timeout_ms);
                let agent = self.clone();
                // A task of its own, so that a client that goes away does not cut an operation in half.
                let work = tokio::spawn(async move {
                    agent
                        .change(
                            (environment, service),
                            Order { operation, token, fence, expect, timeout, secrets },
                        )
                        .await
                });
                (
                    work.await.unwrap_or_else(|error| {
                        Reply::Refused(format!("the agent failed: {error}"))
                    }),
                    false,
                )
            }
            Request::Measure { environment, service, revision, text, window_ms } => {
                let service = self.service(&(environment, service));
                let value = service.and_then(|service| {
                    service.measure(&revision, &text, Duration::from_millis(window_ms))
                });
                (Reply::Measured(value), false)
            }
            Request::Settle => (Reply::Done, self.services().is_empty()),
        }
    }

    fn rotate_logs(&self) {
        for (_, service) in self.services() {
            service.rotate_logs();
        }
    }

    /// Removes what only an agent needs; logs of the agent itself go with it.
    fn leave(&self, socket: &Path) {
        for path in [
            socket.to_owned(),
            self.folder.join(RECORD),
            self.folder.join("agent.log"),
            self.folder.join("agent.lock"),
        ] {
            let _ = std::fs::remove_file(path);
        }
        let _ = std::fs::remove_dir(self.folder.join("logs"));
        let _ = std::fs::remove_dir(&self.folder);
    }
}
