//! How a service stands: what the platform shows of it, what the record keeps, what its logs end
//! with.

use super::service::{Inner, Revision, Service, ports};
use crate::record::{RevisionRecord, ServiceRecord};
use dax_core::{Name, RevisionId, Value};
use dax_model::{Edit, LiveRevision, LiveService};
use dax_provider_api::redact::Redactor;

/// Which replicas count as there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// All that are wanted.
    Wanted,
    /// Those that run, or that the agent can start by itself.
    Running,
}

/// Where the first port of a service is reached.
pub(crate) fn url(settings: &std::collections::BTreeMap<Name, Value>) -> Option<Name> {
    let port = ports(settings).into_values().next();
    port.map(|port| format!("http://127.0.0.1:{port}/").into())
}

fn replicas(revision: &Revision, count: Count) -> i64 {
    let wanted = revision.wanted.number();
    let stuck = revision.replicas.iter().filter(|replica| replica.needs_secrets()).count();
    match count {
        Count::Wanted => wanted,
        Count::Running => wanted.saturating_sub(i64::try_from(stuck).unwrap_or(0)).max(0),
    }
}

/// What an apply has to mend although every field is as it was applied.
fn edits(inner: &Inner) -> Vec<Edit> {
    let closed = inner.closed.iter().map(|why| Edit {
        path: "port".into(),
        by: Name::default(),
        wrote: Value::str("listened on"),
        found: Value::str(why),
    });
    closed.collect()
}

impl Service {
    /// What the platform shows of it.
    pub(super) fn live(&self, count: Count) -> LiveService {
        let inner = self.lock();
        let revisions = inner.revisions.iter().map(|(id, revision)| {
            let ready = revision.replicas.iter().filter(|replica| replica.is_ready()).count();
            let ready = i64::try_from(ready).unwrap_or(i64::MAX);
            let replicas = replicas(revision, count);
            (id.clone(), LiveRevision { replicas, ready, spec: revision.spec.clone() })
        });
        LiveService {
            settings: inner.settings.clone(),
            revisions: revisions.collect(),
            traffic: inner.traffic.clone(),
            routes: inner.routes.clone(),
            url: url(&inner.settings),
            edits: edits(&inner),
            ..LiveService::default()
        }
    }

    pub(super) fn record(&self) -> ServiceRecord {
        let inner = self.lock();
        let revisions = inner.revisions.iter().map(|(id, revision)| {
            let replicas = revision.replicas.iter().map(|replica| replica.record()).collect();
            let (spec, wanted) = (revision.spec.clone(), revision.wanted);
            (id.clone(), RevisionRecord { spec, wanted, replicas })
        });
        ServiceRecord {
            environment: self.environment.clone(),
            service: self.name.clone(),
            settings: inner.settings.clone(),
            traffic: inner.traffic.clone(),
            routes: inner.routes.clone(),
            commands: inner.commands.clone(),
            revisions: revisions.collect(),
        }
    }

    /// What a replica of a revision that is not ready wrote last, as the end of a sentence.
    pub(super) fn last_lines(&self, id: &RevisionId) -> String {
        let (log, secrets) = {
            let inner = self.lock();
            let Some(revision) = inner.revisions.get(id) else { return String::new() };
            let unready = revision.replicas.iter().find(|replica| !replica.is_ready());
            let shown = unready.or(revision.replicas.last());
            let secrets = revision.can_mask.then(|| Redactor::new(&revision.masks));
            (shown.map(|replica| replica.log()), secrets)
        };
        let nothing = || "it wrote nothing".to_owned();
        log.map_or_else(nothing, |log| log.last_lines(secrets.as_ref()))
    }
}
