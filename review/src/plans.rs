//! Plans of what a change touches, and the judgement of each: tests, policies, old and new
//! conditions, and plans that were shown before.

use crate::annotations;
use crate::approving::{Asked, Lost, bound};
use crate::backing::Shown;
use crate::parts;
use crate::place::Place;
use crate::scope::{self, Options, Scope, Touched};
use crate::{ReviewError, Say};
use dax_engine::digest::digest;
use dax_engine::render::{Progress, Rule};
use dax_engine::{
    Base, ConditionChange, Conditions, Engine, EngineError, Name, Plan, PlanRequest, Reviews,
    Selection, ShownPlan, Standing, TestRequest, Verdict as TestVerdict, compare_conditions,
};
use dax_provider_api::review::Annotation;

/// The outcome of planning an environment.
pub enum Verdict {
    /// It was planned.
    Plan(Box<Planned>),
    /// It could not be planned.
    Failed(String),
    /// The program no longer has it.
    Removed {
        /// Approval rules that would go with it although something runs there.
        rules: Option<String>,
    },
}

/// Conditions under which a plan is applied: those of the program, and older ones that are asked
/// as well.
#[derive(Default)]
pub struct Rules {
    /// Those of the program.
    pub program: Conditions,
    /// Those of the commit that the change is held against.
    pub base: Option<Base>,
    /// Those that were recorded with the last apply.
    pub applied: Option<Conditions>,
    /// The changes that the program makes to the older ones.
    pub changes: Vec<ConditionChange>,
    /// The reason why those of the commit are not asked, if they cannot be.
    pub unread: Option<String>,
}

/// A plan with all that is known of it.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Its digest.
    pub digest: String,
    /// Blockers of it now.
    pub standing: Standing,
    /// Findings of policies, a line each; those that deny first.
    pub policies: Vec<String>,
    /// Denials of policies as they were before the change, where it loosens conditions.
    pub older: Vec<String>,
    /// Its conditions.
    pub rules: Rules,
    /// True when a policy denies it.
    pub denied: bool,
    /// True when a part of it was shown for none of the change requests in a merge queue.
    pub unseen: bool,
    /// The plan that reviewers of this change were shown last, by an earlier run.
    pub before: Option<ShownPlan>,
    /// Approvals of this change that do not count for it.
    pub lost: Vec<Lost>,
}

/// An environment of a project, with the outcome of planning it.
pub struct Report {
    /// The project.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// The outcome.
    pub verdict: Verdict,
}

/// Findings about a project beside its environments.
pub(crate) struct Checked {
    /// Remarks on its lines.
    pub(crate) annotations: Vec<Annotation>,
    /// Errors of the program and tests that failed, a line each.
    pub(crate) faults: Vec<String>,
    /// Tests that passed.
    pub(crate) passed: usize,
}

