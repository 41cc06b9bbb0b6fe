//! Everything that a run says at the code host: comments, then the check.
//!
//! A plan is kept as shown where its decision and its details were written: in a comment, or in the
//! check where comments cannot be written. Of what is neither here nor there the check fails.

use super::commenting::{self, Draft, Of, Writer};
use super::{Published, check, title};
use crate::comment::{self, Subject};
use crate::place::{Event, Place, same_commit};
use crate::plans::Report;
use crate::scope::{self, Options};
use crate::showing::{self, Showing};
use crate::{Forge, Open, ReviewError, Say};
use dax_engine::{Plan, render};
use dax_provider_api::review::{Check, CheckState};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Everything that came of saying it.
#[derive(Default)]
pub(super) struct Posted {
    /// Remarks about what could not be said where it should stand.
    pub(super) remarks: Vec<String>,
    /// True when the code host shows the remarks on lines.
    pub(super) annotated: bool,
    /// Environments that could not be shown, a line each.
    pub(super) hidden: Vec<String>,
}

/// Says everything where it belongs, and keeps the plans that were shown.
pub(super) fn post(
    options: &Options,
    place: &Place,
    forge: &Forge,
    found: &Published,
    open: Open<'_>,
    say: Say<'_>,
) -> Result<Posted, ReviewError> {
    // In a merge queue nobody looks at what is shown.
    let keeps = !options.dry && !matches!(place.event, Event::Queue { .. });
    let posting = Posting { options, place, forge, found, open, keeps };
    let mut posted = Posted::default();
    let mut outcome = Outcome::default();
    if let Event::Change { number, .. } | Event::Button { number, .. } = place.event {
        let head = forge.ask(|remote| remote.change(number)).map(|change| change.head);
        match head {
            Ok(head) if !same_commit(&head, &place.commit) => {
                posted.remarks.push(format!(
                    "{} {number} is at commit {} by now: the comments are left to the run for that",
                    forge.request(),
                    comment::short(&head)
                ));
            }
            // Whether it is the newest cannot be seen; to say too much is better than nothing.
            Ok(_) | Err(_) => {
                outcome = posting.comments(number, &mut posted.remarks, say)?;
            }
        }
    } else {
        let showing = posting.begin(found.reports.iter().collect())?;
        showing::end(forge, showing, true, open)?;
    }
    posting.check(outcome, &mut posted)?;
    Ok(posted)
}

struct Posting<'p> {
    options: &'p Options,
    place: &'p Place,
    forge: &'p Forge,
    found: &'p Published,
    open: Open<'p>,
    keeps: bool,
}

/// The outcome of writing comments.
#[derive(Default)]
struct Outcome {
    /// Plans that the check has to show.
    left: Vec<Showing>,
    /// Environments that could not be shown, with the reason.
    hidden: BTreeMap<Of, String>,
}

