//! What somebody else runs under a name that a program wants: shown, so that nothing is overwritten unasked, and taken
//! over where the program says so.

use super::{Record, value};
use crate::{names, quantity, settings};
use dax_core::{LiveRevision, LiveService, Name, RevisionId, Unit, Value, WHOLE};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The service of somebody else: a Deployment, a Service, or both.
pub(crate) fn service(place: &str, record: Option<&Record>, deployment: Option<&Json>, address: Option<&Json>) -> Option<LiveService> {
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
    let Some(deployment) = deployment else { return Some(live) };
    let spec = spec(deployment, ports)?;
    let revision = RevisionId::of(&spec);
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Json::as_i64).unwrap_or(0);
    let found = LiveRevision { replicas: number("/spec/replicas"), ready: number("/status/readyReplicas"), spec };
    live.revisions.insert(revision.clone(), found);
    live.traffic.insert(revision, WHOLE);
    Some(live)
}

/// Who looks after an object: as its label says, or who wrote it last.
fn owner(object: &Json) -> String {
    if let Some(name) = names::meta(object, "labels", names::MANAGED_BY) {
        return name.to_owned();
    }
    let entries = object.pointer("/metadata/managedFields").and_then(Json::as_array).into_iter().flatten();
    let mut managers: Vec<(&str, &str)> = entries
        .filter(|entry| names::text_at(entry, "/subresource").is_empty())
        .map(|entry| (names::text_at(entry, "/time"), names::text_at(entry, "/manager")))
        .collect();
    managers.sort_unstable();
    managers.last().map_or_else(|| "somebody else".to_owned(), |(_, manager)| (*manager).to_owned())
}

fn ports(address: Option<&Json>, deployment: Option<&Json>) -> Value {
    let list = |object: Option<&Json>, pointer: &str| -> Vec<Json> {
        object.and_then(|object| object.pointer(pointer)).and_then(Json::as_array).cloned().unwrap_or_default()
    };
    let of_service = list(address, "/spec/ports");
    let of_container = list(deployment, "/spec/template/spec/containers/0/ports");
    let (ports, field) = if of_service.is_empty() { (of_container, "containerPort") } else { (of_service, "port") };
    let port = |port: &Json| {
        let name = port.get("name").and_then(Json::as_str).unwrap_or("http");
        Some((Name::new(name), Value::Int(port.get(field)?.as_i64()?)))
    };
    Value::Map(ports.iter().filter_map(port).collect())
}

/// The fields of the first container as the language has them. What the language has no words for stays as it is.
pub(crate) fn spec(deployment: &Json, ports: Value) -> Option<Value> {
    let container = deployment.pointer("/spec/template/spec/containers/0")?;
    let mut fields: BTreeMap<Name, Value> = BTreeMap::new();
    fields.insert("image".into(), value(container.get("image")?));
    let list = |name: &str| container.get(name).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    fields.insert("command".into(), Value::List(list("command").iter().map(value).collect()));
    let variable = |one: &Json| Some((Name::new(one.get("name")?.as_str()?), value(one.get("value")?)));
    fields.insert("env".into(), Value::Map(list("env").iter().filter_map(variable).collect()));
    let amount = |pointer: &str, unit| quantity::read(container.pointer(pointer)?.as_str()?, unit);
    fields.insert("cpu".into(), amount("/resources/requests/cpu", Unit::Cpu).unwrap_or_default());
    fields.insert("memory".into(), amount("/resources/limits/memory", Unit::Bytes).unwrap_or_default());
    fields.insert("health".into(), Value::None);
    fields.insert("on".into(), Value::Map(settings::defaults(ports)));
    Some(Value::Map(fields))
}
