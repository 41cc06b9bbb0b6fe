//! The agent: one process per project that looks after all of its local services.
//!
//! It writes down what it is about to start before it starts it, so that after its own death the
//! next agent finds every process again. What it writes holds references to secrets, no values.

mod cgroups;
mod commands;
mod health;
mod keep;
mod kin;
mod logs;
mod metrics;
mod operations;
mod ports;
mod process;
mod proxy;
mod recipes;
mod replica;
mod service;
mod standing;

pub(crate) use cgroups::end_group;
pub(crate) use service::ports as service_ports;
pub(crate) use standing::url;

use crate::protocol::{PATIENCE, Reply, Request, line, request, time};
use crate::record::RECORD;
use crate::{channel, home};
use cgroups::Cgroups;
use dax_core::Name;
use dax_files::Private;
use dax_model::LiveService;
use dax_provider_api::Fence;
use operations::Order;
use service::Service;
use standing::Count;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

/// How often log files are held against their size, and the agent's folder is looked for.
const CHECK: Duration = Duration::from_millis(500);
/// How long the lock may be held by whoever only looks whether it is.
const LOCKED: Duration = Duration::from_secs(1);
/// Pause when no connection can be taken, because there are no descriptors left.
const NO_CONNECTION: Duration = Duration::from_millis(50);
/// The file that the one agent of a folder holds locked.
pub(crate) const LOCK: &str = "agent.lock";
/// The agent's own log.
pub(crate) const LOG: &str = "agent.log";

/// An environment and a service.
type Key = (Name, Name);

/// Everything that the agent looks after.
pub(crate) struct Agent {
    folder: Private,
    /// The folder's canonical path, which its processes bear as their mark.
    path: PathBuf,
    root: PathBuf,
    cgroups: Arc<Cgroups>,
    services: Mutex<BTreeMap<Key, Arc<Service>>>,
    /// The latest holder of each environment's lease; a new agent learns it from the first call.
    fences: Mutex<BTreeMap<Name, Option<Fence>>>,
    /// The ports that replicas got.
    handed: ports::RecentPorts,
    /// Held while the record is written, so that an older one never replaces a newer one.
    writing: Mutex<()>,
}

/// A line in the agent's log, which is its standard error.
#[expect(clippy::print_stderr, reason = "the agent's standard error is its log file")]
fn say(message: &str) {
    eprintln!("{}", dax_core::printable::Line::new(message));
}

/// Takes the lock of a folder, or nothing when another agent has it.
fn take_lock(folder: &Private) -> std::io::Result<Option<File>> {
    use std::os::unix::fs::MetadataExt;
    let until = std::time::Instant::now() + LOCKED;
    loop {
        let lock = folder.lock_file(LOCK)?;
        if lock.try_lock().is_ok() {
            // An agent that has just ended took its file with it: what is locked must be what is
            // there.
            let there = folder.lock_file(LOCK)?.metadata()?;
            if there.ino() == lock.metadata()?.ino() {
                return Ok(Some(lock));
            }
        } else if std::time::Instant::now() > until {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs the agent until nothing is left to look after.
///
/// # Errors
/// The folder or the socket cannot be used, or the record is not to be believed.
pub async fn run(folder: PathBuf, root: PathBuf) -> std::io::Result<()> {
    let path = home::canonical(&folder)?;
    let folder = home::create(&folder)?;
    let Some(lock) = take_lock(&folder)? else { return Ok(()) }; // another agent was faster
    folder.sweep()?;
    let listener = channel::listen(&folder)?;
    let agent = Arc::new(Agent {
        folder,
        path,
        root: std::fs::canonicalize(root)?,
        cgroups: Arc::new(Cgroups::find()),
        services: Mutex::default(),
        fences: Mutex::default(),
        handed: ports::RecentPorts::default(),
        writing: Mutex::default(),
    });
    if let Err(error) = agent.adopt().await {
        let _ = agent.folder.remove(channel::SOCKET);
        return Err(error);
    }
    let mut check = tokio::time::interval(CHECK);
    let (ended, mut end) = tokio::sync::mpsc::channel(1);
    let mut lost = false;
    let mut cutting = None;
    loop {
        tokio::select! {
            connection = listener.accept() => match connection {
                Ok((stream, _)) if channel::of_this_user(&stream) => {
                    let (agent, ended) = (agent.clone(), ended.clone());
                    tokio::spawn(async move {
                        if agent.serve(stream).await == Some(true) {
                            let _ = ended.send(()).await;
                        }
                    });
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(NO_CONNECTION).await,
            },
            _ = check.tick() => {
                let why = agent.lost().filter(|_| !lost);
                if let Some(why) = why {
                    lost = true;
                    say(&why);
                }
                if lost && agent.services().is_empty() {
                    break;
                }
                if cutting.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
                    let agent = agent.clone();
                    cutting = Some(tokio::task::spawn_blocking(move || agent.rotate_logs()));
                }
            }
            Some(()) = end.recv() => break,
        }
    }
    if !lost {
        agent.leave();
    }
    drop(lock);
    Ok(())
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
    async fn serve(self: &Arc<Self>, mut stream: UnixStream) -> Option<bool> {
        // Whoever connects and says nothing holds nothing for ever.
        let said = tokio::time::timeout(PATIENCE, line(&mut stream)).await.ok()?.ok()??;
        let (reply, end) = match request(&said) {
            Ok(request) => self.answer(request).await,
            Err(message) => (Reply::Refused(message), false),
        };
        let mut text = serde_json::to_string(&reply).ok()?;
        text.push('\n');
        let answer = async {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await
        };
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()?;
        Some(end)
    }

    async fn answer(self: &Arc<Self>, request: Request) -> (Reply, bool) {
        match request {
            Request::Read { environment } => {
                // Said before a run begins, not in the middle of one.
                if let Some(lost) = self.lost() {
                    return (Reply::Refused(lost), false);
                }
                let services =
                    self.services().into_iter().filter(|((of, _), _)| *of == environment);
                let live: BTreeMap<Name, LiveService> = services
                    .map(|((_, name), service)| (name, service.live(Count::Running)))
                    .collect();
                (Reply::Services(live), false)
            }
            Request::Change {
                environment,
                service,
                operation,
                spec,
                token,
                fence,
                expect,
                timeout_ms,
                values: secrets,
                named: _,
            } => {
                let timeout = time(timeout_ms);
                let agent = self.clone();
                // A task of its own, so that a client that goes away does not cut an operation in
                // half.
                let work = tokio::spawn(async move {
                    agent
                        .change(
                            (environment, service),
                            Order {
                                operation: *operation,
                                spec,
                                token,
                                fence,
                                expect,
                                timeout,
                                secrets,
                            },
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
                let value =
                    service.and_then(|service| service.measure(&revision, &text, time(window_ms)));
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
    fn leave(&self) {
        for name in [channel::SOCKET, RECORD, LOG, LOCK] {
            let _ = self.folder.remove(name);
        }
        let _ = self.folder.remove_empty("logs");
        home::remove_empty(&self.path);
    }
}
