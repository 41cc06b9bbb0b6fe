//! The end of an environment, said in the comments of the change requests that brought it.

use super::Ending;
use super::environment::{Environment, Wanted};
use crate::backing::{Shown, apart};
use crate::comment::{self, Frame};
use crate::pending::{Pending, is_unspent};
use crate::place::{change_key, same_commit};
use crate::{ReviewError, Say, approving, saying, scope, showing};
use dax_engine::{Outcome, Provenance, ShownPlan, Standing};
use dax_provider_api::review::Comment;

impl Environment<'_> {
    /// Brings the comments up to date; gives what could not be said.
    pub(super) fn tell(
        &self,
        ending: &Ending,
        wanted: Option<&Wanted>,
        pending: &Pending,
        say: Say<'_>,
    ) -> Result<Vec<String>, ReviewError> {
        let engine = self.run.engine;
        let finished = match ending {
            Ending::Ran(finished) if finished.outcome == Outcome::Succeeded => Some(&**finished),
            _ => None,
        };
        // What somebody else's run did in between wins over what this one came to.
        let is_there = match (ending, finished) {
            (_, Some(_)) => true,
            (Ending::Nothing | Ending::Accepted, None) => true,
            _ => {
                let applied = engine.last_applied(self.name)?.and_then(Provenance::commit);
                applied.is_some_and(|one| same_commit(&one.id, &self.run.place.commit))
            }
        };
        let deployed = if is_there { saying::deployed(engine, self.name, finished)? } else { None };
        if deployed.is_none() && matches!(ending, Ending::Nothing) {
            return Ok(Vec::new());
        }
        let offers = match ending {
            Ending::Other(_) => true,
            Ending::Waits(waiting) => waiting.unapproved,
            _ => false,
        };
        let outcome =
            saying::outcome(ending, deployed, self.run.forge.ask(|remote| remote.clock()).ok());
        let shown = wanted.filter(|one| !one.plan.is_empty() || !one.rules.changes.is_empty());
        let standing = match shown {
            Some(one) => self.standing(one, &[])?,
            None => Standing::default(),
        };
        let mut remarks = Vec::new();
        let newest = pending.changes.last().map(|one| one.number);
        for number in pending.changes.iter().map(|one| one.number) {
            // Who was shown nothing of this environment is told nothing of it.
            let kept = engine.shown_plans(self.name, &change_key(number))?;
            let is_newest = newest == Some(number) && !self.is_preview();
            let offered = shown.filter(|_| offers && is_newest);
            if kept.is_empty() && offered.is_none() {
                continue;
            }
            // Where another run has done it, what was shown is what it did.
            let plan = match shown {
                Some(one) => Some((&one.plan, Some(&one.rules), standing.clone())),
                None => {
                    let last = kept.iter().rev().find(|plan| plan.shown);
                    last.map(|last| (&last.plan, None, Standing::default()))
                }
            };
            let input = saying::merged(self.project, self.name, plan, outcome.clone());
            remarks.extend(self.told(number, &input, offered, &kept, &mut *say)?);
        }
        Ok(remarks)
    }

    /// Writes a comment; the plan in it can be approved from then on where one is offered.
    fn told(
        &self,
        number: u64,
        input: &comment::CommentInput,
        offered: Option<&Wanted>,
        kept: &[ShownPlan],
        say: Say<'_>,
    ) -> Result<Vec<String>, ReviewError> {
        let forge = self.run.forge;
        let flavour = scope::flavour(Some(self.run.place));
        let budget = forge.remote().comment_budget();
        let frame = Frame {
            flavour,
            commit: &self.run.place.commit,
            url: self.run.place.url.as_deref(),
            budget,
        };
        let marker = comment::marker_of(flavour, &input.project, &input.environment);
        let written = comment::written(input, &frame);
        let plan = match offered {
            Some(one) => self.offered(one, number, kept)?,
            None => None,
        };
        if let Some(plan) = &plan {
            self.run.engine.keep_shown(plan)?;
        }
        let comment = Comment { change: number, body: written.text, marker };
        let posted = match forge.ask(|remote| remote.comment(&comment)) {
            Ok(posted) => posted,
            // The run's own log says the same.
            Err(error) => return Ok(vec![error.to_string()]),
        };
        if let Some(url) = &posted.url {
            say(&format!("comment: {url}"));
        }
        let mut remarks: Vec<String> = posted.remark.into_iter().collect();
        if let Some(plan) = plan {
            remarks.extend(written.lacks.map(|why| {
                format!("the comment of {} {number} does not show its plan: {why}", forge.request())
            }));
            // What could not be written was not shown.
            if remarks.is_empty() {
                let at_ms = forge.ask(|remote| remote.clock())?;
                showing::finished(self.run.engine, plan, at_ms)?;
            }
        }
        Ok(remarks)
    }

    /// The plan of the merged commit as it is kept for a change request; nothing where it is the
    /// newest one of it already.
    fn offered(
        &self,
        wanted: &Wanted,
        number: u64,
        kept: &[ShownPlan],
    ) -> Result<Option<ShownPlan>, ReviewError> {
        let place = self.run.place;
        let change = change_key(number);
        let effect = approving::bound(&wanted.plan, Some(&wanted.rules.program.digest()));
        let shown: Vec<Shown> = kept.iter().map(approving::shown).collect();
        // One of the change request's own commit says only what that brought.
        let is_merged = |plan: &Shown| {
            wanted.pending.commits.contains(&plan.commit) || plan.commit == place.commit
        };
        let spent_ms = self.run.engine.brought(self.name)?.get(&number).copied();
        let stands = |plan: &Shown| plan.certain && is_unspent(plan.at_ms, spent_ms);
        let is_newest = |last: &Shown| last.effect == effect && stands(last) && is_merged(last);
        if shown.last().is_some_and(is_newest) {
            return Ok(None);
        }
        let now_ms = self.run.forge.ask(|remote| remote.clock())?;
        let at_ms = apart(&shown, &effect, now_ms);
        Ok(Some(showing::kept(place, &change, &wanted.plan, &wanted.rules, at_ms)))
    }
}
