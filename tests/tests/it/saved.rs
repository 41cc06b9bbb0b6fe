//! Saved plans: what was made is proved, and no edit of it passes unseen.

use dax_model::Operation;
use dax_plan::proof::{against, prove};
use dax_plan::{Plan, Task};
use dax_tests::edits::{Fate, edit, fate};
use dax_tests::plans::{Made, made};
use dax_tests::properties::saved_plan;
use dax_tests::random::{Chance, programs};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Edits of each plan; `DAX_EDITS=10000` makes more.
fn edits() -> u64 {
    std::env::var("DAX_EDITS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// Plans of the fixtures and of programs by chance.
static ALL: LazyLock<Vec<(String, Made)>> = LazyLock::new(|| {
    let mut all = made();
    for seed in 0..12 {
        let (before, after) = programs(seed, seed % 2 == 0);
        let first = dax_tests::plans::upon(&before, &BTreeMap::new(), &BTreeMap::new());
        let (applied, live) = dax_tests::plans::after(&first.plan, &first.applied, &first.live);
        all.push((format!("program {seed}, before"), first));
        all.push((format!("program {seed}"), dax_tests::plans::upon(&after, &applied, &live)));
    }
    all
});

#[test]
fn a_plan_that_was_just_made_is_proved() {
    for (case, Made { plan, applied, live }) in ALL.iter() {
        assert_eq!(prove(plan), [], "{case}");
        assert_eq!(against(plan, applied, live), [], "{case}");
        assert_eq!(dax_machine::live::moved_on(plan, live), None, "{case}");
        saved_plan(&serde_json::to_vec(plan).expect("JSON"));
    }
}

#[test]
fn an_edit_of_a_plan_is_refused_or_shown_or_does_nothing() {
    let mut hidden = Vec::new();
    let mut fates: BTreeMap<String, usize> = BTreeMap::new();
    for (seed, (case, made)) in (1_u64..).zip(ALL.iter()) {
        let whole = serde_json::to_value(&made.plan).expect("JSON");
        let mut chance = Chance::new(seed);
        for _ in 0..edits() {
            let mut edited = whole.clone();
            let what = edit(&mut edited, &mut chance);
            let fate = fate(made, &edited);
            if fate == Fate::Hidden {
                hidden.push(format!("{case}{what}"));
            }
            *fates.entry(format!("{fate:?}")).or_default() += 1;
        }
    }
    assert_eq!(hidden, Vec::<String>::new(), "{fates:?}");
    assert!(fates.get("Shown").is_some_and(|count| *count > 20), "{fates:?}");
    assert!(fates.get("Refused").is_some_and(|count| *count > 500), "{fates:?}");
}

#[test]
fn what_was_edited_does_no_harm_to_whoever_reads_it() {
    for (seed, (_, made)) in (1_u64..).zip(ALL.iter()) {
        let whole = serde_json::to_value(&made.plan).expect("JSON");
        let mut chance = Chance::new(seed);
        for _ in 0..edits() / 4 {
            let mut edited = whole.clone();
            edit(&mut edited, &mut chance);
            edit(&mut edited, &mut chance);
            saved_plan(&serde_json::to_vec(&edited).expect("JSON"));
        }
    }
}

fn of(case: &str) -> Made {
    ALL.iter().find(|(name, _)| name == case).expect("a case").1.clone()
}

/// A plan of many kinds of steps.
fn rolled() -> Plan {
    of("canary_with_analysis").plan
}

fn first(plan: &Plan) -> String {
    prove(plan).first().map(|one| one.field.clone()).unwrap_or_default()
}

#[test]
fn each_part_of_a_step_is_derived_again() {
    let sound = rolled();
    let broken = |change: &dyn Fn(&mut Plan)| {
        let mut plan = sound.clone();
        change(&mut plan);
        first(&plan)
    };
    assert_eq!(broken(&|plan| plan.steps[0].pre.clear()), "steps[0].pre");
    assert_eq!(broken(&|plan| plan.steps[0].post.clear()), "steps[0].post");
    assert_eq!(
        broken(&|plan| plan.steps[0].inverse.operations.clear()),
        "steps[0].inverse.operations"
    );
    assert_eq!(broken(&|plan| plan.steps[0].timeout_ms += 1), "steps[0].timeout_ms");
    assert_eq!(broken(&|plan| plan.steps[0].calls += 1), "steps[0].calls");
    assert_eq!(broken(&|plan| plan.steps[0].rollback_point = false), "steps[0].rollback_point");
    assert_eq!(broken(&|plan| plan.estimate.calls += 1), "estimate");
    assert_eq!(broken(&|plan| plan.changes[0].risks.clear()), "changes[0].risks");
    assert_eq!(broken(&|plan| drop(plan.known.pop_first())), "known");
    let spec = broken(&|plan| {
        if let Task::Call(Operation::CreateRevision { spec, .. }) = &mut plan.steps[0].task {
            *spec = dax_core::Value::None;
        }
    });
    assert_eq!(spec, "steps[0].task.revision");
}

#[test]
fn the_values_before_and_protection_are_those_of_the_state() {
    let Made { plan, mut applied, live } = of("service_removed_and_another_added");
    assert_eq!(against(&plan, &applied, &live), []);
    let gone = plan.changes.iter().find(|change| change.to.is_none()).expect("one goes");
    applied.get_mut(&gone.addr).expect("it was applied").protected = true;
    let mut forged = plan.clone();
    let known = applied.get(&gone.addr).map(dax_plan::digest::fingerprint);
    forged.known.insert(gone.addr.clone(), known);
    let found: Vec<String> =
        against(&forged, &applied, &live).into_iter().map(|one| one.field).collect();
    assert!(found.iter().any(|field| field.ends_with(".blocked")), "{found:?}");
}
