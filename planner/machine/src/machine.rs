//! The machine: `step(event) -> commands`, without clock, ids, randomness or I/O.
//!
//! The same machine runs under the real driver and under the simulator. Invariant: the entries that it asks to
//! write come before the calls that depend on them, in the same batch; whoever carries a batch out makes its
//! entries durable first.

use dax_model::Operation;
mod back;
mod groups;
mod replay;
mod watch;

use crate::journal::{Entry, Outcome};
use dax_core::{Name, ResourceAddr};
use dax_plan::analysis::Measured;
use dax_plan::model::{Idempotency, OnFailure, Retry};
use dax_plan::{Plan, Step, StepId, Task};
use groups::Groups;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use watch::Watch;

/// Tries of one call before it counts as failed.
const TRIES: u32 = 6;

/// Milliseconds to wait before retry `attempt` (from 0): doubles from 200 up to 30,000, without jitter, so
/// that a replay waits the same.
pub const fn backoff_ms(attempt: u32) -> u64 {
    let shift = if attempt > 8 { 8 } else { attempt };
    let wait = 200 << shift;
    if wait > 30_000 { 30_000 } else { wait }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub message: String,
    /// Whether the same call may work later.
    pub transient: bool,
    /// Whether it may have taken effect all the same.
    pub unknown: bool,
    /// Whether the object is not as the call needs it, so that nothing was changed.
    pub conflict: bool,
    /// When to try again, if the system said so, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// It will not be done, however often it is asked.
    pub const fn refused(message: String) -> Self {
        Self { message, transient: false, unknown: false, conflict: false, retry_after_ms: None }
    }
}

/// The part of a step that is carried out: the step itself, or an operation of its inverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The step.
    Do,
    /// An operation of its inverse, by its place.
    Undo(usize),
    /// The same, whatever is there now.
    Force(usize),
}

