//! Runs that have not ended: how they stand, and what to do next.

use crate::{Engine, EngineError, holder};
use dax_core::{Name, ResourceAddr};
use dax_machine::Outcome;
use dax_plan::StepId;
use dax_store::Store;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often it is asked whether somebody else is done.
const POLL: Duration = Duration::from_millis(500);

/// How a run stands that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A process carries it out; which.
    InProgress(String),
    /// A step waits for somebody to decide, and why.
    Held(StepId, String),
    /// A step could not be taken back, and why.
    Stuck(StepId, String),
    /// Nobody carries it on.
    Interrupted,
}

impl Condition {
    /// One word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::InProgress(_) => "in_progress",
            Self::Held(..) => "held",
            Self::Stuck(..) => "stuck",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// The environment.
    pub environment: Name,
    /// The run.
    pub run: u64,
    /// `apply`, `rollback` or `destroy`.
    pub mode: Name,
    /// Who started it.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub started_ms: u64,
    /// How it stands.
    pub condition: Condition,
}

impl OpenRun {
    /// How it stands, in one sentence.
    pub fn says(&self) -> String {
        let Self { environment, run, mode, by, .. } = self;
        let what = match &self.condition {
            Condition::InProgress(holder) => format!("is in progress, held by {holder}"),
            Condition::Held(step, why) => {
                format!("is held: step {step} waits for a decision: {why}")
            }
            Condition::Stuck(step, why) => {
                format!("is stuck: step {step} could not be rolled back: {why}")
            }
            Condition::Interrupted => {
                "is interrupted: its process is gone, and it neither finished nor was rolled back"
                    .to_owned()
            }
        };
        format!("run {run} of `{environment}` ({mode}, by {by}) {what}")
    }

    /// Commands that lead on, each with what it does.
    pub fn next(&self) -> Vec<(String, &'static str)> {
        let on = |command: &str, more: &str| format!("dax {command} -e {}{more}", self.environment);
        let abort = (on("abort", ""), "rolls everything back");
        match &self.condition {
            Condition::InProgress(_) => {
                vec![(on("pause", ""), "stops it at the next safe place"), abort]
            }
            Condition::Held(step, _) => vec![
                (on("resume", &format!(" --again {step}")), "tries the step again"),
                (on("resume", &format!(" --done {step} --reason …")), "goes on without it"),
                abort,
            ],
            Condition::Stuck(step, _) => vec![
                (on("resume", ""), "tries again once the cause is mended"),
                (on("resume", &format!(" --skip {step} --reason …")), "leaves that step as it is"),
            ],
            Condition::Interrupted => vec![(on("resume", ""), "carries it on"), abort],
        }
    }

    /// All of it in one text.
    pub fn text(&self) -> String {
        let next: Vec<String> =
            self.next().iter().map(|(command, effect)| format!("`{command}` {effect}")).collect();
        format!("{}; {}", self.says(), next.join(", "))
    }
}

impl Engine {
    /// The runs that have not ended, of an environment or of all that have a state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open_runs(&self, environment: Option<&str>) -> Result<Vec<OpenRun>, EngineError> {
        let store = self.store()?;
        let names = self.named_or_all(&store, environment)?;
        let found = names.iter().map(|name| self.open_run(&store, name));
        found.filter_map(Result::transpose).collect()
    }

    /// The run of an environment that has not ended, if there is one.
    pub(crate) fn open_run(
        &self,
        store: &Store,
        environment: &str,
    ) -> Result<Option<OpenRun>, EngineError> {
        let Some(open) = self.runtime.block_on(store.open_run(environment))? else {
            return Ok(None);
        };
        let carried = open.holder.filter(|(holder, expires_ms)| {
            *expires_ms > store.now_ms() && !holder::is_gone(holder)
        });
        let condition = match (open.waits, carried) {
            (Some(Outcome::Held { step, message }), _) => Condition::Held(step, message),
            (Some(Outcome::Stuck { step, message }), _) => Condition::Stuck(step, message),
            (_, Some((holder, _))) => Condition::InProgress(holder.name),
            (_, None) => Condition::Interrupted,
        };
        Ok(Some(OpenRun {
            environment: environment.into(),
            run: open.id,
            mode: open.mode,
            by: open.by,
            started_ms: open.started_ms,
            condition,
        }))
    }

    /// The services that a run changes, or was to.
    pub(crate) fn touched(
        &self,
        store: &Store,
        open: &OpenRun,
    ) -> Result<BTreeSet<ResourceAddr>, EngineError> {
        let runs = self.runtime.block_on(store.runs(&open.environment))?;
        let run = runs.into_iter().find(|run| run.id == open.run);
        let services = run.map_or_else(Vec::new, |run| run.services);
        Ok(services.into_iter().map(|touched| touched.service).collect())
    }

    /// Waits until nobody carries a run of the environment out, as long as allowed: what is planned then is planned
    /// upon what that run leaves.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn wait_for_others(
        &self,
        environment: &str,
        patience: Duration,
    ) -> Result<(), EngineError> {
        if patience.is_zero() {
            return Ok(());
        }
        let store = self.store()?;
        let begun = Instant::now();
        loop {
            let holder = self.runtime.block_on(store.lease(environment))?;
            let held = holder.is_some_and(|(holder, expires)| {
                expires > store.now_ms() && !holder::is_gone(&holder)
            });
            if !held || begun.elapsed() >= patience {
                return Ok(());
            }
            std::thread::sleep(POLL.min(patience));
        }
    }
}
