//! Changes: each says what its steps do, and its steps lead to what it says.

use super::leaves::{self, Shown};
use super::steps::{equal, take};
use super::target::Target;
use super::{Findings, Unsound, of_changes, place};
use crate::desired::{HANDED_OVER, OBJECT};
use crate::leaves::{Happening, action, contested};
use crate::model::{Action, AppliedService, Change, Mode, Plan, Reason, ReplaceOrder, Step};
use crate::passes::risk;
use crate::sequence::Sequence;
use dax_core::{Name, ResourceAddr};
use dax_model::LiveService;
use std::collections::{BTreeMap, BTreeSet};

/// What there is to a change: the plan, its place, and its steps.
#[derive(Clone, Copy)]
pub(super) struct Part<'p> {
    pub(super) plan: &'p Plan,
    pub(super) at: usize,
    pub(super) change: &'p Change,
    pub(super) first: usize,
    pub(super) steps: &'p [Step],
}

impl<'p> Part<'p> {
    pub(super) fn all(plan: &'p Plan) -> impl Iterator<Item = Self> {
        let steps = of_changes(plan).into_iter().zip(&plan.changes).enumerate();
        steps.map(move |(at, ((first, steps), change))| Self { plan, at, change, first, steps })
    }

    fn field(&self, name: &str) -> String {
        place(self.at, name)
    }

    /// What the change leaves; nothing when it takes the service away.
    pub(super) fn result(&self) -> Option<&'p AppliedService> {
        self.plan.result.get(&self.change.addr)?.as_ref()
    }
}

/// Every change has its result and what was known before, no other has; each object was observed.
pub(super) fn complete(plan: &Plan, found: &mut Findings) {
    let changed: BTreeSet<&ResourceAddr> = plan.changes.iter().map(|one| &one.addr).collect();
    if changed.len() != plan.changes.len() {
        found.say("changes", "names a service twice");
    }
    if !changed.iter().copied().eq(plan.result.keys()) {
        found.say("result", "is not about the services that change");
    }
    if !changed.iter().copied().eq(plan.known.keys()) {
        found.say("known", "is not about the services that change");
    }
    let digest = |text: &Name| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    for (addr, known) in &plan.known {
        if !known.as_ref().is_none_or(digest) {
            found.say(format!("known.{addr}"), "is no digest");
        }
    }
    let mut meant: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut gone = 0;
    for part in Part::all(plan) {
        meant.extend(part.steps.iter().map(|step| (&*step.provider, &*step.object)));
        match part.result() {
            Some(result) => {
                meant.insert((&result.provider, result.object(&part.change.addr)));
            }
            None => gone += usize::from(part.steps.is_empty()),
        }
    }
    let observed = |key: &(&str, &str)| {
        plan.observed.get(key.0).is_some_and(|objects| objects.contains_key(key.1))
    };
    let protected = plan.changes.iter().any(|change| change.blocked.is_some());
    if let Some((provider, object)) = meant.iter().find(|key| !observed(key)).filter(|_| !protected)
    {
        found.say("observed", format!("lacks `{object}` on `{provider}`, which the plan is about"));
    }
    // What is only forgotten has no steps that say where it was.
    let all: usize = plan.observed.values().map(BTreeMap::len).sum();
    let known = meant.iter().filter(|key| observed(key)).count();
    if all > known + gone {
        found.say("observed", "has objects that no change is about");
    }
}

pub(super) fn check(plan: &Plan, found: &mut Findings) {
    for part in Part::all(plan) {
        match (part.result(), &part.change.blocked) {
            (None, _) => gone(&part, found),
            (Some(_), Some(_)) => {
                if !part.steps.is_empty() {
                    found.say(
                        part.field("blocked"),
                        "says that nothing is done, and there are steps",
                    );
                }
            }
            (Some(result), None) => kept(&part, result, found),
        }
        let risks = risk::risks(part.change, part.steps);
        if risks != part.change.risks {
            found.say(part.field("risks"), "are not those that its steps bear");
        }
    }
}

