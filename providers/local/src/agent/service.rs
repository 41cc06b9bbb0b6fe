//! A service: its revisions, its replicas, its ports and its traffic.

use super::Agent;
use super::health::Health;
use super::metrics::Metrics;
use super::process::redacted;
use super::proxy::{Backend, Listener, Router};
use super::record::{Known, ReplicaRecord, RevisionRecord, ServiceRecord};
use super::replica::{Recipe, Replica};
use crate::protocol::INHERITED;
use dax_core::{LiveRevision, LiveService, Name, RevisionId, Route, Value};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A revision of a service.
pub(crate) struct Revision {
    pub(crate) spec: Value,
    pub(crate) wanted: i64,
    pub(crate) replicas: Vec<Arc<Replica>>,
    metrics: Arc<Metrics>,
    /// Values of its secrets by name; absent after the agent was restarted.
    pub(crate) secrets: Option<BTreeMap<Name, String>>,
}

/// What is wanted of a service and what runs of it.
#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) settings: BTreeMap<Name, Value>,
    pub(crate) traffic: BTreeMap<RevisionId, u32>,
    /// Requests that go elsewhere than the shares say.
    pub(crate) routes: Vec<Route>,
    /// Commands that were asked for, the latest last.
    pub(crate) commands: Vec<(Name, Known)>,
    pub(crate) revisions: BTreeMap<RevisionId, Revision>,
    next_number: u64,
}

/// How a command is run.
pub(super) struct Launched {
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) root: PathBuf,
    pub(super) log: PathBuf,
}

/// A service.
pub(crate) struct Service {
    agent: Arc<Agent>,
    environment: Name,
    name: Name,
    pub(crate) inner: Mutex<Inner>,
    /// One operation at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
    router: Arc<Router>,
    listeners: tokio::sync::Mutex<BTreeMap<Name, Listener>>,
}

/// The ports of a service by name.
fn ports(settings: &BTreeMap<Name, Value>) -> BTreeMap<Name, u16> {
    let entries = settings.get("ports").into_iter().flat_map(Value::entries);
    entries
        .filter_map(|(name, port)| Some((name.clone(), u16::try_from(port.as_int()?).ok()?)))
        .collect()
}

impl Inner {
    fn millis(&self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.settings.get(name).and_then(Value::as_millis).unwrap_or(default))
    }

    pub(crate) fn drain(&self) -> Duration {
        self.millis("drain", 10_000)
    }

    pub(crate) fn stop_timeout(&self) -> Duration {
        self.millis("stop_timeout", 5_000)
    }
}

impl Service {
    /// A service whose ports are taken.
    pub(crate) async fn create(
        agent: Arc<Agent>,
        environment: Name,
        name: Name,
        settings: BTreeMap<Name, Value>,
    ) -> Result<Arc<Self>, String> {
        let service = Arc::new(Self {
            agent,
            environment,
            name,
            inner: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            router: Arc::default(),
            listeners: tokio::sync::Mutex::default(),
        });
        service.set_settings(settings).await?;
        Ok(service)
    }

    /// A service as an earlier agent left it.
    pub(crate) async fn restore(agent: Arc<Agent>, record: ServiceRecord) -> Arc<Self> {
        let service = Arc::new(Self {
            agent,
            environment: record.environment,
            name: record.service,
            inner: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            router: Arc::default(),
            listeners: tokio::sync::Mutex::default(),
        });
        // Whoever has taken a port in the meantime keeps it until the next apply changes the ports.
        let opened = service.set_settings(record.settings.clone()).await;
        service.lock().settings = record.settings;
        if let Err(problem) = opened {
            eprintln_log(&problem);
        }
        for (id, revision) in record.revisions {
            let has_secrets = {
                let mut secrets = Vec::new();
                revision.spec.secrets(&mut secrets);
                !secrets.is_empty()
            };
            let mut restored = Revision {
                spec: revision.spec,
                wanted: revision.wanted,
                replicas: Vec::new(),
                metrics: Arc::default(),
                secrets: (!has_secrets).then(BTreeMap::new),
            };
            for replica in revision.replicas {
                restored.replicas.push(service.adopt(&id, &restored, replica));
            }
            service.lock().revisions.insert(id, restored);
        }
        service.lock().traffic = record.traffic;
        service.lock().routes = record.routes;
        service.lock().commands = record.commands;
        service.route();
        service
    }

