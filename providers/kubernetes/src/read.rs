//! What runs: lists of objects become services.

mod foreign;
mod holding;
mod serving;

pub(crate) use foreign::{Theirs, object as foreign_object, service as foreign};
pub(crate) use holding::{Holding, holding, slot_of};
pub(crate) use serving::{ask as ask_serving, put as put_serving, revision_of, target};

use crate::cluster::Cluster;
use crate::handed::Controller;
use crate::kinds::{self, Kind};
use crate::lower::{self, Of, Slot, Traffic};
use crate::names;
use crate::owned;
use crate::settings::Settings;
use dax_core::{Name, RevisionId, Value};
use dax_model::{Edit, LiveRevision, LiveService, Route, WHOLE};
use dax_provider_api::{Fence, ProviderError, Scope, Sought};
use futures::future::try_join_all;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// What dax was told of a service, as its ConfigMap remembers it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) environment: String,
    pub(crate) service: String,
    pub(crate) settings: BTreeMap<Name, Value>,
    pub(crate) traffic: BTreeMap<RevisionId, u32>,
    pub(crate) routes: Vec<Route>,
    pub(crate) fence: Option<Fence>,
    /// Deployments beside the one that is called as the service.
    pub(crate) slots: BTreeSet<String>,
    /// The revision that gives way while a controller beside dax is at work, with its fields.
    pub(crate) former: Option<(RevisionId, Value)>,
    /// The pods that a controller beside dax looked after before dax took over, as somebody else wrote them, with their
    /// revision: written as they were, they are what serves already, and nothing is rolled out for them.
    pub(crate) found: Option<(RevisionId, Json)>,
    /// Of the ConfigMap; empty before it is made.
    pub(crate) version: String,
}

impl Record {
    /// Reads a ConfigMap; one that makes no sense is none.
    pub(crate) fn read(object: &Json) -> Option<Self> {
        let data = |name: &str| serde_json::from_str(object.get("data")?.get(name)?.as_str()?).ok();
        let parse = |name: &str| -> Option<Json> { data(name) };
        Some(Self {
            environment: names::meta(object, "labels", names::ENVIRONMENT)?.to_owned(),
            service: names::meta(object, "annotations", names::SERVICE)?.to_owned(),
            settings: serde_json::from_value(parse("settings")?).ok()?,
            traffic: serde_json::from_value(parse("traffic")?).ok()?,
            routes: parse("routes")
                .and_then(|routes| serde_json::from_value(routes).ok())
                .unwrap_or_default(),
            fence: parse("fence").and_then(|fence| serde_json::from_value(fence).ok()).flatten(),
            slots: parse("slots")
                .and_then(|slots| serde_json::from_value(slots).ok())
                .unwrap_or_default(),
            former: parse("former")
                .and_then(|former| serde_json::from_value(former).ok())
                .flatten(),
            found: parse("found").and_then(|found| serde_json::from_value(found).ok()).flatten(),
            version: names::text_at(object, "/metadata/resourceVersion").to_owned(),
        })
    }

    /// The ConfigMap.
    pub(crate) fn object(&self, name: &str) -> Json {
        let of = self.of(name);
        let mut object = of.head(kinds::CONFIG_MAP, &names::record(name));
        let text = |value: serde_json::Result<String>| json!(value.expect("records serialise"));
        object["data"] = json!({
            "settings": text(serde_json::to_string(&self.settings)),
            "traffic": text(serde_json::to_string(&self.traffic)),
            "routes": text(serde_json::to_string(&self.routes)),
            "fence": text(serde_json::to_string(&self.fence)),
            "slots": text(serde_json::to_string(&self.slots)),
        });
        if let Some(former) = &self.former {
            object["data"]["former"] = text(serde_json::to_string(former));
        }
        if let Some(found) = &self.found {
            object["data"]["found"] = text(serde_json::to_string(found));
        }
        if !self.version.is_empty() {
            object["metadata"]["resourceVersion"] = json!(self.version);
        }
        object
    }

    pub(crate) fn of<'a>(&'a self, object: &'a str) -> Of<'a> {
        Of {
            environment: &self.environment,
            service: &self.service,
            object,
            settings: Settings(&self.settings),
        }
    }
}

