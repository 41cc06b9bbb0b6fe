//! What happens when a step fails, by the environment's word; and what people may decide.

use dax_core::Name;
use dax_machine::{Entry, How, Machine, Outcome};
use dax_model::{LiveService, Operation};
use dax_plan::{StepId, Task};
use dax_provider_testkit::{Fault, Memory};
use dax_tests::world::Sim;
use dax_tests::{Files, load, params, plan};
use std::collections::BTreeMap;

const WORLD: &str = "memory.world";

/// Three services, of which `web` needs `api`, and `lone` nobody; version 1 runs, and the plan is for version 2.
fn sim(words: &str) -> Sim {
    let program = |version: u32| {
        let services = ["api", "lone", "web"].map(|name| {
            let needs = if name == "web" { "  needs = [api]\n" } else { "" };
            format!("service {name} {{\n  image = \"{name}:{version}\"\n{needs}}}\n")
        });
        let text = format!(
            "import memory from \"std/memory\"\nprovider {WORLD} {{\n}}\n{}environment dev {{\n  bind [api, web, lone] to {WORLD}\n{words}}}\n",
            services.concat()
        );
        load(&Files::project(&text))
    };
    let made = |version, applied: &BTreeMap<_, _>, live: &BTreeMap<_, _>| {
        let loaded = program(version);
        let (made, problems) = plan(&loaded, &params(&[]), "dev", applied, live);
        assert!(problems.is_empty(), "{}", dax_tests::describe(&loaded.sources, &problems));
        made
    };
    let mut first = Sim::new(
        made(1, &BTreeMap::new(), &BTreeMap::new()),
        BTreeMap::from([(WORLD.into(), Memory::default())]),
    );
    assert_eq!(first.finish(), Outcome::Succeeded);
    let applied = first
        .plan
        .result
        .iter()
        .filter_map(|(addr, applied)| Some((addr.clone(), applied.clone()?)))
        .collect();
    let second = made(2, &applied, &first.live());
    Sim::new(second, first.platforms)
}

/// The image that takes the traffic of each service, by what is left of its name.
fn versions(sim: &Sim) -> BTreeMap<Name, String> {
    let of = |live: &LiveService| {
        let spec = live
            .active()
            .and_then(|id| live.revisions.get(id))
            .map(|revision| revision.spec.clone());
        spec.and_then(|spec| spec.get("image").and_then(|image| image.as_str().map(str::to_owned)))
            .unwrap_or_default()
    };
    sim.platforms[WORLD].services("dev").into_iter().map(|(name, live)| (name, of(&live))).collect()
}

fn shown(sim: &Sim) -> String {
    versions(sim).into_values().collect::<Vec<_>>().join(" ")
}

/// Makes the call of a step of a service fail; gives its number.
fn fail(sim: &Sim, service: &str, wanted: fn(&Task) -> bool) -> usize {
    // The order of calls is found out by a run that goes well.
    let mut rehearsal = Sim {
        platforms: BTreeMap::from([(WORLD.into(), sim.platforms[WORLD].copy())]),
        ..Sim::new((*sim.plan).clone(), BTreeMap::new())
    };
    let memory = rehearsal.platforms[WORLD].clone();
    let before = memory.calls();
    let step = sim
        .plan
        .steps
        .iter()
        .find(|step| step.service.name() == service && wanted(&step.task))
        .expect("a step")
        .id;
    // Steps begin as soon as what they wait for is done, all at once: the journal tells in which order they were called.
    assert_eq!(rehearsal.finish(), Outcome::Succeeded);
    let called = rehearsal.journal();
    let order: Vec<_> = called
        .iter()
        .filter_map(|entry| if let Entry::Intent { step, .. } = entry { Some(*step) } else { None })
        .collect();
    let at = order.iter().position(|called| *called == step).expect("it was called");
    sim.platforms[WORLD].fail_call(before + at, Fault::Refused);
    before + at
}

fn shifts(kind: &Task) -> bool {
    matches!(kind, Task::Call(Operation::ShiftTraffic { .. }))
}

#[test]
fn by_default_what_is_past_its_rollback_point_stays() {
    let mut sim = sim("");
    fail(&sim, "web", shifts);
    assert!(matches!(sim.finish(), Outcome::RolledBack { .. }));
    assert_eq!(shown(&sim), "api:2 lone:2 web:1");
    assert_eq!(sim.state().services.len(), 2);
}

