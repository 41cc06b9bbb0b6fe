//! Operations as writes of objects: each leads to a state, and does nothing when that state is there.

mod adopting;
mod former;
mod run;
mod state;

use crate::api::Apply;
use crate::cluster::Cluster;
use crate::following;
use crate::handed::Controller;
use crate::kinds::{self, Kind};
use crate::lower::{self, Held, Of, Pace, Slot};
use crate::read::{self, Holding, Record};
use crate::wait::{self, Waited};
use crate::{names, status};
use dax_core::{Name, RevisionId, Value};
use dax_model::Operation;
use dax_model::{Route, WHOLE};
use dax_provider_api::{Call, ProviderError, Secrets};
use former::Former;
use serde_json::Value as Json;
use state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Makes one change.
pub(crate) async fn change(cluster: &Cluster, call: &Call) -> Result<(), ProviderError> {
    if let Operation::AwaitReady { revision } = &call.operation
        && let Some(answer) = wait::known(cluster, call, revision).await
    {
        return answer;
    }
    let mut state = State::load(cluster, call).await?;
    match &call.operation {
        Operation::CreateService { settings } => {
            create_service(cluster, &mut state, settings).await
        }
        Operation::DeleteService => delete_service(cluster, &state).await,
        Operation::DeleteRevision { .. } if state.record.is_none() => Ok(()),
        Operation::UpdateService { settings } => {
            update_service(cluster, &mut state, settings, call.timeout).await
        }
        other => {
            if state.record.is_none() {
                return Err(ProviderError::Conflict {
                    message: format!("there is no service `{}`", call.service),
                });
            }
            revision(cluster, &mut state, other, call).await
        }
    }
}

