//! The simulator: the machine in virtual time.
//!
//! [`run`] is the loop that every simulated world shares; [`rehearse`] fails a plan at each of its steps over
//! modelled providers and says what that leads to. Deterministic: the same plan and seed give the same report.

mod rehearse;

pub use rehearse::{Capacity, Rehearsal, Report, rehearse};

use crate::journal::{Entry, Outcome};
use crate::machine::Which;
use crate::machine::{Command, Event, Failure, Machine};
use dax_core::Name;
use dax_plan::analysis::Measured;
use dax_plan::{Plan, StepId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The process ended in the middle of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died;

/// A call's answer, and when it comes.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it says.
    pub result: Result<(), Failure>,
    /// After so many milliseconds.
    pub after_ms: u64,
}

/// What surrounds a machine that is simulated.
pub trait World {
    /// Makes entries durable.
    ///
    /// # Errors
    /// The process ends here.
    fn write(&mut self, entries: &[Entry], now_ms: u64) -> Result<(), Died>;

    /// Carries out a step or an operation of its inverse.
    ///
    /// # Errors
    /// The process ends here.
    fn call(&mut self, step: StepId, which: Which, now_ms: u64) -> Result<Answer, Died>;

    /// Measures.
    fn measure(&mut self, step: StepId, now_ms: u64) -> Measured;

    /// Who agrees at a step; nobody ever does without a name.
    fn approve(&mut self, step: StepId) -> Option<Vec<Name>>;

    /// What differs at the end.
    fn verify(&mut self) -> Option<String>;

    /// The run is over: these entries end it.
    ///
    /// # Errors
    /// The process ends here.
    fn finish(
        &mut self,
        machine: &Machine,
        entries: &[Entry],
        outcome: &Outcome,
        now_ms: u64,
    ) -> Result<(), Died>;
}

/// Carries a plan on from its journal until it ends; says how and when.
///
/// # Errors
/// The process died on the way.
///
/// # Panics
/// The machine waits for something that never comes: a mistake of the machine.
pub fn run(
    plan: &Arc<Plan>,
    journal: &[Entry],
    start_ms: u64,
    world: &mut dyn World,
) -> Result<(Outcome, u64), Died> {
    let mut machine = Machine::new(plan.clone(), journal);
    let mut now_ms = start_ms;
    let mut order = 0_u64;
    let mut events: BTreeMap<(u64, u64), Event> = BTreeMap::from([((start_ms, 0), Event::Start)]);
    loop {
        let Some(((at_ms, _), event)) = events.pop_first() else {
            panic!("the machine waits for nothing")
        };
        now_ms = now_ms.max(at_ms);
        let mut later = |after_ms: u64, event: Event| {
            order += 1;
            events.insert((now_ms.saturating_add(after_ms), order), event);
        };
        let commands = machine.step(now_ms, event);
        let entries: Vec<Entry> = commands
            .iter()
            .filter_map(|c| if let Command::Write(entry) = c { Some(entry.clone()) } else { None })
            .collect();
        if let Some(Command::Finish(outcome)) =
            commands.iter().find(|c| matches!(c, Command::Finish(_)))
        {
            world.finish(&machine, &entries, outcome, now_ms)?;
            return Ok((outcome.clone(), now_ms));
        }
        if !entries.is_empty() {
            world.write(&entries, now_ms)?;
        }
        for command in commands {
            let (step, which) = match command {
                Command::Call(step) => (step, Which::Do),
                Command::Undo(step, at) => (step, Which::Undo(at)),
                Command::Force(step, at) => (step, Which::Force(at)),
                Command::Timer(step, ms) => {
                    later(ms, Event::Timer(step));
                    continue;
                }
                Command::Measure(step) => {
                    later(0, Event::Measured(step, world.measure(step, now_ms)));
                    continue;
                }
                Command::Await(step) => {
                    if let Some(by) = world.approve(step) {
                        later(0, Event::Approved(step, by));
                    }
                    continue;
                }
                Command::Verify => {
                    later(0, Event::Verified(world.verify()));
                    continue;
                }
                Command::Write(_) | Command::Finish(_) => continue,
            };
            let answer = world.call(step, which, now_ms)?;
            later(
                answer.after_ms,
                match answer.result {
                    Ok(()) => Event::Succeeded(step),
                    Err(failure) => Event::Failed(step, failure),
                },
            );
        }
    }
}
