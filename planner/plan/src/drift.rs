//! Drift: where what runs is not what was applied, leaf by leaf.

use crate::diff;
use crate::image::{LiveState, routes_value, traffic_value};
use crate::model::{AppliedService, Owner};
use dax_core::{Name, ResourceAddr, Value, WHOLE};
use std::collections::BTreeMap;

/// A leaf that drifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The service.
    pub addr: ResourceAddr,
    /// The path; empty where the whole service is gone.
    pub path: Name,
    /// What was applied.
    pub applied: Option<Value>,
    /// What runs.
    pub live: Option<Value>,
    /// Who changed it.
    pub owner: Owner,
}

/// Every leaf that dax owns and that is not as it was applied.
pub fn drift(applied: &BTreeMap<ResourceAddr, AppliedService>, live: &LiveState) -> Vec<Drift> {
    let mut all = Vec::new();
    for (addr, service) in applied {
        let mut say = |path: Name, applied: Option<Value>, live: Option<Value>, owner: Owner| {
            all.push(Drift { addr: addr.clone(), path, applied, live, owner });
        };
        let Some(runs) = live.get(&service.provider).and_then(|objects| objects.get(service.object(addr))) else {
            say(Name::default(), Some(Value::Str(service.revision.0.clone())), None, Owner::Other);
            continue;
        };
        let fields = crate::desired::Fields::Value(&service.values);
        for leaf in diff::leaves(fields, Some(&service.values), Some(&diff::live_values(runs)), &|_| String::new()) {
            say(leaf.path, leaf.before, leaf.live.filter(|live| *live != Value::None), leaf.owner);
        }
        let names = service.settings.keys().chain(runs.settings.keys().filter(|name| !service.settings.contains_key(*name)));
        for name in names.filter(|name| *name != "ports") {
            let (was, is) = (service.settings.get(name), runs.settings.get(name));
            if was != is {
                say(format!("{}.{name}", service.provider).into(), was.cloned(), is.cloned(), Owner::Other);
            }
        }
        let whole = BTreeMap::from([(service.revision.clone(), WHOLE)]);
        if runs.traffic != whole {
            say("traffic".into(), Some(traffic_value(&whole)), Some(traffic_value(&runs.traffic)), Owner::Other);
        }
        if !runs.routes.is_empty() {
            say("routes".into(), None, Some(routes_value(&runs.routes)), Owner::Other);
        }
        for (id, revision) in &runs.revisions {
            if *id != service.revision && revision.replicas > 0 {
                say(format!("revisions.{id}.replicas").into(), Some(Value::Int(0)), Some(Value::Int(revision.replicas)), Owner::Other);
            }
        }
    }
    all
}
