//! `dax ci`: plans what a change touches and says so where it is reviewed.

use crate::comment::{self, Frame};
use crate::place::{Event, Place, change_key, same_commit};
use crate::plans::{self, Report, Verdict};
use crate::scope::{self, Options};
use crate::{Forge, Open, ReviewError, Say, annotations, approving};
use dax_engine::digest::effect;
use dax_engine::printable::{Line, Text};
use dax_engine::{Name, render};
use dax_provider_api::review::{Annotation, Check, CheckState, Comment, Level};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
        let (more, annotated) = post(options, place, forge, &found, say)?;
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
    let base = scope::base(options, place, forge)?;
    let scopes = scope::scope(options, place, &base, open)?;
    let mut found = Published::default();
    let (mut all, mut passed) = (Vec::new(), 0);
    for scope in &scopes {
        if let Some(project) = &scope.gone {
            let gone = |environment: &Name| Report {
                project: project.clone(),
                environment: environment.clone(),
                verdict: Verdict::Removed,
            };
            found.reports.extend(scope.environments.keys().map(gone));
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
        if let (Some(place), Some(forge)) = (place, forge) {
            if !options.dry {
                found.remarks.extend(approving::press(place, forge, &engine, &reports)?);
            }
            for report in &mut reports {
                queue(place, forge, &engine, report)?;
                // What was approved meanwhile is not in the way any more.
                if let (Event::Button { .. }, Verdict::Plan(planned)) =
                    (&place.event, &mut report.verdict)
                {
                    planned.standing = engine.standing(&planned.plan)?;
                }
            }
        }
        if let Some(place) = place.filter(|_| !options.dry) {
            for report in &reports {
                if let Some(planned) = report.planned() {
                    engine.keep_review(
                        &place.change_key(),
                        &place.commit,
                        place.url.clone(),
                        &planned.plan,
                    )?;
                }
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
        found.reports.iter().any(|report| report.planned().is_some_and(|planned| planned.denied));
    found.failed = !found.faults.is_empty()
        || found.reports.iter().any(|report| {
            report.failed() && !report.planned().is_some_and(|planned| planned.denied)
        });
    let commit = place.map_or_else(|| "HEAD".to_owned(), |place| place.commit.clone());
    let flavour = scope::flavour(place);
    let frame = Frame {
        flavour,
        commit: &commit,
        url: place.and_then(|place| place.url.as_deref()),
        budget: flavour.budget(),
    };
    found.page = comment::page(&found.reports, &found.faults, passed, &frame);
    Ok(found)
}

/// In a merge queue, a plan must do what was reviewed: nobody looks at it again.
fn queue(
    place: &Place,
    forge: &Forge,
    engine: &dax_engine::Engine,
    report: &mut Report,
) -> Result<(), ReviewError> {
    let Event::Queue { number: Some(number), .. } = place.event else { return Ok(()) };
    let Verdict::Plan(planned) = &mut report.verdict else { return Ok(()) };
    let head = forge.ask(|remote| remote.change(number))?.head;
    let reviews = engine.reviews(&report.environment, &change_key(number))?;
    let reviewed = reviews.iter().rev().find(|review| same_commit(&review.commit, &head)).cloned();
    match reviewed {
        Some(review) if effect(&review.plan) == effect(&planned.plan) => {
            planned.before = Some(review)
        }
        Some(review) => {
            planned.before = Some(review);
            planned.denied = true;
            let text = "another change in the queue is ahead of this one and changes its plan: what would be applied is not what was reviewed";
            planned.policies.insert(0, text.to_owned());
        }
        None if planned.plan.is_empty() => {}
        None => {
            planned.denied = true;
            planned.policies.insert(
                0,
                format!(
                    "no plan of this environment was shown for commit {} of the change",
                    comment::short(&head)
                ),
            );
        }
    }
    Ok(())
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
        [one] => comment::headline(one),
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
            !planned.plan.is_empty()
                || planned.before.is_some()
                || planned.denied
                || planned.altered
        }
        Verdict::Failed(_) | Verdict::Removed => true,
    };
    let shown: Vec<&Report> = found.reports.iter().filter(worth).collect();
    let mut bodies: Vec<(String, String)> = Vec::new();
    if shown.len() > COMMENTS {
        let marker = comment::marker(flavour, "all");
        bodies.push((marker.clone(), format!("{marker}\n{}", found.page)));
    } else {
        for report in shown {
            bodies.push((comment::marker_of(flavour, report), comment::comment(report, &frame)));
        }
    }
    let mut remarks: Vec<String> = Vec::new();
    for (marker, body) in bodies {
        let comment = Comment { change: number, marker, body };
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
    let wrong = |path: &Path| {
        let path = path.display().to_string();
        move |source: std::io::Error| ReviewError::File { path, source }
    };
    let folder = &options.output;
    std::fs::create_dir_all(folder).map_err(wrong(folder))?;
    // Nobody wants to commit what a run leaves.
    let ignore = folder.join(".gitignore");
    std::fs::write(&ignore, "*\n").map_err(wrong(&ignore))?;
    let mut files = Vec::new();
    let mut rows = Vec::new();
    for report in &found.reports {
        let name =
            format!("{}-{}", report.project, report.environment).replace(['[', ']', '/'], "-");
        let name = name.trim_end_matches('-');
        let file = report.planned().map(|planned| (folder.join(format!("{name}.plan")), planned));
        let folder = found.folders.get(&report.project);
        if let (Some((path, planned)), Some(folder)) = (&file, folder) {
            // The engine of the project knows the key that seals the plan.
            open(folder)?.save_plan(&planned.plan, path)?;
            files.push(path.clone());
        }
        rows.push(json!({
            "project": report.project, "environment": report.environment, "failed": report.failed(),
            "digest": report.planned().map(|planned| &planned.digest), "empty": report.planned().map(|planned| planned.plan.is_empty()),
            "denied": report.planned().map(|planned| planned.denied), "plan": file.map(|(path, _)| path.display().to_string()),
            "headline": comment::headline(report),
        }));
    }
    let report = json!({
        "format_version": 1, "commit": place.map(|place| &place.commit), "change": place.and_then(Place::number),
        "denied": found.denied, "failed": found.failed, "faults": found.faults, "environments": rows,
    });
    let mut texts = vec![("report.json", json_text(&report)), ("summary.md", found.page.clone())];
    if place.is_some_and(|place| place.kind == "gitlab") {
        texts.push(("gl-code-quality-report.json", code_quality(&found.annotations)));
    }
    for (name, text) in texts {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(wrong(&path))?;
        files.push(path);
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
