//! `dax ci apply`: carries out what was reviewed, and nothing else.
//!
//! Invariant: a plan is applied only when it does what reviewers of the change were shown for the commit that was merged,
//! and everything that its program and the place of reviews want of people is there.

use crate::comment::{self, short};
use crate::deploying::{self, Deploying};
use crate::place::{Event, Place, change_key, same_commit};
use crate::scope::{self, Options, Scope};
use crate::{Forge, Open, ReviewError, Say, approving, plans, previews, protecting};
use dax_engine::digest::{digest, effect};
use dax_engine::render::{self, Block, Line, Tone};
use dax_engine::{
    ApplyRequest, Engine, EngineError, Finished, Name, Origin, Outcome, Plan, Review, Told,
};
use dax_provider_api::review::{ChangeRequest, Comment};
use std::collections::BTreeSet;
use std::time::Duration;

/// What somebody wants of `dax ci apply`.
pub struct ApplyOptions {
    /// Where, and what of it.
    pub options: Options,
    /// Whether what nobody was shown may be applied.
    pub unreviewed: bool,
    /// Whether reviewers agreed to steps that cannot be taken back by agreeing to the plan.
    pub acknowledge: bool,
    /// How long to wait for another holder.
    pub lock_timeout: Duration,
}

/// Carries a plan out, telling of each step.
pub type Carry<'c> = &'c mut dyn FnMut(
    &Engine,
    ApplyRequest,
    &mut dyn FnMut(&Told),
) -> Result<Finished, EngineError>;

/// How an environment ended.
pub enum Ending {
    /// There was nothing to do.
    Nothing,
    /// It was carried out.
    Ran(Box<Finished>),
    /// It would do something else than what was reviewed.
    Other(Vec<Block>),
    /// Something must hold first; of time alone when the second says so.
    Waits(Vec<String>, bool),
    /// It could not be planned or carried out.
    Failed(EngineError),
}

/// An environment with how it ended.
pub struct Applied {
    /// The project.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// How.
    pub ending: Ending,
    /// What could not be recorded, in words for whoever set this up.
    pub remarks: Vec<String>,
}

/// Carries out what was reviewed, environment after environment.
///
/// # Errors
/// It cannot be found out what the change touches, or the place cannot be asked who reviewed it.
pub fn apply(
    request: &ApplyOptions,
    place: &Place,
    forge: &Forge,
    open: Open<'_>,
    carry: Carry<'_>,
    say: Say<'_>,
) -> Result<Vec<Applied>, ReviewError> {
    let options = &request.options;
    let preview = match &place.event {
        Event::Closed { number } => return leave(request, forge, *number, open, carry),
        Event::Change { fork: true, number, .. } => {
            say(&format!(
                "change request {number} comes from another repository: nothing of it is applied"
            ));
            return Ok(Vec::new());
        }
        Event::Change { .. } => true,
        Event::Queue { .. } | Event::Button { .. } => {
            say("nothing is applied before the merge");
            return Ok(Vec::new());
        }
        Event::Push { .. } | Event::Release { .. } | Event::Other => false,
    };
    let base = scope::base(options, Some(place), Some(forge))?;
    let merged =
        if preview { Vec::new() } else { forge.ask(|remote| remote.merged(&place.commit))? };
    let mut applied = Vec::new();
    for mut scope in scope::scope(options, Some(place), &base, open)?
        .into_iter()
        .filter(|scope| scope.gone.is_none())
    {
        let engine = open(&scope.path)?;
        let (project, _) = engine.people()?;
        if preview {
            scope.environments.retain(|name, _| previews::key(name).is_some());
        }
        scope.environments.retain(|_, how| *how != "removed");
        let names: Vec<Name> = scope.environments.keys().cloned().collect();
        let mut ended = false;
        for environment in engine.in_order(&options.params, &names)? {
            if ended {
                // What comes after a failure is left alone: it may have been meant to come second.
                let why = vec![
                    "another environment of this project comes first and did not end well"
                        .to_owned(),
                ];
                applied.push(Applied {
                    project: project.clone(),
                    environment,
                    ending: Ending::Waits(why, false),
                    remarks: Vec::new(),
                });
                continue;
            }
            say(&format!("planning {project} / {environment}"));
            let one = Environment {
                request,
                place,
                forge,
                engine: &engine,
                scope: &scope,
                project: &project,
                name: &environment,
                merged: &merged,
            };
            let (ending, remarks) = one.apply(&mut *carry)?;
            ended = matches!(&ending, Ending::Failed(_) | Ending::Other(_))
                || matches!(&ending, Ending::Ran(finished) if finished.outcome != Outcome::Succeeded);
            one.tell(&ending);
            applied.push(Applied { project: project.clone(), environment, ending, remarks });
        }
    }
    Ok(applied)
}