async fn revision(
    cluster: &Cluster,
    state: &mut State,
    operation: &Operation,
    call: &Call,
) -> Result<(), ProviderError> {
    let nowhere = |revision: &RevisionId| ProviderError::Conflict {
        message: format!("there is no revision {revision}"),
    };
    match operation {
        Operation::CreateRevision { revision, spec, replicas } => {
            let held = Held { revision, spec, replicas: *replicas };
            let slot = state.slot_for(revision);
            alone(&state.of(), state, &slot)?;
            hold(cluster, state, &slot, held, None, &call.secrets).await
        }
        Operation::Roll { from, revision, spec, replicas, .. }
            if state.of().settings.controller().is_some() =>
        {
            let held = Held { revision, spec, replicas: *replicas };
            let slot = state.target().ok_or_else(|| nowhere(from))?.slot.clone();
            // Pods as they were found are what served before; all others are dax's own.
            let slot = Slot { adopted: state.template(revision).is_some(), ..slot };
            state.note_former(from);
            hold(cluster, state, &slot, held, None, &call.secrets).await?;
            state.settle_traffic(BTreeMap::from([(revision.clone(), WHOLE)]));
            state.reload(cluster).await?;
            front(cluster, state, false).await
        }
        Operation::Roll { from, revision, spec, replicas, surge, unavailable } => {
            let held = Held { revision, spec, replicas: *replicas };
            // Whoever is to be replaced whatever it is has been made something else by somebody.
            let found =
                state.holding(from).or_else(|| state.holding(revision)).or_else(|| state.serving());
            let found = found.ok_or_else(|| nowhere(from))?;
            // What was taken over as it was becomes one of dax's own.
            let slot = Slot { adopted: false, ..found.slot.clone() };
            let pace = Pace { surge: *surge, unavailable: *unavailable };
            hold(cluster, state, &slot, held, Some(pace), &call.secrets).await?;
            unstick(cluster, &state.of(), from).await?;
            state.settle_traffic(BTreeMap::from([(revision.clone(), WHOLE)]));
            state.reload(cluster).await?;
            front(cluster, state, false).await
        }
        // What a controller beside dax has taken out of service it has stopped, too.
        Operation::Scale { revision, .. }
            if state.of().settings.controller().is_some() && state.holding(revision).is_none() =>
        {
            Ok(())
        }
        Operation::Scale { revision, replicas } => {
            let found = state.holding(revision).ok_or_else(|| nowhere(revision))?.clone();
            if state.told.iter().all(|told| told.slot.name != found.slot.name) {
                // It serves in an object of the controller's own.
                return match state.of().settings.controller() {
                    Some(Controller::Flagger) => {
                        cluster.scale(state.of().namespace(), &found.slot.name, *replicas).await
                    }
                    _ => Ok(()),
                };
            }
            let held = Held { revision: &found.wrote, spec: &found.spec, replicas: *replicas };
            hold(cluster, state, &found.slot, held, None, &call.secrets).await?;
            if state.of().settings.controller() == Some(Controller::Flagger) {
                let name = if state.record()?.traffic.is_empty() {
                    found.slot.name
                } else {
                    lower::primary(&found.slot.name)
                };
                cluster.scale(state.of().namespace(), &name, *replicas).await?;
            }
            Ok(())
        }
        Operation::DeleteRevision { revision } => {
            if let Some(found) = state.holding(revision).cloned() {
                release(cluster, &state.of(), &found).await?;
                state.taken.retain(|name| *name != found.slot.name);
            }
            state.forget_slots();
            state.save(cluster).await
        }
        Operation::AwaitReady { revision } => {
            let of = state.of();
            match of.settings.controller() {
                Some(controller)
                    if controller == Controller::Argo || !state.record()?.traffic.is_empty() =>
                {
                    let target = state
                        .target()
                        .filter(|target| target.wrote == *revision)
                        .ok_or_else(|| nowhere(revision))?;
                    return following::follow(cluster, &of, controller, target, call.timeout).await;
                }
                _ => {}
            }
            let found = state.holding(revision).ok_or_else(|| nowhere(revision))?;
            wait::ready(cluster, &Waited::of(&of), &found.slot, found.generation, call.timeout)
                .await
        }
        Operation::ShiftTraffic { traffic } => {
            state.must_be_ready(traffic.keys(), "traffic")?;
            state.settle_traffic(traffic.clone());
            front(cluster, state, false).await
        }
        Operation::Route { routes } => {
            state.must_be_ready(routes.iter().map(Route::revision), "requests")?;
            state.settle_routes(routes.clone());
            front(cluster, state, false).await
        }
        Operation::Run { revision, command, .. } | Operation::Migrate { revision, command } => {
            state.guard(cluster).await?;
            let spec = call.spec.as_ref().unwrap_or(&Value::None);
            let held = Held { revision, spec, replicas: 0 };
            run::command(cluster, &state.of(), held, command, call).await
        }
        Operation::CreateService { .. }
        | Operation::UpdateService { .. }
        | Operation::DeleteService => Ok(()),
    }
}

/// Takes away the pods of a revision that gives way before it was ever ready: a StatefulSet waits for them otherwise.
/// Source: <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback>.
async fn unstick(
    cluster: &Cluster,
    of: &Of<'_>,
    revision: &RevisionId,
) -> Result<(), ProviderError> {
    if of.settings.workload() != kinds::STATEFUL_SET {
        return Ok(());
    }
    let selector = format!("{}={},{}={revision}", names::NAME, of.object, names::REVISION);
    for pod in cluster.list(kinds::POD, of.namespace(), &selector).await? {
        if !status::condition(&pod, "Ready", "True") {
            cluster
                .delete(kinds::POD, of.namespace(), names::text_at(&pod, "/metadata/name"))
                .await?;
        }
    }
    Ok(())
}

/// Two revisions side by side take two Deployments; other kinds hold one revision at a time.
fn alone(of: &Of<'_>, state: &State, slot: &Slot) -> Result<(), ProviderError> {
    let kind = of.settings.workload();
    if kind == kinds::DEPLOYMENT
        || state.holdings.iter().all(|holding| holding.slot.name == slot.name)
    {
        return Ok(());
    }
    let message = format!(
        "a {} holds one revision at a time: let `rolling` or `immediate` replace it",
        kind.name
    );
    Err(ProviderError::Refused { message })
}