    fn adopt(
        self: &Arc<Self>,
        id: &RevisionId,
        revision: &Revision,
        record: ReplicaRecord,
    ) -> Arc<Replica> {
        let replica = Arc::new(Replica::new(
            record.number,
            record.ports.clone(),
            self.recipe(id, revision, record.number, &record.ports),
        ));
        let mut inner = self.lock();
        inner.next_number = inner.next_number.max(record.number + 1);
        drop(inner);
        self.look_after(&replica, replica.adopt(record.process));
        replica
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the platform shows of it.
    pub(crate) fn live(&self) -> LiveService {
        let inner = self.lock();
        let revisions = inner.revisions.iter().map(|(id, revision)| {
            let ready = revision.replicas.iter().filter(|replica| replica.is_ready()).count();
            let ready = i64::try_from(ready).unwrap_or(i64::MAX);
            (
                id.clone(),
                LiveRevision { replicas: revision.wanted, ready, spec: revision.spec.clone() },
            )
        });
        let port = ports(&inner.settings).into_values().next();
        LiveService {
            settings: inner.settings.clone(),
            revisions: revisions.collect(),
            traffic: inner.traffic.clone(),
            routes: inner.routes.clone(),
            url: port.map(|port| format!("http://127.0.0.1:{port}/").into()),
            ..LiveService::default()
        }
    }

    pub(crate) fn record(&self, environment: Name, service: Name) -> ServiceRecord {
        let inner = self.lock();
        let revisions = inner.revisions.iter().map(|(id, revision)| {
            let replicas = revision.replicas.iter().map(|replica| replica.record()).collect();
            (
                id.clone(),
                RevisionRecord { spec: revision.spec.clone(), wanted: revision.wanted, replicas },
            )
        });
        ServiceRecord {
            environment,
            service,
            settings: inner.settings.clone(),
            traffic: inner.traffic.clone(),
            routes: inner.routes.clone(),
            commands: inner.commands.clone(),
            revisions: revisions.collect(),
        }
    }

    /// Notes what became of a command; nothing forgets it.
    pub(super) fn remember(&self, token: &Name, known: Option<Known>, most: usize) {
        let mut inner = self.lock();
        inner.commands.retain(|(other, _)| other != token);
        inner.commands.extend(known.map(|known| (token.clone(), known)));
        let surplus = inner.commands.len().saturating_sub(most);
        inner.commands.drain(..surplus);
    }

    /// How a command is run with the fields of a revision.
    pub(super) fn launch_of(
        &self,
        id: &RevisionId,
        spec: &Value,
        secrets: &BTreeMap<Name, String>,
        token: &str,
    ) -> Result<Launched, String> {
        let folder = self.log_folder();
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let revision = Revision {
            spec: spec.clone(),
            wanted: 0,
            replicas: Vec::new(),
            metrics: Arc::default(),
            secrets: Some(secrets.clone()),
        };
        let recipe = self.recipe(id, &revision, 0, &BTreeMap::new());
        let mut env = recipe.env;
        env.extend(recipe.secret_env.unwrap_or_default());
        env.extend(
            INHERITED.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))),
        );
        let port = ports(&self.lock().settings).into_values().next();
        env.extend(port.map(|port| ("DAX_URL".into(), format!("http://127.0.0.1:{port}/").into())));
        let safe: String =
            token.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Ok(Launched { env, root: recipe.root, log: folder.join(format!("command-{safe}.log")) })
    }

    /// The numbers of its processes.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let inner = self.lock();
        inner
            .revisions
            .values()
            .flat_map(|revision| &revision.replicas)
            .filter_map(|replica| Some(replica.record().process?.pid))
            .collect()
    }

    pub(crate) fn measure(
        &self,
        revision: &RevisionId,
        text: &str,
        window: Duration,
    ) -> Option<Value> {
        let metrics = self.lock().revisions.get(revision)?.metrics.clone();
        metrics.query(text, window)
    }

    /// Listens on the ports that the settings name and on no others.
    pub(crate) async fn set_settings(&self, settings: BTreeMap<Name, Value>) -> Result<(), String> {
        let wanted = ports(&settings);
        let mut listeners = self.listeners.lock().await;
        let mut fresh = Vec::new();
        for (name, port) in &wanted {
            if listeners.get(name).is_none_or(|listener| listener.port != *port) {
                // The new port is there before the old one goes.
                fresh.push((
                    name.clone(),
                    Listener::open(*port, name.clone(), self.router.clone()).await?,
                ));
            }
        }
        let mut old: Vec<Listener> = Vec::new();
        for (name, listener) in fresh {
            old.extend(listeners.insert(name, listener));
        }
        let gone: Vec<Name> =
            listeners.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        old.extend(gone.iter().filter_map(|name| listeners.remove(name)));
        drop(listeners);
        let drain = self.lock().drain();
        for listener in old {
            listener.close(drain).await;
        }
        self.lock().settings = settings;
        Ok(())
    }

    /// Closes all ports.
    pub(crate) async fn close(&self) {
        let drain = self.lock().drain();
        let listeners = std::mem::take(&mut *self.listeners.lock().await);
        for (_, listener) in listeners {
            listener.close(drain).await;
        }
    }

    /// Tells the router who may be given traffic.
    pub(crate) fn route(&self) {
        let inner = self.lock();
        let backends = inner.traffic.iter().filter_map(|(id, share)| {
            let revision = inner.revisions.get(id)?;
            Some(Backend::new(
                id.clone(),
                *share,
                revision.replicas.clone(),
                revision.metrics.clone(),
            ))
        });
        let mut backends: Vec<Backend> = backends.collect();
        for revision in inner.routes.iter().map(Route::revision) {
            if let Some(found) = inner.revisions.get(revision)
                && !backends.iter().any(|backend| backend.revision == *revision)
            {
                backends.push(Backend::new(
                    revision.clone(),
                    0,
                    found.replicas.clone(),
                    found.metrics.clone(),
                ));
            }
        }
        let routes = inner.routes.iter().filter_map(|route| match route {
            Route::Header { name, is, revision } => {
                Some((name.clone(), is.clone(), revision.clone()))
            }
            Route::Mirror { .. } => None,
        });
        self.router.set(backends, routes.collect());
    }

    fn log_folder(&self) -> PathBuf {
        self.agent.folder.join("logs").join(self.environment.as_str()).join(self.name.as_str())
    }

    fn recipe(
        &self,
        id: &RevisionId,
        revision: &Revision,
        number: u64,
        ports: &BTreeMap<Name, u16>,
    ) -> Recipe {
        let mut env: Vec<(OsString, OsString)> = Vec::new();
        let mut secret_env = revision.secrets.as_ref().map(|_| Vec::new());
        for (name, value) in revision.spec.get("env").into_iter().flat_map(Value::entries) {
            match value {
                Value::Secret(secret) => {
                    let value =
                        revision.secrets.as_ref().and_then(|secrets| secrets.get(&secret.name));
                    if let (Some(list), Some(value)) = (&mut secret_env, value) {
                        list.push((name.as_str().into(), value.into()));
                    }
                }
                other => env.push((
                    name.as_str().into(),
                    other.as_str().map_or_else(|| other.to_string(), str::to_owned).into(),
                )),
            }
        }
        for (at, (name, port)) in ports.iter().enumerate() {
            if at == 0 {
                env.push(("PORT".into(), port.to_string().into()));
            }
            env.push((format!("PORT_{}", name.to_uppercase()).into(), port.to_string().into()));
        }
        env.push(super::process::mark(&self.agent.folder));
        let about = [
            ("DAX_ENVIRONMENT", &self.environment),
            ("DAX_SERVICE", &self.name),
            ("DAX_REVISION", &id.0),
        ];
        env.extend(about.map(|(name, value)| (name.into(), value.as_str().into())));
        let command = revision
            .spec
            .get("command")
            .map_or(&[][..], Value::items)
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned);
        Recipe {
            command: command.collect(),
            env,
            secret_env,
            root: self.agent.root.clone(),
            log: self.log_folder().join(format!("{id}-{number}.log")),
            health: Health::of(&revision.spec),
        }
    }

    /// Starts one more replica of a revision.
    pub(crate) fn add_replica(self: &Arc<Self>, id: &RevisionId) -> Result<(), String> {
        let folder = self.log_folder();
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let replica = {
            let mut inner = self.lock();
            let number = inner.next_number;
            inner.next_number += 1;
            let names: Vec<Name> = ports(&inner.settings).into_keys().collect();
            let ports = free_ports(names)?;
            let revision =
                inner.revisions.get(id).ok_or_else(|| format!("there is no revision {id}"))?;
            let recipe = self.recipe(id, revision, number, &ports);
            Arc::new(Replica::new(number, ports, recipe))
        };
        let process = replica.start()?;
        if let Some(revision) = self.lock().revisions.get_mut(id) {
            revision.replicas.push(replica.clone());
        }
        self.look_after(&replica, Some(process));
        Ok(())
    }

    fn look_after(
        self: &Arc<Self>,
        replica: &Arc<Replica>,
        process: Option<super::process::Process>,
    ) {
        let (replica, agent) = (replica.clone(), self.agent.clone());
        tokio::spawn(async move {
            replica
                .supervise(process, || {
                    let _ = agent.write();
                })
                .await;
        });
    }

    pub(crate) fn new_revision(
        &self,
        id: &RevisionId,
        spec: Value,
        secrets: BTreeMap<Name, String>,
    ) {
        let revision = Revision {
            spec,
            wanted: 0,
            replicas: Vec::new(),
            metrics: Arc::default(),
            secrets: Some(secrets),
        };
        self.lock().revisions.insert(id.clone(), revision);
    }

    /// Gives a revision the values of its secrets, for its next starts.
    pub(crate) fn supply(&self, id: &RevisionId, secrets: BTreeMap<Name, String>) {
        let mut inner = self.lock();
        let Some(revision) = inner.revisions.get_mut(id) else { return };
        if secrets.is_empty() {
            return;
        }
        revision.secrets = Some(secrets);
        let fresh: Vec<_> = revision
            .replicas
            .iter()
            .map(|replica| {
                (replica.clone(), self.recipe(id, revision, replica.number, &replica.ports))
            })
            .collect();
        drop(inner);
        for (replica, recipe) in fresh {
            replica.supply(recipe.secret_env.unwrap_or_default());
        }
    }

    /// Cuts log files that have grown too large, keeping some of what was in them.
    pub(crate) fn rotate_logs(&self) {
        let (limit, kept, logs) = {
            let inner = self.lock();
            let limit = match inner.settings.get("log_size") {
                Some(Value::Quantity(size)) => u64::try_from(size.base.trunc()).unwrap_or(u64::MAX),
                _ => 10 << 20,
            };
            let kept = inner.settings.get("log_files").and_then(Value::as_int).unwrap_or(3);
            let logs: Vec<PathBuf> = inner
                .revisions
                .values()
                .flat_map(|r| &r.replicas)
                .map(|replica| replica.log())
                .collect();
            (limit, kept, logs)
        };
        for log in logs {
            if std::fs::metadata(&log).is_ok_and(|meta| meta.len() > limit) {
                rotate(&log, kept);
            }
        }
    }

    /// The last lines that the replicas of a revision wrote; the values of its secrets show as `***`.
    pub(crate) fn last_lines(&self, id: &RevisionId) -> Vec<String> {
        let (log, secrets) = {
            let inner = self.lock();
            let revision = inner.revisions.get(id);
            let log =
                revision.and_then(|revision| revision.replicas.last().map(|replica| replica.log()));
            (log, revision.and_then(|revision| revision.secrets.clone()).unwrap_or_default())
        };
        let text = log.and_then(|log| std::fs::read(log).ok()).unwrap_or_default();
        let text = redacted(&String::from_utf8_lossy(&text), &secrets);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].iter().map(|line| (*line).to_owned()).collect()
    }

    /// Removes what the service wrote.
    pub(crate) fn remove_logs(&self) {
        let _ = std::fs::remove_dir_all(self.log_folder());
        let _ = std::fs::remove_dir(self.agent.folder.join("logs").join(self.environment.as_str()));
    }
}

/// The agent's standard error is its log file.
#[expect(clippy::print_stderr, reason = "the agent's standard error is its log file")]
fn eprintln_log(message: &str) {
    eprintln!("{message}");
}

/// Copies and empties a log: the process that writes it holds it open for appending and never notices.
fn rotate(log: &Path, kept: i64) {
    let numbered = |number: i64| {
        let mut name = log.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..kept).rev() {
        let _ = std::fs::rename(numbered(number), numbered(number + 1));
    }
    if kept > 0 {
        let _ = std::fs::copy(log, numbered(1));
    }
    if let Ok(file) = std::fs::File::options().write(true).open(log) {
        let _ = file.set_len(0);
    }
}

/// Ports that nobody listens on at this moment, one a name.
fn free_ports(names: Vec<Name>) -> Result<BTreeMap<Name, u16>, String> {
    // All are held until all are found, so that they differ.
    let mut held = Vec::new();
    let mut ports = BTreeMap::new();
    for name in names {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))
            .map_err(|error| format!("no free port: {error}"))?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        ports.insert(name, port);
        held.push(listener);
    }
    Ok(ports)
}
