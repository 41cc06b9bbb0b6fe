//! Operations: each leads to a state and does nothing when that state is there already.

use super::commands::Run;
use super::service::Service;
use super::{Agent, Key};
use crate::protocol::Reply;
use dax_core::{Name, RevisionId, Route, Value};
use dax_provider_api::{Expect, Fence, Operation};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How often readiness is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(20);

/// What a client wants done.
pub(super) struct Order {
    pub(super) operation: Operation,
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
        let live = self.service(&key).map(|service| service.live());
        if let Err(conflict) = passed.and_then(|()| order.expect.check(live.as_ref())) {
            return Reply::Conflict(conflict.to_string());
        }
        let Order { operation, token, timeout, secrets, .. } = order;
        let result = match operation {
            Operation::CreateService { settings } => self.create_service(&key, settings).await,
            other => match self.service(&key) {
                Some(service) => {
                    self.change_service(&key, &service, other, token, timeout, secrets).await
                }
                None if matches!(
                    other,
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
        let service = Service::create(self.clone(), key.0.clone(), key.1.clone(), settings).await?;
        self.services.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), service);
        Ok(())
    }

    async fn change_service(
        self: &Arc<Self>,
        key: &Key,
        service: &Arc<Service>,
        operation: Operation,
        token: Name,
        timeout: Duration,
        secrets: BTreeMap<Name, String>,
    ) -> Result<(), String> {
        let turn = service.turn.lock().await;
        match operation {
            Operation::CreateService { settings } | Operation::UpdateService { settings } => {
                service.set_settings(settings).await
            }
            Operation::CreateRevision { revision, spec, replicas } => {
                if service.lock().revisions.contains_key(&revision) {
                    service.supply(&revision, secrets);
                } else {
                    service.new_revision(&revision, spec, secrets);
                }
                self.scale(service, &revision, replicas).await
            }
            Operation::Scale { revision, replicas } => {
                service.supply(&revision, secrets);
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
                    let ready = |id: &RevisionId| {
                        inner
                            .revisions
                            .get(id)
                            .is_some_and(|r| r.replicas.iter().any(|replica| replica.is_ready()))
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
            Operation::Run { revision, spec, command } => {
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
                service.remove_logs();
                self.services.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
                Ok(())
            }
        }
    }

    async fn remove_revision(&self, service: &Arc<Service>, id: &RevisionId) {
        let (replicas, drain, patience) = {
            let mut inner = service.lock();
            inner.traffic.remove(id);
            inner.routes.retain(|route| route.revision() != id);
            let times = (inner.drain(), inner.stop_timeout());
            let replicas = inner.revisions.get(id).map(|r| r.replicas.clone()).unwrap_or_default();
            (replicas, times.0, times.1)
        };
        service.route();
        retire(replicas, drain, patience).await;
        service.lock().revisions.remove(id);
    }

    /// Brings a revision to as many replicas as are wanted. The record is written after each start, so that a
    /// process is never without its entry for long.
    async fn scale(
        self: &Arc<Self>,
        service: &Arc<Service>,
        id: &RevisionId,
        wanted: i64,
    ) -> Result<(), String> {
        let have = {
            let mut inner = service.lock();
            let revision =
                inner.revisions.get_mut(id).ok_or_else(|| format!("there is no revision {id}"))?;
            revision.wanted = wanted;
            revision.replicas.len()
        };
        let wanted = usize::try_from(wanted).unwrap_or(0);
        for _ in have..wanted {
            service.add_replica(id)?;
            self.write()?;
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
            (ready, usize::try_from(revision.wanted).unwrap_or(0), problem)
        };
        if ready >= wanted {
            return Ok(());
        }
        if tokio::time::Instant::now() >= until {
            let problem = problem.unwrap_or_else(|| "no probe was answered".to_owned());
            let lines = service.last_lines(id);
            let log = if lines.is_empty() {
                "it wrote nothing".to_owned()
            } else {
                format!("its last lines: {}", lines.join(" | "))
            };
            return Err(format!(
                "revision {id}: {ready} of {wanted} replicas ready after {} s: {problem}; {log}",
                patience.as_secs_f64()
            ));
        }
        tokio::time::sleep(POLL).await;
    }
}
