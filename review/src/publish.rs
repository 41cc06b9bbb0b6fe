//! `dax ci`: plans what a change touches and says so where it is reviewed.

use crate::approving::{self, bound};
use crate::backing::{Backing, Candidate, Shown, backing, distinct};
use crate::comment::{self, Frame};
use crate::parts::words;
use crate::pending::Changes;
use crate::place::{Event, Place, same_commit};
use crate::plans::{self, Planned, Report, Verdict};
use crate::scope::{self, Options, Scope};
use crate::{Forge, Open, ReviewError, Say, annotations, saying, showing};
use dax_engine::printable::{Line, Text};
use dax_engine::{Engine, Name, render};
use dax_provider_api::review::{Annotation, Check, CheckState, Comment, Level};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// So many environments have comments of their own; more share one.
const COMMENTS: usize = 8;

/// What was found, and where it was said.
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
    /// What was written.
    pub files: Vec<PathBuf>,
    /// What could not be said where it should stand, in words for whoever set this up.
    pub remarks: Vec<String>,
    /// Whether the place shows the remarks on lines.
    pub annotated: bool,
    /// Whether a policy denies something.
    pub denied: bool,
    /// Whether something else keeps the change from being merged.
    pub failed: bool,
    /// The folder of each project.
    folders: BTreeMap<Name, PathBuf>,
}

/// Plans, judges, keeps and says.
///
/// # Errors
/// It cannot be found out what the change touches, the state cannot be used, or the check cannot be written.
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
        let check = verdict(
            options,
            place,
            CheckState::Cancelled,
            "the merge queue needs it no more".to_owned(),
            String::new(),
            Vec::new(),
        );
        let posted = forge.ask(|remote| remote.check(&check))?;
        return Ok(Published {
            remarks: posted.remark.into_iter().collect(),
            ..Published::default()
        });
    }
    let mut remarks = Vec::new();
    if let (Some(place), Some(forge)) = (place, forge) {
        let begun = verdict(
            options,
            place,
            CheckState::Running,
            "planning".to_owned(),
            String::new(),
            Vec::new(),
        );
        remarks.extend(forge.ask(|remote| remote.check(&begun))?.remark);
    }
    let result = find(options, place, forge, open, say);
    let mut found = match result {
        Ok(found) => found,
        Err(error) => {
            // A check that has begun must not be left hanging.
            if let (Some(place), Some(forge)) = (place, forge) {
                let failed = verdict(
                    options,
                    place,
                    CheckState::Failed,
                    "the plans could not be made".to_owned(),
                    String::new(),
                    Vec::new(),
                );
                let check = Check { summary: render::escape(&error.to_string()), ..failed };
                let _ = forge.ask(|remote| remote.check(&check));
            }
            return Err(error);
        }
    };
    if let (Some(place), Some(forge)) = (place, forge) {
        // In a merge queue nobody looks at what is shown.
        let keeps = !options.dry && !matches!(place.event, Event::Queue { .. });
        let showing = if keeps {
            showing::begin(place, forge, &found.reports, &found.folders, open)?
        } else {
            Vec::new()
        };
        let (more, annotated) = post(options, place, forge, &found, say)?;
        showing::end(forge, showing, open)?;
        found.annotated = annotated;
        remarks.extend(more);
    }
    remarks.append(&mut found.remarks);
    // The same thing is said once, however many calls met it.
    let mut said = BTreeSet::new();
    remarks.retain(|remark| said.insert(remark.clone()));
    found.remarks = remarks;
    found.files = write(options, place, &found, open)?;
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
    let scopes = scope::scope(options, place, base.as_deref(), open)?;
    let changes = forge.map(Changes::new);
    let mut found = Published::default();
    let (mut all, mut passed) = (Vec::new(), 0);
    for scope in &scopes {
        found.remarks.extend(scope.remarks.iter().cloned());
        if let Some(project) = &scope.gone {
            let gone = |environment: &Name| Report {
                project: project.clone(),
                environment: environment.clone(),
                verdict: Verdict::Removed,
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
            let asking = Asking { options, place, forge, engine: &engine, scope, changes };
            for report in &mut reports {
                asking.queue(report)?;
                found.remarks.extend(asking.reviews(report));
            }
        }
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
    found.page = comment::page(&inputs, &found.faults, passed, &frame);
    Ok(found)
}

/// Questions about the plans of a project to those who review it.
struct Asking<'a> {
    options: &'a Options,
    place: &'a Place,
    forge: &'a Forge,
    engine: &'a Engine,
    scope: &'a Scope,
    changes: &'a Changes<'a>,
}