impl Posting<'_> {
    fn begin(&self, reports: Vec<&Report>) -> Result<Vec<Showing>, ReviewError> {
        if !self.keeps {
            return Ok(Vec::new());
        }
        showing::begin(self.place, self.forge, &reports, &self.found.folders, self.open)
    }

    /// Writes the comments.
    fn comments(
        &self,
        number: u64,
        remarks: &mut Vec<String>,
        say: Say<'_>,
    ) -> Result<Outcome, ReviewError> {
        let (options, place, found) = (self.options, self.place, self.found);
        let drafts = commenting::drafts(options, place, self.forge, found);
        self.hide(&drafts)?;
        let mut writer = Writer { forge: self.forge, number, remarks: Vec::new() };
        let (mut outcome, mut written) = (Outcome::default(), BTreeSet::new());
        for draft in &drafts {
            let of = |report: &&Report| draft.of.contains(&commenting::of(report));
            // Each by itself: another job may write the next comment meanwhile.
            let showing = self.begin(found.reports.iter().filter(of).collect())?;
            let is_written = writer.write(&draft.marker, draft.body.clone(), &mut *say);
            outcome.hidden.extend(draft.lacks.clone());
            if is_written && draft.details.as_ref().is_none_or(|of| written.contains(of)) {
                written.extend(draft.of.iter().cloned());
                showing::end(self.forge, showing, true, self.open)?;
                continue;
            }
            let stale = self.stale(&writer);
            for of in &draft.of {
                outcome.hidden.extend(self.beside_check(of, &stale).map(|why| (of.clone(), why)));
            }
            let is_lost = |one: &Showing| outcome.hidden.contains_key(&one.of());
            let (lost, left): (Vec<Showing>, Vec<Showing>) = showing.into_iter().partition(is_lost);
            showing::end(self.forge, lost, false, self.open)?;
            outcome.left.extend(left);
        }
        writer.supersede(options, place, found, &drafts, &mut *say);
        // Another job may have shown a plan before it was written over.
        self.hide(&drafts)?;
        remarks.append(&mut writer.remarks);
        Ok(outcome)
    }

    /// Comments that are there and that this run may have failed to bring up to date.
    fn stale(&self, writer: &Writer<'_>) -> Result<Vec<Subject>, String> {
        writer.standing(self.place).map_err(|error| error.to_string())
    }

    /// The reason why the check cannot show an environment whose comment was not written.
    fn beside_check(&self, of: &Of, stale: &Result<Vec<Subject>, String>) -> Option<String> {
        if let Some(why) = self.found.unshown.get(of) {
            return Some(why.clone());
        }
        if !self.has_page() {
            return Some("its comment could not be written, and no check has the page".to_owned());
        }
        // The check of the next such job has the same name, and its page takes the place of this.
        if !self.options.environments.is_empty() {
            return Some(
                "its comment could not be written, and checks of jobs with `-e` \
                         take each other's place"
                    .to_owned(),
            );
        }
        let is_of = |subject: &Subject| match subject {
            Subject::One(project, environment) => (project, environment) == (&of.0, &of.1),
            Subject::Shared { .. } => true,
        };
        match stale {
            Ok(stale) if stale.iter().any(is_of) => {
                Some("the comment of an earlier run stands there and cannot be changed".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(format!("which comments there are cannot be read: {error}")),
        }
    }

    /// Reports whether the check has the page in it.
    fn has_page(&self) -> bool {
        let budget = self.forge.remote().check_budget();
        budget > 0 && self.found.page.len() <= budget
    }

    /// Writes the check, and keeps what it shows.
    fn check(&self, outcome: Outcome, posted: &mut Posted) -> Result<(), ReviewError> {
        let Outcome { left, hidden } = outcome;
        let mut hidden: BTreeMap<Of, String> =
            hidden.into_iter().filter(|(of, _)| self.needs_eyes(of)).collect();
        let written = self.write(&hidden)?;
        let is_shown = written.remark.is_none();
        if !is_shown {
            let why = "neither its comment nor the check could be written";
            let lost = left.iter().map(Showing::of).filter(|of| self.needs_eyes(of));
            hidden.extend(lost.map(|of| (of, why.to_owned())));
        }
        let is_late = !is_shown && !left.is_empty();
        showing::end(self.forge, left, is_shown, self.open)?;
        posted.remarks.extend(written.remark);
        posted.annotated = written.annotated;
        if is_late && !hidden.is_empty() {
            // What stands there instead of the check must not pass.
            posted.remarks.extend(self.write(&hidden)?.remark);
        }
        posted.hidden = lines(&hidden);
        Ok(())
    }

    /// Reports whether somebody has to see an environment: nothing of a fork is applied, and where
    /// nothing changes there is nothing to see.
    fn needs_eyes(&self, of: &Of) -> bool {
        let mut reports = self.found.reports.iter().filter(|report| commenting::of(report) == *of);
        let changes = reports.any(|report| report.planned().is_some_and(|one| !one.is_nothing()));
        self.keeps && !self.place.is_from_fork() && changes
    }

    fn write(
        &self,
        hidden: &BTreeMap<Of, String>,
    ) -> Result<dax_provider_api::review::Posted, ReviewError> {
        let found = self.found;
        let fails = found.failed || found.denied || !hidden.is_empty();
        let state = if fails { CheckState::Failed } else { CheckState::Passed };
        let lines = lines(hidden);
        let budget = self.forge.remote().check_budget();
        let mut summary: String =
            lines.iter().map(|line| format!("**{}**\n\n", render::escape(line))).collect();
        summary.push_str(&found.page);
        if summary.len() > budget && budget > 0 {
            summary =
                "The page is too long to stand here: it is in the summary of the run.".to_owned();
        }
        let title = match lines.as_slice() {
            [] => title(found),
            [one] => one.clone(),
            [_, ..] => format!("{} environments cannot be shown", lines.len()),
        };
        let bare = check(self.options, self.place, state, &title);
        let check = Check { summary, annotations: found.annotations.clone(), ..bare };
        Ok(self.forge.ask(|remote| remote.check(&check))?)
    }

    /// Keeps that nothing is shown any more of environments that this run answers for and of which
    /// its comments show no plan.
    fn hide(&self, drafts: &[Draft]) -> Result<(), ReviewError> {
        if !self.keeps {
            return Ok(());
        }
        let planned = |of: &Of| {
            let mut reports = self.found.reports.iter().filter(|report| report.planned().is_some());
            reports.any(|report| commenting::of(report) == *of)
        };
        let shown: BTreeSet<&Of> =
            drafts.iter().flat_map(|draft| &draft.of).filter(|of| planned(of)).collect();
        let leaves = |plan: &Plan| {
            let of = (plan.project.clone(), plan.environment.clone());
            scope::covers(self.options, &plan.environment) && !shown.contains(&of)
        };
        let folders: Vec<&PathBuf> = self.found.looked.values().flatten().collect();
        showing::hide(self.place, self.forge, &folders, &leaves, self.open)
    }
}

/// Environments that could not be shown, a line each.
fn lines(hidden: &BTreeMap<Of, String>) -> Vec<String> {
    let line = |((project, environment), why): (&Of, &String)| {
        format!("{project} / {environment} cannot be shown: {why}")
    };
    hidden.iter().map(line).collect()
}
