//! Plans that are shown for a change request, kept with the time of the code host, so that a
//! review can be held against the plan that its author saw.
//!
//! A plan is kept twice: before it is shown, when it is not certain yet that anybody sees it, and
//! after it was. A run that dies in between leaves the first alone, and a review after that counts
//! for nothing until the plan is shown for certain. Nor does one after a plan has left the page,
//! which is kept before that happens.

use crate::backing::{Shown, apart};
use crate::place::Place;
use crate::plans::{Report, Rules, newest};
use crate::{Forge, Open, ReviewError};
use dax_engine::{Engine, Name, Plan, ShownPlan};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A plan that is being shown.
pub(crate) struct Showing {
    folder: PathBuf,
    plan: ShownPlan,
}

impl Showing {
    /// The project and the environment.
    pub(crate) fn of(&self) -> (Name, Name) {
        (self.plan.plan.project.clone(), self.plan.plan.environment.clone())
    }
}

/// A plan as it is kept before it is shown.
pub(crate) fn kept(
    place: &Place,
    change: &str,
    plan: &Plan,
    rules: &Rules,
    at_ms: u64,
) -> ShownPlan {
    ShownPlan {
        change: change.into(),
        commit: place.commit.as_str().into(),
        at_ms,
        url: place.url.clone(),
        shown: false,
        conditions: Some(rules.program.digest()),
        loosens: rules.loosened(),
        plan: plan.clone(),
    }
}

/// Keeps the plans that are about to be shown. One that was shown for this commit already keeps
/// its time: whoever approved it since then saw it.
pub(crate) fn begin(
    place: &Place,
    forge: &Forge,
    reports: &[&Report],
    folders: &BTreeMap<Name, PathBuf>,
    open: Open<'_>,
) -> Result<Vec<Showing>, ReviewError> {
    let mut all = Vec::new();
    let mut now = None;
    for report in reports {
        let Some(planned) = report.planned() else { continue };
        let Some(folder) = folders.get(&report.project) else { continue };
        let engine = open(folder)?;
        let change = place.change_key();
        let plans = engine.shown_plans(&report.environment, &change)?;
        let shown: Vec<Shown> = plans.iter().map(crate::approving::shown).collect();
        let is_last_certain = plans.last().is_none_or(|plan| plan.shown);
        if let Some(last) = newest(plans).filter(|_| is_last_certain)
            && *last.commit == place.commit
            && crate::approving::bound(&last.plan, last.conditions.as_deref()) == planned.bound()
        {
            continue;
        }
        let now_ms = match now {
            Some(now) => now,
            None => *now.insert(forge.ask(|remote| remote.clock())?),
        };
        let plan = kept(
            place,
            &change,
            &planned.plan,
            &planned.rules,
            apart(&shown, &planned.bound(), now_ms),
        );
        engine.keep_shown(&plan)?;
        all.push(Showing { folder: folder.clone(), plan });
    }
    Ok(all)
}

/// Keeps that plans are shown no more that were: of environments of these projects that leave the
/// page, because they cannot be planned or are no longer there, or the program has errors.
///
/// It is the last plan once more, as one that was never shown. It has no conditions, so that no
/// plan does the same, and a review in the same second counts for neither.
pub(crate) fn hide(
    place: &Place,
    forge: &Forge,
    folders: &[&PathBuf],
    leaves: &dyn Fn(&Plan) -> bool,
    open: Open<'_>,
) -> Result<(), ReviewError> {
    let change = place.change_key();
    let mut now = None;
    for folder in folders {
        let engine = open(folder)?;
        for environment in engine.shown_environments(&change)? {
            let plans = engine.shown_plans(&environment, &change)?;
            let Some(last) = plans.last().filter(|last| last.shown && leaves(&last.plan)) else {
                continue;
            };
            let shown: Vec<Shown> = plans.iter().map(crate::approving::shown).collect();
            let now_ms = match now {
                Some(now) => now,
                None => *now.insert(forge.ask(|remote| remote.clock())?),
            };
            let at_ms = apart(&shown, &crate::approving::bound(&last.plan, None), now_ms);
            engine.keep_shown(&ShownPlan {
                commit: place.commit.as_str().into(),
                at_ms,
                url: place.url.clone(),
                shown: false,
                conditions: None,
                loosens: false,
                change: last.change.clone(),
                plan: last.plan.clone(),
            })?;
        }
    }
    Ok(())
}

/// Keeps the plans that were shown.
pub(crate) fn end(forge: &Forge, all: Vec<Showing>, open: Open<'_>) -> Result<(), ReviewError> {
    if all.is_empty() {
        return Ok(());
    }
    let at_ms = forge.ask(|remote| remote.clock())?;
    for Showing { folder, plan } in all {
        finished(&open(&folder)?, plan, at_ms)?;
    }
    Ok(())
}

/// Keeps a plan that was shown at a time of the code host.
pub(crate) fn finished(engine: &Engine, plan: ShownPlan, at_ms: u64) -> Result<(), ReviewError> {
    let at_ms = at_ms.max(plan.at_ms);
    Ok(engine.keep_shown(&ShownPlan { shown: true, at_ms, ..plan })?)
}
