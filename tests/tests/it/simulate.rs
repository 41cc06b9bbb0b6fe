//! The simulator: the machine in virtual time over a platform in memory, killed and failed everywhere.

use dax_apply::journal::Entry;
use dax_apply::machine::{Command, Event};
use dax_apply::{Machine, Outcome, operation};
use dax_core::{LiveService, Name, ResourceAddr, Value};
use dax_plan::{Plan, StepId, StepKind};
use dax_provider_api::{ProviderError, Query};
use dax_provider_testkit::{Fault, Memory};
use dax_tests::{Files, load, params, plan, root};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Crash {
    Never,
    /// Before the batch of entries with this number (from 0) is durable.
    BeforeWrite(usize),
    /// After it is durable, before any of its calls.
    AfterWrite(usize),
    /// After the call with this number took effect, before its answer is heard.
    AfterCall(usize),
}

struct World {
    memory: Memory,
    journal: Vec<Entry>,
    now_ms: u64,
}

#[derive(Debug, PartialEq)]
enum End {
    Finished(Outcome),
    Crashed,
}

/// Carries a plan on from its journal, until it ends or the process dies.
fn run(plan: &Arc<Plan>, world: &mut World, crash: Crash) -> End {
    if let Some(Entry::End { outcome }) = world.journal.last() {
        return End::Finished(outcome.clone()); // it ended before it died
    }
    let mut machine = Machine::new(plan.clone(), &world.journal);
    let mut events = VecDeque::from([Event::Start]);
    let mut timers: BTreeMap<(u64, StepId), ()> = BTreeMap::new();
    let (mut writes, mut calls) = (0, 0);
    loop {
        let Some(event) = events.pop_front().or_else(|| {
            let ((at, step), ()) = timers.pop_first()?;
            world.now_ms = world.now_ms.max(at);
            Some(Event::Timer(step))
        }) else {
            panic!("the machine waits for nothing");
        };
        let commands = machine.step(world.now_ms, event);
        let entries: Vec<Entry> = commands.iter().filter_map(|c| if let Command::Write(e) = c { Some(e.clone()) } else { None }).collect();
        if !entries.is_empty() {
            if crash == Crash::BeforeWrite(writes) {
                return End::Crashed;
            }
            world.journal.extend(entries);
            if crash == Crash::AfterWrite(writes) {
                return End::Crashed;
            }
            writes += 1;
        }
        for command in commands {
            match command {
                Command::Write(_) => {}
                Command::Finish(outcome) => return End::Finished(outcome),
                Command::Timer(step, ms) => {
                    timers.insert((world.now_ms + ms, step), ());
                }
                Command::Measure(step) => events.push_back(Event::Measured(step, measure(plan, world, step))),
                Command::Verify => events.push_back(Event::Verified(None)),
                Command::Call(step) => {
                    events.push_back(call(plan, world, step, &plan.steps[step.0 as usize].kind));
                    if crash == Crash::AfterCall(calls) {
                        return End::Crashed;
                    }
                    calls += 1;
                }
                Command::Undo(step, at) => {
                    events.push_back(call(plan, world, step, &plan.steps[step.0 as usize].inverse.steps[at]));
                    if crash == Crash::AfterCall(calls) {
                        return End::Crashed;
                    }
                    calls += 1;
                }
            }
        }
    }
}

fn call(plan: &Plan, world: &World, step: StepId, kind: &StepKind) -> Event {
    let Some(operation) = operation(kind) else { return Event::Succeeded(step) };
    let service = Name::new(plan.steps[step.0 as usize].service.name());
    match world.memory.execute(&plan.environment, &service, &operation) {
        Ok(()) => Event::Succeeded(step),
        Err(error) => Event::Failed { step, transient: error.is_transient(), message: error.to_string() },
    }
}

fn measure(plan: &Plan, world: &World, step: StepId) -> BTreeMap<Name, Value> {
    let planned = &plan.steps[step.0 as usize];
    let StepKind::Analyse { revision, analysis, .. } = &planned.kind else { return BTreeMap::new() };
    let ask = |text: &Name| {
        let window = Duration::from_millis(analysis.window_ms);
        let (environment, service) = (plan.environment.clone(), planned.service.name().into());
        world.memory.metric(&Query { environment, service, revision: revision.clone(), text: text.clone(), window })
    };
    analysis.metrics.iter().filter_map(|(name, metric)| Some((name.clone(), ask(&metric.query)?))).collect()
}

