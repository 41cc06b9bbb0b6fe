//! Protection rules that a code host keeps of an environment, held against what is known.
//!
//! GitHub enforces an environment's rules for jobs that name it. dax enforces them for everybody,
//! so that a job that forgets to name it, or another pipeline altogether, does not get past them.

use crate::approving::belongs;
use crate::place::Place;
use crate::{Forge, ReviewError};
use dax_provider_api::review::{Branches, Person, Protection, Released, RequiredReviewers};
use std::collections::BTreeSet;
use std::time::Duration;

mod pattern;
use pattern::fits;

/// Blockers that the rules of an environment are for a job that the code host did not let through
/// by itself.
///
/// # Errors
/// The code host cannot be asked.
pub(crate) fn blockers(
    place: &Place,
    forge: &Forge,
    rules: &Protection,
    released: &Released,
    agree: &[Person],
    authors: &[Person],
    remarks: &mut Vec<String>,
) -> Result<Vec<String>, ReviewError> {
    let name = forge.remote().name();
    let mut blockers = rules.unread.clone();
    for rule in &rules.reviewers {
        let authors = if rules.no_self_review { authors } else { &[] };
        let found = reviewed(forge, rule, agree, authors, remarks);
        if found < rule.count {
            let people = rule.people.iter().map(|person| person.shown.clone());
            let who: Vec<String> = people.chain(rule.teams.iter().cloned()).collect();
            let other = if rules.no_self_review { ", who did not make the change" } else { "" };
            blockers.push(format!(
                "{name} requires {} of {}{other}; {found} approved",
                rule.count,
                who.join(", ")
            ));
        }
    }
    if !rules.wait.is_zero() {
        let minutes = rules.wait.as_secs() / 60;
        match released.created_ms {
            Some(created) => {
                let now = forge.ask(|remote| remote.clock())?;
                let since = Duration::from_millis(now.saturating_sub(created));
                if since < rules.wait {
                    let left = rules.wait.saturating_sub(since).as_secs().div_ceil(60);
                    blockers.push(format!(
                        "{name} wants {minutes} minutes to pass after the job was made, {left} are \
                         left: run this job again then"
                    ));
                }
            }
            None => blockers.push(format!(
                "{name} wants {minutes} minutes to pass after the job was made, and does not tell \
                 when that was: let the job name the environment"
            )),
        }
    }
    let kind = if place.tag { "tag" } else { "branch" };
    match &rules.branches {
        Branches::Any => {}
        Branches::Protected
            if !place.tag && forge.ask(|remote| remote.protected(&place.branch))? => {}
        Branches::Protected => blockers.push(format!(
            "{name} lets only protected branches deploy, and {kind} `{}` is not one",
            place.branch
        )),
        Branches::Named(patterns)
            if patterns
                .iter()
                .any(|one| one.tag == place.tag && fits(&one.pattern, &place.branch)) => {}
        Branches::Named(patterns) => {
            let shown: Vec<String> = patterns
                .iter()
                .map(|one| format!("{} `{}`", if one.tag { "tag" } else { "branch" }, one.pattern))
                .collect();
            blockers.push(format!(
                "{name} lets only {} deploy, and this is {kind} `{}`",
                shown.join(", "),
                place.branch
            ));
        }
    }
    Ok(blockers)
}

/// Reviewers of a rule who approved, each account once.
fn reviewed(
    forge: &Forge,
    rule: &RequiredReviewers,
    agree: &[Person],
    authors: &[Person],
    remarks: &mut Vec<String>,
) -> u32 {
    let mut found = BTreeSet::new();
    let is_author = |person: &Person| authors.iter().any(|author| author.id == person.id);
    for person in agree.iter().filter(|person| !is_author(person)) {
        let named = rule.people.iter().any(|one| one.id == person.id);
        if named || rule.teams.iter().any(|team| belongs(forge, person, team, remarks)) {
            found.insert(&person.id);
        }
    }
    u32::try_from(found.len()).unwrap_or(u32::MAX)
}