impl Which {
    /// The operation of a step that this is; nothing for a step that only waits.
    pub fn operation(self, step: &Step) -> Option<&Operation> {
        match self {
            Self::Do => step.task.operation(),
            Self::Undo(at) | Self::Force(at) => step.inverse.operations.get(at),
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run begins, or goes on after a crash.
    Start,
    /// A call went well.
    Succeeded(StepId),
    /// A call failed.
    Failed(StepId, Failure),
    /// A timer ran out.
    Timer(StepId),
    /// A measurement came back.
    Measured(StepId, Measured),
    /// As many people as a step asks for agreed.
    Approved(StepId, Vec<Name>),
    /// The live objects were read again: what differs, if anything.
    Verified(Option<String>),
    /// Somebody wants it to stop at the next safe place.
    Interrupt,
    /// Somebody wants everything taken back.
    Abort {
        /// Who.
        by: Name,
        /// Why.
        reason: String,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make durable before anything else of the batch.
    Write(Entry),
    /// Carry a step out.
    Call(StepId),
    /// Carry out one operation of a step's inverse.
    Undo(StepId, usize),
    /// The same, whatever is there now.
    Force(StepId, usize),
    /// Wake up later.
    Timer(StepId, u64),
    /// Ask the metrics of an analysis.
    Measure(StepId),
    /// Look for the people that a step waits for.
    Await(StepId),
    /// Read the live objects again.
    Verify,
    /// The run is over, or waits for somebody.
    Finish(Outcome),
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not begun.
    Waiting,
    /// Under way, or not known to be done.
    Running,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Failed before it changed anything.
    Untouched,
    /// A person must say what became of it.
    Open,
    /// Being taken back.
    Undoing,
    /// Taken back.
    Undone,
    /// Done, and stays so although the run goes back.
    Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Forward,
    /// Something failed; what is under way comes to its end first.
    Draining,
    Back,
    Verifying,
    Over,
}

/// The state of a run.
pub struct Machine {
    plan: Arc<Plan>,
    groups: Groups,
    status: Vec<Status>,
    dependents: BTreeMap<StepId, Vec<StepId>>,
    attempts: BTreeMap<StepId, u32>,
    /// Steps whose call was made, or may have been, without an answer.
    unsure: BTreeSet<StepId>,
    intended_ms: BTreeMap<StepId, u64>,
    watches: BTreeMap<StepId, Watch>,
    /// Failed checks of a rollout so far, where all its analyses share them.
    failed_checks: BTreeMap<ResourceAddr, u32>,
    /// Steps still to be taken back, the next one last.
    going_back: Vec<StepId>,
    /// The operation of the inverse that is under way.
    undoing: Option<(StepId, usize)>,
    /// Whether the operation of the inverse is carried out whatever is there.
    forced: bool,
    failure: Option<(Option<StepId>, String)>,
    /// What a person must decide.
    open: BTreeMap<StepId, String>,
    stuck: Option<(StepId, String)>,
    interrupted: bool,
    aborted: bool,
    phase: Phase,
    count: Count,
}

/// How many steps are where, so that no event looks at all of them.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Under way, and to be waited for whatever happens.
    working: usize,
    /// Under way, but only waiting or watching.
    waiting: usize,
    done: usize,
}

impl Machine {
    /// A run of a plan, as far as its journal says it came.
    pub fn new(plan: Arc<Plan>, journal: &[Entry]) -> Self {
        let count = plan.steps.len();
        let mut dependents: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
        for (id, step) in ids(count).zip(&plan.steps) {
            for before in &step.after {
                dependents.entry(*before).or_default().push(id);
            }
        }
        let mut machine = Self {
            groups: Groups::of(&plan),
            plan,
            status: vec![Status::Waiting; count],
            dependents,
            attempts: BTreeMap::new(),
            unsure: BTreeSet::new(),
            intended_ms: BTreeMap::new(),
            watches: BTreeMap::new(),
            failed_checks: BTreeMap::new(),
            going_back: Vec::new(),
            undoing: None,
            forced: false,
            failure: None,
            open: BTreeMap::new(),
            stuck: None,
            interrupted: false,
            aborted: false,
            phase: Phase::Forward,
            count: Count::default(),
        };
        journal.iter().for_each(|entry| machine.replay(entry));
        machine
    }

    fn set(&mut self, step: StepId, status: Status) {
        let planned = self.plan.step(step).zip(self.status.get_mut(index(step)));
        let Some((planned, slot)) = planned else { return };
        let before = std::mem::replace(slot, status);
        let waits = only_waits(&planned.task);
        for (status, more) in [(before, false), (status, true)] {
            let counter = match status {
                Status::Running if waits => &mut self.count.waiting,
                Status::Running => &mut self.count.working,
                Status::Done => &mut self.count.done,
                _ => continue,
            };
            *counter = if more { *counter + 1 } else { counter.saturating_sub(1) };
        }
    }

    fn get(&self, step: StepId) -> Status {
        // Of a step that there is not nothing ever began.
        self.status.get(index(step)).copied().unwrap_or(Status::Waiting)
    }

    /// Where a step is.
    pub fn status(&self, step: StepId) -> Status {
        self.get(step)
    }

    /// Steps that wait for somebody to say how it goes on.
    pub fn waits_for(&self) -> Vec<StepId> {
        self.open.keys().copied().collect()
    }

    /// Takes an event in and says what is to be done, in order.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        match event {
            Event::Start => self.start(now_ms, &mut out),
            Event::Succeeded(step) => self.succeeded(step, now_ms, &mut out),
            Event::Failed(step, failure) => self.failed(step, failure, &mut out),
            Event::Timer(step) => self.timer(step, now_ms, &mut out),
            Event::Measured(step, measured) => self.measured(step, measured, now_ms, &mut out),
            Event::Approved(step, by) => self.approved(step, by, now_ms, &mut out),
            Event::Verified(difference) => {
                let outcome = match difference {
                    None => Outcome::Succeeded,
                    Some(message) => Outcome::Diverged { message },
                };
                self.finish(outcome, &mut out);
            }
            Event::Interrupt => self.interrupted = true,
            Event::Abort { by, reason } => self.abort(by, reason, &mut out),
        }
        self.settle(now_ms, &mut out);
        out
    }

    fn start(&mut self, now_ms: u64, out: &mut Vec<Command>) {
        // What was under way when the journal ended is asked for again: every operation is idempotent, and
        // where one is not, only a person can say what became of it.
        let plan = self.plan.clone();
        for (step, planned) in ids(plan.steps.len()).zip(&plan.steps) {
            match (self.get(step), self.phase) {
                (Status::Running, Phase::Forward | Phase::Draining)
                    if planned.idempotency == Idempotency::Ask =>
                {
                    self.leave_open(step, "the run ended in the middle of it, and only a person can see what became of it".to_owned(), out);
                }
                (Status::Running, Phase::Forward | Phase::Draining) => {
                    self.unsure.insert(step);
                    self.carry_out(step, now_ms, out);
                }
                (Status::Waiting, Phase::Forward) if planned.after.is_empty() => {
                    self.begin(step, now_ms, out)
                }
                (Status::Done, Phase::Forward) => self.release(step, now_ms, out),
                _ => {}
            }
        }
    }