impl Asking<'_> {
    /// Fills in which approvals of the change request count for a plan; gives what could not be
    /// found out.
    fn reviews(&self, report: &mut Report) -> Vec<String> {
        let (Event::Change { number, .. } | Event::Button { number, .. }) = self.place.event else {
            return Vec::new();
        };
        let environment = report.environment.clone();
        let Verdict::Plan(planned) = &mut report.verdict else { return Vec::new() };
        match self.counted(&environment, number, planned) {
            Ok(remarks) => remarks,
            // The plan is shown all the same; before it is applied the question is asked again.
            Err(error) => vec![format!("`{environment}`: who approved it is not known: {error}")],
        }
    }

    fn counted(
        &self,
        environment: &Name,
        number: u64,
        planned: &mut Planned,
    ) -> Result<Vec<String>, ReviewError> {
        let mut remarks = Vec::new();
        let reviewed = self.changes.reviewed(number)?;
        let kept = self.engine.shown_plans(environment, &self.place.change_key())?;
        let shown: Vec<Shown> = kept.iter().map(approving::shown).collect();
        let wanted = planned.bound();
        let voices = approving::voices(
            self.forge,
            &reviewed,
            &shown,
            &wanted,
            &BTreeSet::new(),
            &planned.asked(),
            &mut remarks,
        );
        let mut approvals = voices.approvals;
        for earlier in &kept {
            if bound(&earlier.plan, earlier.conditions.as_deref()) == wanted {
                approvals.extend(approving::carried(self.engine, &earlier.plan, &planned.plan)?);
            }
        }
        let base = planned.rules.base.as_ref();
        planned.standing = self.engine.standing_with(&planned.plan, &approvals, base)?;
        planned.lost = voices.lost;
        Ok(remarks)
    }

    /// In a merge queue, a plan must be made of what was reviewed: nobody looks at it again.
    fn queue(&self, report: &mut Report) -> Result<(), ReviewError> {
        let Event::Queue { number: Some(number), .. } = self.place.event else { return Ok(()) };
        let environment = report.environment.clone();
        let Verdict::Plan(planned) = &mut report.verdict else { return Ok(()) };
        if planned.is_nothing() {
            return Ok(());
        }
        let touched = self.scope.environments.get(&environment);
        let applied = self.engine.last_applied(&environment)?;
        let base = match &applied {
            Some(commit) if dax_engine::is_ancestor(&self.options.folder, &commit.id, "HEAD")? => {
                Some(commit.id.as_str())
            }
            _ => touched.and_then(|touched| touched.base.as_deref()),
        };
        let pending = self.changes.queued(self.options, base, number)?;
        let sources = pending.sources(self.engine, &environment)?;
        let mut candidates = Vec::new();
        for (change, source) in sources.iter().enumerate() {
            let Some(reviewed) = &source.change else { continue };
            let of_head =
                |plan: &&Shown| plan.certain && same_commit(&plan.commit, &reviewed.change.head);
            for plan in distinct(&source.shown).into_iter().filter(of_head) {
                candidates.push(Candidate { change, plan: plan.clone(), approved: false });
            }
            if reviewed.change.number == number {
                planned.before = plans::newest(source.plans.clone());
            }
        }
        let wanted = planned.rules.wanted(&planned.plan, &self.place.commit);
        if let Backing::Lacks(lacks) = backing(&wanted, &candidates) {
            let mut lines: Vec<String> =
                lacks.iter().filter_map(|part| words(part, &planned.plan)).collect();
            lines.dedup();
            planned.denied = true;
            let what = if lines.is_empty() { "its steps".to_owned() } else { lines.join(", ") };
            let text = format!(
                "what would be applied was not shown for the change requests in the queue: {what}"
            );
            planned.policies.insert(0, text);
        }
        Ok(())
    }
}

