//! Three-way difference: desired × applied × live, leaf by leaf.

use crate::desired::{Fields, OBJECT};
use crate::model::{LeafChange, Owner};
use crate::revision::SETTINGS;
use dax_core::{Name, Span, Value};
use dax_model::LiveService;
use std::collections::{BTreeMap, BTreeSet};

/// The service's fields as they run: those of its active revision, its replicas and its ports.
pub(crate) fn live_values(live: &LiveService) -> Value {
    let mut map: BTreeMap<Name, Value> = BTreeMap::new();
    if let Some(active) = live.active().and_then(|id| live.revisions.get(id)) {
        if let Value::Map(spec) = &active.spec {
            map.extend(
                spec.iter()
                    .filter(|(name, _)| *name != SETTINGS)
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        map.insert("replicas".into(), Value::Int(active.replicas));
    }
    if let Some(Value::Map(object)) = live.settings.get(OBJECT) {
        map.extend(object.clone());
    }
    map.extend(live.settings.get("ports").map(|ports| ("ports".into(), ports.clone())));
    Value::Map(map)
}

/// The leaves of a service that change, by path.
pub(crate) fn leaves(
    fields: Fields<'_>,
    applied: Option<&Value>,
    live: Option<&Value>,
    locate: &dyn Fn(Span) -> String,
) -> Vec<LeafChange> {
    let wanted = fields.value();
    let (want, have) = (flat(&wanted), applied.map(flat).unwrap_or_default());
    let run = live.map(flat).unwrap_or_default();
    let paths: BTreeSet<&String> = want.keys().chain(have.keys()).chain(run.keys()).collect();
    let mut changes = Vec::new();
    for path in paths {
        // What a service needs does not run; only the state remembers it.
        let is_live = live.is_some() && path != "needs";
        let (w, h) = (want.get(path).copied(), have.get(path).copied());
        let r = if is_live { run.get(path).copied() } else { h };
        if w == h && w == r || (applied.is_none() && is_live && w == r) {
            continue;
        }
        let origin = fields.origin(path);
        let drifted = is_live && r != h && applied.is_some();
        changes.push(LeafChange {
            path: Name::new(path),
            before: if applied.is_some() { h } else { r }.cloned(),
            after: w.cloned(),
            live: if drifted && r != w { Some(r.cloned().unwrap_or(Value::None)) } else { None },
            owner: if drifted {
                Owner::Other
            } else if origin.is_some_and(|(_, default)| default) {
                Owner::Default
            } else {
                Owner::Dax
            },
            origin: origin.map(|(span, _)| locate(span)),
            changed_by: None,
        });
    }
    changes
}

/// Leaves by dotted path; lists are leaves, absent values are not there.
pub(crate) fn flatten<'v>(
    value: &'v Value,
    path: String,
    into: &mut impl FnMut(String, &'v Value),
) {
    match value {
        Value::None => {}
        Value::Map(map) if map.is_empty() && path.is_empty() => {}
        Value::Map(map) => {
            for (key, item) in map {
                let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                flatten(item, path, into);
            }
        }
        Value::List(items) if items.is_empty() => {}
        leaf => into(path, leaf),
    }
}

fn flat(value: &Value) -> BTreeMap<String, &Value> {
    let mut leaves = BTreeMap::new();
    flatten(value, String::new(), &mut |path, leaf| {
        leaves.insert(path, leaf);
    });
    leaves
}
