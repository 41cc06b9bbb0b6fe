//! `dax ci`: plans what a change touches and says so where it is reviewed.

mod asking;
mod commenting;
mod files;
mod posting;

use crate::approving;
use crate::comment::{self, Frame};
use crate::pending::Changes;
use crate::place::{Event, Place};
use crate::plans::{self, Planned, Report, Verdict};
use crate::scope::{self, Options, Scope};
use crate::{Forge, Open, ReviewError, Say, annotations, naming, saying};
use commenting::Of;
use dax_engine::printable::Line;
use dax_engine::{Name, render};
use dax_provider_api::review::{Annotation, Check, CheckState};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Findings of a run, and the places where they were said.
#[derive(Default)]
pub struct Published {
    /// The environments.
    pub reports: Vec<Report>,
    /// Errors of programs and tests that failed, a line each.
    pub faults: Vec<String>,
    /// Remarks on lines, those that weigh most first.
    pub annotations: Vec<Annotation>,
    /// The page about all of it, as Markdown.
    pub page: String,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Remarks about what could not be said where it should stand, for whoever set this up.
    pub remarks: Vec<String>,
    /// True when the code host shows the remarks on lines.
    pub annotated: bool,
    /// True when a policy denies something.
    pub denied: bool,
    /// True when something else keeps the change from being merged.
    pub failed: bool,
    /// Environments that could not be shown, a line each: nothing approves their plans.
    pub hidden: Vec<String>,
    /// Environments of which the page does not show the plan, with the reason.
    unshown: BTreeMap<Of, String>,
    /// The folder of each project.
    folders: BTreeMap<Name, PathBuf>,
    /// Projects that were looked at, with their folders; of one that is gone there is none.
    looked: BTreeMap<Name, Option<PathBuf>>,
    /// The project of the folder that this runs in, where all of it is planned and there are
    /// others.
    whole: Option<Name>,
}

/// Plans, judges, keeps and says.
///
/// # Errors
/// It cannot be found out what the change touches, the state cannot be used, or the check cannot be
/// written.
pub fn review(
    options: &Options,
    place: Option<&Place>,
    forge: Option<&Forge>,
    open: Open<'_>,
    say: Say<'_>,
) -> Result<Published, ReviewError> {
    if let (Some(place @ Place { event: Event::Queue { gone: true, .. }, .. }), Some(forge)) =
        (place, forge)
    {
        let check =
            check(options, place, CheckState::Cancelled, "the merge queue needs it no more");
        let posted = forge.ask(|remote| remote.check(&check))?;
        return Ok(Published {
            remarks: posted.remark.into_iter().collect(),
            ..Published::default()
        });
    }
    if let (Some(Event::Change { number, .. } | Event::Button { number, .. }), Some(forge)) =
        (place.map(|place| &place.event), forge)
        && forge.ask(|remote| remote.change(*number))?.merged
    {
        // The comments say what became of it, and may offer a plan of the merged commit.
        let text = format!(
            "{} {number} is merged: the job of its branch plans and applies it",
            forge.request()
        );
        return Ok(Published { remarks: vec![text], ..Published::default() });
    }
    let mut remarks = Vec::new();
    if let (Some(place), Some(forge)) = (place, forge) {
        let begun = check(options, place, CheckState::Running, "planning");
        remarks.extend(forge.ask(|remote| remote.check(&begun))?.remark);
    }
    let result = published(options, place, forge, open, say);
    let mut found = match (result, place, forge) {
        (Ok(found), ..) => found,
        // A check that has begun must not be left hanging.
        (Err(error), Some(place), Some(forge)) => {
            let failed = check(options, place, CheckState::Failed, "the plans could not be made");
            let check = Check { summary: render::escape(&error.to_string()), ..failed };
            return Err(match forge.ask(|remote| remote.check(&check)) {
                Ok(_) => error,
                Err(hanging) => ReviewError::Hanging(Box::new(error), hanging),
            });
        }
        (Err(error), ..) => return Err(error),
    };
    remarks.append(&mut found.remarks);
    // The same thing is said once, however many calls met it.
    let mut said = BTreeSet::new();
    remarks.retain(|remark| said.insert(remark.clone()));
    found.remarks = remarks;
    Ok(found)
}

/// All of it once a check has begun.
fn published(
    options: &Options,
    place: Option<&Place>,
    forge: Option<&Forge>,
    open: Open<'_>,
    say: Say<'_>,
) -> Result<Published, ReviewError> {
    let mut found = find(options, place, forge, open, &mut *say)?;
    if let (Some(place), Some(forge)) = (place, forge) {
        let posted = posting::post(options, place, forge, &found, open, say)?;
        found.annotated = posted.annotated;
        found.remarks.extend(posted.remarks);
        found.failed |= !posted.hidden.is_empty();
        found.hidden = posted.hidden;
    }
    found.files = files::write(options, place, &found, open)?;
    Ok(found)
}