    /// Begins the steps for which this one was the last to wait for.
    fn release(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        for next in self.dependents.get(&step).cloned().unwrap_or_default() {
            let after = self.plan.step(next).map_or(&[][..], |next| &next.after);
            let ready = after.iter().all(|before| self.get(*before) == Status::Done);
            if ready && self.get(next) == Status::Waiting {
                self.begin(next, now_ms, out);
            }
        }
    }

    fn begin(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        if self.phase != Phase::Forward || self.interrupted {
            return;
        }
        self.set(step, Status::Running);
        self.intended_ms.insert(step, now_ms);
        out.push(Command::Write(Entry::Intent { step, at_ms: now_ms }));
        self.carry_out(step, now_ms, out);
    }

    fn carry_out(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        let Some(planned) = self.plan.step(step) else { return };
        match &planned.task {
            Task::Hold { ms } => {
                let since = self.intended_ms.get(&step).map_or(0, |at| now_ms.saturating_sub(*at));
                out.push(Command::Timer(step, ms.saturating_sub(since)));
            }
            Task::Analyse { .. } => self.watch(step, now_ms, out),
            Task::Gate { .. } => out.push(Command::Await(step)),
            _ => out.push(Command::Call(step)),
        }
    }

    fn succeeded(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        if let Some((undone, operation)) = self.undoing
            && undone == step
        {
            self.attempts.remove(&step);
            return self.undo(step, operation + 1, out);
        }
        if self.get(step) != Status::Running {
            return;
        }
        self.set(step, Status::Done);
        self.attempts.remove(&step);
        out.push(Command::Write(Entry::Done { step }));
        if self.phase == Phase::Forward {
            self.release(step, now_ms, out);
        }
    }

    fn approved(&mut self, step: StepId, by: Vec<Name>, now_ms: u64, out: &mut Vec<Command>) {
        if self.get(step) == Status::Running {
            out.push(Command::Write(Entry::Approved { step, by }));
            self.succeeded(step, now_ms, out);
        }
    }

    fn failed(&mut self, step: StepId, failure: Failure, out: &mut Vec<Command>) {
        let Some(planned) = self.plan.step(step) else { return };
        let attempt = self.attempts.get(&step).copied().unwrap_or(0);
        if failure.unknown {
            self.unsure.insert(step);
        }
        let undone = self.undoing.is_some_and(|(undone, _)| undone == step);
        let asks = planned.idempotency == Idempotency::Ask && failure.unknown;
        let again = failure.transient
            && attempt + 1 < TRIES
            && !asks
            && (undone || planned.retry == Retry::Transient);
        if again {
            self.attempts.insert(step, attempt + 1);
            let wait = backoff_ms(attempt).max(failure.retry_after_ms.unwrap_or(0));
            return out.push(Command::Timer(step, wait));
        }
        if let Some((_, operation)) =
            self.undoing.filter(|_| undone && failure.conflict && !self.forced)
        {
            // Written first: who has lost the lease forces nothing.
            self.forced = true;
            out.push(Command::Write(Entry::UndoForced { step, message: failure.message }));
            return out.push(Command::Force(step, operation));
        }
        if undone {
            out.push(Command::Write(Entry::UndoFailed { step, message: failure.message.clone() }));
            self.undoing = None;
            self.stuck = Some((step, failure.message));
            return;
        }
        if asks && self.get(step) == Status::Running {
            return self.leave_open(step, failure.message, out);
        }
        let untouched = failure.conflict && !self.unsure.contains(&step);
        self.fail_with(step, failure.message, untouched, out);
    }

    /// Leaves it to a person what became of a step.
    fn leave_open(&mut self, step: StepId, message: String, out: &mut Vec<Command>) {
        self.set(step, Status::Open);
        self.watches.remove(&step);
        self.open.insert(step, message.clone());
        out.push(Command::Write(Entry::Open { step, message }));
    }

    fn fail(&mut self, step: StepId, message: String, out: &mut Vec<Command>) {
        self.fail_with(step, message, false, out);
    }

    fn fail_with(
        &mut self,
        step: StepId,
        message: String,
        untouched: bool,
        out: &mut Vec<Command>,
    ) {
        if self.get(step) != Status::Running {
            return;
        }
        self.set(step, if untouched { Status::Untouched } else { Status::Failed });
        self.watches.remove(&step);
        out.push(Command::Write(Entry::Failed { step, message: message.clone(), untouched }));
        self.note_failure(Some(step), message);
    }

