//! Leaves: what a change shows, against what it does.
//!
//! What was applied before stands in no plan; its leaves tell it. So a plan alone can be held against itself: where
//! the leaves say nothing, nothing may differ between what is left and what runs.

use super::{Findings, place};
use crate::desired::OBJECT;
use crate::leaves::{Applied, Compared};
use crate::model::{AppliedService, Change, LeafChange, Owner, Reason};
use dax_core::{Name, Value};
use dax_model::LiveService;
use std::collections::BTreeMap;

/// What a change says of a service.
pub(super) struct Shown<'s> {
    pub(super) change: &'s Change,
    pub(super) applied: &'s AppliedService,
    pub(super) live: Option<&'s LiveService>,
    pub(super) known: bool,
}

/// What was applied before, as far as the leaves tell.
pub(super) struct Before {
    values: Value,
    settings: BTreeMap<Name, Value>,
    provider: Name,
}

impl Before {
    pub(super) fn applied(&self) -> Applied<'_> {
        Applied { values: &self.values, settings: &self.settings, provider: &self.provider }
    }
}

/// Takes the leaves back from what is left; nothing where dax did not know the service.
pub(super) fn before(shown: &Shown<'_>) -> Option<Before> {
    let Shown { change, applied, live, known } = shown;
    if !known {
        return None;
    }
    let mut fields: BTreeMap<Name, Value> = BTreeMap::new();
    crate::diff::flatten(&applied.values, String::new(), &mut |path, value| {
        fields.insert(path.into(), value.clone());
    });
    let mut settings = applied.settings.clone();
    let mut provider = applied.provider.clone();
    let mut leaves = change.leaves.as_slice();
    if change.reason == Reason::ProviderChanged {
        if let Some((LeafChange { path, before: Some(Value::Ref(old)), .. }, rest)) =
            leaves.split_last()
            && path == "provider"
        {
            (provider, leaves) = (old.clone(), rest);
        }
    } else {
        // Behind the fields and the settings stand what others changed and how they divided the traffic.
        let compared = Compared {
            fields: crate::desired::Fields::Value(&applied.values),
            settings: &applied.settings,
            provider: &applied.provider,
            revision: &applied.revision,
            applied: None,
            live: *live,
        };
        leaves = leaves.get(..leaves.len().saturating_sub(compared.foreign())).unwrap_or_default();
    }
    let prefix = format!("{}.", applied.provider);
    for leaf in leaves {
        match leaf.path.strip_prefix(&prefix) {
            None => set(&mut fields, &leaf.path, leaf.before.as_ref()),
            Some(setting) => {
                let (name, key) = match setting.split_once('.') {
                    Some((name, key)) => (name, Some(key)),
                    None => (setting, None),
                };
                match (settings.get_mut(name), key) {
                    (Some(Value::Map(map)), Some(key)) => set(map, key, leaf.before.as_ref()),
                    _ => set(&mut settings, name, leaf.before.as_ref()),
                }
            }
        }
    }
    // An object that runs nothing is its fields.
    if applied.settings.contains_key(OBJECT) {
        settings.remove(OBJECT);
    }
    Some(Before { values: Value::Map(fields), settings, provider })
}

fn set(map: &mut BTreeMap<Name, Value>, name: &str, value: Option<&Value>) {
    match value {
        Some(value) => drop(map.insert(name.into(), value.clone())),
        None => drop(map.remove(name)),
    }
}

/// Holds leaves against those that the planner shows; where the program says a thing stands only in the program.
pub(super) fn same(at: usize, shown: &[LeafChange], wanted: &[LeafChange], found: &mut Findings) {
    let place = |index: usize| place(at, &format!("leaves[{index}]"));
    for (index, (shown, wanted)) in shown.iter().zip(wanted).enumerate() {
        let owner = shown.owner == wanted.owner
            || (shown.owner == Owner::Default
                && matches!(wanted.owner, Owner::Dax | Owner::Unknown));
        let fields = [
            ("path", shown.path == wanted.path),
            ("before", shown.before == wanted.before),
            ("after", shown.after == wanted.after),
            ("live", shown.live == wanted.live),
            ("changed_by", shown.changed_by == wanted.changed_by),
            ("owner", owner),
        ];
        if let Some((field, _)) = fields.into_iter().find(|(_, same)| !same) {
            let message = format!("is not what the steps do to `{}`", wanted.path);
            return found.say(format!("{}.{field}", place(index)), message);
        }
    }
    if let Some(hidden) = wanted.get(shown.len()) {
        found.say(
            super::place(at, "leaves"),
            format!("does not show `{}`, which changes", hidden.path),
        );
    } else if shown.len() > wanted.len() {
        found.say(place(wanted.len()), "is shown, and does not change");
    }
}