/// Who gets the requests, by slots; revisions that are held nowhere get none.
pub(crate) fn traffic<'a>(
    record: &'a Record,
    slots: &BTreeMap<&RevisionId, &'a Slot>,
) -> Traffic<'a> {
    let shares =
        record.traffic.iter().filter_map(|(revision, share)| Some((*slots.get(revision)?, *share)));
    let routes =
        record.routes.iter().filter_map(|route| Some((*slots.get(route.revision())?, route)));
    let main = record.traffic.iter().max_by_key(|(_, share)| **share).map(|(revision, _)| revision);
    Traffic { shares: shares.collect(), routes: routes.collect(), revision: main }
}

/// Objects by kind and name.
pub(crate) type Objects = BTreeMap<(Kind, String), Json>;

/// A service from its record, its Deployments and what stands in front of them.
pub(crate) fn service(
    record: &Record,
    object: &str,
    holdings: &[Holding],
    objects: Option<&Objects>,
) -> LiveService {
    let mut live = LiveService {
        settings: record.settings.clone(),
        routes: record.routes.clone(),
        ..LiveService::default()
    };
    let mut derived: BTreeMap<&RevisionId, &RevisionId> = BTreeMap::new();
    for holding in holdings {
        derived.insert(&holding.wrote, &holding.revision);
        let revision = LiveRevision {
            replicas: holding.replicas,
            ready: holding.ready,
            spec: holding.spec.clone(),
        };
        live.revisions.insert(holding.revision.clone(), revision);
        live.edits.extend(holding.edits.iter().cloned());
        live.changed_by.extend(holding.changed_by.clone());
    }
    // Somebody's change of the pods made another revision of the one that dax had sent the requests to.
    let named = |revision: &RevisionId| {
        derived.get(revision).map_or_else(|| revision.clone(), |derived| (*derived).clone())
    };
    let held = |revision: &RevisionId| derived.contains_key(revision);
    let whole = record.traffic.keys().chain(record.routes.iter().map(Route::revision)).all(held);
    live.traffic = record
        .traffic
        .iter()
        .filter(|(revision, _)| held(revision))
        .map(|(revision, share)| (named(revision), *share))
        .collect();
    if holdings.iter().any(|holding| holding.share.is_some()) {
        let shares = holdings.iter().filter_map(|holding| {
            Some((holding.revision.clone(), holding.share.filter(|share| *share > 0)?))
        });
        live.traffic = shares.collect();
    }
    let of = record.of(object);
    let slots: BTreeMap<&RevisionId, &Slot> =
        holdings.iter().map(|holding| (&holding.wrote, &holding.slot)).collect();
    let traffic = traffic(record, &slots);
    live.url = url(&of);
    // Where a revision is gone that requests went to, what stands in front of it has to be written anyway.
    let Some(objects) = objects.filter(|_| whole) else { return live };
    let Ok(front) = lower::front(&of, &traffic) else { return live };
    for (kind, wrote) in front {
        let name = names::text_at(&wrote, "/metadata/name");
        let label = format!("{}/{name}", kind.name);
        let Some(found) = objects.get(&(kind, name.to_owned())) else {
            let by = Name::default();
            live.edits.push(Edit {
                path: label.into(),
                by,
                wrote: Value::str("there"),
                found: Value::str("gone"),
            });
            continue;
        };
        // Weights that somebody else gave are shares of the traffic, and no leaves beside it.
        let actual = (kind == kinds::HTTP_ROUTE)
            .then(|| shares(found, holdings))
            .flatten()
            .filter(|shares| *shares != live.traffic);
        let others =
            |difference: &owned::Difference| of.settings.yields() && !difference.by.is_empty();
        for difference in
            owned::differences(&wrote, found).into_iter().filter(|difference| !others(difference))
        {
            if let Some(shares) =
                actual.as_ref().filter(|_| difference.path.starts_with("spec.rules"))
            {
                live.traffic.clone_from(shares);
                live.changed_by.insert("traffic".into(), Name::new(&difference.by));
            } else {
                live.edits.push(edit(&label, &difference));
            }
        }
    }
    live.edits.sort();
    live
}

