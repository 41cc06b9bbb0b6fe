//! Planning what a change touches, and judging it: tests, policies, and what was shown before.

use crate::annotations;
use crate::place::Place;
use crate::scope::{Options, Scope};
use crate::{ReviewError, Say, previews};
use dax_engine::digest::{digest, effect};
use dax_engine::{
    Engine, EngineError, Name, Plan, PlanRequest, Review, Selection, Standing, TestRequest,
    Verdict as TestVerdict,
};
use dax_provider_api::review::Annotation;

/// What became of an environment.
pub enum Verdict {
    /// It was planned.
    Plan(Box<Planned>),
    /// It could not be planned.
    Failed(String),
    /// The program no longer has it.
    Removed,
}

/// A plan with all that is known of it.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Its digest.
    pub digest: String,
    /// What stands in its way now.
    pub standing: Standing,
    /// What policies say, a line each; those that deny first.
    pub policies: Vec<String>,
    /// Whether the change alters who must agree, what comes first or when it may be changed.
    pub altered: bool,
    /// Whether one of them denies it.
    pub denied: bool,
    /// What reviewers of this change were shown last, by an earlier push.
    pub before: Option<Review>,
}

/// An environment of a project, with what became of it.
pub struct Report {
    /// The project.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// What became of it.
    pub verdict: Verdict,
}

/// What is known of a project beside its environments.
pub(crate) struct Checked {
    /// Remarks on its lines.
    pub(crate) annotations: Vec<Annotation>,
    /// Errors of the program and tests that failed, a line each.
    pub(crate) faults: Vec<String>,
    /// Tests that passed.
    pub(crate) passed: usize,
}

impl Report {
    /// Whether it keeps the change from being merged.
    pub fn failed(&self) -> bool {
        match &self.verdict {
            Verdict::Plan(planned) => {
                planned.denied || planned.plan.changes.iter().any(|change| change.blocked.is_some())
            }
            Verdict::Failed(_) => true,
            Verdict::Removed => false,
        }
    }

    /// The plan, if there is one.
    pub fn planned(&self) -> Option<&Planned> {
        match &self.verdict {
            Verdict::Plan(planned) => Some(planned),
            _ => None,
        }
    }
}

impl Planned {
    /// Whether it does what reviewers were shown before.
    pub fn same_as_before(&self) -> bool {
        self.before.as_ref().is_some_and(|before| effect(&before.plan) == effect(&self.plan))
    }
}

/// Checks a project and runs its tests.
pub(crate) fn check(
    scope: &Scope,
    engine: &Engine,
    options: &Options,
) -> Result<Checked, ReviewError> {
    let mut checked = Checked { annotations: Vec::new(), faults: Vec::new(), passed: 0 };
    let (loaded, _, found) = engine.findings(&options.params)?;
    for finding in &found {
        checked.annotations.extend(annotations::finding(&scope.folder, &loaded.sources, finding));
        if finding.is_error() {
            checked.faults.push(finding.one_line(&loaded.sources));
        }
    }
    if !checked.faults.is_empty() {
        return Ok(checked);
    }
    let request = TestRequest {
        filter: String::new(),
        values: options.params.values.clone(),
        cases: 100,
        seed: 0,
        now: dax_engine::now(),
    };
    let (sources, outcomes) = engine.test(&request)?;
    for outcome in outcomes {
        match outcome.verdict {
            TestVerdict::Passed { .. } => checked.passed += 1,
            TestVerdict::Failed { diagnostics, .. } => {
                checked.faults.push(format!(
                    "test \"{}\" fails: {}",
                    outcome.title,
                    sources.location(outcome.span)
                ));
                checked.annotations.extend(
                    diagnostics
                        .iter()
                        .filter_map(|found| annotations::finding(&scope.folder, &sources, found)),
                );
            }
        }
    }
    Ok(checked)
}

/// What is to be planned.
pub(crate) fn request(environment: &str, options: &Options) -> PlanRequest {
    PlanRequest {
        environment: environment.to_owned(),
        params: options.params.clone(),
        selection: Selection::default(),
        adopt: None,
    }
}

/// Plans the environments of a project.
pub(crate) fn plan(
    scope: &Scope,
    engine: &Engine,
    project: &Name,
    options: &Options,
    place: Option<&Place>,
    remarks: &mut Vec<Annotation>,
    say: Say<'_>,
) -> Result<Vec<Report>, ReviewError> {
    let mut reports = Vec::new();
    for (environment, how) in &scope.environments {
        let report = |verdict: Verdict| Report {
            project: project.clone(),
            environment: environment.clone(),
            verdict,
        };
        if *how == "removed" {
            reports.push(report(Verdict::Removed));
            continue;
        }
        say(&format!("planning {project} / {environment} ({how})"));
        let judged = match engine.plan(&request(environment, options)) {
            Ok(judged) => judged,
            Err(
                EngineError::Policy { sources, diagnostics }
                | EngineError::Program { sources, diagnostics },
            ) => {
                remarks.extend(
                    diagnostics
                        .iter()
                        .filter_map(|found| annotations::finding(&scope.folder, &sources, found)),
                );
                let lines: Vec<String> = diagnostics
                    .iter()
                    .filter(|found| found.is_error())
                    .map(|found| found.one_line(&sources))
                    .collect();
                reports.push(report(Verdict::Failed(lines.join("\n"))));
                continue;
            }
            Err(error) => {
                reports.push(report(Verdict::Failed(error.to_string())));
                continue;
            }
        };
        remarks.extend(
            judged
                .findings
                .iter()
                .filter_map(|found| annotations::finding(&scope.folder, &judged.sources, found)),
        );
        remarks.extend(annotations::changes(&scope.folder, &judged.plan));
        let before = match place {
            Some(place) => engine.reviews(environment, &place.change_key())?.pop(),
            None => None,
        };
        let mut policies: Vec<_> = judged.findings.iter().collect();
        policies.sort_by_key(|found| !found.is_error());
        reports.push(report(Verdict::Plan(Box::new(Planned {
            digest: digest(&judged.plan),
            policies: policies.iter().map(|found| found.one_line(&judged.sources)).collect(),
            altered: scope.altered.iter().any(|name| name == previews::template(environment)),
            denied: judged.findings.iter().any(dax_engine::Diagnostic::is_error),
            standing: judged.standing,
            plan: judged.plan,
            before,
        }))));
    }
    Ok(reports)
}