fn find(
    options: &Options,
    place: Option<&Place>,
    forge: Option<&Forge>,
    open: Open<'_>,
    say: Say<'_>,
) -> Result<Published, ReviewError> {
    if let Some(place) = place {
        scope::checked_out(options, place)?;
    }
    let base = scope::base(options, place, forge)?;
    naming::known(options, base.as_deref(), open)?;
    let scopes = scope::scope(options, place, forge, base.as_deref(), open)?;
    let changes = forge.map(Changes::new);
    let mut found = Published::default();
    look(options, &scopes, &mut found, open)?;
    let (mut all, mut passed) = (Vec::new(), 0);
    for scope in &scopes {
        found.remarks.extend(scope.remarks.iter().cloned());
        if let Some(project) = &scope.gone {
            let gone = |environment: &Name| Report {
                project: project.clone(),
                environment: environment.clone(),
                verdict: Verdict::Removed { rules: None },
            };
            found.reports.extend(scope.environments.keys().map(gone));
            continue;
        }
        if let Some(why) = &scope.broken {
            found.faults.push(format!("{}: {why}", scope.folder));
            continue;
        }
        let engine = open(&scope.path)?;
        let (project, _) = engine.people()?;
        let checked = plans::check(scope, &engine, options)?;
        all.extend(checked.annotations);
        passed += checked.passed;
        let sound = checked.faults.is_empty();
        found
            .faults
            .extend(checked.faults.into_iter().map(|fault| format!("{}: {fault}", scope.folder)));
        if !sound {
            continue;
        }
        let mut reports =
            plans::plan(scope, &engine, &project, options, place, &mut all, &mut *say)?;
        if let (Some(place), Some(forge), Some(changes)) = (place, forge, &changes) {
            if !options.dry {
                found.remarks.extend(approving::press(place, forge, &engine, &reports)?);
            }
            let asking = asking::Asking { options, place, forge, engine: &engine, scope, changes };
            for report in &mut reports {
                asking.queue(report)?;
                found.remarks.extend(asking.reviews(report));
            }
        }
        let unread = reports.iter().filter_map(|report| report.planned()?.rules.unread.clone());
        found.remarks.extend(unread);
        found.folders.insert(project, scope.path.clone());
        found.reports.append(&mut reports);
    }
    let (chosen, more) = annotations::choose(all);
    if more > 0 {
        found.remarks.push(format!("{more} remarks of less weight are in the plans only"));
    }
    found.annotations = chosen;
    found.denied =
        found.reports.iter().any(|report| report.planned().is_some_and(Planned::is_denied));
    found.failed = !found.faults.is_empty()
        || found
            .reports
            .iter()
            .any(|report| report.failed() && !report.planned().is_some_and(Planned::is_denied));
    let commit = place.map_or_else(|| "HEAD".to_owned(), |place| place.commit.clone());
    let flavour = scope::flavour(place);
    let frame = Frame {
        flavour,
        commit: &commit,
        url: place.and_then(|place| place.url.as_deref()),
        budget: flavour.budget(),
    };
    let inputs = saying::inputs(&found.reports);
    let page = comment::page(&inputs, &found.faults, passed, &frame);
    (found.page, found.unshown) = (page.text, page.lacks);
    Ok(found)
}

/// Notes the projects that a run looks at.
fn look(
    options: &Options,
    scopes: &[Scope],
    found: &mut Published,
    open: Open<'_>,
) -> Result<(), ReviewError> {
    // A manifest that cannot be read names no project.
    let name = |path: &Path| -> Result<Option<Name>, ReviewError> {
        Ok(open(path)?.people().ok().map(|(name, _)| name))
    };
    for scope in scopes {
        match &scope.gone {
            Some(name) => drop(found.looked.insert(name.clone(), None)),
            None => {
                let name = name(&scope.path)?;
                found.looked.extend(name.map(|name| (name, Some(scope.path.clone()))));
            }
        }
    }
    // That of this folder also where nothing of it is left to plan.
    if options.folder.join("dax.mod").is_file()
        && let Some(name) = name(&options.folder)?
    {
        let others = dax_engine::projects(&options.folder)?.len() > 1;
        found.whole = (options.all && others).then(|| name.clone());
        found.looked.entry(name).or_insert_with(|| Some(options.folder.clone()));
    }
    Ok(())
}

/// The check of a job, without a summary and annotations.
fn check(options: &Options, place: &Place, state: CheckState, title: &str) -> Check {
    Check {
        name: options.check.clone(),
        commit: place.commit.clone(),
        state,
        title: Line::new(title).to_string(),
        summary: String::new(),
        annotations: Vec::new(),
        url: place.url.clone(),
        token: place.change_key(),
    }
}

/// The title of the check.
fn title(found: &Published) -> String {
    if !found.faults.is_empty() {
        return format!("{} in the program or its tests", plural(found.faults.len(), "error"));
    }
    match found.reports.as_slice() {
        [] => "no environment is affected".to_owned(),
        [one] => comment::headline(&saying::input(one)),
        many => {
            let changed = many
                .iter()
                .filter(|one| one.planned().is_some_and(|planned| !planned.plan.is_empty()))
                .count();
            let failed = many.iter().filter(|one| one.failed()).count();
            let failed =
                if failed > 0 { format!(", {failed} cannot go on") } else { String::new() };
            format!("{} planned, {changed} would change{failed}", plural(many.len(), "environment"))
        }
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