pub(crate) fn edit(label: &str, difference: &owned::Difference) -> Edit {
    Edit {
        path: Name::new(format!("{label} {}", difference.path)),
        by: Name::new(&difference.by),
        wrote: value(&difference.wrote),
        found: value(&difference.found),
    }
}

/// JSON as a value; what is no leaf stays text.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::String(text) => Value::str(text),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::str(number.to_string()), Value::Int)
        }
        other => Value::str(other.to_string()),
    }
}

/// The shares that an HTTPRoute really gives, where each of its backends is one of ours.
fn shares(route: &Json, holdings: &[Holding]) -> Option<BTreeMap<RevisionId, u32>> {
    let rules = route.pointer("/spec/rules")?.as_array()?;
    let mut weights: BTreeMap<RevisionId, u64> = BTreeMap::new();
    for backend in rules.last()?.get("backendRefs")?.as_array()? {
        let name = backend.get("name")?.as_str()?;
        let holding = holdings.iter().find(|holding| names::backend(&holding.slot.name) == name)?;
        weights.insert(
            holding.revision.clone(),
            backend.get("weight").and_then(Json::as_u64).unwrap_or(1),
        );
    }
    let sum: u64 = weights.values().sum();
    let share =
        |weight: u64| u32::try_from(weight * u64::from(WHOLE) / sum.max(1)).unwrap_or(WHOLE);
    Some(
        weights
            .into_iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(revision, weight)| (revision, share(weight)))
            .collect(),
    )
}

fn url(of: &Of<'_>) -> Option<Name> {
    let (name, port) = of.settings.main_port()?;
    let port = of.settings.exposed(name, port);
    for (way, tls) in [("route", false), ("ingress", true)] {
        let Some(config) = of.settings.get(way) else { continue };
        if let Some(host) = config.get("hosts").and_then(|hosts| hosts.items().first()?.as_str()) {
            let secure = tls && config.get("tls").is_some_and(|tls| *tls != Value::None);
            let path = config.get("path").and_then(Value::as_str).unwrap_or("/");
            return Some(
                format!("{}://{host}{path}", if secure { "https" } else { "http" }).into(),
            );
        }
    }
    Some(format!("http://{}.{}.svc:{port}/", of.object, of.namespace()).into())
}

/// Kinds beside those that every service has.
fn further(records: &BTreeMap<String, Record>) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    for record in records.values() {
        if let Some(object) = Settings(&record.settings).object() {
            kinds.insert(lower::object_kind(object));
            continue;
        }
        let has = |name: &str| Settings(&record.settings).get(name).is_some();
        let each = [
            ("autoscale", kinds::AUTOSCALER),
            ("min_available", kinds::BUDGET),
            ("ingress", kinds::INGRESS),
            ("route", kinds::HTTP_ROUTE),
        ];
        kinds.extend(
            Some(Settings(&record.settings).workload()).filter(|kind| *kind != kinds::DEPLOYMENT),
        );
        match Settings(&record.settings).controller() {
            Some(Controller::Flagger) => kinds.extend([kinds::CANARY, kinds::METRIC_TEMPLATE]),
            Some(Controller::Argo) => drop(kinds.insert(kinds::ANALYSIS_TEMPLATE)),
            None => {}
        }
        kinds.extend(each.iter().filter(|(name, _)| has(name)).map(|(_, kind)| *kind));
    }
    kinds
}

/// Kinds of which a program can be made, and those that it is said of that it cannot.
const IMPORTED: [Kind; 14] = [
    kinds::DEPLOYMENT,
    kinds::STATEFUL_SET,
    kinds::CRON_JOB,
    kinds::SERVICE,
    kinds::INGRESS,
    kinds::HTTP_ROUTE,
    kinds::AUTOSCALER,
    kinds::BUDGET,
    kinds::CONFIG_MAP,
    kinds::JOB,
    kinds::CANARY,
    kinds::METRIC_TEMPLATE,
    kinds::ROLLOUT,
    kinds::ANALYSIS_TEMPLATE,
];

/// Further kinds that stand in many namespaces.
const OTHERS: [(&str, &str); 5] = [
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("v1", "LimitRange"),
    ("v1", "ResourceQuota"),
];

