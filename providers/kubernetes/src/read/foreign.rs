//! What somebody else runs under a name that a program wants: shown, so that nothing is overwritten unasked, and taken
//! over where the program says so.

use super::{Record, value};
use crate::kinds::{self, Kind};
use crate::status::number;
use crate::{names, quantity, settings};
use dax_core::{Name, Quantity, RevisionId, Unit, Value};
use dax_model::{LiveRevision, LiveService, WHOLE};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What holds the pods of somebody else under a name that a program wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theirs<'j> {
    pub(crate) kind: Kind,
    pub(crate) workload: &'j Json,
    /// The Deployment that Flagger made of it and that serves in its place.
    pub(crate) primary: Option<&'j Json>,
}

impl<'j> Theirs<'j> {
    /// Kinds that are looked for, in this order.
    pub(crate) const KINDS: [Kind; 4] =
        [kinds::DEPLOYMENT, kinds::STATEFUL_SET, kinds::ROLLOUT, kinds::CRON_JOB];

    /// `primary` is what is called as Flagger would call it, by whomever it was made.
    pub(crate) fn new(kind: Kind, workload: &'j Json, primary: Option<&'j Json>) -> Self {
        Self {
            kind,
            workload,
            primary: primary
                .filter(|primary| kind == kinds::DEPLOYMENT && canary(primary).is_some()),
        }
    }

    /// The Canary by which Flagger looks after it.
    pub(crate) fn canary(&self) -> Option<&'j str> {
        canary(self.primary?)
    }

    fn serving(&self) -> &'j Json {
        self.primary.unwrap_or(self.workload)
    }
}

/// The Canary that an object belongs to.
fn canary(object: &Json) -> Option<&str> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Json::as_array)?;
    let owner = owners
        .iter()
        .find(|owner| owner.get("kind").and_then(Json::as_str) == Some(kinds::CANARY.name))?;
    owner.get("name")?.as_str()
}

/// The service of somebody else: what holds its pods, a Service, or both.
pub(crate) fn service(
    place: &str,
    record: Option<&Record>,
    theirs: Option<Theirs<'_>>,
    address: Option<&Json>,
) -> Option<LiveService> {
    let deployment = theirs.map(|theirs| theirs.workload);
    let any = deployment.or(address)?;
    let by = match record {
        Some(record) => format!("dax, for the environment {}", record.environment),
        None => owner(any),
    };
    let ports = ports(address, deployment);
    let mut live = LiveService::default();
    live.settings.insert("namespace".into(), Value::str(place));
    live.settings.insert("managed_by".into(), Value::str(by));
    live.settings.insert("ports".into(), ports.clone());
    live.settings.insert("expose".into(), exposed(address, &ports));
    let Some(theirs) = theirs else { return Some(live) };
    let spec = spec(theirs.workload, ports).unwrap_or_default();
    let revision = RevisionId::of(&spec);
    let serving = theirs.serving();
    let found = LiveRevision {
        replicas: number(serving, "/spec/replicas"),
        ready: number(serving, "/status/readyReplicas"),
        spec,
    };
    live.revisions.insert(revision.clone(), found);
    live.traffic.insert(revision, WHOLE);
    Some(live)
}

/// An object of somebody else: what stands where the program wants something. Nothing where it is dax's own but for its record.
pub(crate) fn object(
    place: &str,
    environment: &str,
    name: &str,
    wanted: &Value,
    found: &Json,
) -> Option<LiveService> {
    let own = names::meta(found, "labels", names::ENVIRONMENT) == Some(environment)
        && names::meta(found, "annotations", names::SERVICE) == Some(name);
    if own {
        return None;
    }
    let mut live = LiveService::default();
    live.settings.insert("namespace".into(), Value::str(place));
    live.settings.insert("managed_by".into(), Value::str(owner(found)));
    live.settings.insert("object".into(), restricted(wanted, found));
    Some(live)
}

/// What stands where something is wanted.
fn restricted(wanted: &Value, found: &Json) -> Value {
    match (wanted, found) {
        (Value::Map(map), Json::Object(there)) => {
            let entry = |(name, wanted): (&Name, &Value)| {
                Some((name.clone(), restricted(wanted, there.get(name.as_str())?)))
            };
            Value::Map(map.iter().filter_map(entry).collect())
        }
        // Elements are told apart by their places; what the server adds to each is no difference.
        (Value::List(items), Json::Array(there)) if items.len() == there.len() => Value::List(
            items.iter().zip(there).map(|(wanted, found)| restricted(wanted, found)).collect(),
        ),
        // What the program says nothing of is nothing to it.
        (Value::None, _) => Value::None,
        (_, Json::Array(_) | Json::Object(_)) => whole(found),
        (wanted, found) => {
            let text = settings::json(wanted);
            let same = matches!((&text, found), (Json::String(a), Json::String(b)) if quantity::same(a, b));
            if same || text == *found { wanted.clone() } else { value(found) }
        }
    }
}

/// JSON as a value, with everything in it.
fn whole(found: &Json) -> Value {
    match found {
        Json::Array(items) => Value::List(items.iter().map(whole).collect()),
        Json::Object(map) => {
            Value::Map(map.iter().map(|(name, value)| (Name::new(name), whole(value))).collect())
        }
        leaf => value(leaf),
    }
}