fn verdict(
    options: &Options,
    place: &Place,
    state: CheckState,
    title: String,
    summary: String,
    annotations: Vec<Annotation>,
) -> Check {
    Check {
        name: options.check.clone(),
        commit: place.commit.clone(),
        state,
        title: Line::new(&title).to_string(),
        summary,
        annotations,
        url: place.url.clone(),
        token: place.change_key(),
    }
}

/// What the check says in one line.
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

/// Says everything where it belongs; gives what could not be said.
fn post(
    options: &Options,
    place: &Place,
    forge: &Forge,
    found: &Published,
    say: Say<'_>,
) -> Result<(Vec<String>, bool), ReviewError> {
    let mut remarks = Vec::new();
    if let Event::Change { number, .. } | Event::Button { number, .. } = place.event {
        let head = forge.ask(|remote| remote.change(number)).map(|change| change.head);
        match head {
            Ok(head) if !same_commit(&head, &place.commit) => {
                remarks.push(format!(
                    "change request {number} is at commit {} by now: the comments are left to the run for that",
                    comment::short(&head)
                ));
            }
            // Whether it is the newest cannot be seen; to say too much is better than to say nothing.
            Ok(_) | Err(_) => remarks.extend(comments(place, forge, number, found, &mut *say)),
        }
    }
    let state = if found.failed || found.denied { CheckState::Failed } else { CheckState::Passed };
    let budget = forge.remote().check_budget();
    let summary = if found.page.len() <= budget || budget == 0 {
        found.page.clone()
    } else {
        "The page is too long to stand here: it is in the summary of the run.".to_owned()
    };
    let check = verdict(options, place, state, title(found), summary, found.annotations.clone());
    let posted = forge.ask(|remote| remote.check(&check))?;
    remarks.extend(posted.remark);
    Ok((remarks, posted.annotated))
}

fn comments(
    place: &Place,
    forge: &Forge,
    number: u64,
    found: &Published,
    say: Say<'_>,
) -> Vec<String> {
    let flavour = scope::flavour(Some(place));
    let budget = forge.remote().comment_budget();
    let frame = Frame { flavour, commit: &place.commit, url: place.url.as_deref(), budget };
    // Who was shown nothing before is not told that there is nothing.
    let worth = |report: &&Report| match &report.verdict {
        Verdict::Plan(planned) => {
            !planned.is_nothing() || planned.before.is_some() || planned.is_denied()
        }
        Verdict::Failed(_) | Verdict::Removed => true,
    };
    let shown: Vec<&Report> = found.reports.iter().filter(worth).collect();
    let mut bodies: Vec<(String, String)> = Vec::new();
    if shown.len() > COMMENTS {
        let marker = comment::marker(flavour, "all");
        bodies.push((marker.clone(), format!("{marker}\n{}", found.page)));
    } else {
        for input in saying::inputs(shown) {
            let marker = comment::marker_of(flavour, &input.project, &input.environment);
            bodies.push((marker, comment::comment(&input, &frame)));
        }
    }
    let mut remarks: Vec<String> = Vec::new();
    let mut write = |marker: &str, body: String| {
        let comment = Comment { change: number, marker: marker.to_owned(), body };
        let remark = match forge.ask(|remote| remote.comment(&comment)) {
            Ok(posted) => {
                if let Some(url) = &posted.url {
                    say(&format!("comment: {url}"));
                }
                posted.remark
            }
            // The check still says it all.
            Err(error) => Some(error.to_string()),
        };
        remarks.extend(remark);
    };
    for (marker, body) in &bodies {
        write(marker, body.clone());
    }
    // Comments of earlier runs that nothing was written into are not true any more.
    let prefix = comment::prefix(flavour);
    match forge.ask(|remote| remote.own_comments(number, prefix)) {
        Ok(all) => {
            let why = if found.faults.is_empty() {
                format!("the plans for commit {}", comment::short(&place.commit))
            } else {
                format!("commit {}, whose program has errors", comment::short(&place.commit))
            };
            for old in all {
                let marker = old.lines().next().unwrap_or_default();
                let body = comment::superseded(&old, &why);
                if bodies.iter().all(|(written, _)| written != marker) && body != old {
                    write(marker, body);
                }
            }
        }
        Err(error) => remarks.push(error.to_string()),
    }
    remarks
}

