//! The graph as JSON, for `dax build`.
//!
//! The format is versioned; a reader refuses a version that it does not know.

use crate::{Data, Environment, Graph, Layer, Node, Service, Via};
use dax_core::Sources;
use serde_json::{Map, Value as Json, json};

/// The version of the format that [`to_json`] writes.
pub const FORMAT_VERSION: u32 = 1;

/// The graph with the place of every leaf; `only` keeps one environment.
pub fn to_json(graph: &Graph, sources: &Sources, only: Option<&str>) -> Json {
    let environments: Map<String, Json> = graph
        .environments
        .values()
        .filter(|environment| only.is_none_or(|name| environment.name == name))
        .map(|environment| (environment.name.to_string(), environment_json(environment, sources)))
        .collect();
    json!({
        "format_version": FORMAT_VERSION,
        "project": graph.project,
        "params": graph.params.iter().map(|(k, v)| (k.to_string(), json!(v.value().shape()))).collect::<Map<_, _>>(),
        "environments": environments,
    })
}

fn environment_json(environment: &Environment, sources: &Sources) -> Json {
    let services: Map<String, Json> = environment
        .services
        .values()
        .map(|service| (service.addr.to_string(), service_json(service, sources)))
        .collect();
    let after: Vec<Json> = environment
        .after
        .iter()
        .map(|after| json!({ "environment": after.environment, "soak_ms": after.soak_ms, "verified": after.verified }))
        .collect();
    let approvals: Vec<Json> = environment
        .approvals
        .iter()
        .map(|one| json!({ "count": one.count, "of": one.of }))
        .collect();
    let windows: Vec<Json> = environment
        .windows
        .iter()
        .map(|w| json!({ "days": w.days, "from": w.from, "to": w.to, "zone": w.zone }))
        .collect();
    let releases: Vec<Json> = environment
        .releases
        .iter()
        .map(|r| json!({ "name": r.name, "services": r.services }))
        .collect();
    json!({
        "after": after,
        "approvals": approvals,
        "on_failure": environment.on_failure,
        "preview": environment.preview,
        "windows": windows,
        "releases": releases,
        "services": services,
    })
}

fn service_json(service: &Service, sources: &Sources) -> Json {
    let mut provenance = Map::new();
    collect(&service.desired, String::new(), sources, &mut provenance);
    let mut json = json!({
        "span": sources.location(service.span),
        "provider": { "instance": service.provider.instance, "config": service.provider.config.value().shape() },
        "binding": service.binding.value().shape(),
        "key": service.key,
        "protected": service.protected,
        "strategy": { "name": service.strategy.name, "kind": service.strategy.kind, "config": service.strategy.config.value().shape() },
        "needs": service.needs.iter().map(|need| json!({ "addr": need.addr, "span": sources.location(need.span) })).collect::<Vec<_>>(),
        "values": service.desired.value().shape(),
        "provenance": provenance,
    });
    if service.resource {
        json["resource"] = json!(true);
    }
    json
}

fn collect(node: &Node, path: String, sources: &Sources, into: &mut Map<String, Json>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match &node.data {
        Data::Map(map) if !map.is_empty() => {
            for (key, item) in map {
                collect(item, join(key), sources, into);
            }
        }
        _ => {
            let origin = node.origin;
            let layer = match origin.layer {
                Layer::Type => "type",
                Layer::Default => "default",
                Layer::Plain => "plain",
                Layer::Override => "override",
                Layer::Sealed => "sealed",
            };
            let via = match origin.via {
                Via::Type => "type",
                Via::Item => "item",
                Via::Patch => "patch",
                Via::Set => "set",
            };
            into.insert(
                path,
                json!({ "span": sources.location(origin.span), "layer": layer, "via": via }),
            );
        }
    }
}
