//! Operations: each leads to a state and does nothing when that state is there already.

use super::commands::Run;
use super::service::Service;
use super::standing::Count;
use super::{Agent, Key};
use crate::protocol::Reply;
use crate::record::Wanted;
use dax_core::{Name, RevisionId, Value};
use dax_model::Operation;
use dax_model::Route;
use dax_provider_api::{Expect, Fence};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How often readiness is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(20);

/// What a client wants done.
pub(super) struct Order {
    pub(super) operation: Operation,
    pub(super) spec: Option<Value>,
    pub(super) token: Name,
    pub(super) fence: Fence,
    pub(super) expect: Expect,
    pub(super) timeout: Duration,
    pub(super) secrets: BTreeMap<Name, String>,
}

impl Agent {
    pub(super) async fn change(self: &Arc<Self>, key: Key, order: Order) -> Reply {
        let passed = {
            let mut fences = self.fences.lock().unwrap_or_else(PoisonError::into_inner);
            order.fence.pass(fences.entry(key.0.clone()).or_default())
        };
        if let Some(lost) = self.lost() {
            return Reply::Refused(lost);
        }
        // A replica that cannot start again by itself is shown as missing, yet whoever planned
        // before it was so finds the object as it was.
        let live = |count| self.service(&key).map(|service| service.live(count));
        let expected = |count| order.expect.check(live(count).as_ref());
        let found = expected(Count::Wanted).or_else(|_| expected(Count::Running));
        if let Err(conflict) = passed.and(found) {
            return Reply::Conflict(conflict.to_string());
        }
        let result = match order.operation {
            Operation::CreateService { settings } => self.create_service(&key, settings).await,
            _ => match self.service(&key) {
                Some(service) => self.change_service(&key, &service, order).await,
                None if matches!(
                    order.operation,
                    Operation::DeleteService | Operation::DeleteRevision { .. }
                ) =>
                {
                    Ok(())
                }
                None => {
                    return Reply::Conflict(format!(
                        "there is no service `{}` in `{}`",
                        key.1, key.0
                    ));
                }
            },
        };
        // What was done is written down before it is said to be done.
        match result.and_then(|()| self.write()) {
            Ok(()) => Reply::Done,
            Err(message) => Reply::Refused(message),
        }
    }

