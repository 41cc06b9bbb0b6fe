//! A service: its revisions, its replicas, its ports and its traffic.

use super::metrics::Metrics;
use super::proxy::{Backend, Listener, Router};
use super::replica::Replica;
use super::{Agent, logs, recipes};
use crate::home::file_name;
use crate::marks::Marked;
use crate::record::{Known, ServiceRecord, Wanted};
use dax_core::{Name, RevisionId, SecretPart, Value};
use dax_files::Private;
use dax_model::Route;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A revision of a service.
pub(super) struct Revision {
    pub(super) spec: Value,
    pub(super) wanted: Wanted,
    pub(super) replicas: Vec<Arc<Replica>>,
    pub(super) metrics: Arc<Metrics>,
    /// Values of its secrets by key; absent after the agent was restarted.
    pub(super) secrets: Option<BTreeMap<Name, String>>,
    /// Every value that a secret of it had, for masks: a log may hold a former one.
    pub(super) masks: BTreeSet<String>,
    /// Whether nothing lacks among the masks: of a text made of secrets each piece is one, too.
    pub(super) can_mask: bool,
}

/// What is wanted of a service and what runs of it.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) settings: BTreeMap<Name, Value>,
    pub(super) traffic: BTreeMap<RevisionId, u32>,
    /// Requests that go elsewhere than the shares say.
    pub(super) routes: Vec<Route>,
    /// Commands that were asked for, the latest last.
    pub(super) commands: Vec<(Name, Known)>,
    pub(super) revisions: BTreeMap<RevisionId, Revision>,
    /// Why a port is not listened on, where an earlier agent did.
    pub(super) closed: Option<String>,
    next_number: u64,
}

/// A service.
pub(crate) struct Service {
    pub(super) agent: Arc<Agent>,
    pub(super) environment: Name,
    pub(super) name: Name,
    /// Where its logs are.
    pub(super) logs: Private,
    inner: Mutex<Inner>,
    /// One operation at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    router: Arc<Router>,
    listeners: tokio::sync::Mutex<BTreeMap<Name, Listener>>,
}

/// A replica of an earlier agent, and its process if that runs.
pub(super) type Adopted = (Arc<Replica>, Option<super::process::Process>);

/// The ports of a service by name.
pub(crate) fn ports(settings: &BTreeMap<Name, Value>) -> BTreeMap<Name, u16> {
    let entries = settings.get("ports").into_iter().flat_map(Value::entries);
    entries
        .filter_map(|(name, port)| Some((name.clone(), u16::try_from(port.as_int()?).ok()?)))
        .collect()
}

/// The keys of the secrets in the fields of a revision.
fn secret_keys(spec: &Value) -> BTreeSet<Name> {
    let mut secrets = Vec::new();
    spec.secrets(&mut secrets);
    secrets.into_iter().map(|secret| secret.value_key()).collect()
}

/// The keys of everything secret in the fields of a revision: secrets, and the pieces that some
/// are made of.
fn mask_keys(spec: &Value) -> BTreeSet<Name> {
    let (mut keys, mut open) = (BTreeSet::new(), Vec::new());
    spec.secrets(&mut open);
    while let Some(secret) = open.pop() {
        keys.insert(secret.value_key());
        open.extend(secret.parts.iter().filter_map(|part| match part {
            SecretPart::Secret(inner) => Some(inner),
            SecretPart::Text(_) => None,
        }));
    }
    keys
}

/// Whether the values of all that is secret in the fields of a revision are among these.
fn all_known(spec: &Value, values: &BTreeMap<Name, String>) -> bool {
    mask_keys(spec).iter().all(|key| values.contains_key(key))
}

impl Inner {
    fn millis(&self, name: &str, default: u64) -> Duration {
        crate::protocol::time(self.settings.get(name).and_then(Value::as_millis).unwrap_or(default))
    }

    pub(super) fn drain(&self) -> Duration {
        self.millis("drain", 10_000)
    }

    pub(super) fn stop_timeout(&self) -> Duration {
        self.millis("stop_timeout", 5_000)
    }
}

