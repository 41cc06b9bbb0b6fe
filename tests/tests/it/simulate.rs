//! The machine in virtual time over platforms in memory, killed and failed everywhere.

use dax_core::{Name, Value};
use dax_machine::Outcome;
use dax_model::LiveService;
use dax_plan::Plan;
use dax_provider_testkit::{Fault, Memory};
use dax_tests::world::{Crash, End, Sim};
use dax_tests::{Files, load, params, plan, root};
use std::collections::BTreeMap;

const MACHINE: &str = "local.machine";

fn live(sim: &Sim) -> BTreeMap<Name, LiveService> {
    sim.live().remove(MACHINE).unwrap_or_default()
}

fn sim(plan: Plan, memory: Memory) -> Sim {
    Sim::new(plan, BTreeMap::from([(MACHINE.into(), memory)]))
}

/// The quickstart's production: version 1 runs, and the plan for version 2 is a canary.
fn canary() -> Sim {
    let loaded = load(&Files::read(&root().join("examples/quickstart")));
    let (first, problems) = plan(
        &loaded,
        &params(&[("version", "1")]),
        "production",
        &BTreeMap::new(),
        &BTreeMap::new(),
    );
    assert!(problems.is_empty(), "{problems:?}");
    let mut made = sim(first.clone(), Memory::default());
    assert_eq!(made.process(Crash::Never), End::Finished(Outcome::Succeeded));
    let applied =
        first.result.into_iter().filter_map(|(addr, applied)| Some((addr, applied?))).collect();
    let (second, _) =
        plan(&loaded, &params(&[("version", "2")]), "production", &applied, &made.live());
    assert_eq!(second.changes.len(), 1, "only web changes");
    sim(second, made.platforms[MACHINE].copy())
}

/// The plan that makes both services.
fn creation() -> Sim {
    let loaded = load(&Files::read(&root().join("examples/quickstart")));
    let (plan, _) = plan(&loaded, &params(&[]), "production", &BTreeMap::new(), &BTreeMap::new());
    sim(plan, Memory::default())
}

/// Calls that a plan makes when all goes well.
fn calls(mut sim: Sim) -> usize {
    let before = sim.platforms[MACHINE].calls();
    assert_eq!(sim.finish(), Outcome::Succeeded);
    sim.platforms[MACHINE].calls() - before
}

#[test]
fn a_lost_answer_at_every_call_changes_nothing() {
    let mut whole = canary();
    assert_eq!(whole.finish(), Outcome::Succeeded);
    let (effects, end) = (whole.effects(), live(&whole));
    for at in 0..calls(canary()) {
        let mut sim = canary();
        let memory = &sim.platforms[MACHINE];
        memory.fail_call(memory.calls() + at, Fault::LostAnswer);
        assert_eq!(sim.finish(), Outcome::Succeeded, "call {at}");
        assert_eq!(sim.effects(), effects, "call {at}");
        assert_eq!(live(&sim), end, "call {at}");
    }
}

#[test]
fn failed_at_every_call_a_run_goes_back_to_what_was_before() {
    for at in 0..calls(canary()) {
        let mut sim = canary();
        let before = live(&sim);
        let memory = &sim.platforms[MACHINE];
        memory.fail_call(memory.calls() + at, Fault::Refused);
        assert!(matches!(sim.finish(), Outcome::RolledBack { .. }), "call {at}");
        assert_eq!(live(&sim), before, "call {at}");
    }
}

#[test]
fn what_is_past_its_rollback_point_stays_when_a_later_service_fails() {
    let plan = creation().plan;
    let first_of_web =
        plan.steps.iter().position(|step| step.service.name() == "web").expect("web has steps");
    for at in first_of_web..plan.steps.len() {
        let mut sim = creation();
        sim.platforms[MACHINE].fail_call(at, Fault::Refused);
        assert!(matches!(sim.finish(), Outcome::RolledBack { .. }));
        let names: Vec<String> = live(&sim).keys().map(ToString::to_string).collect();
        assert_eq!(names, ["api"], "failed at call {at}");
        let state: Vec<String> = sim.state().services.keys().map(ToString::to_string).collect();
        assert_eq!(state, ["service.api"], "failed at call {at}");
    }
}

/// The canary with measurements of the new revision.
fn measured(values: &[(&str, Value)]) -> (Outcome, bool) {
    let mut sim = canary();
    let before = live(&sim);
    let to = sim.plan.changes[0].to.clone().expect("a new revision");
    let values = values.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect();
    sim.platforms[MACHINE].set_metrics("web", to, values);
    let outcome = sim.finish();
    let same = live(&sim) == before;
    (outcome, same)
}

pub(super) fn percent(number: i64) -> Value {
    Value::Quantity(dax_core::Quantity::new(
        dax_core::Unit::Percent,
        dax_core::Decimal::from(number),
    ))
}

fn milliseconds(number: i64) -> Value {
    Value::Quantity(dax_core::Quantity::new(
        dax_core::Unit::Duration,
        dax_core::Decimal::from(number),
    ))
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
    let mut sim = canary();
    let before = live(&sim);
    sim.platforms[MACHINE].never_ready(sim.plan.changes[0].to.clone().expect("a new revision"));
    assert!(matches!(sim.finish(), Outcome::RolledBack { .. }));
    assert_eq!(live(&sim), before);
    assert!(
        !sim.effects().iter().any(|effect| effect.contains("shift") && effect.contains("=1000 "))
    );
}

#[test]
fn transient_errors_wait_longer_each_time_and_end() {
    let waits: Vec<u64> = (0..10).map(dax_machine::machine::backoff_ms).collect();
    assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
}
