//! Drift: where what runs is not what was applied, leaf by leaf.

use crate::desired::OBJECT;
use crate::diff;
use crate::image::{LiveState, routes_value, traffic_value};
use crate::model::{AppliedService, Owner};
use dax_core::{Name, ResourceAddr, Value};
use dax_model::WHOLE;
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
    /// By the name that the platform has for them.
    pub by: Option<Name>,
}

/// Every leaf that dax owns and that is not as it was applied.
pub fn drift(applied: &BTreeMap<ResourceAddr, AppliedService>, live: &LiveState) -> Vec<Drift> {
    let mut all = Vec::new();
    for (addr, service) in applied {
        let mut edits = Vec::new();
        let runs =
            live.get(&service.provider).and_then(|objects| objects.get(service.object(addr)));
        let mut say = |path: Name, applied: Option<Value>, live: Option<Value>, owner: Owner| {
            let by = runs.and_then(|runs| runs.changed_by.get(&path)).cloned();
            all.push(Drift { addr: addr.clone(), path, applied, live, owner, by });
        };
        let Some(runs) = runs else {
            say(Name::default(), Some(Value::Str(service.revision.0.clone())), None, Owner::Other);
            continue;
        };
        let object = service.settings.contains_key(OBJECT);
        if !object && runs.active().is_none_or(|active| !runs.revisions.contains_key(active)) {
            say(
                "revision".into(),
                Some(Value::Str(service.revision.0.clone())),
                None,
                Owner::Other,
            );
            continue;
        }
        let fields = crate::desired::Fields::Value(&service.values);
        for leaf in
            diff::leaves(fields, Some(&service.values), Some(&diff::live_values(runs)), &|_| {
                String::new()
            })
        {
            say(leaf.path, leaf.before, leaf.live.filter(|live| *live != Value::None), leaf.owner);
        }
        let names = service
            .settings
            .keys()
            .chain(runs.settings.keys().filter(|name| !service.settings.contains_key(*name)));
        for name in names.filter(|name| *name != "ports" && *name != OBJECT) {
            let (was, is) = (service.settings.get(name), runs.settings.get(name));
            if was != is {
                say(
                    format!("{}.{name}", service.provider).into(),
                    was.cloned(),
                    is.cloned(),
                    Owner::Other,
                );
            }
        }
        // A revision that somebody else made in place of dax's is told by its leaves.
        let only =
            runs.traffic.keys().next().filter(|_| {
                runs.traffic.len() == 1 && !runs.revisions.contains_key(&service.revision)
            });
        let active = only.unwrap_or(&service.revision);
        let whole = BTreeMap::from([(active.clone(), WHOLE)]);
        if runs.traffic != whole && !object {
            say(
                "traffic".into(),
                Some(traffic_value(&whole)),
                Some(traffic_value(&runs.traffic)),
                Owner::Other,
            );
        }
        if !runs.routes.is_empty() {
            say("routes".into(), None, Some(routes_value(&runs.routes)), Owner::Other);
        }
        for edit in &runs.edits {
            let by = Some(edit.by.clone()).filter(|by| !by.is_empty());
            let (wrote, found) = (Some(edit.wrote.clone()), Some(edit.found.clone()));
            edits.push(Drift {
                addr: addr.clone(),
                path: edit.path.clone(),
                applied: wrote,
                live: found,
                owner: Owner::Other,
                by,
            });
        }
        for (id, revision) in &runs.revisions {
            if id != active && revision.replicas > 0 {
                say(
                    format!("revisions.{id}.replicas").into(),
                    Some(Value::Int(0)),
                    Some(Value::Int(revision.replicas)),
                    Owner::Other,
                );
            }
        }
        all.append(&mut edits);
    }
    all
}
