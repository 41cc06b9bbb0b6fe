//! One replica: a process that is started, probed, restarted with backoff, drained and stopped.

use super::health::Health;
use super::process::{Identity, Launch, Process};
use super::record::ReplicaRecord;
use crate::protocol::INHERITED;
use dax_core::Name;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Longest wait before a restart.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A process that ran this long is not part of a crash loop.
const STEADY: Duration = Duration::from_secs(60);

/// What a replica runs.
pub(crate) struct Recipe {
    pub(crate) command: Vec<String>,
    /// Variables without secrets.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Variables whose values are secrets; absent after the agent itself was restarted, until they are given anew.
    pub(crate) secret_env: Option<Vec<(OsString, OsString)>>,
    pub(crate) root: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) health: Health,
}

/// What is known of a replica's process.
#[derive(Default)]
struct State {
    process: Option<Identity>,
    restarts: u32,
    last_problem: Option<String>,
}

/// One replica.
pub(crate) struct Replica {
    pub(crate) number: u64,
    /// Ports that it listens on, by the service's names for them.
    pub(crate) ports: BTreeMap<Name, u16>,
    recipe: Mutex<Recipe>,
    state: Mutex<State>,
    ready: AtomicBool,
    draining: AtomicBool,
    /// Requests that it is answering.
    pub(crate) open: AtomicUsize,
    stop: Notify,
    stopping: AtomicBool,
    patience: Mutex<Duration>,
    gone: watch::Sender<bool>,
}

impl Replica {
    pub(crate) fn new(number: u64, ports: BTreeMap<Name, u16>, recipe: Recipe) -> Self {
        Self {
            number,
            ports,
            recipe: Mutex::new(recipe),
            state: Mutex::default(),
            ready: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            stop: Notify::new(),
            stopping: AtomicBool::new(false),
            patience: Mutex::new(Duration::ZERO),
            gone: watch::Sender::new(false),
        }
    }

    /// Whether it may be given a request.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.draining.load(Ordering::Acquire)
    }

    /// Takes it out of traffic until its next good probe.
    pub(crate) fn suspect(&self) {
        self.ready.store(false, Ordering::Release);
    }

    pub(crate) fn record(&self) -> ReplicaRecord {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        ReplicaRecord { number: self.number, ports: self.ports.clone(), process: state.process }
    }

    /// Why it is not ready, as far as that is known.
    pub(crate) fn problem(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let restarts = if state.restarts > 0 {
            format!(", restarted {} times", state.restarts)
        } else {
            String::new()
        };
        state.last_problem.as_ref().map(|problem| format!("{problem}{restarts}"))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.recipe.lock().unwrap_or_else(PoisonError::into_inner).log.clone()
    }

    /// Gives a replica that was adopted the values of its secrets back, for its next start.
    pub(crate) fn supply(&self, secret_env: Vec<(OsString, OsString)>) {
        self.recipe.lock().unwrap_or_else(PoisonError::into_inner).secret_env = Some(secret_env);
    }

    fn note(&self, problem: Option<String>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).last_problem = problem;
    }

    /// Starts its process.
    pub(crate) fn start(&self) -> Result<Process, String> {
        let recipe = self.recipe.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(secrets) = &recipe.secret_env else {
            return Err("its secrets are not known since the agent was restarted: run `dax apply`"
                .to_owned());
        };
        let mut env: Vec<(OsString, OsString)> = INHERITED
            .iter()
            .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
            .collect();
        env.extend(recipe.env.iter().cloned());
        env.extend(secrets.iter().cloned());
        let process = Process::start(&Launch {
            command: &recipe.command,
            env,
            root: &recipe.root,
            log: &recipe.log,
        })?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).process = Some(process.identity);
        Ok(process)
    }

    /// Takes over a process that an earlier agent started.
    pub(crate) fn adopt(&self, identity: Option<Identity>) -> Option<Process> {
        let process = Process::adopt(identity?)?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).process = Some(process.identity);
        Some(process)
    }

    /// Looks after the process until the replica is told to stop; `changed` is called when the process is another.
    pub(crate) async fn supervise(&self, first: Option<Process>, changed: impl Fn()) {
        let mut process = first;
        let mut backoff = Duration::from_millis(200);
        while !self.stopping.load(Ordering::Acquire) {
            let Some(mut running) = process.take() else {
                tokio::select! {
                    () = tokio::time::sleep(backoff) => {}
                    () = self.stop.notified() => break,
                }
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
                match self.start() {
                    Ok(started) => {
                        self.state.lock().unwrap_or_else(PoisonError::into_inner).restarts += 1;
                        changed();
                        process = Some(started);
                    }
                    Err(problem) => self.note(Some(problem)),
                }
                continue;
            };
            let since = tokio::time::Instant::now();
            let ended = tokio::select! {
                how = running.ended() => Some(how),
                () = self.probe() => None,
                () = self.stop.notified() => None,
            };
            self.ready.store(false, Ordering::Release);
            match ended {
                Some(how) => {
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).process = None;
                    self.note(Some(format!("the process ended: {how}")));
                    changed();
                    if since.elapsed() > STEADY {
                        backoff = Duration::from_millis(200);
                    }
                }
                None => {
                    let patience = *self.patience.lock().unwrap_or_else(PoisonError::into_inner);
                    running.stop(patience).await;
                    break;
                }
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).process = None;
        let _ = self.gone.send(true);
    }

    /// Probes for ever.
    async fn probe(&self) {
        let health = self.recipe.lock().unwrap_or_else(PoisonError::into_inner).health.clone();
        let port = self.ports.values().next().copied();
        let mut failures = 0;
        loop {
            match health.probe(port).await {
                Ok(()) => {
                    failures = 0;
                    self.note(None);
                    self.ready.store(true, Ordering::Release);
                }
                Err(problem) => {
                    failures += 1;
                    self.note(Some(problem));
                    if failures >= health.fail_after {
                        self.ready.store(false, Ordering::Release);
                    }
                }
            }
            // A replica that is not ready yet is asked more often, so that a start costs no whole interval.
            let ready = self.ready.load(Ordering::Acquire);
            tokio::time::sleep(if ready {
                health.every
            } else {
                health.every.min(Duration::from_millis(100))
            })
            .await;
        }
    }

    /// Lets it finish its open requests, then stops it.
    pub(crate) async fn retire(&self, drain: Duration, patience: Duration) {
        self.draining.store(true, Ordering::Release);
        let until = tokio::time::Instant::now() + drain;
        while self.open.load(Ordering::Acquire) > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = patience;
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_one();
        let mut gone = self.gone.subscribe();
        let _ = gone.wait_for(|gone| *gone).await;
    }
}