/// Who looks after an object: as its label says, or who wrote it last.
fn owner(object: &Json) -> String {
    if let Some(name) = names::meta(object, "labels", names::MANAGED_BY) {
        return name.to_owned();
    }
    let entries =
        object.pointer("/metadata/managedFields").and_then(Json::as_array).into_iter().flatten();
    let mut managers: Vec<(&str, &str)> = entries
        .filter(|entry| names::text_at(entry, "/subresource").is_empty())
        .map(|entry| (names::text_at(entry, "/time"), names::text_at(entry, "/manager")))
        .collect();
    managers.sort_unstable();
    managers.last().map_or_else(|| "somebody else".to_owned(), |(_, manager)| (*manager).to_owned())
}

fn list<'j>(object: Option<&'j Json>, pointer: &str) -> &'j [Json] {
    object
        .and_then(|object| object.pointer(pointer))
        .and_then(Json::as_array)
        .map_or(&[][..], Vec::as_slice)
}

/// The name of a port; one without a name takes the requests.
fn port_name(port: &Json) -> &str {
    port.get("name").and_then(Json::as_str).unwrap_or("http")
}

/// The numbers on which the pods listen, by the names that the Service has for them, or else the container.
fn ports(address: Option<&Json>, deployment: Option<&Json>) -> Value {
    let of_container = list(deployment, "/spec/template/spec/containers/0/ports");
    let number = |port: &Json| {
        let target = port.get("targetPort").or_else(|| port.get("port"))?;
        let named = |name: &str| {
            of_container
                .iter()
                .find(|port| port.get("name").and_then(Json::as_str) == Some(name))?
                .get("containerPort")?
                .as_i64()
        };
        target.as_i64().or_else(|| named(target.as_str()?))
    };
    let of_service = list(address, "/spec/ports")
        .iter()
        .filter_map(|port| Some((Name::new(port_name(port)), Value::Int(number(port)?))));
    let of_service: BTreeMap<Name, Value> = of_service.collect();
    if !of_service.is_empty() {
        return Value::Map(of_service);
    }
    let own = |port: &Json| {
        Some((Name::new(port_name(port)), Value::Int(port.get("containerPort")?.as_i64()?)))
    };
    Value::Map(of_container.iter().filter_map(own).collect())
}

/// The Service's own numbers, where they are others than those of the pods.
fn exposed(address: Option<&Json>, ports: &Value) -> Value {
    let own = |port: &Json| {
        let (name, number) = (port_name(port), port.get("port")?.as_i64()?);
        (ports.get(name).and_then(Value::as_int) != Some(number))
            .then(|| (Name::new(name), Value::Int(number)))
    };
    Value::Map(list(address, "/spec/ports").iter().filter_map(own).collect())
}

/// The probe of a container as the language has it, where it asks the port that takes the requests.
fn health(deployment: &Json, container: &Json, ports: &Value) -> Option<Value> {
    let probe = container.get("readinessProbe")?;
    let main =
        ports.get("http").or_else(|| ports.entries().next().map(|(_, port)| port))?.as_int()?;
    let (kind, action) = match (probe.get("httpGet"), probe.get("tcpSocket")) {
        (Some(get), _) if get.get("scheme").is_none_or(|scheme| scheme == "HTTP") => ("http", get),
        (None, Some(socket)) => ("tcp", socket),
        _ => return None,
    };
    let port = action.get("port")?;
    let named = |name: &str| ports.get(name).and_then(Value::as_int);
    if port.as_i64().or_else(|| named(port.as_str()?)) != Some(main) {
        return None;
    }
    let number =
        |name: &str, default: i64| probe.get(name).and_then(Json::as_i64).unwrap_or(default);
    let seconds =
        |seconds: i64| Value::Quantity(Quantity::new(Unit::Duration, (seconds * 1000).into()));
    let path = action.get("path").and_then(Json::as_str).unwrap_or("/");
    let within =
        deployment.pointer("/spec/progressDeadlineSeconds").and_then(Json::as_i64).unwrap_or(600);
    Some(Value::Map(BTreeMap::from([
        ("every".into(), seconds(number("periodSeconds", 10))),
        ("fail_after".into(), Value::Int(number("failureThreshold", 3))),
        ("kind".into(), Value::str(kind)),
        ("path".into(), Value::str(path)),
        ("ready_within".into(), seconds(within)),
        ("timeout".into(), seconds(number("timeoutSeconds", 1))),
    ])))
}

/// The fields of the first container as the language has them. What the language has no words for stays as it is.
pub(crate) fn spec(deployment: &Json, ports: Value) -> Option<Value> {
    let container = deployment.pointer("/spec/template/spec/containers/0")?;
    let mut fields: BTreeMap<Name, Value> = BTreeMap::new();
    fields.insert("image".into(), value(container.get("image")?));
    let list =
        |name: &str| container.get(name).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    fields.insert("command".into(), Value::List(list("command").iter().map(value).collect()));
    let variable =
        |one: &Json| Some((Name::new(one.get("name")?.as_str()?), value(one.get("value")?)));
    fields.insert("env".into(), Value::Map(list("env").iter().filter_map(variable).collect()));
    let amount = |pointer: &str, unit| quantity::read(container.pointer(pointer)?.as_str()?, unit);
    fields.insert("cpu".into(), amount("/resources/requests/cpu", Unit::Cpu).unwrap_or_default());
    // Memory is dax's only where as much is kept as may be used.
    let memory = amount("/resources/limits/memory", Unit::Bytes)
        .filter(|limit| amount("/resources/requests/memory", Unit::Bytes).as_ref() == Some(limit));
    fields.insert("memory".into(), memory.unwrap_or_default());
    fields.insert("health".into(), health(deployment, container, &ports).unwrap_or_default());
    fields.insert("on".into(), Value::Map(settings::defaults(ports)));
    Some(Value::Map(fields))
}