#[test]
fn a_release_goes_back_together_and_what_is_not_in_it_stays() {
    let mut sim = sim("  release shop of [api, web]\n");
    fail(&sim, "web", shifts);
    assert!(matches!(sim.finish(), Outcome::RolledBack { .. }));
    assert_eq!(shown(&sim), "api:1 lone:2 web:1");
    assert_eq!(sim.state().services.len(), 1);
}

#[test]
fn rollback_all_takes_everything_of_the_run_back() {
    let mut sim = sim("  on failure rollback_all\n");
    fail(&sim, "web", shifts);
    assert!(matches!(sim.finish(), Outcome::RolledBack { .. }));
    assert_eq!(shown(&sim), "api:1 lone:1 web:1");
    assert!(sim.state().services.is_empty());
}

#[test]
fn continue_goes_on_with_what_does_not_depend_on_it_and_takes_back_what_failed() {
    let mut sim = sim("  on failure continue\n");
    fail(&sim, "api", shifts);
    assert!(matches!(sim.finish(), Outcome::RolledBack { .. }));
    assert_eq!(shown(&sim), "api:1 lone:2 web:1");
    let begun = |name: &str| {
        let steps: Vec<_> = sim
            .plan
            .steps
            .iter()
            .filter(|step| step.service.name() == name)
            .map(|step| step.id)
            .collect();
        sim.journal()
            .iter()
            .any(|entry| matches!(entry, Entry::Intent { step, .. } if steps.contains(step)))
    };
    assert!(begun("lone") && !begun("web"), "web needs what failed");
}

#[test]
fn hold_leaves_everything_as_it_is_until_somebody_decides() {
    let mut held = sim("  on failure hold\n");
    fail(&held, "web", shifts);
    let Outcome::Held { step, .. } = held.finish() else { panic!("it is held") };
    // What does not wait for it went on; nothing was taken back.
    assert_eq!(shown(&held), "api:2 lone:2 web:1");
    assert!(matches!(held.finish(), Outcome::Held { .. }), "without a decision it stays held");
    held.note(&[Entry::Decided {
        step,
        how: How::Again,
        by: "ann".into(),
        reason: "mended".to_owned(),
    }]);
    assert_eq!(held.finish(), Outcome::Succeeded);
    assert_eq!(shown(&held), "api:2 lone:2 web:2");
    // Another time everything goes back.
    let mut aborted = sim("  on failure hold\n");
    fail(&aborted, "web", shifts);
    assert!(matches!(aborted.finish(), Outcome::Held { .. }));
    aborted.note(&[Entry::Abort { by: "ann".into(), reason: "not mended".to_owned() }]);
    let Outcome::RolledBack { step: None, message } = aborted.finish() else {
        panic!("it is taken back")
    };
    assert_eq!(message, "ended by ann: not mended");
    assert_eq!(shown(&aborted), "api:1 lone:1 web:1");
}

/// A run whose way back fails at its first call, with the step that could not be taken back.
fn stuck() -> (Sim, StepId) {
    for later in 1..12 {
        let mut sim = sim("");
        let number = fail(&sim, "web", shifts);
        sim.platforms[WORLD].fail_call(number + later, Fault::Refused);
        if let Outcome::Stuck { step, .. } = sim.finish() {
            return (sim, step);
        }
    }
    panic!("the way back makes calls");
}

#[test]
fn a_step_that_cannot_be_taken_back_is_tried_again_or_left_with_a_recorded_reason() {
    let (mut again, _) = stuck();
    assert!(
        matches!(again.finish(), Outcome::RolledBack { .. }),
        "the cause is gone, and it goes on"
    );
    assert_eq!(shown(&again), "api:2 lone:2 web:1");
    let (mut left, step) = stuck();
    let mut machine = Machine::new(left.plan.clone(), &left.journal());
    assert_eq!(
        machine.keep(StepId(0), &"ann".into(), "no"),
        None,
        "only what is stuck can be left"
    );
    let entry = machine.keep(step, &"ann".into(), "deleted by hand").expect("it is stuck");
    left.note(std::slice::from_ref(&entry));
    assert!(matches!(left.finish(), Outcome::RolledBack { .. }));
    assert!(left.journal().contains(&entry), "who left it, and why, stays on record");
}