/// How the objects of a service are written.
async fn write(
    cluster: &Cluster,
    state: &State,
    kind: Kind,
    object: &Json,
    dry_run: bool,
) -> Result<Json, ProviderError> {
    let of = state.of();
    let namespace = of.namespace();
    if of.settings.yields() {
        return cluster.apply_yielding(kind, namespace, object, dry_run).await;
    }
    match cluster.apply(kind, namespace, object, Apply { force: false, dry_run }).await {
        Err(ProviderError::Conflict { message })
            if of.settings.text("conflicts") != Some("fail") =>
        {
            // What others changed of ours is written over; what was never ours is not.
            let found = cluster
                .get(kind, namespace, names::text_at(object, "/metadata/name"))
                .await?
                .unwrap_or_default();
            let ours = names::meta(&found, "labels", names::MANAGED_BY) == Some(names::MANAGER);
            if !ours && !state.adopts {
                return Err(ProviderError::Conflict { message });
            }
            cluster.apply(kind, namespace, object, Apply { force: true, dry_run }).await
        }
        other => other,
    }
}

/// Puts a revision into a Deployment.
async fn hold(
    cluster: &Cluster,
    state: &mut State,
    slot: &Slot,
    held: Held<'_>,
    pace: Option<Pace>,
    secrets: &Secrets,
) -> Result<(), ProviderError> {
    state.note_slot(&slot.name);
    state.guard(cluster).await?;
    let of = state.of();
    for (kind, object) in lower::supplies(&of, held, secrets) {
        cluster.create(kind, of.namespace(), &object).await?;
    }
    let kind = of.settings.workload();
    let mut object = lower::workload(&of, slot, held, pace);
    if let Some(template) = state.template(held.revision).filter(|_| slot.adopted) {
        object["spec"]["template"] = template.clone();
    }
    if kind == kinds::JOB {
        run::make_way(cluster, &of, &slot.name, held).await?;
        if held.replicas == 0 {
            return Ok(());
        }
    }
    let there = state.holdings.iter().find(|holding| holding.slot.name == slot.name);
    // What is taken over has its number of replicas from somebody else.
    let taken_over = slot.adopted && there.is_none();
    if of.settings.replicas_are_others()
        && !taken_over
        && there.is_none_or(|there| there.owns_replicas)
    {
        // What dax no longer says would become one replica; so somebody else says it first.
        let replicas = there.map_or(held.replicas, |there| there.live_replicas);
        if there.is_none() {
            let mut begun = object.clone();
            begun["spec"]["replicas"] = Json::from(replicas);
            write(cluster, state, kind, &begun, false).await?;
        }
        cluster.hand_over(kind, of.namespace(), &slot.name, replicas).await?;
    }
    let written = write(cluster, state, kind, &object, false).await?;
    if of.settings.controller().is_none() {
        wait::remember(cluster, &of, &slot.name, &written);
    }
    if of.settings.autoscaled() && !taken_over {
        let now = there.map_or(0, |holding| holding.live_replicas);
        // The autoscaler decides how many; dax only how many there are at first, and that there are none at rest.
        if now == 0 || held.replicas == 0 {
            cluster.scale(of.namespace(), &slot.name, held.replicas).await?;
        }
    }
    Ok(())
}

/// Takes away a Deployment with what belongs to it; it goes last, because it tells what that is.
async fn release(cluster: &Cluster, of: &Of<'_>, found: &Holding) -> Result<(), ProviderError> {
    cluster.delete(kinds::SERVICE, of.namespace(), &names::backend(&found.slot.name)).await?;
    remove_supplies(cluster, of, &found.wrote, &found.spec).await?;
    cluster.delete(of.settings.workload(), of.namespace(), &found.slot.name).await
}

async fn remove_supplies(
    cluster: &Cluster,
    of: &Of<'_>,
    revision: &RevisionId,
    spec: &Value,
) -> Result<(), ProviderError> {
    let held = Held { revision, spec, replicas: 0 };
    let name = lower::supplies_name(of, held);
    let mut secrets = Vec::new();
    spec.secrets(&mut secrets);
    if !secrets.is_empty() {
        cluster.delete(kinds::SECRET, of.namespace(), &name).await?;
    }
    if lower::supplies(of, held, &Secrets::default())
        .iter()
        .any(|(kind, _)| *kind == kinds::CONFIG_MAP)
    {
        cluster.delete(kinds::CONFIG_MAP, of.namespace(), &name).await?;
    }
    Ok(())
}