/// A service that goes, or that only the state forgets.
fn gone(part: &Part<'_>, found: &mut Findings) {
    let Part { plan, change, first, steps, .. } = *part;
    let blocked = change.blocked.is_some();
    let action = if steps.is_empty() && !blocked { Action::Forget } else { Action::Delete };
    if change.action != action || (blocked && !steps.is_empty()) {
        found.say(part.field("action"), "is not what happens to a service that goes so");
    }
    let reasons: &[Reason] = match (plan.mode, action) {
        (Mode::Apply, Action::Forget) => &[Reason::Kept, Reason::Removed],
        (Mode::Apply, _) => &[Reason::Removed],
        (Mode::Rollback, _) => &[Reason::RolledBack],
        (Mode::Destroy, _) => &[Reason::Destroyed],
    };
    if !reasons.contains(&change.reason) {
        found.say(part.field("reason"), "is none for which a service goes");
    }
    let shown = change.leaves.is_empty()
        && change.to.is_none()
        && change.strategy.is_none()
        && change.replace.is_none();
    if !shown {
        found.say(part.field("leaves"), "says of a service that goes what comes");
    }
    if plan.known.get(&change.addr).is_some_and(Option::is_none) {
        found.say(format!("known.{}", change.addr), "says that dax never had what goes");
    }
    if let Some(step) = steps.first() {
        removal(part, &step.provider, &step.object, first, steps, found);
        if change.from.is_none() {
            found.say(part.field("from"), "names no revision that gives way");
        }
    }
}

/// Steps that take an object away are just those that the planner makes for it.
fn removal(
    part: &Part<'_>,
    provider: &Name,
    object: &Name,
    first: usize,
    steps: &[Step],
    found: &mut Findings,
) {
    if let Some(other) =
        steps.iter().position(|step| step.provider != *provider || step.object != *object)
    {
        found
            .say(format!("steps[{}].object", first + other), "is another than that of its service");
        return;
    }
    let mut going = Sequence::of(part.plan.observed(provider, object));
    going.remove();
    equal(&going.drafts, first, steps, found);
}

/// A service that is there when all is done.
fn kept(part: &Part<'_>, applied: &AppliedService, found: &mut Findings) {
    let Part { plan, change, first, steps, .. } = *part;
    let addr = &change.addr;
    let object = applied.object(addr);
    let here = |step: &Step| step.provider == applied.provider && step.object == object;
    let live = plan.observed(&applied.provider, object);
    let replaced = change.action == Action::Replace;
    if replaced != change.replace.is_some() {
        found.say(part.field("replace"), "does not go with the action");
        return;
    }
    // What runs on another provider goes as a whole, before the new one or behind it.
    let moves = replaced && change.reason == Reason::ProviderChanged;
    let own = steps.iter().filter(|step| here(step)).count();
    let elsewhere = steps.len() - own;
    let old_first = steps.first().is_some_and(|step| !here(step));
    let (old, new) =
        if old_first { (0..elsewhere, elsewhere..steps.len()) } else { (own..steps.len(), 0..own) };
    let together = steps.get(new.clone()).unwrap_or_default().iter().all(here);
    if !together || (elsewhere > 0) != moves {
        found.say(format!("steps[{first}].object"), "is another than that of its service");
        return;
    }
    let old_steps = steps.get(old.clone()).unwrap_or_default();
    if let Some(step) = old_steps.first() {
        removal(part, &step.provider, &step.object, first + old.start, old_steps, found);
        let order = if old_first { ReplaceOrder::DeleteFirst } else { ReplaceOrder::CreateFirst };
        if change.replace.as_ref().is_none_or(|replace| replace.order != order) {
            found.say(part.field("replace.order"), "is not the order of the steps");
        }
    }
    let mut sequence = Sequence::of(live);
    let (mut at, mut rest) = (first + new.start, steps.get(new.start..new.end).unwrap_or_default());
    if replaced && !moves {
        sequence.remove();
        let count = sequence.drafts.len();
        let going = rest.get(..count).unwrap_or(rest);
        if !equal(&sequence.drafts, at, going, found) {
            return;
        }
        (at, rest) = (at + count, rest.get(count..).unwrap_or_default());
    }
    let target = Target::of(applied, live, replaced && !moves, found, addr);
    for step in rest {
        let allowed = target.allowed(&sequence, &step.task);
        if let Some((field, why)) = allowed {
            found.say(format!("steps[{at}].task.{field}"), why);
            return;
        }
        if !take(&mut sequence, at, step, found) {
            return;
        }
        at += 1;
    }
    target.reached(part, &sequence, found);
    shown(part, applied, live, found);
}

