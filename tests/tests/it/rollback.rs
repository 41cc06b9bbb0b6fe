//! The way back: for programs by chance, failed at every call, and killed on the way.

use dax_core::{Name, RevisionId};
use dax_machine::Outcome;
use dax_model::{LiveRevision, LiveService, WHOLE};
use dax_plan::LiveState;
use dax_plan::model::InverseClass;
use dax_provider_testkit::Fault;
use dax_tests::kill::{Case, count, story, to_the_end};
use dax_tests::random::programs;
use dax_tests::world::{Crash, End, Sim};
use std::collections::BTreeMap;

/// Pairs of programs by chance.
const PROGRAMS: u64 = 60;

fn cases(all_back: bool) -> Vec<Case> {
    let pair = |seed| {
        let (before, main) = programs(seed, all_back);
        story(&format!("program {seed}"), &before, &main, "dev", &[])
    };
    (1..=PROGRAMS)
        .flat_map(pair)
        .filter(|case| case.plan().mode == dax_plan::model::Mode::Apply)
        .collect()
}

/// A service that dax did not make, in the same environment.
fn stranger() -> LiveService {
    let id = RevisionId("feedface".into());
    LiveService {
        settings: BTreeMap::from([("zone".into(), dax_core::Value::str("far"))]),
        revisions: BTreeMap::from([(
            id.clone(),
            LiveRevision { replicas: 7, ready: 7, spec: dax_core::Value::str("foreign") },
        )]),
        traffic: BTreeMap::from([(id, WHOLE)]),
        ..LiveService::default()
    }
}

fn sim(case: &Case) -> Sim {
    let sim = case.sim();
    sim.platforms.values().for_each(|memory| memory.put("dev", "stranger", stranger()));
    sim
}

fn without_urls(mut live: LiveState) -> BTreeMap<Name, BTreeMap<Name, LiveService>> {
    // Where a service is reached is what its platform says, and a service that was made again is said anew.
    live.values_mut().flat_map(BTreeMap::values_mut).for_each(|service| service.url = None);
    live
}

#[test]
fn failed_at_every_call_everything_that_dax_owns_is_as_it_was_and_nothing_else_was_touched() {
    let (mut failures, mut killed) = (0, 0);
    for case in cases(true) {
        let undoable =
            case.plan().steps.iter().all(|step| step.inverse.class != InverseClass::None);
        assert!(undoable, "the programs have no points of no return");
        for at in 0..count(&case) {
            let mut failing = sim(&case);
            let before = without_urls(failing.live());
            case.fail(&failing, at, Fault::Refused);
            let outcome = to_the_end(&mut failing);
            assert!(
                matches!(outcome, Outcome::RolledBack { .. }),
                "{}, call {at}: {outcome:?}",
                case.name
            );
            assert_eq!(without_urls(failing.live()), before, "{}, call {at}", case.name);
            assert!(
                failing.state().services.is_empty(),
                "a run that is taken back leaves no state of its own"
            );
            failures += 1;
            // The same, killed somewhere: it goes back all the same, or never noticed the failure.
            for crash in [
                Crash::AfterCall(at),
                Crash::BeforeCall(at + 1),
                Crash::AfterWrite(2 * at + 4),
                Crash::TornWrite(2 * at + 5),
            ] {
                let mut dying = sim(&case);
                case.fail(&dying, at, Fault::Refused);
                if dying.process(crash) != End::Crashed {
                    continue;
                }
                killed += 1;
                match to_the_end(&mut dying) {
                    Outcome::RolledBack { .. } => assert_eq!(
                        without_urls(dying.live()),
                        before,
                        "{}, call {at}, {crash:?}",
                        case.name
                    ),
                    outcome => assert_eq!(
                        outcome,
                        Outcome::Succeeded,
                        "{}, call {at}, {crash:?}",
                        case.name
                    ),
                }
            }
        }
    }
    assert!(failures > 500 && killed > 500, "{failures} failures, {killed} killed");
}

