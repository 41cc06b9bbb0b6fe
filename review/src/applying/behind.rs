//! Reviews, jobs that were let go on, and rules of the code host that stand behind a plan.

use super::environment::{Environment, Wanted};
use super::{Ending, Unreviewed};
use crate::approving::{self, Asked, Reviewed, bound};
use crate::backing::{Backing, Candidate, Made, Seen, Shown, backing, distinct, made, seen};
use crate::comment::short;
use crate::parts::{Part, words};
use crate::pending::{Source, Touch, last_bringers};
use crate::{ReviewError, protecting};
use dax_engine::digest::digest;
use dax_engine::{Approval, Excluded, render};
use dax_provider_api::review::{Person, Released};
use std::collections::BTreeSet;
use std::rc::Rc;

/// People and plans that stand behind a plan.
#[derive(Default)]
pub(super) struct Behind {
    pub(super) approvals: Vec<Approval>,
    /// Those who agreed, by the change request that they agreed to.
    pub(super) groups: Vec<Group>,
    /// Blockers: approvals that are lacking, by the change request that lacks them.
    pub(super) lacking: Vec<String>,
    /// Approvals that do not count, a sentence each.
    lost: Vec<String>,
}

/// People who agreed to a change request, or to a plan without one.
pub(super) struct Group {
    number: Option<u64>,
    authors: Vec<Person>,
    people: Vec<Person>,
}

/// A plan that was shown, with what decides whose approvals it has.
#[derive(Clone, Copy)]
struct Own<'o> {
    source: &'o Source<Reviewed>,
    earlier: &'o Shown,
    /// How it stands to the merge.
    made: Made,
    touched: &'o [Touch],
}

/// Reports whether two plans show a part in common that is a change of its own.
fn shares(one: &Shown, other: &Shown) -> bool {
    one.certain && one.parts.intersection(&other.parts).any(|part| !part.surrounds())
}

/// Reports whether a change request may have brought one of these parts.
pub(super) fn brings(touched: &[Touch], number: u64, parts: &BTreeSet<Part>) -> bool {
    let mut own = touched.iter().filter(|touch| touch.number == Some(number));
    own.any(|touch| touch.brings_any(parts))
}

fn number_of(source: &Source<Reviewed>) -> Option<u64> {
    source.change.as_ref().map(|one| one.change.number)
}

