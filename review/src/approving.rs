//! Who agreed to a plan, as the place of reviews knows it, written down where plans are approved.
//!
//! Invariant: an approval is of a plan that its author was shown. A review of a commit agrees to the plans that were
//! shown for that commit, and to any later plan that does the same; it agrees to nothing else.

use crate::comment::short;
use crate::place::{Event, Place, change_key, same_commit};
use crate::plans::Report;
use crate::{Forge, ReviewError};
use dax_engine::digest::{digest, effect};
use dax_engine::{Engine, Name, Plan, Review};
use dax_provider_api::review::ChangeRequest;
use std::collections::BTreeSet;

/// Whether somebody belongs to a team of the place; nobody does where that cannot be seen, which is said.
pub(crate) fn belongs(forge: &Forge, login: &str, team: &str, remarks: &mut Vec<String>) -> bool {
    forge.ask(|remote| remote.belongs(login, team)).unwrap_or_else(|error| {
        remarks.push(error.to_string());
        false
    })
}

/// Groups of somebody: those of `dax.mod`, and teams that the plan names and the place knows.
fn groups(
    forge: &Forge,
    engine: &Engine,
    login: &str,
    plan: &Plan,
    remarks: &mut Vec<String>,
) -> Result<Vec<Name>, ReviewError> {
    let (_, known) = engine.people()?;
    let mut groups: Vec<Name> = known
        .iter()
        .filter(|(_, members)| members.iter().any(|member| member == login))
        .map(|(name, _)| name.clone())
        .collect();
    let asked: BTreeSet<&Name> = plan.approvals.iter().flat_map(|gate| &gate.of).collect();
    for name in asked {
        // `team:sre` is a group of the project; `acme/sre` a team of the place.
        if name.contains('/') && !groups.contains(name) && belongs(forge, login, name, remarks) {
            groups.push(name.clone());
        }
    }
    Ok(groups)
}

/// Records what somebody said by a button of the check; gives what is to be said of it.
pub(crate) fn press(
    place: &Place,
    forge: &Forge,
    engine: &Engine,
    reports: &[Report],
) -> Result<Vec<String>, ReviewError> {
    let Event::Button { identifier, number, by } = &place.event else { return Ok(Vec::new()) };
    if identifier != "approve" {
        return Ok(Vec::new());
    }
    let change = forge.ask(|remote| remote.change(*number))?;
    if change.author == *by {
        return Ok(vec![format!("`{by}` made the change and cannot approve its plans")]);
    }
    let mut said = Vec::new();
    for report in reports {
        let Some(planned) = report.planned().filter(|planned| !planned.plan.is_empty()) else {
            continue;
        };
        // The button stood below the plan that was shown for this commit.
        let shown = engine.reviews(&report.environment, &place.change_key())?;
        let Some(shown) =
            shown.iter().rev().find(|review| same_commit(&review.commit, &place.commit))
        else {
            continue;
        };
        if effect(&shown.plan) != effect(&planned.plan) {
            said.push(format!(
                "the plan of `{}` is another by now: look at it again before you approve it",
                report.environment
            ));
            continue;
        }
        let groups = groups(forge, engine, by, &planned.plan, &mut said)?;
        engine.approve_as(
            &report.environment,
            &planned.digest,
            by,
            &groups,
            &format!("by the check of change request {number}"),
        )?;
        said.push(format!(
            "`{by}` approved the plan {} of `{}`",
            &planned.digest[..16],
            report.environment
        ));
    }
    Ok(said)
}

/// Those who agree to what a plan does, by reviews of the change request that brought it; with who is against it.
pub(crate) struct Voices {
    /// Logins of those who agree.
    pub(crate) agree: BTreeSet<String>,
    /// Logins of those who asked for changes.
    pub(crate) against: Vec<String>,
    /// What is to be said of reviews that do not count.
    pub(crate) remarks: Vec<String>,
}

/// What the reviews of a change request say of a plan.
pub(crate) fn voices(
    forge: &Forge,
    engine: &Engine,
    change: &ChangeRequest,
    plan: &Plan,
) -> Result<Voices, ReviewError> {
    let shown = engine.reviews(&plan.environment, &change_key(change.number))?;
    let wanted = effect(plan);
    let mut voices = Voices { agree: BTreeSet::new(), against: Vec::new(), remarks: Vec::new() };
    for opinion in forge.ask(|remote| remote.opinions(change.number))? {
        if !opinion.agrees {
            voices.against.push(opinion.by);
            continue;
        }
        if opinion.by == change.author {
            continue;
        }
        let Some(commit) = &opinion.commit else {
            voices.remarks.push(format!(
                "the approval of `{}` does not say of which commit it is, so it counts for no plan: let a push take approvals away",
                opinion.by
            ));
            continue;
        };
        let of_commit = |review: &&Review| same_commit(&review.commit, commit);
        if shown.iter().filter(of_commit).any(|review| effect(&review.plan) == wanted) {
            voices.agree.insert(opinion.by);
        } else {
            voices.remarks.push(format!(
                "`{}` approved commit {}, for which another plan was shown",
                opinion.by,
                short(commit)
            ));
        }
    }
    Ok(voices)
}

/// Writes down who agreed to a plan: by reviews, by letting the run pass, and to an earlier plan that does the same.
pub(crate) fn record(
    forge: &Forge,
    engine: &Engine,
    plan: &Plan,
    agree: &BTreeSet<String>,
    shown: Option<&Review>,
    reason: &str,
    remarks: &mut Vec<String>,
) -> Result<(), ReviewError> {
    let now = digest(plan);
    for login in agree {
        let groups = groups(forge, engine, login, plan, remarks)?;
        engine.approve_as(&plan.environment, &now, login, &groups, reason)?;
    }
    let Some(shown) = shown else { return Ok(()) };
    let then = digest(&shown.plan);
    if then != now && effect(&shown.plan) == effect(plan) {
        for approval in engine
            .approvals(&plan.environment, &then)?
            .iter()
            .filter(|approval| approval.step.is_none())
        {
            let reason = format!("agreed to {}, which does the same", &then[..16]);
            engine.approve_as(&plan.environment, &now, &approval.by, &approval.groups, &reason)?;
        }
    }
    Ok(())
}
