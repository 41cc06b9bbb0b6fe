//! Comments of a change request: each environment's own, and those of earlier runs that are void.

use super::Published;
use crate::comment::{self, Frame, Subject};
use crate::place::Place;
use crate::plans::{Report, Verdict};
use crate::scope::{self, Options};
use crate::{Forge, Say, saying};
use dax_engine::Name;
use dax_provider_api::review::Comment;
use std::collections::BTreeSet;

/// So many environments have comments of their own; more share one.
const COMMENTS: usize = 8;

/// An environment of a project, by their names.
pub(super) type Of = (Name, Name);

/// A comment that is to be written.
pub(super) struct Draft {
    marker: String,
    body: String,
    /// The environments that it shows.
    pub(super) of: BTreeSet<Of>,
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
        Verdict::Failed(_) | Verdict::Removed => true,
    };
    let shown: Vec<&Report> = found.reports.iter().filter(worth).collect();
    if shown.len() > COMMENTS {
        let project = found.whole.clone();
        let marker = Subject::shared(project, &options.environments).marker(flavour);
        let body = format!("{marker}\n{}", found.page);
        return vec![Draft { marker, body, of: shown.into_iter().map(of).collect() }];
    }
    let draft = |input: comment::CommentInput| Draft {
        marker: comment::marker_of(flavour, &input.project, &input.environment),
        body: comment::comment(&input, &frame),
        of: BTreeSet::from([(input.project, input.environment)]),
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

/// Writes comments, and marks those of earlier runs that nothing was written into; gives the
/// environments that were shown, and what could not be said.
pub(super) fn write(
    options: &Options,
    place: &Place,
    forge: &Forge,
    number: u64,
    found: &Published,
    drafts: &[Draft],
    say: Say<'_>,
) -> (BTreeSet<Of>, Vec<String>) {
    let (mut shown, mut remarks) = (BTreeSet::new(), Vec::new());
    let mut write = |marker: &str, body: String| -> bool {
        let comment = Comment { change: number, marker: marker.to_owned(), body };
        match forge.ask(|remote| remote.comment(&comment)) {
            Ok(posted) => {
                if let Some(url) = &posted.url {
                    say(&format!("comment: {url}"));
                }
                let is_written = posted.remark.is_none();
                remarks.extend(posted.remark);
                is_written
            }
            // The check still says it all.
            Err(error) => {
                remarks.push(error.to_string());
                false
            }
        }
    };
    for draft in drafts {
        if write(&draft.marker, draft.body.clone()) {
            shown.extend(draft.of.iter().cloned());
        }
    }
    let flavour = scope::flavour(Some(place));
    match forge.ask(|remote| remote.own_comments(number, comment::prefix(flavour))) {
        Ok(all) => {
            let commit = comment::short(&place.commit);
            let why = if !found.faults.is_empty() {
                format!("commit {commit}, whose program has errors")
            } else {
                format!("the plans for commit {commit}")
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
                    write(marker, body);
                }
            }
        }
        Err(error) => remarks.push(error.to_string()),
    }
    (shown, remarks)
}