#[test]
fn a_rollback_that_is_killed_at_every_one_of_its_steps_converges() {
    let mut killed = 0;
    for case in cases(true).into_iter().take(25) {
        let last = count(&case).saturating_sub(1);
        let before = without_urls(sim(&case).live());
        for kill in 0..4 * case.plan().steps.len() {
            for crash in [
                Crash::BeforeCall(kill),
                Crash::AfterCall(kill),
                Crash::BeforeWrite(kill),
                Crash::TornWrite(kill),
                Crash::AfterWrite(kill),
            ] {
                let mut failing = sim(&case);
                case.fail(&failing, last, Fault::Refused);
                if failing.process(crash) != End::Crashed {
                    continue;
                }
                killed += 1;
                match to_the_end(&mut failing) {
                    Outcome::RolledBack { .. } => {
                        assert_eq!(without_urls(failing.live()), before, "{}, {crash:?}", case.name)
                    }
                    outcome => assert_eq!(outcome, Outcome::Succeeded, "{}, {crash:?}", case.name),
                }
            }
        }
    }
    assert!(killed > 1_000, "{killed}");
}

#[test]
fn what_the_simulator_says_of_a_failure_is_what_the_failure_does() {
    for case in cases(true).into_iter().take(20) {
        let report = dax_machine::simulate::rehearse(case.plan(), 7);
        assert_eq!(
            report,
            dax_machine::simulate::rehearse(case.plan(), 7),
            "the same seed says the same"
        );
        assert_eq!(report.runs[0].outcome, Outcome::Succeeded, "{}", case.name);
        for run in &report.runs[1..] {
            assert!(matches!(run.outcome, Outcome::RolledBack { .. }), "{}: {run:?}", case.name);
            assert_eq!(run.left, Vec::<String>::new(), "{}", case.name);
            assert!(run.ends_ms >= run.back_ms && run.exposed <= WHOLE);
            // Steps keep what the strategies promise, on the way there and on the way back.
            if let Some(capacity) = &run.capacity {
                assert!(capacity.least <= capacity.before, "{capacity:?}");
            }
        }
    }
}

#[test]
fn a_plan_that_was_carried_out_leaves_nothing_to_do() {
    for seed in 1..=PROGRAMS {
        let (before, main) = programs(seed, false);
        // A story asserts that each of its plans succeeds; here the last word is that there is nothing more to do.
        let mut applied = BTreeMap::new();
        let mut platforms =
            BTreeMap::from([("memory.world".into(), dax_provider_testkit::Memory::default())]);
        for files in [before, main.clone(), main] {
            let loaded = dax_tests::load(&files);
            let memory: &dax_provider_testkit::Memory = &platforms["memory.world"];
            let live = LiveState::from([("memory.world".into(), memory.services("dev"))]);
            let (made, problems) =
                dax_tests::plan(&loaded, &dax_tests::params(&[]), "dev", &applied, &live);
            assert!(
                problems.is_empty(),
                "program {seed}: {}",
                dax_tests::describe(&loaded.sources, &problems)
            );
            let mut sim = Sim::new(made.clone(), platforms);
            if !made.is_empty() {
                assert_eq!(sim.finish(), Outcome::Succeeded, "program {seed}");
            }
            for (addr, result) in &made.result {
                match result {
                    Some(result) => drop(applied.insert(addr.clone(), result.clone())),
                    None => drop(applied.remove(addr)),
                }
            }
            platforms = sim.platforms;
            let live = LiveState::from([(
                "memory.world".into(),
                platforms["memory.world"].services("dev"),
            )]);
            let (again, _) =
                dax_tests::plan(&loaded, &dax_tests::params(&[]), "dev", &applied, &live);
            assert!(again.is_empty(), "program {seed}: {}", dax_render::json(&again));
        }
    }
}
