//! Comments of a change request: each environment's own, and those of earlier runs that are void.

use super::Published;
use crate::comment::{self, Frame, Subject};
use crate::place::Place;
use crate::plans::{Report, Verdict};
use crate::scope::{self, Options};
use crate::{Forge, ReviewError, Say, saying};
use dax_engine::Name;
use dax_provider_api::review::Comment;
use std::collections::{BTreeMap, BTreeSet};

/// So many environments have comments of their own; more share one.
const COMMENTS: usize = 8;

/// An environment of a project, by their names.
pub(super) type Of = (Name, Name);

/// A comment that is to be written.
pub(super) struct Draft {
    pub(super) marker: String,
    pub(super) body: String,
    /// The environments that it shows.
    pub(super) of: BTreeSet<Of>,
    /// Those of which it does not show the plan, with the reason.
    pub(super) lacks: BTreeMap<Of, String>,
    /// The environment whose comment has its details.
    pub(super) details: Option<Of>,
}

/// The names of a report's project and environment.
pub(super) fn of(report: &Report) -> Of {
    (report.project.clone(), report.environment.clone())
}

/// The comments that show what was found; nothing for who was shown nothing before and would be
/// told that there is nothing.
pub(super) fn drafts(
    options: &Options,
    place: &Place,
    forge: &Forge,
    found: &Published,
) -> Vec<Draft> {
    let flavour = scope::flavour(Some(place));
    let budget = forge.remote().comment_budget();
    let frame = Frame { flavour, commit: &place.commit, url: place.url.as_deref(), budget };
    let worth = |report: &&Report| match &report.verdict {
        Verdict::Plan(planned) => {
            !planned.is_nothing() || planned.before.is_some() || planned.is_denied()
        }
        Verdict::Failed(_) | Verdict::Removed { .. } => true,
    };
    let shown: Vec<&Report> = found.reports.iter().filter(worth).collect();
    if shown.len() > COMMENTS {
        let project = found.whole.clone();
        let marker = Subject::shared(project, &options.environments).marker(flavour);
        let body = format!("{marker}\n{}", found.page);
        let (lacks, of) = shown.into_iter().map(of).partition(|of| found.unshown.contains_key(of));
        let why = |of: Of| found.unshown.get(&of).cloned().map(|why| (of, why));
        let lacks = BTreeSet::into_iter(lacks).filter_map(why).collect();
        return vec![Draft { marker, body, of, lacks, details: None }];
    }
    let draft = |input: comment::CommentInput| {
        let marker = comment::marker_of(flavour, &input.project, &input.environment);
        let written = comment::written(&input, &frame);
        let of = (input.project, input.environment);
        let details = input.same_as.map(|other| (of.0.clone(), other));
        let (mut is_shown, mut lacks) = (BTreeSet::new(), BTreeMap::new());
        match written.lacks {
            Some(why) => drop(lacks.insert(of, why)),
            None => drop(is_shown.insert(of)),
        }
        Draft { marker, body: written.text, of: is_shown, lacks, details }
    };
    saying::inputs(shown).into_iter().map(draft).collect()
}

/// Reports whether a run answers for a comment of an earlier one, so that it may say that it holds
/// no more: it is of an environment that the run was asked for, and of a project that the run
/// looked at, or for another commit. The plan of another job for the same commit stands.
fn answers(
    options: &Options,
    place: &Place,
    found: &Published,
    subject: &Subject,
    body: &str,
) -> bool {
    let covers = |name: &str| scope::covers(options, name);
    let (project, is_asked) = match subject {
        Subject::One(project, environment) => (Some(project), covers(environment)),
        Subject::Shared { project, only } => {
            let own: Vec<Name> =
                options.environments.iter().map(|name| comment::marked(name)).collect();
            let is_own = |name| own.is_empty() || own.contains(name) || covers(name);
            (project.as_ref(), own.is_empty() || (!only.is_empty() && only.iter().all(is_own)))
        }
    };
    let is_looked_at = project.is_none_or(|name| found.looked.contains_key(name));
    is_asked && (is_looked_at || !comment::is_for(body, &place.commit))
}

/// Comments of a run on a change request.
pub(super) struct Writer<'w> {
    pub(super) forge: &'w Forge,
    pub(super) number: u64,
    /// Remarks about what could not be said.
    pub(super) remarks: Vec<String>,
}

impl Writer<'_> {
    /// Writes a comment; tells whether it stands there.
    pub(super) fn write(&mut self, marker: &str, body: String, say: Say<'_>) -> bool {
        let comment = Comment { change: self.number, marker: marker.to_owned(), body };
        match self.forge.ask(|remote| remote.comment(&comment)) {
            Ok(posted) => {
                if let Some(url) = &posted.url {
                    say(&format!("comment: {url}"));
                }
                let is_written = posted.remark.is_none();
                self.remarks.extend(posted.remark);
                is_written
            }
            // The check may still say it all.
            Err(error) => {
                self.remarks.push(error.to_string());
                false
            }
        }
    }

    /// Comments of earlier runs that still say something, by what they are about.
    pub(super) fn standing(&self, place: &Place) -> Result<Vec<Subject>, ReviewError> {
        let flavour = scope::flavour(Some(place));
        let prefix = comment::prefix(flavour);
        let all = self.forge.ask(|remote| remote.own_comments(self.number, prefix))?;
        let live = all.iter().filter(|body| !comment::is_superseded(body));
        let subject = |body: &String| Subject::of(body.lines().next().unwrap_or_default(), flavour);
        Ok(live.filter_map(subject).collect())
    }

    /// Marks the comments of earlier runs that this one answers for and wrote nothing into.
    pub(super) fn supersede(
        &mut self,
        options: &Options,
        place: &Place,
        found: &Published,
        drafts: &[Draft],
        say: Say<'_>,
    ) {
        let flavour = scope::flavour(Some(place));
        let prefix = comment::prefix(flavour);
        let all = match self.forge.ask(|remote| remote.own_comments(self.number, prefix)) {
            Ok(all) => all,
            Err(error) => return self.remarks.push(error.to_string()),
        };
        let commit = comment::short(&place.commit);
        let why = if found.faults.is_empty() {
            format!("the plans for commit {commit}")
        } else {
            format!("commit {commit}, whose program has errors")
        };
        for old in all {
            let marker = old.lines().next().unwrap_or_default();
            let Some(subject) = Subject::of(marker, flavour) else { continue };
            let is_drafted = drafts.iter().any(|draft| draft.marker == marker);
            if is_drafted || !answers(options, place, found, &subject, &old) {
                continue;
            }
            let body = comment::superseded(&old, &why);
            if body != old {
                self.write(marker, body, &mut *say);
            }
        }
    }
}