/// Whether reviewers are shown what happens.
fn shown(
    part: &Part<'_>,
    applied: &AppliedService,
    live: Option<&LiveService>,
    found: &mut Findings,
) {
    let Part { plan, change, .. } = *part;
    let known = plan.known.get(&change.addr).is_some_and(Option::is_some);
    let shown = Shown { change, applied, live, known };
    let past = leaves::before(&shown);
    for wrong in held(part, applied, live, past.as_ref().map(leaves::Before::applied), None) {
        found.0.push(wrong);
    }
}

/// Holds what a change shows against what was applied; without `protected` nothing is known of protection before.
pub(super) fn held(
    part: &Part<'_>,
    applied: &AppliedService,
    live: Option<&LiveService>,
    before: Option<crate::leaves::Applied<'_>>,
    protected: Option<bool>,
) -> Vec<Unsound> {
    let Part { plan, change, steps, .. } = *part;
    let mut found = Findings::default();
    let compared = crate::leaves::Compared {
        fields: crate::desired::Fields::Value(&applied.values),
        settings: &applied.settings,
        provider: &applied.provider,
        revision: &applied.revision,
        applied: before,
        live,
    };
    let object = applied.settings.contains_key(OBJECT);
    let to = Some(applied.revision.clone()).filter(|_| !object);
    if change.action == Action::Replace {
        leaves::same(part.at, &change.leaves, &compared.replaced(&|_| String::new()), &mut found);
        replaced(part, applied, live, &mut found);
        if change.to != to || change.strategy.is_some() || change.from.is_none() {
            found.say(part.field("to"), "is not the revision that comes");
        }
        return found.0;
    }
    let wanted = compared.changed(&|_| String::new());
    leaves::same(part.at, &change.leaves, &wanted, &mut found);
    if contested(&applied.settings, &wanted).is_some() {
        found.say(part.field("blocked"), "is empty, though the binding leaves this to others");
    }
    let takes_over = compared.takes_over();
    let from = live.and_then(LiveService::active).cloned().filter(|_| takes_over);
    if change.from != from {
        found.say(part.field("from"), "is not the revision that gives way");
    }
    if change.to != to.filter(|_| takes_over) {
        found.say(part.field("to"), "is not the revision that comes");
    }
    let happening = |protection| Happening {
        mode: plan.mode,
        known: before.is_some(),
        moved: change.moved_from.is_some(),
        protection,
        runs: live.is_some(),
        object,
        takes_over,
        steps: !steps.is_empty(),
        leaves: &change.leaves,
    };
    let either: Vec<(Action, Reason)> = match protected {
        Some(before) => vec![action(&happening(before != applied.protected))],
        None => vec![action(&happening(false)), action(&happening(true))],
    };
    if !either.iter().any(|(action, _)| *action == change.action) {
        found.say(part.field("action"), "is not what its steps do");
    } else if !either.contains(&(change.action, change.reason)) {
        found.say(part.field("reason"), "is not why this happens");
    }
    let rolls = matches!(change.action, Action::Rollout | Action::Adopt)
        && change.from.is_some()
        && takes_over;
    let by = applied.settings.get(HANDED_OVER).and_then(|handed| handed.get("mode")?.as_str());
    let said = match &change.strategy {
        None => !rolls,
        Some((_, kind)) => rolls && by.is_none_or(|by| kind.ends_with(&format!(" by {by}"))),
    };
    if !said {
        found.say(part.field("strategy"), "does not go with what happens");
    }
    found.0
}

fn replaced(
    part: &Part<'_>,
    applied: &AppliedService,
    live: Option<&LiveService>,
    found: &mut Findings,
) {
    let Some(replace) = &part.change.replace else { return };
    match part.change.reason {
        Reason::ProviderChanged => {
            if replace.because != ["provider"] {
                found.say(part.field("replace.because"), "is not its provider");
            }
        }
        Reason::Immutable => {
            let differs = |name: &Name| {
                live.and_then(|live| live.settings.get(name)) != applied.settings.get(name)
            };
            if replace.because.is_empty() || !replace.because.iter().all(differs) {
                found.say(part.field("replace.because"), "names settings that do not change");
            }
            if replace.order != ReplaceOrder::DeleteFirst {
                found.say(part.field("replace.order"), "is not the order of the steps");
            }
        }
        _ => found.say(part.field("reason"), "is none for which a service is replaced"),
    }
}