/// One environment of a run of the pipeline.
struct Environment<'e> {
    request: &'e ApplyOptions,
    place: &'e Place,
    forge: &'e Forge,
    engine: &'e Engine,
    scope: &'e Scope,
    project: &'e Name,
    name: &'e Name,
    merged: &'e [ChangeRequest],
}

/// What stands behind a plan.
struct Backing<'e> {
    /// The plan that was shown.
    shown: Option<Review>,
    /// The change request that it was shown in.
    change: Option<&'e ChangeRequest>,
}

impl Environment<'_> {
    fn apply(&self, carry: Carry<'_>) -> Result<(Ending, Vec<String>), ReviewError> {
        let request = plans::request(self.name, &self.request.options);
        // What is planned before another run has ended is stale after it.
        let patience = self.request.lock_timeout;
        let planned = self
            .engine
            .wait_for_others(&request.environment, patience)
            .and_then(|()| self.engine.plan(&request))
            .and_then(dax_engine::Judged::allowed);
        let plan = match planned {
            Ok(plan) => plan,
            Err(error) => return Ok((Ending::Failed(error), Vec::new())),
        };
        if plan.is_empty() {
            return Ok((Ending::Nothing, Vec::new()));
        }
        let mut remarks = Vec::new();
        // A preview is made while its change is still reviewed.
        if previews::key(self.name).is_none() {
            let backing = self.backing()?;
            if let Some(ending) = self.held_against(&plan, &backing) {
                return Ok((ending, remarks));
            }
            let obstacles = self.people(&plan, &backing, &mut remarks)?;
            if !obstacles.is_empty() {
                return Ok((Ending::Waits(obstacles, false), remarks));
            }
        }
        if !self.request.acknowledge
            && let Some(step) = plan.points_of_no_return().next()
        {
            let why = format!(
                "step {} cannot be taken back: say --acknowledge-reviewed when who agrees to the plan agrees to that",
                step.id
            );
            return Ok((Ending::Waits(vec![why], false), remarks));
        }
        let standing = self.engine.standing(&plan)?;
        if !standing.obstacles.is_empty() {
            return Ok((Ending::Waits(standing.obstacles, standing.early), remarks));
        }
        let known = digest(&plan);
        let deploying = Deploying::queue(self.forge, self.place, self.shown_name(), &plan, &known);
        let acknowledged = if self.request.acknowledge {
            plan.points_of_no_return().map(|step| step.id).collect()
        } else {
            BTreeSet::new()
        };
        let run = ApplyRequest {
            plan,
            expect: Some(known),
            acknowledged,
            why: self.why(),
            name: None,
            lock_timeout: self.request.lock_timeout,
            again: Some(request),
            origin: Origin::Program,
        };
        let result = carry(self.engine, run, &mut |told| deploying.hear(told));
        let message = result.as_ref().err().map(ToString::to_string);
        let told = result.as_ref().map_err(|_| message.as_deref().unwrap_or_default());
        let back = result
            .as_ref()
            .is_ok_and(|finished| matches!(finished.outcome, Outcome::RolledBack { .. }));
        let restored = if back { self.running_commit()? } else { None };
        remarks.extend(deploying.end(told, restored.as_deref()));
        Ok((
            result.map_or_else(Ending::Failed, |finished| Ending::Ran(Box::new(finished))),
            remarks,
        ))
    }

    /// What reviewers were shown: for the newest commit of the change that was merged, or for this very commit.
    fn backing(&self) -> Result<Backing<'_>, ReviewError> {
        for change in self.merged {
            let reviews = self.engine.reviews(self.name, &change_key(change.number))?;
            if let Some(shown) =
                reviews.into_iter().rev().find(|review| same_commit(&review.commit, &change.head))
            {
                return Ok(Backing { shown: Some(shown), change: Some(change) });
            }
        }
        let shown = self.engine.reviews(self.name, &self.place.change_key())?.pop();
        Ok(Backing { shown, change: self.merged.first() })
    }

    /// Why a plan is not what was reviewed, if it is not.
    fn held_against(&self, plan: &Plan, backing: &Backing<'_>) -> Option<Ending> {
        match &backing.shown {
            Some(shown) if effect(&shown.plan) == effect(plan) => None,
            Some(shown) => Some(Ending::Other(render::diff(&shown.plan, plan))),
            None if self.request.unreviewed => None,
            None => {
                let why = match backing.change {
                    Some(change) => format!(
                        "no plan of `{}` was shown for commit {} of change request {}",
                        self.name,
                        short(&change.head),
                        change.number
                    ),
                    None => format!(
                        "commit {} came with no change request, and no plan of `{}` was shown for it",
                        short(&self.place.commit),
                        self.name
                    ),
                };
                let help = "run `dax ci` for it first, with the same state, or say --unreviewed to apply what nobody has seen";
                Some(Ending::Waits(vec![format!("{why}: {help}")], false))
            }
        }
    }

    /// Writes down who agreed, and says who is lacking as far as the place of reviews knows.
    fn people(
        &self,
        plan: &Plan,
        backing: &Backing<'_>,
        remarks: &mut Vec<String>,
    ) -> Result<Vec<String>, ReviewError> {
        let mut obstacles = Vec::new();
        let mut agree = BTreeSet::new();
        let mut reason = String::new();
        if let Some(change) = backing.change {
            let voices = approving::voices(self.forge, self.engine, change, plan)?;
            reason = format!("by a review of change request {}", change.number);
            agree.extend(voices.agree);
            remarks.extend(voices.remarks);
            obstacles.extend(voices.against.iter().map(|who| {
                format!("`{who}` asked for changes in change request {}", change.number)
            }));
        }
        let environment = self.shown_name();
        let released = self.forge.ask(|remote| remote.released(&environment))?;
        let passed = !released.is_empty();
        if passed && reason.is_empty() {
            reason = format!("by letting the run go on to `{environment}`");
        }
        agree.extend(released);
        approving::record(
            self.forge,
            self.engine,
            plan,
            &agree,
            backing.shown.as_ref(),
            &reason,
            remarks,
        )?;
        // Who let this run pass did so by the same rules.
        if !passed {
            match self.forge.ask(|remote| remote.protection(&environment)) {
                Ok(None) => {}
                Ok(Some(rules)) => {
                    let since = dax_engine::age(&self.request.options.folder).unwrap_or_default();
                    let author = backing.change.map(|change| change.author.as_str());
                    obstacles.extend(protecting::obstacles(
                        self.place, self.forge, &rules, &agree, author, since, remarks,
                    )?);
                }
                Err(error) => obstacles.push(error.to_string()),
            }
        }
        Ok(obstacles)
    }

    /// The commit that is known to run now.
    fn running_commit(&self) -> Result<Option<String>, ReviewError> {
        let history = self.engine.history(Some(self.name))?;
        let last = history.into_iter().find(|entry| {
            entry.run.outcome == Some(Outcome::Succeeded) && entry.run.mode == "apply"
        });
        Ok(last.and_then(|entry| entry.run.commit).map(|commit| commit.id.to_string()))
    }

    fn why(&self) -> String {
        match self.merged.first() {
            Some(change) => format!("change request {}: {}", change.number, change.title),
            None => format!("commit {}", short(&self.place.commit)),
        }
    }

    /// What an environment is called where reviews are.
    fn shown_name(&self) -> String {
        shown_name(&self.scope.folder, self.project, self.name)
    }

    /// Says in the change request what became of its plan.
    fn tell(&self, ending: &Ending) {
        let number = match &self.place.event {
            Event::Change { number, .. } => Some(*number),
            _ => self.merged.first().map(|change| change.number),
        };
        let Some(number) = number else { return };
        let name = format!("{} / {}", self.project, self.name);
        let line = |tone: Tone, text: &str| Line::at(0).with(tone, text);
        let head = |tone: Tone, text: String| Block::Heading(1, Line::at(0).with(tone, text));
        let blocks = match ending {
            Ending::Nothing => return,
            Ending::Ran(finished) => {
                let tone =
                    if finished.outcome == Outcome::Succeeded { Tone::Add } else { Tone::Remove };
                let mut lines: Vec<Line> = finished
                    .urls
                    .iter()
                    .map(|(addr, url)| line(Tone::Plain, &format!("{}  {url}", addr.name())))
                    .collect();
                if let Outcome::RolledBack { message, .. }
                | Outcome::Stuck { message, .. }
                | Outcome::Held { message, .. }
                | Outcome::Diverged { message }
                | Outcome::Abandoned { message } = &finished.outcome
                {
                    lines.push(line(Tone::Remove, message));
                }
                lines.push(line(Tone::Dim, &format!("digest {}", digest(&finished.plan))));
                vec![
                    head(
                        tone,
                        format!("{name}: {} (run {})", finished.outcome.word(), finished.run),
                    ),
                    Block::Lines(lines),
                ]
            }
            Ending::Other(difference) => {
                let mut all = vec![head(
                    Tone::Remove,
                    format!("{name}: not applied, what would be done is not what was reviewed"),
                )];
                all.extend(difference.iter().cloned());
                all
            }
            Ending::Waits(why, _) => {
                vec![
                    head(Tone::Warn, format!("{name}: not applied yet")),
                    Block::Lines(why.iter().map(|why| line(Tone::Warn, why)).collect()),
                ]
            }
            Ending::Failed(error) => {
                vec![
                    head(Tone::Remove, format!("{name}: not applied")),
                    Block::Lines(vec![line(Tone::Remove, &error.to_string())]),
                ]
            }
        };
        let flavour = scope::flavour(Some(self.place));
        let marker = comment::marker(flavour, &format!("{}:{}:applied", self.project, self.name));
        let body = render::markdown(
            &blocks,
            flavour,
            self.forge.remote().comment_budget().saturating_sub(marker.len() + 1),
        );
        let comment = Comment { change: number, body: format!("{marker}\n{body}"), marker };
        // The run's own log says the same.
        let _ = self.forge.ask(|remote| remote.comment(&comment));
    }
}