/// The objects that stand in front of the pods.
fn fronts(
    record: &Record,
    object: &str,
    holdings: &[Holding],
) -> Result<Vec<(Kind, Json)>, ProviderError> {
    let slots: BTreeMap<&RevisionId, &Slot> = holdings
        .iter()
        .flat_map(|holding| [(&holding.wrote, &holding.slot), (&holding.revision, &holding.slot)])
        .collect();
    let traffic = read::traffic(record, &slots);
    lower::front(&record.of(object), &traffic).map_err(|message| ProviderError::Refused { message })
}

/// Writes what stands in front of the pods, all of it or what changes.
async fn put_front(
    cluster: &Cluster,
    state: &mut State,
    anew: bool,
) -> Result<Vec<(Kind, Json)>, ProviderError> {
    let wanted = fronts(state.record()?, &state.object, &state.holdings)?;
    state.guard(cluster).await?;
    for (kind, object) in wanted.iter().filter(|wanted| anew || !state.before.contains(wanted)) {
        write(cluster, state, *kind, object, false).await?;
    }
    Ok(wanted)
}

/// Writes what stands in front of the pods, and takes away what no longer does.
async fn front(cluster: &Cluster, state: &mut State, anew: bool) -> Result<(), ProviderError> {
    let wanted = put_front(cluster, state, anew).await?;
    let of = state.of();
    let named: BTreeSet<(Kind, &str)> = wanted
        .iter()
        .map(|(kind, object)| (*kind, names::text_at(object, "/metadata/name")))
        .collect();
    let flagger = of.settings.controller() == Some(Controller::Flagger);
    for (kind, object) in &state.before {
        let name = names::text_at(object, "/metadata/name");
        // Flagger takes over the address and the route that are there.
        let taken_over =
            flagger && name == of.object && [kinds::SERVICE, kinds::HTTP_ROUTE].contains(kind);
        if !named.contains(&(*kind, name)) && !taken_over {
            cluster.delete(*kind, of.namespace(), name).await?;
        }
    }
    state.save(cluster).await
}

async fn create_service(
    cluster: &Cluster,
    state: &mut State,
    settings: &BTreeMap<Name, Value>,
) -> Result<(), ProviderError> {
    state.settings(settings);
    namespace(cluster, &state.of()).await?;
    front(cluster, state, true).await
}

/// The namespace must be there, or is made where the binding says so.
async fn namespace(cluster: &Cluster, of: &Of<'_>) -> Result<(), ProviderError> {
    let name = of.namespace();
    let mut known = cluster.namespaces.lock().await;
    if !of.settings.is("create_namespace") || known.contains(name) {
        return Ok(());
    }
    if cluster.get(kinds::NAMESPACE, "", name).await?.is_none() {
        let object = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        cluster.create(kinds::NAMESPACE, "", &object).await?;
    }
    known.insert(name.to_owned());
    Ok(())
}

async fn update_service(
    cluster: &Cluster,
    state: &mut State,
    settings: &BTreeMap<Name, Value>,
    timeout: Duration,
) -> Result<(), ProviderError> {
    let mut former = Former::of(state);
    state.adopts |= former.made_by_flagger();
    if former.gives_way_to_another(settings) {
        // Two controllers that know nothing of each other do so by way of dax.
        let between = settings
            .iter()
            .filter(|(name, _)| *name != "strategy")
            .map(|(name, value)| (name.clone(), value.clone()));
        state.settings(&between.collect());
        hold_all(cluster, state, &former).await?;
        former.replace(cluster, state, timeout / 2).await?;
        put_front(cluster, state, true).await?;
        former.clear(cluster, state).await?;
        former = Former::of(state);
    }
    state.settings(settings);
    if let Some((slot, revision, found)) = state.found.take() {
        let held = Held { revision: &revision, spec: &found.spec, replicas: found.replicas };
        state.settle_traffic(BTreeMap::from([(revision.clone(), WHOLE)]));
        state.note_found(&revision);
        hold(cluster, state, &slot, held, None, &Secrets::default()).await?;
        state.reload(cluster).await?;
    }
    hold_all(cluster, state, &former).await?;
    former.replace(cluster, state, timeout).await?;
    front(cluster, state, true).await?;
    former.clear(cluster, state).await
}

