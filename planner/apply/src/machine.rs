//! The machine: `step(event) -> commands`, without clock, ids, randomness or I/O.
//!
//! The same machine runs under the real driver and under the simulator of the tests. Invariant: the entries
//! that it asks to write come before the calls that depend on them, in the same batch; whoever carries a
//! batch out makes its entries durable first.

use crate::journal::{Entry, Outcome};
use dax_core::{Name, ResourceAddr, Value};
use dax_plan::analysis::{self, Analysis, Verdict};
use dax_plan::{Plan, StepId, StepKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Tries of one call before it counts as failed.
const TRIES: u32 = 6;

/// Milliseconds to wait before retry `attempt` (from 0): doubles from 200 up to 30,000, without jitter, so
/// that a replay waits the same.
pub const fn backoff_ms(attempt: u32) -> u64 {
    let shift = if attempt > 8 { 8 } else { attempt };
    let wait = 200 << shift;
    if wait > 30_000 { 30_000 } else { wait }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run begins, or goes on after a crash.
    Start,
    /// A call went well.
    Succeeded(StepId),
    /// A call failed.
    Failed {
        /// The step.
        step: StepId,
        /// Whether the same call may work later.
        transient: bool,
        /// Why.
        message: String,
    },
    /// A timer ran out.
    Timer(StepId),
    /// A measurement came back; without a value a metric had no data.
    Measured(StepId, BTreeMap<Name, Value>),
    /// The live objects were read again: what differs, if anything.
    Verified(Option<String>),
    /// Somebody wants it to stop at the next safe place.
    Interrupt,
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
    /// Wake up later.
    Timer(StepId, u64),
    /// Ask the metrics of an analysis.
    Measure(StepId),
    /// Read the live objects again.
    Verify,
    /// The run is over.
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
    /// Failed for good.
    Failed,
    /// Being taken back.
    Undoing,
    /// Taken back.
    Undone,
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Forward,
    /// A step failed; the others under way are waited for.
    Draining,
    Back,
    Verifying,
    Over,
}

/// A watch under way.
#[derive(Clone, Debug, Default)]
struct Watch {
    left_ms: u64,
    failures: u32,
    /// Whether any measurement said anything.
    conclusive: bool,
}

/// The state of a run.
pub struct Machine {
    plan: Arc<Plan>,
    status: Vec<Status>,
    dependents: Vec<Vec<StepId>>,
    attempts: Vec<u32>,
    intended_ms: BTreeMap<StepId, u64>,
    watches: BTreeMap<StepId, Watch>,
    /// The operation of the inverse that is under way.
    undoing: Option<(StepId, usize)>,
    failure: Option<(StepId, String)>,
    stuck: Option<(StepId, String)>,
    interrupted: bool,
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
        let mut dependents = vec![Vec::new(); count];
        for step in &plan.steps {
            for before in &step.after {
                dependents[before.0 as usize].push(step.id);
            }
        }
        let mut machine = Self {
            plan,
            status: vec![Status::Waiting; count],
            dependents,
            attempts: vec![0; count],
            intended_ms: BTreeMap::new(),
            watches: BTreeMap::new(),
            undoing: None,
            failure: None,
            stuck: None,
            interrupted: false,
            phase: Phase::Forward,
            count: Count::default(),
        };
        journal.iter().for_each(|entry| machine.replay(entry));
        machine
    }

    fn replay(&mut self, entry: &Entry) {
        match entry {
            Entry::Intent { step, at_ms } => {
                self.set(*step, Status::Running);
                self.intended_ms.insert(*step, *at_ms);
            }
            Entry::Done { step } => self.set(*step, Status::Done),
            Entry::Failed { step, message } => {
                self.set(*step, Status::Failed);
                self.failure.get_or_insert((*step, message.clone()));
                self.phase = Phase::Draining;
            }
            Entry::Measured { .. } => {}
            Entry::GoBack => self.phase = Phase::Back,
            Entry::UndoIntent { step } | Entry::UndoFailed { step, .. } => self.set(*step, Status::Undoing),
            Entry::Undone { step } => self.set(*step, Status::Undone),
            Entry::End { .. } => self.phase = Phase::Over,
        }
    }

    fn set(&mut self, step: StepId, status: Status) {
        let Some(slot) = self.status.get_mut(step.0 as usize) else { return };
        let before = std::mem::replace(slot, status);
        let waits = only_waits(&self.plan.steps[step.0 as usize].kind);
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
        self.status[step.0 as usize]
    }

    /// Where a step is.
    pub fn status(&self, step: StepId) -> Status {
        self.get(step)
    }

    /// Services all of whose steps are done and stay so: they are past their rollback point.
    pub fn complete_services(&self) -> BTreeSet<&ResourceAddr> {
        let mut complete: BTreeSet<&ResourceAddr> = self.plan.result.keys().collect();
        for step in &self.plan.steps {
            if self.get(step.id) != Status::Done {
                complete.remove(&step.service);
            }
        }
        complete
    }

    /// Takes an event in and says what is to be done, in order.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        match event {
            Event::Start => self.start(now_ms, &mut out),
            Event::Succeeded(step) => self.succeeded(step, now_ms, &mut out),
            Event::Failed { step, transient, message } => self.failed(step, transient, message, &mut out),
            Event::Timer(step) => self.timer(step, now_ms, &mut out),
            Event::Measured(step, values) => self.measured(step, &values, now_ms, &mut out),
            Event::Verified(difference) => {
                let outcome = match difference {
                    None => Outcome::Succeeded,
                    Some(message) => Outcome::Diverged { message },
                };
                self.finish(outcome, &mut out);
            }
            Event::Interrupt => self.interrupted = true,
        }
        self.settle(&mut out);
        out
    }

    fn start(&mut self, now_ms: u64, out: &mut Vec<Command>) {
        // What was under way when the journal ended is asked for again: every operation is idempotent.
        for index in 0..self.status.len() {
            let step = self.plan.steps[index].id;
            match (self.status[index], &self.phase) {
                (Status::Running, Phase::Forward | Phase::Draining) => self.carry_out(step, now_ms, out),
                (Status::Waiting, Phase::Forward) if self.plan.steps[index].after.is_empty() => self.begin(step, now_ms, out),
                (Status::Done, Phase::Forward) => self.release(step, now_ms, out),
                _ => {}
            }
        }
    }

    /// Begins the steps for which this one was the last to wait for.
    fn release(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        for next in self.dependents[step.0 as usize].clone() {
            let ready = self.plan.steps[next.0 as usize].after.iter().all(|before| self.get(*before) == Status::Done);
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
        match &self.plan.steps[step.0 as usize].kind {
            StepKind::Hold { ms } => {
                let since = self.intended_ms.get(&step).map_or(0, |at| now_ms.saturating_sub(*at));
                out.push(Command::Timer(step, ms.saturating_sub(since)));
            }
            StepKind::Analyse { ms, analysis, .. } => {
                self.watches.insert(step, Watch { left_ms: *ms, ..Watch::default() });
                out.push(Command::Timer(step, analysis.every_ms.min(*ms)));
            }
            _ => out.push(Command::Call(step)),
        }
    }

    fn succeeded(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        if let Some((undone, operation)) = self.undoing
            && undone == step
        {
            self.attempts[step.0 as usize] = 0;
            return self.undo(step, operation + 1, out);
        }
        if self.get(step) != Status::Running {
            return;
        }
        self.set(step, Status::Done);
        self.attempts[step.0 as usize] = 0;
        out.push(Command::Write(Entry::Done { step }));
        if self.phase == Phase::Forward {
            self.release(step, now_ms, out);
        }
    }

    fn failed(&mut self, step: StepId, transient: bool, message: String, out: &mut Vec<Command>) {
        let attempt = self.attempts[step.0 as usize];
        if transient && attempt + 1 < TRIES {
            self.attempts[step.0 as usize] += 1;
            out.push(Command::Timer(step, backoff_ms(attempt)));
            return;
        }
        if self.undoing.is_some_and(|(undone, _)| undone == step) {
            out.push(Command::Write(Entry::UndoFailed { step, message: message.clone() }));
            self.undoing = None;
            self.stuck = Some((step, message));
            return;
        }
        self.fail(step, message, out);
    }

    fn fail(&mut self, step: StepId, message: String, out: &mut Vec<Command>) {
        if self.get(step) != Status::Running {
            return;
        }
        self.set(step, Status::Failed);
        self.watches.remove(&step);
        out.push(Command::Write(Entry::Failed { step, message: message.clone() }));
        self.failure.get_or_insert((step, message));
        if self.phase == Phase::Forward {
            self.phase = Phase::Draining;
        }
    }

    fn timer(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        if let Some((undone, operation)) = self.undoing
            && undone == step
        {
            out.push(Command::Undo(step, operation));
            return;
        }
        if self.get(step) != Status::Running {
            return;
        }
        match &self.plan.steps[step.0 as usize].kind {
            StepKind::Hold { .. } => self.succeeded(step, now_ms, out),
            StepKind::Analyse { .. } => out.push(Command::Measure(step)),
            _ => out.push(Command::Call(step)),
        }
    }

    fn measured(&mut self, step: StepId, values: &BTreeMap<Name, Value>, now_ms: u64, out: &mut Vec<Command>) {
        let plan = self.plan.clone();
        let StepKind::Analyse { analysis, .. } = &plan.steps[step.0 as usize].kind else { return };
        if self.get(step) != Status::Running {
            return;
        }
        let verdict = analysis::judge(analysis, values);
        out.push(Command::Write(Entry::Measured { step, verdict }));
        let Some(watch) = self.watches.get_mut(&step) else { return };
        watch.left_ms = watch.left_ms.saturating_sub(analysis.every_ms);
        watch.failures += u32::from(verdict == Verdict::Fail);
        watch.conclusive |= verdict != Verdict::Inconclusive;
        let (left, failures, conclusive) = (watch.left_ms, watch.failures, watch.conclusive);
        if failures > analysis.failure_limit {
            return self.fail(step, failure_text(analysis, values, failures), out);
        }
        if left == 0 && !conclusive {
            // Nobody saw the new revision do anything: that is no ground to go on.
            let message = "no measurement had data: the revision got no traffic; with `on_no_data = \"pass\"` that is good enough";
            return self.fail(step, message.to_owned(), out);
        }
        if left == 0 {
            self.watches.remove(&step);
            return self.succeeded(step, now_ms, out);
        }
        out.push(Command::Timer(step, analysis.every_ms.min(left)));
    }

    /// Moves from one phase to the next when nothing is under way any more.
    fn settle(&mut self, out: &mut Vec<Command>) {
        // Waiting and watching change nothing: they need not end before the run stops or goes back.
        let may_drop = self.interrupted || self.phase == Phase::Draining;
        let running = self.count.working > 0 || (self.count.waiting > 0 && !may_drop);
        match self.phase {
            Phase::Forward if running => {}
            Phase::Forward if self.count.done == self.status.len() => {
                self.phase = Phase::Verifying;
                out.push(Command::Verify);
            }
            Phase::Forward if self.interrupted => {
                self.phase = Phase::Over;
                out.push(Command::Finish(Outcome::Interrupted));
            }
            Phase::Draining if !running => {
                self.phase = Phase::Back;
                out.push(Command::Write(Entry::GoBack));
            }
            _ => {}
        }
        while self.phase == Phase::Back && self.undoing.is_none() {
            self.go_back(out);
        }
    }

    /// Takes back the next step: the latest one of a service that is not past its rollback point.
    fn go_back(&mut self, out: &mut Vec<Command>) {
        if let Some((step, message)) = self.stuck.take() {
            return self.finish(Outcome::Stuck { step, message }, out);
        }
        let open: BTreeSet<ResourceAddr> =
            self.plan.steps.iter().filter(|step| self.get(step.id) != Status::Done).map(|step| step.service.clone()).collect();
        let begun = |status| matches!(status, Status::Done | Status::Failed | Status::Running | Status::Undoing);
        let next = self.plan.steps.iter().rev().find(|step| begun(self.get(step.id)) && open.contains(&step.service));
        match next.map(|step| step.id) {
            Some(step) => {
                self.set(step, Status::Undoing);
                self.attempts[step.0 as usize] = 0;
                out.push(Command::Write(Entry::UndoIntent { step }));
                self.undo(step, 0, out);
            }
            None => {
                let (step, message) = self.failure.clone().unwrap_or((StepId(0), String::new()));
                self.finish(Outcome::RolledBack { step, message }, out);
            }
        }
    }

    fn undo(&mut self, step: StepId, operation: usize, out: &mut Vec<Command>) {
        if operation < self.plan.steps[step.0 as usize].inverse.steps.len() {
            self.undoing = Some((step, operation));
            out.push(Command::Undo(step, operation));
        } else {
            self.undoing = None;
            self.set(step, Status::Undone);
            out.push(Command::Write(Entry::Undone { step }));
        }
    }

    fn finish(&mut self, outcome: Outcome, out: &mut Vec<Command>) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            // A run that is stuck is not over: it can be resumed once the cause is gone.
            if !matches!(outcome, Outcome::Stuck { .. }) {
                out.push(Command::Write(Entry::End { outcome: outcome.clone() }));
            }
            out.push(Command::Finish(outcome));
        }
    }
}

/// Whether a step only waits or watches.
fn only_waits(kind: &StepKind) -> bool {
    matches!(kind, StepKind::Hold { .. } | StepKind::Analyse { .. } | StepKind::AwaitReady { .. })
}

/// Why an analysis failed, with what was measured.
fn failure_text(analysis: &Analysis, values: &BTreeMap<Name, Value>, failures: u32) -> String {
    let measured: Vec<String> = analysis
        .metrics
        .keys()
        .map(|name| match values.get(name) {
            Some(value) => format!("{name} = {value}"),
            None => format!("{name} had no data"),
        })
        .collect();
    format!("{failures} measurements failed, {} may; the last one: {}", analysis.failure_limit, measured.join(", "))
}