/// What an environment is called where reviews are: of several projects each has its own.
fn shown_name(folder: &str, project: &str, environment: &str) -> String {
    if folder == "." { environment.to_owned() } else { format!("{project}/{environment}") }
}

/// Takes away what was made for a change request that is closed.
fn leave(
    request: &ApplyOptions,
    forge: &Forge,
    number: u64,
    open: Open<'_>,
    carry: Carry<'_>,
) -> Result<Vec<Applied>, ReviewError> {
    let mut applied = Vec::new();
    for (folder, path) in dax_engine::projects(&request.options.folder)? {
        let engine = open(&path)?;
        let known = engine.known_environments()?;
        if !known.iter().any(|name| previews::key(name) == Some(number)) {
            continue;
        }
        let (project, _) = engine.people()?;
        for environment in known.into_iter().filter(|name| previews::key(name) == Some(number)) {
            let plan = match engine.plan_destroy(&environment) {
                Ok(plan) => plan,
                Err(error) => {
                    applied.push(Applied {
                        project: project.clone(),
                        environment,
                        ending: Ending::Failed(error),
                        remarks: Vec::new(),
                    });
                    continue;
                }
            };
            let ending = if plan.is_empty() {
                Ending::Nothing
            } else {
                let run = ApplyRequest {
                    acknowledged: plan.points_of_no_return().map(|step| step.id).collect(),
                    plan,
                    expect: None,
                    why: format!("change request {number} is closed"),
                    name: None,
                    lock_timeout: request.lock_timeout,
                    again: None,
                    origin: Origin::Program,
                };
                carry(&engine, run, &mut |_| {})
                    .map_or_else(Ending::Failed, |finished| Ending::Ran(Box::new(finished)))
            };
            let gone = matches!(&ending, Ending::Nothing)
                || matches!(&ending, Ending::Ran(finished) if finished.outcome == Outcome::Succeeded);
            let remarks = if gone {
                deploying::gone(forge, &shown_name(&folder, &project, &environment))
            } else {
                Vec::new()
            };
            applied.push(Applied { project: project.clone(), environment, ending, remarks });
        }
    }
    Ok(applied)
}
