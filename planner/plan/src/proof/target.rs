//! What the steps of one service may do, and what they have to lead to.

use super::changes::Part;
use super::{Findings, result};
use crate::desired::OBJECT;
use crate::model::{Action, AppliedService, Task};
use crate::revision;
use crate::sequence::Sequence;
use dax_core::{ResourceAddr, RevisionId, Value};
use dax_model::{LiveService, Operation, WHOLE};
use std::collections::{BTreeMap, BTreeSet};

/// What the steps of a service may lead to, and nothing else.
pub(super) struct Target<'t> {
    applied: &'t AppliedService,
    /// How many replicas are wanted.
    wanted: i64,
    /// What served before, where it is still there.
    active: Option<RevisionId>,
    /// Whether something runs there already that is not removed first.
    runs: bool,
}

impl<'t> Target<'t> {
    pub(super) fn of(
        applied: &'t AppliedService,
        live: Option<&LiveService>,
        removed: bool,
        found: &mut Findings,
        addr: &ResourceAddr,
    ) -> Self {
        let live = live.filter(|_| !removed);
        whole(applied, found, addr);
        named(applied, live, found, addr);
        Self {
            applied,
            wanted: applied.values.get("replicas").and_then(Value::as_int).unwrap_or(1),
            active: live.and_then(LiveService::active).cloned(),
            runs: live.is_some(),
        }
    }

    fn is_object(&self) -> bool {
        self.applied.settings.contains_key(OBJECT)
    }

    /// Why a step has no place among those of the service: the field, and what is wrong with it.
    pub(super) fn allowed(
        &self,
        sequence: &Sequence,
        kind: &Task,
    ) -> Option<(&'static str, String)> {
        let Self { applied, wanted, .. } = self;
        let ours = |revision: &RevisionId| *revision == applied.revision;
        let not_ours = || Some(("revision", "is not the revision that comes".to_owned()));
        match kind {
            Task::Call(
                Operation::CreateService { settings } | Operation::UpdateService { settings },
            ) => (*settings != applied.settings)
                .then(|| ("settings", "are not those that the plan leaves".to_owned())),
            _ if self.is_object() => {
                Some(("object", "is about something that runs nothing".to_owned()))
            }
            Task::Call(Operation::DeleteService) => {
                Some(("delete_service", "removes what the plan leaves".to_owned()))
            }
            Task::Call(
                Operation::CreateRevision { revision, spec, replicas }
                | Operation::Roll { revision, spec, replicas, .. },
            ) => {
                if !ours(revision) {
                    return not_ours();
                }
                if RevisionId::of(spec) != *revision {
                    let name = RevisionId::of(spec);
                    return Some(("revision", format!("is not the name of its fields, {name}")));
                }
                if !revision::fits(spec, &applied.values, &applied.settings) {
                    return Some(("spec", "is not what the plan leaves of the service".to_owned()));
                }
                (*replicas > *wanted
                    || (matches!(kind, Task::Call(Operation::Roll { .. })) && replicas != wanted))
                    .then(|| ("replicas", format!("is {replicas}, and {wanted} are wanted")))
            }
            Task::Call(Operation::DeleteRevision { revision }) => (ours(revision)
                || applied.retained.contains(revision))
            .then(|| ("revision", "is one that the plan keeps".to_owned())),
            Task::Call(Operation::Scale { revision, replicas }) => {
                let most =
                    sequence.object.revisions.get(revision).map_or(0, |there| there.replicas);
                let most = if ours(revision) { *wanted } else { most };
                (*replicas > most)
                    .then(|| ("replicas", format!("is {replicas}, and {most} are wanted")))
            }
            Task::Call(
                Operation::AwaitReady { revision }
                | Operation::Run { revision, .. }
                | Operation::Migrate { revision, .. },
            ) => {
                if ours(revision) {
                    None
                } else {
                    not_ours()
                }
            }
            Task::Analyse { revision, against, .. } => {
                let others = against.as_ref().is_some_and(|old| Some(old) != self.active.as_ref());
                if ours(revision) && !others { None } else { not_ours() }
            }
            Task::Call(Operation::ShiftTraffic { traffic }) => {
                let known = |id: &RevisionId| ours(id) || Some(id) == self.active.as_ref();
                (!traffic.keys().all(known)).then(|| {
                    ("traffic", "reaches a revision that neither comes nor gives way".to_owned())
                })
            }
            Task::Call(Operation::Route { routes }) => (!routes
                .iter()
                .all(|route| ours(route.revision())))
            .then(|| ("routes", "lead to another revision than the one that comes".to_owned())),
            Task::Hold { .. } | Task::Gate { .. } => None,
        }
    }

