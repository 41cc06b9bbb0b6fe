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
use dax_engine::digest::effect;
use dax_engine::{Engine, Name, Plan, ShownPlan};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A plan that is being shown.
pub(crate) struct Showing {
    folder: PathBuf,
    plan: ShownPlan,
    /// True when it was shown for this commit already.
    again: bool,
}

impl Showing {
    /// The project and the environment of the plan.
    pub(crate) fn of(&self) -> (Name, Name) {
        (self.plan.plan.project.clone(), self.plan.plan.environment.clone())
    }
}

/// Milliseconds after which a run that has not said whether it showed a plan is taken for dead.
const ALIVE_MS: u64 = 10 * 60 * 1000;

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
            all.push(Showing { folder: folder.clone(), plan: last, again: true });
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
        all.push(Showing { folder: folder.clone(), plan, again: false });
    }
    Ok(all)
}

/// Keeps that plans are shown no more that were: of environments of these projects that leave the
/// page, because they cannot be planned or are no longer there, or the program has errors.
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
            let now_ms = match now {
                Some(now) => now,
                None => *now.insert(forge.ask(|remote| remote.clock())?),
            };
            let last = ShownPlan {
                commit: place.commit.as_str().into(),
                url: place.url.clone(),
                ..last.clone()
            };
            engine.keep_shown(&void(&last, &plans, now_ms))?;
        }
    }
    Ok(())
}

/// A plan as one of which nobody knows whether it is shown: the page has it no more, or another job
/// wrote the same comment. It has no conditions, so that no plan does the same, and a review in the
/// same second counts for neither.
fn void(plan: &ShownPlan, plans: &[ShownPlan], now_ms: u64) -> ShownPlan {
    let shown: Vec<Shown> = plans.iter().map(crate::approving::shown).collect();
    let at_ms = apart(&shown, &crate::approving::bound(&plan.plan, None), now_ms);
    ShownPlan { shown: false, conditions: None, loosens: false, at_ms, ..plan.clone() }
}

/// Reports whether another job may have written the comment of a plan between the time when this
/// one was kept and now: it kept another plan since, or before it and has not said what became of
/// that.
fn is_beside(plan: &ShownPlan, plans: &[ShownPlan], now_ms: u64) -> bool {
    let bound = |one: &ShownPlan| crate::approving::bound(&one.plan, one.conditions.as_deref());
    let own = bound(plan);
    let mut others = plans.iter().enumerate().filter(|(_, one)| bound(one) != own);
    others.any(|(at, one)| {
        let of = effect(&one.plan);
        let is_over = |later: &ShownPlan| {
            (later.shown || later.conditions.is_none()) && effect(&later.plan) == of
        };
        let hangs = !one.shown
            && one.conditions.is_some()
            && one.commit == plan.commit
            && one.at_ms.saturating_add(ALIVE_MS) > now_ms
            && !plans[at + 1..].iter().any(is_over);
        one.at_ms >= plan.at_ms || hangs
    })
}

/// Keeps the plans that were shown, or what is known of those that could not be.
pub(crate) fn end(
    forge: &Forge,
    all: Vec<Showing>,
    is_shown: bool,
    open: Open<'_>,
) -> Result<(), ReviewError> {
    let mut now = None;
    for Showing { folder, plan, again } in all {
        let engine = open(&folder)?;
        let plans = engine.shown_plans(&plan.plan.environment, &plan.change)?;
        if again && !is_beside(&plan, &plans, u64::MAX) {
            continue;
        }
        let now_ms = match now {
            Some(now) => now,
            None => *now.insert(forge.ask(|remote| remote.clock())?),
        };
        if is_shown && !again {
            finished(&engine, plan, now_ms)?;
        } else {
            engine.keep_shown(&void(&plan, &plans, now_ms))?;
        }
    }
    Ok(())
}

/// Keeps a plan that was shown at a time of the code host. Where another job may have written over
/// it nobody knows what is there, and the next run shows it anew.
pub(crate) fn finished(engine: &Engine, plan: ShownPlan, at_ms: u64) -> Result<(), ReviewError> {
    let plans = engine.shown_plans(&plan.plan.environment, &plan.change)?;
    if is_beside(&plan, &plans, at_ms) {
        return Ok(engine.keep_shown(&void(&plan, &plans, at_ms))?);
    }
    let at_ms = at_ms.max(plan.at_ms);
    Ok(engine.keep_shown(&ShownPlan { shown: true, at_ms, ..plan })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(image: &str, at_ms: u64, shown: bool, is_void: bool) -> ShownPlan {
        let plan = serde_json::json!({
            "format_version": 2, "project": "shop", "environment": "production", "mode": "apply",
            "params": { "image": { "str": image } }, "sources": "", "base": { "lineage": "", "serial": 0 },
            "gates": [], "approvals": [], "unchanged": 0, "steps": [], "observed": {},
            "result": {}, "changes": [],
        });
        ShownPlan {
            change: "pr-1".into(),
            commit: "c0ffee".into(),
            at_ms,
            url: None,
            shown,
            conditions: (!is_void).then(|| "conditions".into()),
            loosens: false,
            plan: serde_json::from_value(plan).unwrap(),
        }
    }

    #[test]
    fn a_plan_is_shown_for_certain_when_no_other_job_wrote_its_comment_meanwhile() {
        let own = row("own", 10_000, false, false);
        let beside = |rows: &[(&str, u64, bool, bool)]| {
            let other =
                |(image, at, shown, void): &(&str, u64, bool, bool)| row(image, *at, *shown, *void);
            let mut plans: Vec<ShownPlan> = rows.iter().map(other).collect();
            plans.push(own.clone());
            plans.sort_by_key(|one| one.at_ms);
            is_beside(&own, &plans, 12_000)
        };
        // Nobody, an earlier plan, and the same plan of another job.
        assert!(!beside(&[]));
        assert!(!beside(&[("other", 4_000, false, false), ("other", 5_000, true, false)]));
        assert!(!beside(&[("own", 9_000, false, false), ("own", 11_000, true, false)]));
        assert!(!beside(&[("own", 5_000, true, false), ("own", 8_000, false, true)]));
        // Another one since, whatever became of it.
        for (shown, is_void) in [(true, false), (false, false), (false, true)] {
            assert!(beside(&[("other", 10_000, shown, is_void)]));
            assert!(beside(&[("other", 11_000, shown, is_void)]));
        }
        assert!(beside(&[("own", 11_000, false, true)]));
        // One that began before it and may still write, unless it has given up.
        assert!(beside(&[("other", 9_000, false, false)]));
        assert!(!beside(&[("other", 9_000, false, false), ("other", 9_500, false, true)]));
    }

    #[test]
    fn a_run_that_died_is_waited_for_no_longer_than_it_may_live() {
        let plans = [row("other", 1_000, false, false), row("own", ALIVE_MS, false, false)];
        assert!(is_beside(&plans[1], &plans, ALIVE_MS));
        assert!(!is_beside(&plans[1], &plans, ALIVE_MS + 1_000));
        let pushed = ShownPlan { commit: "another".into(), ..plans[1].clone() };
        assert!(!is_beside(&pushed, &plans, ALIVE_MS));
    }
}
