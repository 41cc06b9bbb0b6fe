//! One replica: a process that is started, probed, restarted with backoff, drained and stopped.
//!
//! Each start has a token that is in the record before the process is, so that an agent that comes
//! after finds the process by its mark and never starts a second one.

use super::cgroups::Cgroups;
use super::health::Health;
use super::kin::Kin;
use super::logs::Log;
use super::process::{Launch, Process};
use crate::marks::{self, Marked, Token};
use crate::process_id::Identity;
use crate::protocol::INHERITED;
use crate::record::ReplicaRecord;
use dax_core::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Shortest wait before a restart.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(200);
/// Longest wait before a restart.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// Shortest time between two probes.
const PROBE_PAUSE: Duration = Duration::from_millis(100);
/// A process that ran this long is not part of a crash loop.
const STEADY: Duration = Duration::from_secs(60);

/// What a replica runs.
pub(super) struct Recipe {
    pub(super) command: Vec<String>,
    /// Variables without secrets.
    pub(super) env: Vec<(OsString, OsString)>,
    /// Variables whose values are secrets; absent after the agent was restarted, until they are
    /// given anew.
    pub(super) secret_env: Option<Vec<(OsString, OsString)>>,
    pub(super) root: PathBuf,
    pub(super) log: Log,
    pub(super) health: Health,
    /// The folder whose mark its processes carry.
    pub(super) folder: PathBuf,
    pub(super) cgroups: Arc<Cgroups>,
}

/// What is known of a replica's process.
struct State {
    process: Option<Identity>,
    /// The mark of the process, or of the next one.
    token: Token,
    cgroup: Option<PathBuf>,
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
    /// A probe is wanted.
    wanted: Notify,
    /// A start that had to wait can be tried again.
    supplied: Notify,
    stop: Notify,
    stopping: AtomicBool,
    patience: Mutex<Duration>,
    gone: watch::Sender<bool>,
}

impl Replica {
    /// A replica of which nothing runs.
    pub(super) fn new(number: u64, ports: BTreeMap<Name, u16>, recipe: Recipe) -> Self {
        Self::with(number, ports, recipe, Token::fresh())
    }

    fn with(number: u64, ports: BTreeMap<Name, u16>, recipe: Recipe, token: Token) -> Self {
        let (process, cgroup, restarts, last_problem) = (None, None, 0, None);
        Self {
            number,
            ports,
            recipe: Mutex::new(recipe),
            state: Mutex::new(State { process, token, cgroup, restarts, last_problem }),
            ready: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            wanted: Notify::new(),
            supplied: Notify::new(),
            stop: Notify::new(),
            stopping: AtomicBool::new(false),
            patience: Mutex::new(Duration::ZERO),
            gone: watch::Sender::new(false),
        }
    }

    /// A replica of an earlier agent, with its process if that runs: the one in the record, or one
    /// that was started after the record was written.
    pub(super) fn adopt(
        record: ReplicaRecord,
        recipe: Recipe,
        marked: &[Marked],
    ) -> (Self, Option<Process>) {
        let running = record.running(marked);
        let replica = Self::with(record.number, record.ports, recipe, record.token);
        let mut state = replica.state();
        state.cgroup = record.cgroup;
        state.process = running;
        let process = state.process;
        drop(state);
        let process = process.and_then(|identity| Process::adopt(identity, replica.kin()));
        (replica, process)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recipe(&self) -> std::sync::MutexGuard<'_, Recipe> {
        self.recipe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that its present start brought into the world.
    fn kin(&self) -> Kin {
        let recipe = self.recipe();
        let state = self.state();
        Kin {
            cgroups: recipe.cgroups.clone(),
            folder: recipe.folder.clone(),
            mark: state.token.as_str().to_owned(),
            group: state.cgroup.clone(),
        }
    }

    /// Whether it may be given a request.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.draining.load(Ordering::Acquire)
    }

    /// Takes it out of traffic until its next good probe, which comes at once.
    pub(crate) fn suspect(&self) {
        self.ready.store(false, Ordering::Release);
        self.look();
    }

    /// Has it probed at once.
    pub(crate) fn look(&self) {
        self.wanted.notify_one();
    }