    async fn create_service(
        self: &Arc<Self>,
        key: &Key,
        settings: BTreeMap<Name, Value>,
    ) -> Result<(), String> {
        if let Some(service) = self.service(key) {
            return service.set_settings(settings).await;
        }
        let service = Service::create(self, key.0.clone(), key.1.clone(), settings).await?;
        self.services.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), service);
        Ok(())
    }

    async fn change_service(
        self: &Arc<Self>,
        key: &Key,
        service: &Arc<Service>,
        order: Order,
    ) -> Result<(), String> {
        let Order { operation, spec, token, timeout, secrets, .. } = order;
        let turn = service.turn.lock().await;
        service.supply(&secrets);
        match operation {
            Operation::CreateService { settings } | Operation::UpdateService { settings } => {
                service.set_settings(settings).await
            }
            Operation::CreateRevision { revision, spec, replicas } => {
                if !service.lock().revisions.contains_key(&revision) {
                    service.new_revision(&revision, spec, secrets);
                }
                self.scale(service, &revision, replicas).await
            }
            Operation::Scale { revision, replicas } => {
                self.scale(service, &revision, replicas).await
            }
            Operation::Roll { .. } => {
                Err("the agent replaces replicas as it is told, one by one".to_owned())
            }
            Operation::AwaitReady { revision } => {
                drop(turn); // it changes nothing and may take long
                await_ready(service, &revision, timeout).await
            }
            Operation::ShiftTraffic { traffic } => {
                let unready = {
                    let inner = service.lock();
                    // Of what is wanted in no replica nothing can be ready: it answers nobody, as
                    // was asked.
                    let ready = |id: &RevisionId| {
                        inner.revisions.get(id).is_some_and(|r| {
                            r.wanted.count() == 0
                                || r.replicas.iter().any(|replica| replica.is_ready())
                        })
                    };
                    traffic.keys().find(|id| !ready(id)).cloned()
                };
                if let Some(id) = unready {
                    return Err(format!("revision {id} is not ready for traffic"));
                }
                service.lock().traffic = traffic;
                service.route();
                Ok(())
            }
            Operation::Route { routes } => {
                let lacking = routes
                    .iter()
                    .map(Route::revision)
                    .find(|id| !service.lock().revisions.contains_key(*id));
                if let Some(id) = lacking {
                    return Err(format!("there is no revision {id}"));
                }
                if routes.iter().any(|route| matches!(route, Route::Mirror { .. })) {
                    return Err("requests are not copied here".to_owned());
                }
                service.lock().routes = routes;
                service.route();
                Ok(())
            }
            Operation::Run { revision, command, .. } | Operation::Migrate { revision, command } => {
                let spec = spec.unwrap_or_default();
                let run = Run { token, revision, spec, command, secrets, timeout };
                self.run_once(service, run).await
            }
            Operation::DeleteRevision { revision } => {
                self.remove_revision(service, &revision).await;
                Ok(())
            }
            Operation::DeleteService => {
                service.lock().traffic.clear();
                service.lock().routes.clear();
                service.route();
                let ids: Vec<RevisionId> = service.lock().revisions.keys().cloned().collect();
                for id in ids {
                    self.remove_revision(service, &id).await;
                }
                service.close().await;
                self.end_rest(key).await;
                service.remove_logs();
                self.services.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
                Ok(())
            }
        }
    }

    /// Writes down that replicas are to go before they go, so that no agent after this one starts
    /// them again.
    fn note_goodbye(&self) {
        if let Err(problem) = self.write() {
            super::say(&problem);
        }
    }

    async fn remove_revision(&self, service: &Arc<Service>, id: &RevisionId) {
        let (replicas, drain, patience) = {
            let mut inner = service.lock();
            inner.traffic.remove(id);
            inner.routes.retain(|route| route.revision() != id);
            let times = (inner.drain(), inner.stop_timeout());
            let replicas = inner.revisions.get_mut(id).map(|revision| {
                revision.wanted = Wanted::default();
                std::mem::take(&mut revision.replicas)
            });
            (replicas.unwrap_or_default(), times.0, times.1)
        };
        service.route();
        self.note_goodbye();
        retire(replicas, drain, patience).await;
        service.lock().revisions.remove(id);
    }

    /// Brings a revision to as many replicas as are wanted. What is to be started is in the record
    /// before it is started, so that a process is never without its entry.
    async fn scale(
        self: &Arc<Self>,
        service: &Arc<Service>,
        id: &RevisionId,
        wanted: i64,
    ) -> Result<(), String> {
        let wanted = Wanted::try_from(wanted)?;
        let have = {
            let mut inner = service.lock();
            let revision =
                inner.revisions.get_mut(id).ok_or_else(|| format!("there is no revision {id}"))?;
            revision.wanted = wanted;
            revision.replicas.len()
        };
        let wanted = wanted.count();
        let mut fresh = Vec::new();
        for _ in have..wanted {
            fresh.push(service.add_replica(id)?);
        }
        if !fresh.is_empty() {
            self.write().inspect_err(|_| service.forget(id, &fresh))?;
        }
        for (at, replica) in fresh.iter().enumerate() {
            let process = replica.start().inspect_err(|_| service.forget(id, &fresh[at..]))?;
            service.look_after(replica, Some(process));
        }
        service.route();
        if have > wanted {
            let (surplus, drain, patience) = {
                let mut inner = service.lock();
                let times = (inner.drain(), inner.stop_timeout());
                let surplus = inner
                    .revisions
                    .get_mut(id)
                    .map(|revision| revision.replicas.split_off(wanted))
                    .unwrap_or_default();
                (surplus, times.0, times.1)
            };
            service.route();
            self.note_goodbye();
            retire(surplus, drain, patience).await;
        }
        Ok(())
    }
}

async fn retire(replicas: Vec<Arc<super::replica::Replica>>, drain: Duration, patience: Duration) {
    let stops: Vec<_> = replicas
        .into_iter()
        .map(|replica| tokio::spawn(async move { replica.retire(drain, patience).await }))
        .collect();
    for stop in stops {
        let _ = stop.await;
    }
}

async fn await_ready(
    service: &Arc<Service>,
    id: &RevisionId,
    timeout: Duration,
) -> Result<(), String> {
    let patience = {
        let inner = service.lock();
        let revision =
            inner.revisions.get(id).ok_or_else(|| format!("there is no revision {id}"))?;
        super::health::Health::of(&revision.spec).ready_within.min(timeout)
    };
    let until = tokio::time::Instant::now() + patience;
    loop {
        let (ready, wanted, problem) = {
            let inner = service.lock();
            let revision =
                inner.revisions.get(id).ok_or_else(|| format!("there is no revision {id}"))?;
            let ready = revision.replicas.iter().filter(|replica| replica.is_ready()).count();
            let problem = revision
                .replicas
                .iter()
                .find(|replica| !replica.is_ready())
                .and_then(|replica| replica.problem());
            (ready, revision.wanted.count(), problem)
        };
        if ready >= wanted {
            return Ok(());
        }
        if tokio::time::Instant::now() >= until {
            let problem = problem.unwrap_or_else(|| "no probe was answered".to_owned());
            let log = service.last_lines(id);
            return Err(format!(
                "revision {id}: {ready} of {wanted} replicas ready after {} s: {problem}; {log}",
                patience.as_secs_f64()
            ));
        }
        tokio::time::sleep(POLL).await;
    }
}