/// All objects of namespaces of which a program can be made, as one list.
pub(crate) async fn everything(
    cluster: &Cluster,
    namespaces: &[String],
) -> Result<String, ProviderError> {
    let mut items = Vec::new();
    for namespace in namespaces {
        if cluster.get(kinds::NAMESPACE, "", namespace).await?.is_none() {
            return Err(ProviderError::Refused {
                message: format!("`{}` has no namespace `{namespace}`", cluster.name),
            });
        }
        let others = OTHERS.iter().map(|(version, kind)| Kind::named(version, kind));
        let kinds: Vec<Kind> = IMPORTED.iter().copied().chain(others).collect();
        let lists = try_join_all(
            kinds
                .into_iter()
                .map(|kind| async move { Ok((kind, cluster.list(kind, namespace, "").await?)) }),
        )
        .await?;
        for (kind, objects) in lists {
            items.extend(objects.into_iter().map(|mut object| {
                (object["apiVersion"], object["kind"]) = (json!(kind.version), json!(kind.name));
                object
            }));
        }
    }
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())
}

/// Every service of an environment in the places that are asked for.
pub(crate) async fn read(
    cluster: &Cluster,
    scope: &Scope,
) -> Result<BTreeMap<Name, LiveService>, ProviderError> {
    let places: BTreeSet<&Name> =
        scope.objects.values().flat_map(|sought| &sought.places).collect();
    let each =
        try_join_all(places.into_iter().map(|place| namespace(cluster, scope, place))).await?;
    Ok(each.into_iter().flatten().collect())
}

/// What holds pods beside Deployments. Who may not look there takes none of it over.
async fn others(cluster: &Cluster, place: &Name) -> Result<Vec<(Kind, Json)>, ProviderError> {
    let lists =
        try_join_all(Theirs::KINDS.into_iter().filter(|kind| *kind != kinds::DEPLOYMENT).map(
            |kind| async move {
                match cluster.list(kind, place, "").await {
                    Err(ProviderError::Refused { .. }) => Ok(Vec::new()),
                    found => {
                        found.map(|found| found.into_iter().map(|object| (kind, object)).collect())
                    }
                }
            },
        ));
    Ok(lists.await?.into_iter().flatten().collect())
}