impl Service {
    fn new(agent: &Arc<Agent>, environment: Name, name: Name) -> Result<Arc<Self>, String> {
        let folder = agent.folder.create_sub("logs");
        let folder = folder.and_then(|logs| logs.create_sub(&file_name(&environment)));
        let logs = folder
            .and_then(|of| of.create_sub(&file_name(&name)))
            .map_err(|error| format!("the logs of `{name}` cannot be written: {error}"))?;
        Ok(Arc::new(Self {
            agent: agent.clone(),
            environment,
            name,
            logs,
            inner: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            router: Arc::default(),
            listeners: tokio::sync::Mutex::default(),
        }))
    }

    /// A service whose ports are taken.
    pub(super) async fn create(
        agent: &Arc<Agent>,
        environment: Name,
        name: Name,
        settings: BTreeMap<Name, Value>,
    ) -> Result<Arc<Self>, String> {
        let service = Self::new(agent, environment, name)?;
        service.set_settings(settings).await?;
        Ok(service)
    }

    /// A service as an earlier agent left it, with the processes of its replicas. Nothing looks
    /// after these yet: what a half-restored agent wrote down would lack the other services.
    pub(super) async fn restore(
        agent: &Arc<Agent>,
        record: ServiceRecord,
        marked: &[Marked],
    ) -> Result<(Arc<Self>, Vec<Adopted>), String> {
        let service = Self::new(agent, record.environment, record.service)?;
        // Whoever has taken a port in the meantime keeps it until the next apply, which says who it
        // is.
        let opened = service.set_settings(record.settings.clone()).await;
        {
            let mut inner = service.lock();
            inner.settings = record.settings;
            inner.closed = opened.err();
            inner.traffic = record.traffic;
            inner.routes = record.routes;
            inner.commands = record.commands;
        }
        let mut adopted = Vec::new();
        for (id, revision) in record.revisions {
            let running: Vec<_> =
                revision.replicas.iter().filter_map(|one| one.running(marked)).collect();
            let secrets = match secret_keys(&revision.spec).is_empty() {
                true => Some(BTreeMap::new()),
                false => recipes::recovered(&revision.spec, &running),
            };
            let mut restored = Revision {
                wanted: revision.wanted,
                replicas: Vec::new(),
                metrics: Arc::default(),
                masks: secrets.iter().flat_map(BTreeMap::values).cloned().collect(),
                can_mask: secrets.as_ref().is_some_and(|all| all_known(&revision.spec, all)),
                secrets,
                spec: revision.spec,
            };
            for replica in revision.replicas {
                let recipe = service.recipe(&id, &restored, replica.number, &replica.ports);
                let (replica, process) = Replica::adopt(replica, recipe, marked);
                let replica = Arc::new(replica);
                let mut inner = service.lock();
                inner.next_number = inner.next_number.max(replica.number.saturating_add(1));
                drop(inner);
                adopted.push((replica.clone(), process));
                restored.replicas.push(replica);
            }
            service.lock().revisions.insert(id, restored);
        }
        service.route();
        Ok((service, adopted))
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of a command; nothing forgets it.
    pub(super) fn remember(&self, token: &Name, known: Option<Known>, most: usize) {
        let mut inner = self.lock();
        inner.commands.retain(|(other, _)| other != token);
        inner.commands.extend(known.map(|known| (token.clone(), known)));
        let surplus = inner.commands.len().saturating_sub(most);
        inner.commands.drain(..surplus);
    }

    pub(super) fn measure(
        &self,
        revision: &RevisionId,
        text: &str,
        window: Duration,
    ) -> Option<Value> {
        let metrics = self.lock().revisions.get(revision)?.metrics.clone();
        metrics.query(text, window)
    }

    /// Listens on the ports that the settings name and on no others.
    pub(super) async fn set_settings(&self, settings: BTreeMap<Name, Value>) -> Result<(), String> {
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
        let mut inner = self.lock();
        inner.settings = settings;
        inner.closed = None;
        Ok(())
    }

    /// Closes all ports.
    pub(super) async fn close(&self) {
        let drain = self.lock().drain();
        let listeners = std::mem::take(&mut *self.listeners.lock().await);
        for (_, listener) in listeners {
            listener.close(drain).await;
        }
    }

    /// Tells the router who may be given traffic.
    pub(super) fn route(&self) {
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

    /// Makes one more replica of a revision; it is not started before it is in the record.
    pub(super) fn add_replica(&self, id: &RevisionId) -> Result<Arc<Replica>, String> {
        let mut inner = self.lock();
        let number = inner.next_number;
        inner.next_number = number.saturating_add(1);
        let ports = self.agent.handed.free(ports(&inner.settings).into_keys())?;
        let missing = || format!("there is no revision {id}");
        let revision = inner.revisions.get_mut(id).ok_or_else(missing)?;
        let recipe = self.recipe(id, revision, number, &ports);
        let replica = Arc::new(Replica::new(number, ports, recipe));
        revision.replicas.push(replica.clone());
        Ok(replica)
    }

    /// Takes replicas out again that were never started.
    pub(super) fn forget(&self, id: &RevisionId, never_started: &[Arc<Replica>]) {
        let mut inner = self.lock();
        let Some(revision) = inner.revisions.get_mut(id) else { return };
        revision
            .replicas
            .retain(|one| !never_started.iter().any(|other| one.number == other.number));
    }

    pub(super) fn look_after(
        self: &Arc<Self>,
        replica: &Arc<Replica>,
        process: Option<super::process::Process>,
    ) {
        let (replica, agent) = (replica.clone(), self.agent.clone());
        tokio::spawn(async move {
            replica
                .supervise(process, || {
                    if let Err(problem) = agent.write() {
                        super::say(&problem);
                    }
                })
                .await;
        });
    }

    pub(super) fn new_revision(
        &self,
        id: &RevisionId,
        spec: Value,
        secrets: BTreeMap<Name, String>,
    ) {
        let revision = Revision {
            wanted: Wanted::default(),
            replicas: Vec::new(),
            metrics: Arc::default(),
            masks: secrets.values().cloned().collect(),
            can_mask: all_known(&spec, &secrets),
            secrets: Some(secrets),
            spec,
        };
        self.lock().revisions.insert(id.clone(), revision);
    }

    /// Gives every revision whose secrets are all among these their values, for its next starts.
    pub(super) fn supply(&self, secrets: &BTreeMap<Name, String>) {
        if secrets.is_empty() {
            return;
        }
        let mut fresh = Vec::new();
        let mut inner = self.lock();
        for (id, revision) in &mut inner.revisions {
            let keys = secret_keys(&revision.spec);
            if keys.is_empty() || !keys.iter().all(|key| secrets.contains_key(key)) {
                continue;
            }
            revision.secrets = Some(secrets.clone());
            revision.masks.extend(secrets.values().cloned());
            revision.can_mask |= all_known(&revision.spec, secrets);
            fresh.extend(revision.replicas.iter().map(|replica| {
                let recipe = self.recipe(id, revision, replica.number, &replica.ports);
                (replica.clone(), recipe.secret_env.unwrap_or_default())
            }));
        }
        drop(inner);
        for (replica, secret_env) in fresh {
            replica.supply(secret_env);
        }
    }

    /// Cuts log files that have grown too large, keeping some of what was in them.
    pub(super) fn rotate_logs(&self) {
        let (limits, logs) = {
            let inner = self.lock();
            let size = match inner.settings.get("log_size") {
                Some(Value::Quantity(size)) => u64::try_from(size.base.trunc()).unwrap_or(u64::MAX),
                _ => 10 << 20,
            };
            let files = inner.settings.get("log_files").and_then(Value::as_int).unwrap_or(3);
            let replicas = inner.revisions.values().flat_map(|revision| &revision.replicas);
            let logs: Vec<_> = replicas.map(|replica| replica.log()).collect();
            (logs::Limits { size, files }, logs)
        };
        for log in logs {
            log.rotate(limits);
        }
    }

    /// Removes what the service wrote.
    pub(super) fn remove_logs(&self) {
        let Ok(Some(logs)) = self.agent.folder.sub("logs") else { return };
        let environment = file_name(&self.environment);
        if let Ok(Some(folder)) = logs.sub(&environment) {
            let _ = folder.remove_all(&file_name(&self.name));
        }
        let _ = logs.remove_empty(&environment);
    }
}
