//! What really serves where a controller beside dax carries strategies out: what dax wrote last is what it is to become.

use super::Record;
use super::holding::{Holding, ready};
use crate::cluster::Cluster;
use crate::handed::Controller;
use crate::lower::{self, Of, Slot};
use crate::status::number;
use crate::{kinds, names};
use dax_core::RevisionId;
use dax_model::WHOLE;
use dax_provider_api::ProviderError;
use serde_json::Value as Json;

/// The revision that serves, where it is another one than that which dax wrote or where another object has its pods.
pub(crate) struct Serving {
    slot: Slot,
    /// Nothing where its pods bear no mark of dax: they are as somebody else wrote them.
    revision: Option<RevisionId>,
    replicas: i64,
    ready: i64,
    /// What of the traffic goes to the revision that dax wrote, in hundredths of a percent.
    to_new: u32,
}

fn hundredths(percent: i64) -> u32 {
    u32::try_from(percent.clamp(0, 100) * 100).unwrap_or(0)
}

/// The revision that the pods of a template bear.
pub(crate) fn revision_of(object: &Json) -> Option<RevisionId> {
    let label = object.pointer("/spec/template/metadata/labels")?.get(names::REVISION)?.as_str()?;
    Some(RevisionId(label.into()))
}

fn serving(name: &str, object: &Json, to_new: u32) -> Serving {
    let slot = Slot {
        name: name.to_owned(),
        selector: serde_json::Map::new(),
        container: String::new(),
        adopted: false,
    };
    let replicas = number(object, "/spec/replicas");
    Serving {
        slot,
        revision: revision_of(object),
        replicas,
        ready: ready(object).min(replicas),
        to_new,
    }
}

/// What serves, by the Deployment that Flagger made and by its Canary.
pub(crate) fn of_flagger(primary: &Json, canary: &Json) -> Serving {
    let name = names::text_at(primary, "/metadata/name");
    serving(name, primary, hundredths(number(canary, "/status/canaryWeight")))
}

/// What serves, by a Rollout that is on its way and the ReplicaSet of its stable revision.
pub(crate) fn of_argo(rollout: &Json, stable: &Json) -> Serving {
    let weight = rollout.pointer("/status/canary/weights/canary/weight").and_then(Json::as_i64);
    let (new, all) =
        (number(rollout, "/status/updatedReplicas"), number(rollout, "/status/replicas").max(1));
    serving(
        names::text_at(stable, "/metadata/name"),
        stable,
        hundredths(weight.unwrap_or(new * 100 / all)),
    )
}

/// The ReplicaSet of the stable revision of a Rollout, while it is not the one that dax wrote.
pub(crate) fn stable(rollout: &Json) -> Option<String> {
    let (stable, current) = (
        names::text_at(rollout, "/status/stableRS"),
        names::text_at(rollout, "/status/currentPodHash"),
    );
    (!stable.is_empty() && stable != current)
        .then(|| format!("{}-{stable}", names::text_at(rollout, "/metadata/name")))
}

/// What dax told a controller to look after: of several, that to which requests go, and else one that is not at rest.
pub(crate) fn target<'h>(record: &Record, holdings: &'h [Holding]) -> Option<&'h Holding> {
    let rank =
        |holding: &&Holding| (record.traffic.get(&holding.wrote).copied(), holding.wanted > 0);
    // The last of equals would be chosen, and the first is called as the service.
    holdings.iter().rev().max_by_key(rank)
}

/// Asks what serves of one service, whose pods this object holds.
pub(crate) async fn ask(
    cluster: &Cluster,
    of: &Of<'_>,
    workload: &Json,
) -> Result<Option<Serving>, ProviderError> {
    let (namespace, name) = (of.namespace(), names::text_at(workload, "/metadata/name"));
    Ok(match of.settings.controller() {
        None => None,
        Some(Controller::Flagger) => {
            let primary = cluster.get(kinds::DEPLOYMENT, namespace, &lower::primary(name)).await?;
            let canary = cluster.get(kinds::CANARY, namespace, of.object).await?;
            primary.zip(canary).map(|(primary, canary)| of_flagger(&primary, &canary))
        }
        Some(Controller::Argo) => match stable(workload) {
            Some(name) => cluster
                .get(kinds::REPLICA_SET, namespace, &name)
                .await?
                .map(|stable| of_argo(workload, &stable)),
            None => None,
        },
    })
}

/// Puts what serves beside what dax wrote.
pub(crate) fn put(holdings: &mut Vec<Holding>, serving: Serving, record: &Record) {
    let Some(name) = target(record, holdings).map(|target| target.slot.name.clone()) else {
        return;
    };
    let Some(target) = holdings.iter_mut().find(|holding| holding.slot.name == name) else {
        return;
    };
    let found = || record.found.as_ref().map(|(revision, _)| revision.clone());
    let Some(revision) = serving.revision.or_else(found) else { return };
    if revision == target.wrote {
        (target.replicas, target.live_replicas, target.ready) =
            (serving.replicas, serving.replicas, serving.ready);
        return;
    }
    target.share = Some(serving.to_new);
    let former = record.former.as_ref().filter(|(former, _)| *former == revision);
    let other = Holding {
        slot: serving.slot,
        wrote: revision.clone(),
        revision,
        spec: former.map(|(_, spec)| spec.clone()).unwrap_or_default(),
        replicas: serving.replicas,
        live_replicas: serving.replicas,
        ready: serving.ready,
        share: Some(WHOLE - serving.to_new),
        ..target.bare()
    };
    holdings.push(other);
}