/// Writes plans and reports for the pipeline to keep.
fn write(
    options: &Options,
    place: Option<&Place>,
    found: &Published,
    open: Open<'_>,
) -> Result<Vec<PathBuf>, ReviewError> {
    let output = &options.output;
    let mut files = Vec::new();
    let mut rows = Vec::new();
    for report in &found.reports {
        let name =
            format!("{}-{}", report.project, report.environment).replace(['[', ']', '/'], "-");
        let name = format!("{}.plan", name.trim_end_matches('-'));
        let mut file = None;
        let folder = found.folders.get(&report.project);
        if let (Some(planned), Some(folder)) = (report.planned(), folder) {
            // The engine of the project knows the key that seals the plan.
            let bytes = open(folder)?.plan_bytes(&planned.plan)?;
            let path = output.write(&name, &bytes)?;
            file = Some(path.display().to_string());
            files.push(path);
        }
        rows.push(json!({
            "project": report.project,
            "environment": report.environment,
            "failed": report.failed(),
            "digest": report.planned().map(|planned| &planned.digest),
            "empty": report.planned().map(|planned| planned.plan.is_empty()),
            "denied": report.planned().map(Planned::is_denied),
            "loosens": report.planned().map(|planned| planned.rules.loosened()),
            "plan": file,
            "headline": comment::headline(&saying::input(report)),
        }));
    }
    let report = json!({
        "format_version": 1,
        "commit": place.map(|place| &place.commit),
        "change": place.and_then(Place::number),
        "denied": found.denied,
        "failed": found.failed,
        "faults": found.faults,
        "environments": rows,
    });
    let mut texts = vec![("report.json", json_text(&report)), ("summary.md", found.page.clone())];
    if place.is_some_and(|place| place.kind == "gitlab") {
        texts.push(("gl-code-quality-report.json", code_quality(&found.annotations)));
    }
    for (name, text) in texts {
        files.push(output.write(name, text.as_bytes())?);
    }
    Ok(files)
}

/// JSON as a file that a log can show.
fn json_text(json: &serde_json::Value) -> String {
    Text::json(&format!("{json:#}\n")).to_string()
}

/// Remarks as GitLab shows them in a merge request. Source: <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.
fn code_quality(annotations: &[Annotation]) -> String {
    let rows: Vec<_> = annotations
        .iter()
        .enumerate()
        .map(|(number, one)| {
            let severity = match one.level {
                Level::Failure => "blocker",
                Level::Warning => "major",
                Level::Notice => "info",
            };
            json!({
                "description": format!("{}: {}", one.title, one.message), "check_name": one.title, "severity": severity,
                "fingerprint": format!("dax-{number}-{}-{}", one.path, one.line), "location": { "path": one.path, "lines": { "begin": one.line } },
            })
        })
        .collect();
    json_text(&json!(rows))
}