fn live(memory: &Memory) -> BTreeMap<ResourceAddr, LiveService> {
    memory.services("production").into_iter().map(|(name, service)| (ResourceAddr::service(&name), service)).collect()
}

/// The quickstart's production: version 1 runs, and the plan for version 2 is a canary.
fn canary() -> (Arc<Plan>, World) {
    let loaded = load(&Files::read(&root().join("examples/quickstart")));
    let memory = Memory::default();
    let (first, problems) = plan(&loaded, &params(&[("version", "1")]), "production", &BTreeMap::new(), &BTreeMap::new());
    assert!(problems.is_empty(), "{problems:?}");
    let mut world = World { memory, journal: Vec::new(), now_ms: 0 };
    assert_eq!(run(&Arc::new(first.clone()), &mut world, Crash::Never), End::Finished(Outcome::Succeeded));
    let applied = first.result.into_iter().filter_map(|(addr, applied)| Some((addr, applied?))).collect();
    let (second, _) = plan(&loaded, &params(&[("version", "2")]), "production", &applied, &live(&world.memory));
    assert_eq!(second.changes.len(), 1, "only web changes");
    world.journal.clear();
    (Arc::new(second), world)
}

/// The plan that makes both services.
fn creation() -> (Arc<Plan>, World) {
    let loaded = load(&Files::read(&root().join("examples/quickstart")));
    let (plan, _) = plan(&loaded, &params(&[]), "production", &BTreeMap::new(), &BTreeMap::new());
    (Arc::new(plan), World { memory: Memory::default(), journal: Vec::new(), now_ms: 0 })
}

/// Runs on until the end, from wherever a process died.
fn finish(plan: &Arc<Plan>, world: &mut World) -> Outcome {
    match run(plan, world, Crash::Never) {
        End::Finished(outcome) => outcome,
        End::Crashed => unreachable!("it was told never to"),
    }
}

type Setup = fn() -> (Arc<Plan>, World);

/// How many batches and calls a whole run has, and what it leaves.
fn whole(setup: Setup) -> (usize, Vec<String>, BTreeMap<ResourceAddr, LiveService>) {
    let (plan, mut world) = setup();
    let before = world.memory.effects().len();
    assert_eq!(finish(&plan, &mut world), Outcome::Succeeded);
    // A batch holds at least one entry, so there are no more batches than entries.
    (world.journal.len(), world.memory.effects().split_off(before), live(&world.memory))
}

#[test]
fn killed_at_every_write_and_every_call_a_run_is_finished_with_each_effect_exactly_once() {
    for setup in [canary as Setup, creation as Setup] {
        let (most, effects, end) = whole(setup);
        let mut crashes = 0;
        for at in 0..most {
            for crash in [Crash::BeforeWrite(at), Crash::AfterWrite(at), Crash::AfterCall(at)] {
                let (plan, mut world) = setup();
                let before = world.memory.effects().len();
                if run(&plan, &mut world, crash) != End::Crashed {
                    continue; // there are not so many of them
                }
                crashes += 1;
                assert_eq!(finish(&plan, &mut world), Outcome::Succeeded, "{crash:?}");
                assert_eq!(world.memory.effects().split_off(before), effects, "{crash:?}");
                assert_eq!(live(&world.memory), end, "{crash:?}");
            }
        }
        assert!(crashes >= effects.len() * 3, "only {crashes} crashes were tried");
    }
}

#[test]
fn a_lost_answer_is_asked_for_again_and_takes_effect_once() {
    let (plan, world) = canary();
    let calls_before = world.memory.calls();
    let (_, effects, end) = whole(canary);
    let calls = plan.steps.iter().filter(|step| operation(&step.kind).is_some()).count();
    for at in 0..calls {
        let (plan, mut world) = canary();
        let before = world.memory.effects().len();
        world.memory.fail_call(calls_before + at, Fault::LostAnswer);
        assert_eq!(finish(&plan, &mut world), Outcome::Succeeded);
        assert_eq!(world.memory.effects().split_off(before), effects);
        assert_eq!(live(&world.memory), end);
    }
}