impl Environment<'_> {
    /// The reviewed plans behind a plan with the approvals of these, or the end where there are
    /// none.
    pub(super) fn behind(
        &self,
        wanted: &Wanted,
        asked: &Asked<'_>,
        sources: &[Source<Reviewed>],
        released: &Released,
        remarks: &mut Vec<String>,
    ) -> Result<Result<Behind, Ending>, ReviewError> {
        let (plan, rules) = (&wanted.plan, &wanted.rules);
        let now = digest(plan);
        // This very plan was approved by its digest: nothing has to be found out.
        let (engine, base) = (self.run.engine, rules.base.as_ref());
        let by_digest = engine.approvals_with(self.name, &now, base, &wanted.excluded)?;
        let whole = by_digest.approvals.iter().any(|approval| approval.step.is_none());
        if whole && self.standing(wanted, &[])?.lacking().is_empty() {
            return Ok(Ok(self.of_all(wanted, released, asked, remarks)));
        }
        if self.is_preview() {
            return Ok(Ok(self.of_preview(wanted, asked, sources, remarks)));
        }
        // What only asks for more than before is nothing that anybody would have to agree to.
        if plan.is_empty() && !rules.loosened() {
            return Ok(Ok(self.of_all(wanted, released, asked, remarks)));
        }
        let shown = rules.wanted(plan, &self.run.place.commit);
        let touched = &wanted.touched;
        let was_shown = |number: Option<u64>| {
            sources.iter().any(|source| {
                let own = source.change.as_ref().map(|one| one.change.number);
                number.is_some() && own == number && !source.standing().is_empty()
            })
        };
        let (mut candidates, mut of) = (Vec::new(), Vec::new());
        let commits = &wanted.pending.commits;
        for (at, source) in sources.iter().enumerate() {
            let number = source.change.as_ref().map(|one| one.change.number);
            let head = source.change.as_ref().map(|one| one.change.head.as_str());
            let standing = source.standing();
            for earlier in distinct(&standing) {
                let mut plan = earlier.clone();
                // Whoever keeps shown plans can write what they like; what a change request
                // brought, git says. What no commit brought, such as drift, may be in any.
                plan.parts.retain(|part| {
                    part.surrounds()
                        || last_bringers(part, touched, &was_shown)
                            .is_none_or(|numbers| numbers.contains(&number))
                });
                // One that was shown before the merge and again after it is two: each has the
                // approvals of those who saw it there.
                let same = standing.iter().filter(|one| one.effect == earlier.effect);
                let ways: BTreeSet<Made> =
                    same.filter_map(|one| made(one, head, commits)).collect();
                for way in ways {
                    let one = Own { source, earlier, made: way, touched };
                    let candidate =
                        self.candidate(wanted, asked, sources, &one, released, remarks)?;
                    candidates.push(Candidate {
                        change: at,
                        plan: plan.clone(),
                        made: way,
                        approved: candidate.lacking.is_empty(),
                    });
                    of.push(candidate);
                }
            }
        }
        let request = self.run.forge.request();
        let of_before = |source: &&Source<Reviewed>| source.spent_ms.is_some();
        let again: Vec<u64> = sources.iter().filter(of_before).filter_map(number_of).collect();
        let spent = |number: &u64| {
            format!("{request} {number} was applied before: its approvals of then are spent")
        };
        match backing(&shown, &candidates) {
            Backing::By(by) => {
                let mut behind = Behind::default();
                for at in &by {
                    let one = std::mem::take(&mut of[*at]);
                    if !one.lacking.is_empty() {
                        remarks.extend(one.lost);
                    }
                    let many = by.len() > 1;
                    behind.lacking.extend(one.lacking.into_iter().map(|lacking| {
                        match &sources[candidates[*at].change].change {
                            Some(source) if many => {
                                format!("{request} {}: {lacking}", source.change.number)
                            }
                            _ => lacking,
                        }
                    }));
                    behind.approvals.extend(one.approvals);
                    behind.groups.extend(one.groups);
                }
                if !behind.lacking.is_empty() {
                    remarks.extend(again.iter().map(spent));
                }
                Ok(Ok(behind))
            }
            Backing::Lacks(_) if self.run.request.unreviewed => {
                Ok(Ok(self.of_all(wanted, released, asked, remarks)))
            }
            Backing::Lacks(lacks) => {
                remarks.extend(again.iter().map(spent));
                let any = !candidates.is_empty() || !again.is_empty();
                Ok(Err(Ending::Other(self.unreviewed(wanted, sources, &lacks, any))))
            }
        }
    }

    /// A plan behind which no review stands: what those agree to who let the job go on, of whom
    /// nobody approves what is theirs.
    fn of_all(
        &self,
        wanted: &Wanted,
        released: &Released,
        asked: &Asked<'_>,
        remarks: &mut Vec<String>,
    ) -> Behind {
        let changes = &wanted.pending.changes;
        let (people, approvals) = self.released(released, changes, asked, remarks);
        let authors = changes.iter().map(|one| one.change.author.clone()).collect();
        let groups = vec![Group { number: None, authors, people }];
        Behind { approvals, groups, ..Behind::default() }
    }

    /// The approvals of a plan that was shown.
    fn candidate(
        &self,
        wanted: &Wanted,
        asked: &Asked<'_>,
        sources: &[Source<Reviewed>],
        own: &Own<'_>,
        released: &Released,
        remarks: &mut Vec<String>,
    ) -> Result<Behind, ReviewError> {
        let Own { source, earlier, made: way, touched } = *own;
        let commits = &wanted.pending.commits;
        let head = source.change.as_ref().map(|one| one.change.head.as_str());
        // Who agreed before the merge was not shown what others brought beside it.
        let counts = |one: &Shown| way == Made::Before || made(one, head, commits) == Some(way);
        let rows: Vec<Shown> = source.standing().into_iter().filter(|one| counts(one)).collect();
        let mut behind = Behind::default();
        let mut people = Vec::new();
        // Those whose changes are in the plan as well approve them here no more than there.
        let beside: Vec<&Rc<Reviewed>> = match &source.change {
            Some(own) => sources
                .iter()
                .filter(|other| other.shown.iter().any(|plan| shares(plan, earlier)))
                .filter_map(|other| other.change.as_ref())
                .filter(|other| other.change.number != own.change.number)
                .collect(),
            // Without a change request of its own it is of those that brought the commits.
            None => wanted.pending.changes.iter().collect(),
        };
        // A plan of a merged commit holds what others brought as well, shown or not.
        let wrote = |one: &&Rc<Reviewed>| {
            let own = source.change.as_ref().map(|own| own.change.number);
            let number = one.change.number;
            Some(number) != own && brings(touched, number, &earlier.parts)
        };
        let beside: Vec<&Rc<Reviewed>> = match way {
            Made::Before => beside,
            Made::After => {
                let known: BTreeSet<u64> = beside.iter().map(|one| one.change.number).collect();
                let more = wanted.pending.changes.iter().filter(wrote);
                let more = more.filter(|one| !known.contains(&one.change.number));
                beside.into_iter().chain(more).collect()
            }
        };
        let mut may_write = false;
        if let Some(reviewed) = &source.change {
            let forge = self.run.forge;
            let voices = approving::voices(
                forge,
                reviewed,
                &beside,
                &rows,
                &earlier.effect,
                commits,
                asked,
                remarks,
            );
            behind.lost.extend(voices.lost.iter().map(|one| format!("`{}` {}", one.who, one.why)));
            behind.approvals.extend(voices.approvals);
            people.extend(voices.people);
            may_write |= voices.writes;
        }
        // Who let the job go on saw the newest plan that was shown before the job was made.
        let commit = head.unwrap_or(&earlier.commit);
        let job = Seen { commit: Some(commit), at_ms: released.created_ms };
        let is_seen = released.created_ms.is_some()
            && seen(&job, &rows, commits).is_ok_and(|plan| plan.effect == earlier.effect);
        if is_seen {
            let changes = beside.iter().copied().chain(&source.change);
            let (more, approvals) = self.released(released, changes, asked, remarks);
            may_write |= !approvals.is_empty();
            behind.approvals.extend(approvals);
            people.extend(more);
        }
        let of_effect = source.plans.iter().zip(&source.shown);
        let of_effect =
            of_effect.filter(|(_, shown)| shown.effect == earlier.effect && source.stands(shown));
        let made_by = beside.iter().copied().chain(&source.change);
        let excluded: Vec<Excluded> = made_by.flat_map(|one| one.excluded()).collect();
        for (kept, _) in of_effect.filter(|(_, shown)| counts(shown)) {
            let (engine, plan) = (self.run.engine, &wanted.plan);
            let carried = approving::carried(engine, &kept.plan, plan, &wanted.rules, &excluded)?;
            may_write |= !carried.approvals.is_empty();
            behind.lost.extend(carried.lost());
            behind.approvals.extend(carried.approvals);
        }
        let own = source.change.iter();
        behind.groups.push(Group {
            number: source.change.as_ref().map(|one| one.change.number),
            authors: own.chain(beside).map(|one| one.change.author.clone()).collect(),
            people,
        });
        let standing = self.standing(wanted, &behind.approvals)?;
        behind.lacking = standing.lacking();
        // Nobody agreed to a plan by merging that was made after the merge.
        if way == Made::After && !may_write && !self.run.request.unreviewed {
            behind.lacking.push("it needs an approval of the plan of the merged commit".to_owned());
        }
        Ok(behind)
    }

    /// The approvals of a preview environment, which is made while its change is reviewed.
    fn of_preview(
        &self,
        wanted: &Wanted,
        asked: &Asked<'_>,
        sources: &[Source<Reviewed>],
        remarks: &mut Vec<String>,
    ) -> Behind {
        let effect = bound(&wanted.plan, Some(&wanted.rules.program.digest()));
        let mut behind = Behind::default();
        for source in sources {
            let Some(reviewed) = &source.change else { continue };
            let voices = approving::voices(
                self.run.forge,
                reviewed,
                &[],
                &source.shown,
                &effect,
                &wanted.pending.commits,
                asked,
                remarks,
            );
            behind.approvals.extend(voices.approvals);
        }
        behind
    }

    /// The parts of a plan that nobody was shown, with the ways on.
    fn unreviewed(
        &self,
        wanted: &Wanted,
        sources: &[Source<Reviewed>],
        lacks: &BTreeSet<Part>,
        any: bool,
    ) -> Unreviewed {
        let mut lines: Vec<String> =
            lacks.iter().filter_map(|part| words(part, &wanted.plan)).collect();
        for change in &wanted.rules.changes {
            lines.push(change.to_string());
        }
        if lines.is_empty() {
            lines.push("the order or the kind of steps".to_owned());
        }
        lines.sort();
        lines.dedup();
        let newest = sources.iter().rev().find_map(|source| {
            source.plans.iter().rev().find(|plan| plan.shown).map(|plan| (source, plan))
        });
        let difference =
            newest.map_or_else(Vec::new, |(_, plan)| render::diff(&plan.plan, &wanted.plan));
        let request = self.run.forge.request();
        let mut help = Vec::new();
        if let Some(change) = wanted.pending.changes.last() {
            let number = change.change.number;
            if self.run.place.kind == "github" {
                help.push(format!(
                    "approve {request} {number} once more where its comment shows this plan, and run \
                     this job again"
                ));
            }
        } else {
            lines.insert(
                0,
                format!("commit {} came with no {request}", short(&self.run.place.commit)),
            );
        }
        let signed = wanted.rules.all().iter().any(|one| one.signers.is_some());
        let standing = render::Standing { signed, ..render::Standing::default() };
        let command = render::approve_command(&wanted.plan, &standing);
        help.push(format!("`{command}`, and run this job again"));
        Unreviewed { lacks: lines, difference, help, never: !any }
    }

    /// Blockers by the rules that the code host keeps of the environment.
    pub(super) fn protected(
        &self,
        released: &Released,
        groups: &[Group],
        remarks: &mut Vec<String>,
    ) -> Result<Vec<String>, ReviewError> {
        let (forge, place) = (self.run.forge, self.run.place);
        let mut blockers = Vec::new();
        // The rules of its plain name hold as well: else a project that moves into a folder would
        // leave them behind.
        for name in BTreeSet::from([self.shown_name(), self.name.to_string()]) {
            match forge.ask(|remote| remote.protection(&name)) {
                Ok(None) => {}
                Ok(Some(rules)) => {
                    for Group { number, authors, people } in groups {
                        let found = protecting::blockers(
                            place, forge, &rules, released, people, authors, remarks,
                        )?;
                        let of = |text: String| match number {
                            Some(number) if groups.len() > 1 => {
                                format!("{} {number}: {text}", forge.request())
                            }
                            _ => text,
                        };
                        blockers.extend(found.into_iter().map(of));
                    }
                }
                Err(error) => blockers.push(error.to_string()),
            }
        }
        Ok(blockers)
    }

    /// Those who let the job go on, and their approvals, but for what is their own.
    fn released<'c>(
        &self,
        released: &Released,
        changes: impl IntoIterator<Item = &'c Rc<Reviewed>>,
        asked: &Asked<'_>,
        remarks: &mut Vec<String>,
    ) -> (Vec<Person>, Vec<Approval>) {
        let name = self.shown_name();
        let changes: Vec<&Rc<Reviewed>> = changes.into_iter().collect();
        let (mut people, mut approvals) = (Vec::new(), Vec::new());
        for person in &released.by {
            match changes.iter().find_map(|change| change.excludes(person)) {
                Some(why) => remarks.push(format!(
                    "`{}` let the job go on, but {why}: that approves nothing",
                    person.shown
                )),
                None => {
                    let reason = format!("by letting the job go on to `{name}`");
                    let forge = self.run.forge;
                    approvals.push(asked.approval(forge, person, &reason, 0, remarks));
                    people.push(person.clone());
                }
            }
        }
        (people, approvals)
    }
}
