//! A plan against the state and the world in which it is about to be carried out.

use super::changes::{Part, held};
use super::{Unsound, place, result};
use crate::image::LiveState;
use crate::leaves::Applied;
use crate::model::{Action, AppliedService, Plan};
use crate::{digest, invariants};
use dax_core::{Name, ResourceAddr};
use std::collections::BTreeMap;

/// Everything in which a plan, which is sound by itself, is not about this state and this world.
///
/// What reviewers were shown as the value before is held against what was applied, protection is that of the state,
/// and what the plan promises is promised for what is ready now.
pub fn against(
    plan: &Plan,
    state: &BTreeMap<ResourceAddr, AppliedService>,
    live: &LiveState,
) -> Vec<Unsound> {
    let mut found = Vec::new();
    for part in Part::all(plan) {
        let change = part.change;
        let was = change.moved_from.as_ref().unwrap_or(&change.addr);
        let before = state.get(was);
        let known = plan.known.get(&change.addr);
        if known.is_some_and(|known| *known != before.map(digest::fingerprint)) {
            found.push(unsound(format!("known.{}", change.addr), "is not what the state holds"));
            continue;
        }
        found.extend(match part.change.blocked {
            None => of_change(&part, was, before),
            Some(_) => of_blocked(&part, was, before),
        });
    }
    if found.is_empty() {
        let runs = |provider: &str, object: &str| live.get(provider)?.get(object);
        found.extend(invariants::prove_over(plan, runs).into_iter().map(|broken| {
            let message = format!("breaks a promise, as things are now: {broken}");
            unsound(format!("steps[{}]", broken.step.0), message)
        }));
    }
    found
}

fn unsound(field: String, message: impl Into<String>) -> Unsound {
    Unsound { field, message: message.into() }
}

/// What may not be done stays as the state has it.
fn of_blocked(
    part: &Part<'_>,
    was: &ResourceAddr,
    before: Option<&AppliedService>,
) -> Vec<Unsound> {
    let change = part.change;
    let Some(before) = before.filter(|_| change.moved_from.is_none()) else { return Vec::new() };
    let mut found = Vec::new();
    if part.result() != Some(before) {
        let field = format!("result.{}", change.addr);
        found.push(unsound(field, "is not what the state holds, and nothing is done"));
    }
    let live = part.plan.observed(&before.provider, before.object(was));
    if change.action == Action::Delete && change.from != live.map(|_| before.revision.clone()) {
        found.push(unsound(place(part.at, "from"), "is not the revision that gives way"));
    }
    found
}

fn of_change(part: &Part<'_>, was: &ResourceAddr, before: Option<&AppliedService>) -> Vec<Unsound> {
    let (plan, change) = (part.plan, part.change);
    let mut found = Vec::new();
    let mut say = |field: String, message: &str| found.push(unsound(field, message));
    let old = before.map(|before| (&before.provider, Name::new(before.object(was))));
    let Some(applied) = part.result() else {
        let Some((before, (provider, object))) = before.zip(old) else {
            say(place(part.at, "action"), "is about something that the state does not hold");
            return found;
        };
        let live = plan.observed(provider, &object);
        if change.from != live.map(|_| before.revision.clone()) {
            say(place(part.at, "from"), "is not the revision that gives way");
        }
        if part.steps.iter().any(|step| step.provider != *provider || step.object != object) {
            say(format!("steps[{}].object", part.first), "is not what dax had there");
        }
        if before.protected && change.action == Action::Delete {
            say(place(part.at, "blocked"), "is empty, though the state protects this service");
        }
        return found;
    };
    let object = applied.object(&change.addr);
    if let (Some(before), Some((provider, old))) = (before, &old) {
        if **provider == applied.provider && *old != object {
            say(result(&change.addr, "object"), "is not what it is called there");
        }
        if change.action == Action::Replace {
            let foreign = |step: &&crate::Step| step.provider != applied.provider;
            let elsewhere = part.steps.iter().find(foreign);
            if elsewhere.is_some_and(|step| step.provider != **provider || step.object != *old) {
                say(format!("steps[{}].object", part.first), "is not what dax had there");
            }
            if change.from.as_ref() != Some(&before.revision) {
                say(place(part.at, "from"), "is not the revision that gives way");
            }
            if before.protected && applied.protected {
                say(place(part.at, "blocked"), "is empty, though the state protects this service");
            }
        }
        let mut kept = change.from.iter().chain(&before.retained);
        let own = **provider == applied.provider && change.action != Action::Replace;
        if own && !applied.retained.iter().all(|id| kept.any(|one| one == id)) {
            let message = "are not those that dax kept, the newest first";
            say(result(&change.addr, "retained"), message);
        }
    }
    let live = plan.observed(&applied.provider, object);
    let protected = before.is_some_and(|before| before.protected);
    found.extend(held(part, applied, live, before.map(Applied::of), Some(protected)));
    found
}