    /// What a failure means for the rest, by the environment's policy.
    fn note_failure(&mut self, step: Option<StepId>, message: String) {
        match (self.plan.on_failure, step) {
            (OnFailure::Hold, Some(step)) if !self.aborted => {
                drop(self.open.insert(step, message.clone()))
            }
            (OnFailure::Continue, Some(_)) if !self.aborted => {}
            _ if self.phase == Phase::Forward => self.phase = Phase::Draining,
            _ => {}
        }
        self.failure.get_or_insert((step, message));
    }

    fn abort(&mut self, by: Name, reason: String, out: &mut Vec<Command>) {
        if !matches!(self.phase, Phase::Forward | Phase::Draining) {
            return;
        }
        self.aborted = true;
        out.push(Command::Write(Entry::Abort { by: by.clone(), reason: reason.clone() }));
        self.note_abort(&by, &reason);
    }

    fn note_abort(&mut self, by: &str, reason: &str) {
        self.aborted = true;
        self.open.clear();
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let ended = (None, format!("ended by {by}{why}"));
        if self.phase == Phase::Forward {
            // Whatever was held: it is over because somebody ended it.
            self.failure = Some(ended);
            self.phase = Phase::Draining;
        } else {
            self.failure.get_or_insert(ended);
        }
    }

    fn timer(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        if let Some((undone, operation)) = self.undoing
            && undone == step
        {
            out.push(if self.forced {
                Command::Force(step, operation)
            } else {
                Command::Undo(step, operation)
            });
            return;
        }
        if self.get(step) != Status::Running {
            return;
        }
        let Some(planned) = self.plan.step(step) else { return };
        match &planned.task {
            Task::Hold { .. } => self.succeeded(step, now_ms, out),
            Task::Analyse { .. } => self.tick(step, now_ms, out),
            Task::Gate { .. } => out.push(Command::Await(step)),
            _ => out.push(Command::Call(step)),
        }
    }

    /// Moves from one phase to the next when nothing is under way any more.
    fn settle(&mut self, now_ms: u64, out: &mut Vec<Command>) {
        // Waiting and watching change nothing: they need not end before the run stops or goes back.
        let may_drop = self.interrupted || self.phase == Phase::Draining;
        let running = self.count.working > 0 || (self.count.waiting > 0 && !may_drop);
        match self.phase {
            Phase::Forward if running => {}
            Phase::Forward if self.count.done == self.status.len() => {
                self.phase = Phase::Verifying;
                out.push(Command::Verify);
            }
            Phase::Forward if self.interrupted => self.finish(Outcome::Interrupted, out),
            Phase::Forward => match self.open.first_key_value() {
                Some((step, message)) => {
                    let outcome = Outcome::Held { step: *step, message: message.clone() };
                    self.finish(outcome, out);
                }
                // Nothing else can go on without what failed.
                None => {
                    self.phase = Phase::Draining;
                    return self.settle(now_ms, out);
                }
            },
            Phase::Draining if !running => {
                self.phase = Phase::Back;
                out.push(Command::Write(Entry::GoBack));
                self.plan_the_way_back();
            }
            _ => {}
        }
        while self.phase == Phase::Back && self.undoing.is_none() {
            self.go_back(now_ms, out);
        }
    }

    fn finish(&mut self, outcome: Outcome, out: &mut Vec<Command>) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            // A run that is stuck or held is not over: it can be resumed.
            if outcome.is_final() {
                out.push(Command::Write(Entry::End { outcome: outcome.clone() }));
            }
            out.push(Command::Finish(outcome));
        }
    }
}

/// Where a step stands among all of them.
fn index(step: StepId) -> usize {
    usize::try_from(step.0).unwrap_or(usize::MAX)
}

/// The ids of so many steps: a plan that was read may say others, and its journal goes by the place.
fn ids(count: usize) -> impl Iterator<Item = StepId> {
    (0..u32::try_from(count).unwrap_or(u32::MAX)).map(StepId)
}

/// Whether a step only waits or watches.
pub(crate) const fn only_waits(kind: &Task) -> bool {
    matches!(
        kind,
        Task::Hold { .. }
            | Task::Analyse { .. }
            | Task::Call(Operation::AwaitReady { .. })
            | Task::Gate { .. }
    )
}