impl Report {
    /// Reports whether it keeps the change from being merged.
    pub fn failed(&self) -> bool {
        match &self.verdict {
            Verdict::Plan(planned) => {
                planned.is_denied()
                    || planned.unguarded()
                    || planned.plan.changes.iter().any(|change| change.blocked.is_some())
            }
            Verdict::Failed(_) => true,
            Verdict::Removed { rules } => rules.is_some(),
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

impl Rules {
    /// The conditions of an environment, with those of a commit and of the last apply; of one that
    /// was never applied with its first ones instead of those of the commit.
    pub(crate) fn of(
        engine: &Engine,
        environment: &Name,
        options: &Options,
        base: Option<&str>,
        since: Since,
    ) -> Result<Self, ReviewError> {
        let program = engine.conditions(environment, &options.params)?;
        let applied = engine.recorded_conditions(environment)?.map(|recorded| recorded.conditions);
        let first = match applied {
            None if !program.preview && base.is_some() => {
                first_guard(engine, environment, options)?
            }
            _ => None,
        };
        let base = first.as_deref().or(base);
        let mut unread = None;
        let base = match base.map(|commit| engine.base(commit, environment, &options.params)) {
            Some(Ok(base)) => base,
            // A program that is broken before the change must not keep it from being mended; the
            // conditions of the last apply are asked all the same.
            Some(Err(error)) if error.is_of_program() => {
                unread = Some(format!(
                    "the conditions of `{environment}` before this change cannot be read: its \
                     program has errors there"
                ));
                None
            }
            Some(Err(error)) => return Err(error.into()),
            None => None,
        };
        let base = match (base, since) {
            (Some(base), Since::All) => {
                let folder = &options.folder;
                let later = dax_engine::commits_of_programs(folder, &base.commit, "HEAD")?;
                Some(engine.base_with_later(base, &later, environment, &options.params)?)
            }
            (base, _) => base,
        };
        let mut changes: Vec<ConditionChange> = Vec::new();
        let bases = base.iter().flat_map(Base::all);
        for old in bases.map(|base| &base.conditions).chain(&applied) {
            for change in compare_conditions(old, &program) {
                if !changes.contains(&change) {
                    changes.push(change);
                }
            }
        }
        Ok(Self { program, base, applied, changes, unread })
    }

    /// All conditions that are asked.
    pub(crate) fn all(&self) -> Vec<&Conditions> {
        let base = self.base.iter().flat_map(Base::all).map(|base| &base.conditions);
        std::iter::once(&self.program).chain(base).chain(&self.applied).collect()
    }

    /// A plan under these conditions, as it is compared with plans that were shown.
    pub(crate) fn wanted(&self, plan: &Plan, commit: &str) -> Shown {
        let now = self.program.digest();
        let mut all = parts::parts(plan);
        // Conditions that are in force already need nobody's approval.
        if self.applied.as_ref().map(Conditions::digest).as_ref() != Some(&now) {
            all.insert(parts::conditions(&now));
        }
        Shown {
            commit: commit.to_owned(),
            at_ms: 0,
            certain: true,
            effect: bound(plan, Some(&now)),
            parts: all,
        }
    }

    /// Reports whether the program asks for less than the older conditions did.
    pub fn loosened(&self) -> bool {
        self.changes.iter().any(|change| change.loosens)
    }
}

/// Commits whose conditions are asked beside those of the last apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// The one that a change is made from.
    First,
    /// That and every later one: what was merged and not applied yet guards what is merged next.
    All,
}

/// The commit with the first conditions of an environment: the oldest of the branch whose program
/// has it, so that no later one takes its rules away.
fn first_guard(
    engine: &Engine,
    environment: &Name,
    options: &Options,
) -> Result<Option<String>, ReviewError> {
    if !dax_engine::is_whole(&options.folder)? {
        return Err(scope::shallow("with the first rules of the environment"));
    }
    for commit in dax_engine::commits_naming(&options.folder, "HEAD", environment)? {
        match engine.base(&commit, environment, &options.params) {
            Ok(Some(_)) => return Ok(Some(commit)),
            // A program that was broken then guards nothing; the next one does.
            Ok(None) => {}
            Err(error) if error.is_of_program() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

impl Planned {
    /// Reports whether it does what reviewers were shown before, under the same conditions.
    pub fn same_as_before(&self) -> bool {
        let before = self.before.as_ref();
        before
            .is_some_and(|before| bound(&before.plan, before.conditions.as_deref()) == self.bound())
    }

    /// Reports whether it changes nothing that runs and no condition.
    pub fn is_nothing(&self) -> bool {
        self.plan.is_empty() && self.rules.changes.is_empty()
    }

    /// Reports whether it loosens conditions to which those have not agreed whom the old ones name.
    pub fn unguarded(&self) -> bool {
        let lacks = |one: &Progress| is_old(one) && one.lacking() > 0;
        self.rules.loosened() && self.standing.approvals.iter().any(lacks)
    }

    /// Reports whether it is denied: by a policy of the program, by one that stood before the change
    /// unless those agreed whom the older conditions name, or by a merge queue.
    pub fn is_denied(&self) -> bool {
        let lacks = |one: &Progress| one.lacking() > 0;
        let old: Vec<_> = self.standing.approvals.iter().filter(|one| is_old(one)).collect();
        let agreed = !old.is_empty() && !old.into_iter().any(lacks);
        self.denied || self.unseen || (!self.older.is_empty() && !agreed)
    }

    /// The digest of what it does and of its conditions.
    pub(crate) fn bound(&self) -> String {
        bound(&self.plan, Some(&self.rules.program.digest()))
    }

    /// All who are asked to approve it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { plan: &self.plan, conditions: self.rules.all() }
    }
}

/// Reports whether an approval rule is one of older conditions.
fn is_old(progress: &Progress) -> bool {
    progress.rule != Rule::Program
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

/// The request for a plan of an environment.
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
    for (environment, Touched { how, base }) in &scope.environments {
        let report = |verdict: Verdict| Report {
            project: project.clone(),
            environment: environment.clone(),
            verdict,
        };
        if *how == "removed" {
            let rules = engine.rules_left(environment, base.as_deref(), &options.params)?;
            reports.push(report(Verdict::Removed { rules }));
            continue;
        }
        let rules = match Rules::of(engine, environment, options, base.as_deref(), Since::First) {
            Ok(rules) => rules,
            Err(ReviewError::Engine(error)) => {
                reports.push(report(failed(error, scope, remarks)));
                continue;
            }
            Err(error) => return Err(error),
        };
        say(&format!("planning {project} / {environment} ({how})"));
        let judged = match engine.plan(&request(environment, options)) {
            Ok(judged) => judged,
            Err(error) => {
                reports.push(report(failed(error, scope, remarks)));
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
        remarks.extend(annotations::loosened(&scope.folder, &judged.plan, &rules.changes));
        let before = match place {
            Some(place) => newest(engine.shown_plans(environment, &place.change_key())?),
            None => None,
        };
        let mut findings: Vec<_> = judged.findings.iter().collect();
        findings.sort_by_key(|found| !found.is_error());
        let policies: Vec<String> =
            findings.iter().map(|found| found.one_line(&judged.sources)).collect();
        let denied = judged.findings.iter().any(dax_engine::Diagnostic::is_error);
        let standing =
            engine.standing_with(&judged.plan, &Reviews::default(), rules.base.as_ref())?;
        // Policies that the change removes or edits are asked as they were.
        let asks = rules.base.is_some() && rules.loosened() && !judged.plan.is_empty();
        let older = match base.as_deref().filter(|_| asks) {
            Some(base) => engine.policies_at(base, &judged.plan)?,
            None => Vec::new(),
        };
        let older = older.into_iter().filter(|line| !policies.contains(line)).collect();
        reports.push(report(Verdict::Plan(Box::new(Planned {
            digest: digest(&judged.plan),
            policies,
            older,
            denied,
            unseen: false,
            standing,
            plan: judged.plan,
            rules,
            before,
            lost: Vec::new(),
        }))));
    }
    Ok(reports)
}

/// The newest plan that was certainly shown.
pub(crate) fn newest(plans: Vec<ShownPlan>) -> Option<ShownPlan> {
    plans.into_iter().rev().find(|plan| plan.shown)
}

/// A plan that could not be made, with remarks on the lines that are to blame.
fn failed(error: EngineError, scope: &Scope, remarks: &mut Vec<Annotation>) -> Verdict {
    match error {
        EngineError::Policy { sources, diagnostics }
        | EngineError::Program { sources, diagnostics } => {
            let found = diagnostics.iter();
            remarks.extend(
                found.filter_map(|found| annotations::finding(&scope.folder, &sources, found)),
            );
            let errors = diagnostics.iter().filter(|found| found.is_error());
            let lines: Vec<String> = errors.map(|found| found.one_line(&sources)).collect();
            Verdict::Failed(lines.join("\n"))
        }
        error => Verdict::Failed(error.to_string()),
    }
}