/// Writes Deployments again: their labels and limits come back, and what is taken over gets dax's mark.
async fn hold_all(
    cluster: &Cluster,
    state: &mut State,
    former: &Former,
) -> Result<(), ProviderError> {
    for holding in state.told.clone() {
        let held = Held {
            revision: &holding.wrote,
            spec: &holding.spec,
            replicas: former.replicas(&holding),
        };
        if holding.wrote == holding.revision {
            hold(cluster, state, &holding.slot, held, None, &Secrets::default()).await?;
        }
    }
    Ok(())
}

async fn delete_service(cluster: &Cluster, state: &State) -> Result<(), ProviderError> {
    let Some(record) = &state.record else { return Ok(()) };
    let of = record.of(&state.object);
    if of.settings.controller() == Some(Controller::Flagger) {
        // What Flagger took over and did not make stays when its Canary goes.
        for kind in [kinds::SERVICE, kinds::HTTP_ROUTE] {
            cluster.delete(kind, of.namespace(), of.object).await?;
        }
    }
    for (kind, object) in &state.before {
        cluster.delete(*kind, of.namespace(), names::text_at(object, "/metadata/name")).await?;
    }
    for holding in &state.holdings {
        release(cluster, &of, holding).await?;
    }
    cluster.delete(kinds::CONFIG_MAP, of.namespace(), &names::record(&state.object)).await
}

/// What the server would say to a change: its own checks, those of its admission, and who owns what.
pub(crate) async fn preview(
    cluster: &Cluster,
    call: &Call,
    settings: &BTreeMap<Name, Value>,
) -> Result<(), ProviderError> {
    let mut state = State::load(cluster, call).await?;
    state.adopts |= Former::of(&state).made_by_flagger();
    state.settings(settings);
    let of = state.of();
    if of.settings.get("route").is_some() {
        cluster.must_know(kinds::HTTP_ROUTE).await?;
    }
    match of.settings.controller() {
        Some(Controller::Flagger) => cluster.must_know(kinds::CANARY).await?,
        Some(Controller::Argo) => cluster.must_know(kinds::ROLLOUT).await?,
        None => {}
    }
    if cluster.get(kinds::NAMESPACE, "", of.namespace()).await?.is_none() {
        if of.settings.is("create_namespace") {
            return Ok(());
        }
        let name = of.namespace();
        let message = format!(
            "there is no namespace `{name}`: make it with `kubectl create namespace {name}`, or say `create_namespace = true`"
        );
        return Err(ProviderError::Refused { message });
    }
    match &call.operation {
        Operation::CreateService { .. } | Operation::UpdateService { .. } => {
            for (kind, object) in fronts(state.record()?, &state.object, &state.holdings)? {
                write(cluster, &state, kind, &object, true).await?;
            }
        }
        Operation::CreateRevision { revision, spec, replicas }
        | Operation::Roll { revision, spec, replicas, .. } => {
            let slot = match &call.operation {
                Operation::Roll { from, .. } => state
                    .target_or(from)
                    .map(|holding| Slot { adopted: false, ..holding.slot.clone() }),
                _ => None,
            };
            let slot = slot.unwrap_or_else(|| state.slot_for(revision));
            alone(&of, &state, &slot)?;
            let mut object =
                lower::workload(&of, &slot, Held { revision, spec, replicas: *replicas }, None);
            if of.settings.workload() == kinds::JOB {
                // What is there is not changed, but makes way.
                object["metadata"]["name"] = Json::from(format!("{}-{revision}", slot.name));
            }
            write(cluster, &state, of.settings.workload(), &object, true).await?;
        }
        _ => {}
    }
    Ok(())
}
