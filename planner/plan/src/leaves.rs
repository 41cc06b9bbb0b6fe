//! The leaves of a change, and what it is: one function for the planner and for the proof of a plan that is read.
//!
//! Whatever reviewers are shown of a change comes from here, so that a saved plan can be held against what it does.

use crate::desired::{Fields, OBJECT};
use crate::diff;
use crate::model::{Action, AppliedService, LeafChange, Mode, Owner, Reason};
use crate::revision::REVISION_FIELDS;
use dax_core::{Name, RevisionId, Span, Value};
use dax_model::{Edit, LiveService, WHOLE};
use std::collections::{BTreeMap, BTreeSet};

/// What is wanted of a service beside what was applied and what runs.
#[derive(Clone, Copy)]
pub(crate) struct Compared<'c> {
    /// Its fields.
    pub(crate) fields: Fields<'c>,
    /// Provider settings.
    pub(crate) settings: &'c BTreeMap<Name, Value>,
    /// The provider instance.
    pub(crate) provider: &'c Name,
    /// The revision that is to serve.
    pub(crate) revision: &'c RevisionId,
    /// What was applied.
    pub(crate) applied: Option<Applied<'c>>,
    /// What runs.
    pub(crate) live: Option<&'c LiveService>,
}

/// What was applied, as far as leaves tell of it.
#[derive(Clone, Copy)]
pub(crate) struct Applied<'c> {
    pub(crate) values: &'c Value,
    pub(crate) settings: &'c BTreeMap<Name, Value>,
    pub(crate) provider: &'c Name,
}

impl<'c> Applied<'c> {
    pub(crate) fn of(applied: &'c AppliedService) -> Self {
        Self { values: &applied.values, settings: &applied.settings, provider: &applied.provider }
    }
}

impl Compared<'_> {
    fn is_object(&self) -> bool {
        self.settings.contains_key(OBJECT)
    }

    /// Whether another revision takes over.
    pub(crate) fn takes_over(&self) -> bool {
        !self.is_object() && self.live.and_then(LiveService::active) != Some(self.revision)
    }

    /// The leaves of a service that is changed where it runs.
    pub(crate) fn changed(&self, locate: &dyn Fn(Span) -> String) -> Vec<LeafChange> {
        let live_values = self.live.map(diff::live_values);
        let applied = self.applied.map(|applied| applied.values);
        let mut leaves = diff::leaves(self.fields, applied, live_values.as_ref(), locate);
        leaves.extend(self.setting_changes());
        let Some(live) = self.live else { return leaves };
        leaves.extend(live.edits.iter().map(edited));
        for leaf in
            leaves.iter_mut().filter(|leaf| leaf.owner == Owner::Other && leaf.changed_by.is_none())
        {
            leaf.changed_by = live.changed_by.get(&leaf.path).cloned();
        }
        leaves.extend(self.traffic_change());
        if self.applied.is_none() {
            // Nobody knows who set what runs already.
            leaves
                .iter_mut()
                .filter(|leaf| leaf.owner == Owner::Dax)
                .for_each(|leaf| leaf.owner = Owner::Unknown);
        }
        leaves
    }

    /// How many leaves stand behind those of the fields and the settings.
    pub(crate) fn foreign(&self) -> usize {
        let edits = self.live.map_or(0, |live| live.edits.len());
        edits + usize::from(self.traffic_change().is_some())
    }

    /// The shares as a change, where somebody else has divided them.
    fn traffic_change(&self) -> Option<LeafChange> {
        let live = self.live.filter(|_| !self.is_object() && !self.takes_over())?;
        let whole = BTreeMap::from([(self.revision.clone(), WHOLE)]);
        let shown = crate::image::traffic_value;
        (live.traffic != whole)
            .then(|| plain_change("traffic", Some(shown(&live.traffic)), Some(shown(&whole))))
    }

    /// The leaves of a service that is removed and made again.
    pub(crate) fn replaced(&self, locate: &dyn Fn(Span) -> String) -> Vec<LeafChange> {
        let applied = self.applied.map(|applied| applied.values);
        let mut leaves = diff::leaves(self.fields, applied, None, locate);
        leaves.extend(self.setting_changes());
        if let Some(applied) = self.applied.filter(|applied| applied.provider != self.provider) {
            let name = |provider: &Name| Some(Value::Ref(provider.clone()));
            leaves.push(plain_change("provider", name(applied.provider), name(self.provider)));
        }
        leaves
    }

    /// Provider settings that change; ports are a field of the service and stand there.
    fn setting_changes(&self) -> Vec<LeafChange> {
        let applied = self.applied.map(|applied| applied.settings);
        let Some(before) = applied.or(self.live.map(|live| &live.settings)) else {
            return Vec::new();
        };
        let names = self
            .settings
            .keys()
            .chain(before.keys().filter(|name| !self.settings.contains_key(*name)));
        let changes = |name: &Name| {
            let (was, is) = (before.get(name), self.settings.get(name));
            was != is && !(nothing(was) && nothing(is))
        };
        let plain = |path: &str, before: Option<&Value>, after: Option<&Value>| {
            plain_change(&format!("{}.{path}", self.provider), before.cloned(), after.cloned())
        };
        let change = |name: &Name| match (before.get(name), self.settings.get(name)) {
            // Of a record only what changes is shown.
            (Some(Value::Map(was)), Some(Value::Map(is))) => {
                let keys: BTreeSet<&Name> = was
                    .keys()
                    .chain(is.keys())
                    .filter(|key| was.get(*key) != is.get(*key))
                    .collect();
                keys.into_iter()
                    .map(|key| plain(&format!("{name}.{key}"), was.get(key), is.get(key)))
                    .collect()
            }
            (was, is) => vec![plain(name, was, is)],
        };
        names
            .filter(|name| *name != "ports" && *name != OBJECT && changes(name))
            .flat_map(change)
            .collect()
    }
}

