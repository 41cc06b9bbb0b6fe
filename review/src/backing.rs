//! The decision of `dax ci apply`, over plain data: which plan a review is of, and which reviewed
//! plans stand behind one that is about to be applied.
//!
//! Invariant: each part of what is applied was shown for a change request that was merged, in the
//! plan for its newest commit or in one made after the merge; nothing else is applied.

use crate::parts::Part;
use crate::place::same_commit;
use std::collections::{BTreeMap, BTreeSet};

/// A plan that was shown, as far as decisions need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The commit that it was made from.
    pub(crate) commit: String,
    /// The time at which it was shown, by the clock of the code host, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// True when it certainly was: a run that died may have shown it or not.
    pub(crate) certain: bool,
    /// The digest of what it does and under which conditions.
    pub(crate) effect: String,
    /// Its parts.
    pub(crate) parts: BTreeSet<Part>,
}

/// A review, as far as decisions need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen<'r> {
    /// The commit that was reviewed, where that is known.
    pub(crate) commit: Option<&'r str>,
    /// The time of its submission, by the clock of the code host; nothing where that is not told.
    pub(crate) at_ms: Option<u64>,
}

/// The reason why a review counts for no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// No plan was shown before it.
    Early,
    /// The newest plan before it was made from another commit than was reviewed.
    OtherCommit,
    /// It is not certain that the newest plan before it was shown.
    Uncertain,
    /// The code host tells neither the commit nor the time.
    Unknown,
}

/// The plan that a reviewer saw: the newest shown before the review. `merged` holds the commits
/// that came to the target branch with the merge: a plan of one of these was shown for the change
/// request after it was merged, whatever commit the review names.
pub(crate) fn seen<'p>(
    review: &Seen<'_>,
    plans: &'p [Shown],
    merged: &BTreeSet<String>,
) -> Result<&'p Shown, Unseen> {
    let commit = review.commit.ok_or(Unseen::Unknown)?;
    let fits = |plan: &Shown| same_commit(&plan.commit, commit) || merged.contains(&plan.commit);
    let Some(at_ms) = review.at_ms else {
        // Without a time, only plans of one commit that all do the same leave no doubt.
        let of_commit: Vec<&Shown> = plans.iter().filter(|plan| fits(plan)).collect();
        let first = of_commit.first().ok_or(Unseen::OtherCommit)?;
        let is_one = of_commit.iter().all(|plan| plan.effect == first.effect);
        let certain = of_commit.iter().find(|plan| plan.certain);
        return certain.filter(|_| is_one).copied().ok_or(Unseen::Uncertain);
    };
    // Code hosts tell whole seconds: what happened in the same one may have happened in any order.
    let second = |ms: u64| ms / 1000;
    let newest = plans
        .iter()
        .filter(|plan| second(plan.at_ms) < second(at_ms))
        .max_by_key(|plan| (second(plan.at_ms), plan.certain))
        .ok_or(Unseen::Early)?;
    let beside = |plan: &&Shown| {
        second(plan.at_ms) == second(at_ms) || second(plan.at_ms) == second(newest.at_ms)
    };
    let is_other = plans.iter().filter(beside).any(|plan| plan.effect != newest.effect);
    if is_other {
        return Err(Unseen::Uncertain);
    }
    // A plan that may have been shown or not leaves no doubt where the one on the page before it
    // does the same.
    let mut before: Vec<&Shown> =
        plans.iter().filter(|plan| second(plan.at_ms) <= second(newest.at_ms)).collect();
    before.sort_by_key(|plan| std::cmp::Reverse((second(plan.at_ms), plan.certain)));
    let same = before.into_iter().take_while(|plan| plan.effect == newest.effect);
    let mut certain = same.filter(|plan| plan.certain).peekable();
    if certain.peek().is_none() {
        return Err(Unseen::Uncertain);
    }
    certain.find(|plan| fits(plan)).ok_or(Unseen::OtherCommit)
}