    /// Whether the steps lead to what the plan says that it leaves.
    pub(super) fn reached(&self, part: &Part<'_>, sequence: &Sequence, found: &mut Findings) {
        let (applied, addr) = (self.applied, &part.change.addr);
        let object = &sequence.object;
        let mut say = |field: &str, message: &str| found.say(result(addr, field), message);
        if !sequence.exists {
            return say("provider", "is there in the end, and no step makes it");
        }
        if object.settings != applied.settings || !object.edits.is_empty() {
            say("settings", "are not those that the steps lead to");
        }
        if self.is_object() {
            if !applied.retained.is_empty() {
                say("retained", "has revisions of something that runs nothing");
            }
            return;
        }
        let whole = BTreeMap::from([(applied.revision.clone(), WHOLE)]);
        if object.traffic != whole || !object.routes.is_empty() {
            say("revision", "is not the one that all traffic reaches in the end");
        }
        let replicas = object.revisions.get(&applied.revision).map(|there| there.replicas);
        if replicas != Some(self.wanted) {
            say("values.replicas", "is not the number that the steps lead to");
        }
        let others = object.revisions.iter().filter(|(id, _)| **id != applied.revision);
        if others.clone().any(|(_, revision)| revision.replicas != 0) {
            say("retained", "has a revision that is not at rest");
        }
        let kept: BTreeSet<&RevisionId> = applied.retained.iter().collect();
        let left: BTreeSet<&RevisionId> = others.map(|(id, _)| id).collect();
        // Where it moves to something that runs already, what that kept stays as it is.
        let fits = if part.change.action == Action::Replace && self.runs {
            applied.retained.is_empty()
        } else {
            kept == left && kept.len() == applied.retained.len()
        };
        if !fits {
            say("retained", "are not the revisions that the steps leave at rest");
        }
    }
}

/// What stands among the fields, where it is shown, stands among the settings, too, from where it is carried out.
fn whole(applied: &AppliedService, found: &mut Findings, addr: &ResourceAddr) {
    let object = applied.settings.get(OBJECT);
    if object.is_some_and(|object| *object != applied.values) {
        found.say(result(addr, "settings.object"), "is not what its fields say");
    }
    let ports = (applied.settings.get("ports"), applied.values.get("ports"));
    if object.is_none() && ports.0 != Some(ports.1.unwrap_or(&Value::None)) {
        found.say(result(addr, "settings.ports"), "are not what its fields say");
    }
}

/// Whether the revision that the plan leaves bears the name of its fields.
fn named(
    applied: &AppliedService,
    live: Option<&LiveService>,
    found: &mut Findings,
    addr: &ResourceAddr,
) {
    if applied.settings.contains_key(OBJECT) {
        if !applied.revision.0.is_empty() {
            found.say(result(addr, "revision"), "is one of something that runs nothing");
        }
        return;
    }
    // Which settings belong to the revision, only its platform knows: a revision that runs tells, and so does a step.
    let running = live.and_then(|live| live.revisions.get(&applied.revision)).map(|one| &one.spec);
    let named = revision::settings_sets(&applied.settings, running).iter().any(|set| {
        RevisionId::of(&revision::spec(&applied.values, &applied.settings, set)) == applied.revision
    });
    if !named && running.is_some() {
        found.say(result(addr, "revision"), "is not the name of what the plan leaves");
    }
}