/// Whether a setting says nothing: what was never said and is nothing is no change.
fn nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::None) => true,
        Some(Value::List(items)) => items.is_empty(),
        Some(Value::Map(map)) => map.is_empty(),
        Some(_) => false,
    }
}

/// What decides which word a change gets.
pub(crate) struct Happening<'h> {
    pub(crate) mode: Mode,
    /// Whether the state knows the service.
    pub(crate) known: bool,
    /// Whether the state knows it by another name.
    pub(crate) moved: bool,
    /// Whether it is to be protected and was not, or the other way round.
    pub(crate) protection: bool,
    pub(crate) runs: bool,
    pub(crate) object: bool,
    pub(crate) takes_over: bool,
    pub(crate) steps: bool,
    pub(crate) leaves: &'h [LeafChange],
}

/// What happens to a service that is changed where it runs, and why.
pub(crate) fn action(happening: &Happening<'_>) -> (Action, Reason) {
    let (action, reason) = happens(happening);
    (action, if happening.mode == Mode::Rollback { Reason::RolledBack } else { reason })
}

fn happens(happening: &Happening<'_>) -> (Action, Reason) {
    let Happening { known, moved, protection, runs, object, takes_over, steps, leaves, .. } =
        *happening;
    if !known {
        return if runs { (Action::Adopt, Reason::Adopted) } else { (Action::Create, Reason::New) };
    }
    if !runs {
        return (Action::Create, Reason::Lost);
    }
    if !steps && leaves.is_empty() {
        if moved {
            return (Action::Move, Reason::Moved);
        }
        if protection {
            return (Action::Update, Reason::Protection);
        }
    }
    let drifted = leaves.iter().any(|leaf| leaf.owner == Owner::Other || leaf.path == "traffic");
    let meant = leaves.iter().any(|leaf| leaf.owner != Owner::Other && leaf.path != "traffic");
    let revised = leaves
        .iter()
        .any(|leaf| REVISION_FIELDS.contains(&leaf.path.split('.').next().unwrap_or("")));
    let rollout = takes_over || (revised && !object);
    let action = if rollout { Action::Rollout } else { Action::Update };
    (action, if drifted && !meant { Reason::Drifted } else { Reason::Changed })
}

/// What somebody else changed, which comes back.
fn edited(edit: &Edit) -> LeafChange {
    let wrote = Some(edit.wrote.clone());
    let by = Some(edit.by.clone()).filter(|by| !by.is_empty());
    let plain = plain_change(&edit.path, wrote.clone(), wrote);
    LeafChange { live: Some(edit.found.clone()), owner: Owner::Other, changed_by: by, ..plain }
}

/// What keeps dax from writing over what others wrote, where the binding says that it must not.
pub(crate) fn contested(settings: &BTreeMap<Name, Value>, leaves: &[LeafChange]) -> Option<String> {
    let refuses = settings.get("conflicts").and_then(Value::as_str) == Some("fail");
    let leaf = leaves.iter().find(|leaf| refuses && leaf.changed_by.is_some())?;
    let by = leaf.changed_by.as_ref()?;
    Some(format!(
        "`{}` was changed by `{by}`: say `conflicts = \"force\"` to write over it, or `\"yield\"` to leave it to them",
        leaf.path
    ))
}

fn plain_change(path: &str, before: Option<Value>, after: Option<Value>) -> LeafChange {
    LeafChange {
        path: path.into(),
        before,
        after,
        live: None,
        owner: Owner::Dax,
        origin: None,
        changed_by: None,
    }
}