#[test]
fn failed_at_every_call_a_run_goes_back_to_what_was_before() {
    let (plan, world) = canary();
    let (calls_before, before) = (world.memory.calls(), live(&world.memory));
    let calls = plan.steps.iter().filter(|step| operation(&step.kind).is_some()).count();
    for at in 0..calls {
        let (plan, mut world) = canary();
        world.memory.fail_call(calls_before + at, Fault::Refused);
        assert!(matches!(finish(&plan, &mut world), Outcome::RolledBack { .. }), "call {at}");
        assert_eq!(live(&world.memory), before, "call {at}");
    }
}

#[test]
fn failed_at_every_call_and_killed_at_every_write_of_the_way_back_it_still_goes_back() {
    let (plan, world) = canary();
    let (calls_before, before) = (world.memory.calls(), live(&world.memory));
    let calls = plan.steps.iter().filter(|step| operation(&step.kind).is_some()).count();
    let mut crashes = 0;
    for at in 0..calls {
        for kill in 0..80 {
            for crash in [Crash::BeforeWrite(kill), Crash::AfterWrite(kill), Crash::AfterCall(kill)] {
                let (plan, mut world) = canary();
                world.memory.fail_call(calls_before + at, Fault::Refused);
                if run(&plan, &mut world, crash) != End::Crashed {
                    continue;
                }
                crashes += 1;
                // A process that died before it wrote that a step failed tries the step again, and it works.
                match finish(&plan, &mut world) {
                    Outcome::RolledBack { .. } => assert_eq!(live(&world.memory), before, "call {at}, {crash:?}"),
                    outcome => assert_eq!(outcome, Outcome::Succeeded, "call {at}, {crash:?}"),
                }
            }
        }
    }
    assert!(crashes > 300, "only {crashes} crashes were tried");
}

#[test]
fn what_is_past_its_rollback_point_stays_when_a_later_service_fails() {
    let (plan, _) = creation();
    let first_of_web = plan.steps.iter().position(|step| step.service.name() == "web").expect("web has steps");
    for at in first_of_web..plan.steps.len() {
        let (plan, mut world) = creation();
        world.memory.fail_call(at, Fault::Refused);
        assert!(matches!(finish(&plan, &mut world), Outcome::RolledBack { .. }));
        let names: Vec<String> = live(&world.memory).keys().map(ToString::to_string).collect();
        assert_eq!(names, ["service.api"], "failed at call {at}");
    }
}

/// The canary with measurements of the new revision.
fn measured(values: &[(&str, Value)]) -> (Outcome, bool) {
    let (plan, mut world) = canary();
    let before = live(&world.memory);
    let to = plan.changes[0].to.clone().expect("a new revision");
    let values = values.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect();
    world.memory.set_metrics("web", to, values);
    let outcome = finish(&plan, &mut world);
    (outcome, live(&world.memory) == before)
}

fn percent(number: i64) -> Value {
    Value::Quantity(dax_core::Quantity::new(dax_core::Unit::Percent, dax_core::Decimal::from(number)))
}

fn milliseconds(number: i64) -> Value {
    Value::Quantity(dax_core::Quantity::new(dax_core::Unit::Duration, dax_core::Decimal::from(number)))
}

#[test]
fn the_analysis_decides() {
    let (outcome, same) = measured(&[("error_rate", percent(20)), ("p99", milliseconds(1))]);
    assert!(matches!(outcome, Outcome::RolledBack { .. }) && same, "{outcome:?}");
    let (outcome, same) = measured(&[("error_rate", percent(0)), ("p99", milliseconds(5_000))]);
    assert!(matches!(outcome, Outcome::RolledBack { .. }) && same, "{outcome:?}");
    let (outcome, _) = measured(&[("error_rate", percent(0)), ("p99", milliseconds(1))]);
    assert_eq!(outcome, Outcome::Succeeded);
}

#[test]
fn a_revision_that_never_gets_ready_gets_no_traffic_and_goes() {
    let (plan, mut world) = canary();
    let before = live(&world.memory);
    world.memory.never_ready(plan.changes[0].to.clone().expect("a new revision"));
    assert!(matches!(finish(&plan, &mut world), Outcome::RolledBack { .. }));
    assert_eq!(live(&world.memory), before);
    assert!(!world.memory.effects().iter().any(|effect| effect.contains("shift") && effect.contains("=1000 ")));
}

#[test]
fn transient_errors_wait_longer_each_time_and_end() {
    let error = ProviderError::Busy { retry_after: None, message: String::new() };
    assert!(error.is_transient());
    let waits: Vec<u64> = (0..10).map(dax_apply::machine::backoff_ms).collect();
    assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
}
