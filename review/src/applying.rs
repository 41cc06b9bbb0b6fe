//! `dax ci apply`: carries out what was reviewed, and nothing else.
//!
//! Invariant: a plan is applied only when each part of it was shown to reviewers of a change
//! request that was merged since the last apply, and all agreed whom the rules name: those of the
//! program, and those from before it.

mod behind;
mod environment;
mod leaving;
mod telling;

use crate::pending::Changes;
use crate::place::{Event, Place};
use crate::scope::{self, Options, Scope};
use crate::{Forge, Open, ReviewError, Say, naming};
use dax_engine::render::Block;
use dax_engine::{ApplyRequest, Engine, EngineError, Finished, Name, Outcome, Told};
use environment::Environment;
use std::collections::BTreeMap;
use std::time::Duration;

/// Wishes of somebody who runs `dax ci apply`.
pub struct ApplyOptions {
    /// The folder, and what of it is applied.
    pub options: Options,
    /// True when what nobody was shown may be applied.
    pub unreviewed: bool,
    /// True when approving the plan approves its steps that cannot be taken back.
    pub acknowledge: bool,
    /// The longest wait for another holder of the lease.
    pub lock_timeout: Duration,
}

/// Carries a plan out, telling of each step.
pub type Carry<'c> = &'c mut dyn FnMut(
    &Engine,
    ApplyRequest,
    &mut dyn FnMut(&Told),
) -> Result<Finished, EngineError>;

/// The end of an environment in a run of the pipeline.
pub enum Ending {
    /// There was nothing to do.
    Nothing,
    /// Nothing that runs changes; the conditions of the program are in force from now on.
    Accepted,
    /// It was carried out.
    Ran(Box<Finished>),
    /// It would do something that was not reviewed.
    Other(Unreviewed),
    /// Something must hold first.
    Waits(Waiting),
    /// It could not be planned or carried out.
    Failed(EngineError),
}

/// Blockers of a plan that was reviewed.
#[derive(Default)]
pub struct Waiting {
    /// The blockers, a sentence each.
    pub why: Vec<String>,
    /// True when nothing but time is one.
    pub early: bool,
    /// True when approvals are lacking.
    pub unapproved: bool,
}

impl Waiting {
    fn of(why: Vec<String>) -> Self {
        Self { why, ..Self::default() }
    }
}

/// Parts of a plan that nobody was shown.
#[derive(Default)]
pub struct Unreviewed {
    /// The parts, a line each.
    pub lacks: Vec<String>,
    /// The difference to the newest plan that was shown.
    pub difference: Vec<Block>,
    /// Ways on, a line each.
    pub help: Vec<String>,
    /// True when no plan at all was shown.
    pub never: bool,
}

/// An environment with its end.
pub struct Applied {
    /// The project.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// Its end.
    pub ending: Ending,
    /// Remarks about what could not be recorded, for whoever set this up.
    pub remarks: Vec<String>,
}

impl Ending {
    /// Reports whether environments that come after this one have to wait.
    fn holds_up(&self) -> bool {
        match self {
            Self::Nothing | Self::Accepted => false,
            Self::Ran(finished) => finished.outcome != Outcome::Succeeded,
            Self::Other(_) | Self::Waits(_) | Self::Failed(_) => true,
        }
    }
}

/// Carries out what was reviewed, environment after environment.
///
/// # Errors
/// It cannot be found out what the change touches, or the code host cannot be asked for reviews.
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
        Event::Closed { number } => {
            return leaving::leave(request, forge, *number, open, carry, say);
        }
        Event::Change { fork: true, number, .. } => {
            say(&format!(
                "{} {number} comes from another repository: nothing of it is applied",
                forge.request()
            ));
            return Ok(Vec::new());
        }
        Event::Change { number, .. } => {
            if !forge.ask(|remote| remote.change(*number))?.open {
                say(&format!(
                    "{} {number} is closed: no preview environment is made for it",
                    forge.request()
                ));
                return Ok(Vec::new());
            }
            true
        }
        Event::Queue { .. } | Event::Button { .. } => {
            say("nothing is applied before the merge");
            return Ok(Vec::new());
        }
        Event::Push { .. } | Event::Release { .. } | Event::Other => false,
    };
    scope::checked_out(options, place)?;
    let base = scope::base(options, Some(place), Some(forge))?;
    naming::known(options, base.as_deref(), open)?;
    let changes = Changes::new(forge);
    let mut scopes = if preview {
        scope::scope(options, Some(place), Some(forge), base.as_deref(), open)?
    } else {
        scope::unapplied(options, place, base.as_deref(), &changes, open, say)?
    };
    if preview {
        let number = place.number();
        let own = |name: &Name| crate::previews::number(name) == number;
        scopes.iter_mut().for_each(|scope| scope.environments.retain(|name, _| own(name)));
    }
    let mut applied = Vec::new();
    for scope in scopes.into_iter().filter(|scope| scope.gone.is_none()) {
        scope.remarks.iter().for_each(|remark| say(remark));
        if let Some(why) = &scope.broken {
            let error = EngineError::Denied { message: format!("{}: {why}", scope.folder) };
            applied.push(Applied {
                project: scope.folder.as_str().into(),
                environment: Name::default(),
                ending: Ending::Failed(error),
                remarks: Vec::new(),
            });
            continue;
        }
        let engine = open(&scope.path)?;
        let (engine, scope, changes) = (&engine, &scope, &changes);
        let run = Run { request, place, forge, engine, scope, changes, preview };
        run.apply(&mut *carry, &mut *say, &mut applied)?;
    }
    Ok(applied)
}

/// The run of a pipeline for a project.
struct Run<'r> {
    request: &'r ApplyOptions,
    place: &'r Place,
    forge: &'r Forge,
    engine: &'r Engine,
    scope: &'r Scope,
    changes: &'r Changes<'r>,
    /// True when it makes preview environments of a change request that is open.
    preview: bool,
}

impl Run<'_> {
    fn apply(
        &self,
        carry: Carry<'_>,
        say: Say<'_>,
        applied: &mut Vec<Applied>,
    ) -> Result<(), ReviewError> {
        let (project, _) = self.engine.people()?;
        let touched =
            self.scope.environments.iter().filter(|(_, touched)| touched.how != "removed");
        let names: Vec<Name> = touched.map(|(name, _)| name.clone()).collect();
        let mut held: BTreeMap<Name, bool> = BTreeMap::new();
        for (environment, first) in self.engine.orders(&self.request.options.params, &names)? {
            // What comes after a failure is left alone: it may have been meant to come second.
            if let Some(name) = first.iter().find(|name| held.get(*name) == Some(&true)) {
                let why = vec![format!("`{name}` comes first and is not up to date")];
                held.insert(environment.clone(), true);
                applied.push(Applied {
                    project: project.clone(),
                    environment,
                    ending: Ending::Waits(Waiting::of(why)),
                    remarks: Vec::new(),
                });
                continue;
            }
            say(&format!("planning {project} / {environment}"));
            let one = Environment::new(self, &project, &environment);
            let (ending, remarks) = one.apply(&mut *carry, &mut *say)?;
            held.insert(environment.clone(), ending.holds_up());
            let remarks = remarks.into_iter().map(|one| format!("{environment}: {one}")).collect();
            applied.push(Applied { project: project.clone(), environment, ending, remarks });
        }
        Ok(())
    }
}

/// The name of an environment at a code host: of several projects each has its own.
fn shown_name(folder: &str, project: &str, environment: &str) -> String {
    if folder == "." { environment.to_owned() } else { format!("{project}/{environment}") }
}