async fn namespace(
    cluster: &Cluster,
    scope: &Scope,
    place: &Name,
) -> Result<BTreeMap<Name, LiveService>, ProviderError> {
    let ours = format!("{}={}", names::MANAGED_BY, names::MANAGER);
    let (records, deployments, services, accounts) = futures::try_join!(
        cluster.list(kinds::CONFIG_MAP, place, &ours),
        cluster.list(kinds::DEPLOYMENT, place, ""),
        cluster.list(kinds::SERVICE, place, ""),
        cluster.list(kinds::SERVICE_ACCOUNT, place, &ours),
    )?;
    let mut known: BTreeMap<String, Record> = BTreeMap::new();
    for object in &records {
        let name = names::text_at(object, "/metadata/name").strip_suffix(".dax");
        if let (Some(name), Some(record)) = (name, Record::read(object)) {
            known.insert(name.to_owned(), record);
        }
    }
    let ours = ours.as_str();
    let more = try_join_all(further(&known).into_iter().map(|kind| async move {
        let found = cluster.list(kind, place, ours).await?;
        Ok::<_, ProviderError>(found.into_iter().map(move |object| (kind, object)))
    }))
    .await?;
    let mut objects = Objects::new();
    let named = |kind: Kind, object: Json| {
        ((kind, names::text_at(&object, "/metadata/name").to_owned()), object)
    };
    objects.extend(services.into_iter().map(|object| named(kinds::SERVICE, object)));
    objects.extend(accounts.into_iter().map(|object| named(kinds::SERVICE_ACCOUNT, object)));
    objects.extend(more.into_iter().flatten().map(|(kind, object)| named(kind, object)));
    let mut by_service: BTreeMap<&str, Vec<(Kind, &Json)>> = BTreeMap::new();
    let workloads = objects
        .iter()
        .filter(|((kind, _), _)| kind.holds_pods())
        .map(|((kind, _), object)| (*kind, object));
    for (kind, workload) in
        deployments.iter().map(|deployment| (kinds::DEPLOYMENT, deployment)).chain(workloads)
    {
        if let Some(name) = names::meta(workload, "labels", names::NAME)
            .filter(|_| names::meta(workload, "annotations", names::SPEC).is_some())
        {
            by_service.entry(name).or_default().push((kind, workload));
        }
    }
    let mut all = BTreeMap::new();
    for (object, record) in
        known.iter().filter(|(_, record)| record.environment == scope.environment.as_str())
    {
        let of = record.of(object);
        let held = by_service.get(object.as_str()).into_iter().flatten();
        let held: Vec<&Json> = held
            .filter(|(kind, _)| *kind == of.settings.workload())
            .map(|(_, object)| *object)
            .collect();
        let mut holdings: Vec<Holding> =
            held.iter().filter_map(|deployment| holding(&of, deployment)).collect();
        let name =
            target(record, &holdings).map(|target| target.slot.name.clone()).unwrap_or_default();
        let called =
            |name: String| move |object: &&&Json| names::text_at(object, "/metadata/name") == name;
        if let (Some(controller), Some(target)) =
            (of.settings.controller(), held.iter().find(called(name.clone())))
        {
            let primary = || {
                deployments
                    .iter()
                    .collect::<Vec<_>>()
                    .iter()
                    .find(called(lower::primary(&name)))
                    .copied()
            };
            let canary = || objects.get(&(kinds::CANARY, object.clone()));
            let serving = match controller {
                Controller::Flagger => primary()
                    .zip(canary())
                    .map(|(primary, canary)| serving::of_flagger(primary, canary)),
                Controller::Argo => ask_serving(cluster, &of, target).await?,
            };
            serving.into_iter().for_each(|serving| put_serving(&mut holdings, serving, record));
        }
        all.insert(Name::new(&record.service), service(record, object, &holdings, Some(&objects)));
    }
    // What somebody else has under a name that is asked for.
    let unknown =
        |(name, sought): (&Name, &Sought)| sought.object.is_none() && !all.contains_key(name);
    let others =
        if scope.objects.iter().any(unknown) { others(cluster, place).await? } else { Vec::new() };
    for (name, sought) in scope.objects.iter().filter(|(_, sought)| sought.places.contains(place)) {
        if all.contains_key(name) {
            continue;
        }
        let object = names::object(name);
        if let Some(wanted) = &sought.object {
            let found = cluster
                .get(lower::object_kind(wanted), place, lower::object_name(wanted, &object))
                .await;
            // A kind that is not known is told by whoever looks at what would be changed.
            if let Some(found) =
                found.or_else(|error| if error.is_transient() { Err(error) } else { Ok(None) })?
            {
                all.extend(
                    foreign::object(place, &scope.environment, name, wanted, &found)
                        .map(|found| (name.clone(), found)),
                );
            }
            continue;
        }
        let called = |name: &str| {
            deployments
                .iter()
                .find(|deployment| names::text_at(deployment, "/metadata/name") == name)
        };
        let other =
            || others.iter().find(|(_, other)| names::text_at(other, "/metadata/name") == object);
        let workload = called(&object)
            .map(|found| (kinds::DEPLOYMENT, found))
            .or_else(|| other().map(|(kind, found)| (*kind, found)));
        let primary = called(&lower::primary(&object));
        let theirs = workload.map(|(kind, workload)| Theirs::new(kind, workload, primary));
        let address = objects.get(&(kinds::SERVICE, object.clone()));
        // What is dax's own but for its record is made again, which changes nothing of it.
        let own = |found: &Json| {
            names::meta(found, "labels", names::ENVIRONMENT) == Some(scope.environment.as_str())
                && names::meta(found, "annotations", names::SERVICE) == Some(name)
        };
        if !known.contains_key(&object)
            && theirs.map(|theirs| theirs.workload).or(address).is_some_and(own)
        {
            continue;
        }
        if let Some(found) = foreign(place, known.get(&object), theirs, address) {
            all.insert(name.clone(), found);
        }
    }
    Ok(all)
}