    pub(super) fn record(&self) -> ReplicaRecord {
        let state = self.state();
        ReplicaRecord {
            number: self.number,
            ports: self.ports.clone(),
            process: state.process,
            token: state.token.clone(),
            cgroup: state.cgroup.clone(),
        }
    }

    /// Whether nothing of it runs, and nothing can until somebody gives the values of its secrets.
    pub(super) fn needs_secrets(&self) -> bool {
        let lacks = self.recipe().secret_env.is_none();
        lacks && self.state().process.is_none()
    }

    /// Why it is not ready, as far as that is known.
    pub(super) fn problem(&self) -> Option<String> {
        let state = self.state();
        let restarts = if state.restarts > 0 {
            format!(", restarted {} times", state.restarts)
        } else {
            String::new()
        };
        state.last_problem.as_ref().map(|problem| format!("{problem}{restarts}"))
    }

    pub(super) fn log(&self) -> Log {
        self.recipe().log.clone()
    }

    /// Gives a replica that was adopted the values of its secrets back, for its next start.
    pub(super) fn supply(&self, secret_env: Vec<(OsString, OsString)>) {
        if self.recipe().secret_env.replace(secret_env).is_none() {
            self.supplied.notify_one();
        }
    }

    fn note(&self, problem: Option<String>) {
        self.state().last_problem = problem;
    }

    /// Starts its process, which bears the token that is in the record.
    pub(super) fn start(&self) -> Result<Process, String> {
        let kin = Kin { group: None, ..self.kin() };
        let recipe = self.recipe();
        let Some(secrets) = &recipe.secret_env else {
            return Err(
                "the agent was restarted and does not have its secrets: run `dax apply`".to_owned()
            );
        };
        let mut env: Vec<(OsString, OsString)> = INHERITED
            .iter()
            .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
            .collect();
        env.extend(recipe.env.iter().cloned());
        env.extend(secrets.iter().cloned());
        env.extend(marks::mark(&recipe.folder, &kin.mark));
        let (command, root, log) = (&recipe.command, &recipe.root, recipe.log.open()?);
        let process = Process::start(Launch { command, env, root, log, kin })?;
        drop(recipe);
        let mut state = self.state();
        state.process = Some(process.identity);
        state.cgroup.clone_from(&process.kin.group);
        drop(state);
        Ok(process)
    }

    /// Ends what the last start left behind; the next one has another token.
    async fn clear(&self) {
        self.kin().end(BTreeSet::new()).await;
        let mut state = self.state();
        state.process = None;
        state.cgroup = None;
        state.token = Token::fresh();
    }

    /// Looks after the process until the replica is told to stop; `changed` is called when the
    /// process is another, and before one is started.
    pub(super) async fn supervise(&self, first: Option<Process>, changed: impl Fn()) {
        let mut process = first;
        let mut backoff = SHORTEST_BACKOFF;
        if process.is_none() {
            self.clear().await;
            changed();
        }
        while !self.stopping.load(Ordering::Acquire) {
            let Some(mut running) = process.take() else {
                tokio::select! {
                    () = tokio::time::sleep(backoff) => {}
                    () = self.supplied.notified() => backoff = SHORTEST_BACKOFF,
                    () = self.stop.notified() => break,
                }
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
                match self.start() {
                    Ok(started) => {
                        self.state().restarts += 1;
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
                    self.note(Some(format!("the process ended: {how}")));
                    self.clear().await;
                    changed();
                    if since.elapsed() > STEADY {
                        backoff = SHORTEST_BACKOFF;
                    }
                }
                None => {
                    let patience = *self.patience.lock().unwrap_or_else(PoisonError::into_inner);
                    running.stop(patience).await;
                    break;
                }
            }
        }
        self.state().process = None;
        let _ = self.gone.send(true);
    }

    /// Probes for ever.
    async fn probe(&self) {
        let health = self.recipe().health.clone();
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
            // A replica that is not ready yet is asked more often, so that a start costs no whole
            // interval.
            let pause = health.every.min(PROBE_PAUSE);
            tokio::time::sleep(pause).await;
            if self.ready.load(Ordering::Acquire) {
                tokio::select! {
                    () = tokio::time::sleep(health.every - pause) => {}
                    () = self.wanted.notified() => {}
                }
            }
        }
    }

    /// Lets it finish its open requests, then stops it.
    pub(super) async fn retire(&self, drain: Duration, patience: Duration) {
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