/// The time under which a plan is kept that is about to be shown: now by the clock of the code
/// host, but a second after a plan that does something else. Two such plans in one second could
/// not be told apart by any review, ever.
pub(crate) fn apart(plans: &[Shown], effect: &str, now_ms: u64) -> u64 {
    let second = |ms: u64| ms / 1000;
    let Some(last) = plans.iter().max_by_key(|plan| plan.at_ms) else { return now_ms };
    let beside = plans.iter().filter(|plan| second(plan.at_ms) == second(last.at_ms));
    let is_other = beside.into_iter().any(|plan| plan.effect != effect);
    let least = if is_other { (second(last.at_ms) + 1) * 1000 } else { last.at_ms };
    now_ms.max(least)
}

/// The relation of a plan that was shown for a change request to its merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Made {
    /// It was made from the newest commit of the change request: merging agreed to it.
    Before,
    /// It was made from a commit that came with the merge or after it.
    After,
}

/// The relation of a plan to the merge; nothing for one that stands behind nothing: it may not
/// have been shown, or is of a commit that gave way to a later push. `head` is the newest commit
/// of the change request, where there is one.
pub(crate) fn made(plan: &Shown, head: Option<&str>, merged: &BTreeSet<String>) -> Option<Made> {
    if !plan.certain {
        return None;
    }
    match head {
        Some(head) if same_commit(&plan.commit, head) => Some(Made::Before),
        Some(_) => merged.contains(&plan.commit).then_some(Made::After),
        // Without a change request there was no merge by which anybody agreed.
        None => Some(Made::After),
    }
}

/// A reviewed plan that may stand behind what is to be applied.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The change request, by its place in a list: later ones were merged later.
    pub(crate) change: usize,
    /// The plan.
    pub(crate) plan: Shown,
    /// Its relation to the merge.
    pub(crate) made: Made,
    /// True when all agreed to it whom old and new rules ask.
    pub(crate) approved: bool,
}

/// The reviewed plans that stand behind a plan, or what none of them has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// These candidates, by their places in the list.
    By(BTreeSet<usize>),
    /// No candidate has these parts.
    Lacks(BTreeSet<Part>),
}

/// The candidates behind a plan: one that was made after the merge, does the same and is approved;
/// else those plans of change requests that together show each of its parts.
///
/// A part is backed by the change request that was merged last of those that show it, in whichever
/// of its plans is approved: what was approved, taken back and brought again is not approved.
pub(crate) fn backing(wanted: &Shown, candidates: &[Candidate]) -> Backing {
    let best = |fits: &dyn Fn(&Candidate) -> bool| {
        let rank = |at: &usize| {
            let one: &Candidate = &candidates[*at];
            (one.change, one.approved, one.plan.at_ms)
        };
        (0..candidates.len()).filter(|at| fits(&candidates[*at])).max_by_key(rank)
    };
    let (mut by, mut lacks) = (BTreeSet::new(), BTreeSet::new());
    // What surrounds other parts takes no change request of its own.
    let (around, own): (Vec<&Part>, Vec<&Part>) =
        wanted.parts.iter().partition(|part| part.surrounds());
    for part in own.into_iter().chain(around) {
        let shows = |one: &Candidate| one.made == Made::Before && one.plan.parts.contains(part);
        if part.surrounds() && by.iter().any(|at: &usize| shows(&candidates[*at])) {
            continue;
        }
        match best(&shows) {
            Some(at) => drop(by.insert(at)),
            None => drop(lacks.insert(part.clone())),
        }
    }
    // One of a merged commit says it all, unless something was merged since that brings a part
    // again.
    let latest = by.iter().map(|at: &usize| candidates[*at].change).max();
    let same = best(&|one| {
        let is_last = latest.is_none_or(|latest| one.change >= latest);
        one.made == Made::After && one.plan.effect == wanted.effect && is_last
    });
    match same {
        Some(same) if candidates[same].approved || !lacks.is_empty() => {
            Backing::By(BTreeSet::from([same]))
        }
        _ if lacks.is_empty() => Backing::By(by),
        _ => Backing::Lacks(lacks),
    }
}

/// The latest plan of each effect, the latest effect last.
pub(crate) fn distinct(plans: &[Shown]) -> Vec<&Shown> {
    let mut latest: BTreeMap<&str, &Shown> = BTreeMap::new();
    for plan in plans {
        let known = latest.entry(&plan.effect).or_insert(plan);
        if known.at_ms <= plan.at_ms {
            *known = plan;
        }
    }
    let mut all: Vec<&Shown> = latest.into_values().collect();
    all.sort_by_key(|plan| plan.at_ms);
    all
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
