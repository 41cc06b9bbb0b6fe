//! Numbers and times within what the language lets anybody write.

use super::{Findings, result};
use crate::analysis::{Analysis, Baseline, Condition};
use crate::model::{Gate, Plan, Task};
use crate::sequence::GRACE_MS;
use dax_core::Value;
use dax_model::{LiveService, Operation, Route, WHOLE};

/// The most replicas of a service: `replicas: int 0..1000` in `stdlib/std/service.dax`.
pub(super) const MOST_REPLICAS: i64 = 1_000;
/// No share of replicas is more than all of them this many times over.
const MOST_AT_ONCE: i64 = 100 * MOST_REPLICAS;
/// More replicas than any platform runs of one service.
const MOST_RUNNING: i64 = 1_000_000;
/// A hundred years in milliseconds: nobody waits longer, and sums of such times overflow nothing.
const MOST_MS: u64 = 3_155_760_000_000;
/// `every: Duration 100ms..1d` in `stdlib/std/strategy.dax`.
const EVERY_MS: std::ops::RangeInclusive<u64> = 100..=86_400_000;

pub(super) fn check(plan: &Plan, found: &mut Findings) {
    let objects = plan.observed.iter().flat_map(|(provider, objects)| {
        objects.iter().filter_map(move |(object, live)| Some((provider, object, live.as_ref()?)))
    });
    for (provider, object, live) in objects {
        running(live, &format!("observed.{provider}.{object}"), found);
    }
    for (addr, applied) in &plan.result {
        let Some(applied) = applied else { continue };
        if let Some(replicas) = applied.values.get("replicas") {
            let inside = replicas.as_int().is_some_and(|n| (0..=MOST_REPLICAS).contains(&n));
            if !inside {
                let message = format!("must lie between 0 and {MOST_REPLICAS}");
                found.say(result(addr, "values.replicas"), message);
            }
        }
        let known = applied.values.unknown().is_none()
            && applied.settings.values().all(|value| value.unknown().is_none());
        if !known {
            found.say(result(addr, "values"), "holds something that is not known yet");
        }
    }
    for (at, step) in plan.steps.iter().enumerate() {
        kind(&step.task, &format!("steps[{at}].task"), found);
        if step.timeout_ms < GRACE_MS || step.timeout_ms > 100 * MOST_MS {
            found.say(format!("steps[{at}].timeout_ms"), "is no time that a step may take");
        }
    }
    for (at, change) in plan.changes.iter().enumerate() {
        time(change.rollback_within_ms, super::place(at, "rollback_within_ms"), found);
    }
    for (at, gate) in plan.gates.iter().enumerate() {
        if let Gate::After { soak_ms, valid_ms, .. } = gate {
            time(*soak_ms, format!("gates[{at}].soak_ms"), found);
            time(*valid_ms, format!("gates[{at}].valid_ms"), found);
        }
    }
}

fn running(live: &LiveService, field: &str, found: &mut Findings) {
    for (id, revision) in &live.revisions {
        for (name, number) in [("replicas", revision.replicas), ("ready", revision.ready)] {
            between(number, MOST_RUNNING, format!("{field}.revisions.{id}.{name}"), found);
        }
    }
    if live.traffic.values().any(|share| *share > WHOLE) {
        found.say(format!("{field}.traffic"), "has a share that is more than the whole");
    }
}

fn time(ms: u64, field: String, found: &mut Findings) {
    if ms > MOST_MS {
        found.say(field, "is longer than a hundred years");
    }
}

fn between(number: i64, most: i64, field: String, found: &mut Findings) {
    if !(0..=most).contains(&number) {
        found.say(field, format!("is {number}, and must lie between 0 and {most}"));
    }
}

fn kind(kind: &Task, field: &str, found: &mut Findings) {
    match kind {
        Task::Call(
            Operation::CreateRevision { replicas, .. } | Operation::Scale { replicas, .. },
        ) => {
            between(*replicas, MOST_REPLICAS, format!("{field}.replicas"), found);
        }
        Task::Call(Operation::Roll { replicas, surge, unavailable, .. }) => {
            between(*replicas, MOST_REPLICAS, format!("{field}.replicas"), found);
            between(*surge, MOST_AT_ONCE, format!("{field}.surge"), found);
            between(*unavailable, MOST_AT_ONCE, format!("{field}.unavailable"), found);
            if surge.saturating_add(*unavailable) < 1 {
                found.say(format!("{field}.surge"), "lets no replica start and none stop");
            }
        }
        Task::Call(Operation::ShiftTraffic { traffic }) => {
            if traffic.values().any(|share| *share == 0 || *share > WHOLE) {
                found.say(format!("{field}.traffic"), "has a share that is none");
            }
        }
        Task::Call(Operation::Route { routes }) => {
            let whole =
                |route: &Route| !matches!(route, Route::Mirror { share, .. } if *share > WHOLE);
            if !routes.iter().all(whole) {
                found.say(format!("{field}.routes"), "copies more requests than there are");
            }
        }
        Task::Hold { ms } => time(*ms, format!("{field}.ms"), found),
        Task::Analyse { ms, analysis, .. } => {
            time(*ms, format!("{field}.ms"), found);
            measured(analysis, &format!("{field}.analysis"), found);
        }
        Task::Gate { approval } if approval.count == 0 => {
            found.say(format!("{field}.approval.count"), "asks nobody");
        }
        Task::Call(Operation::Run { command, .. } | Operation::Migrate { command, .. })
            if command.is_empty() =>
        {
            found.say(format!("{field}.command"), "is no command");
        }
        Task::Call(
            Operation::CreateService { .. }
            | Operation::UpdateService { .. }
            | Operation::DeleteService
            | Operation::DeleteRevision { .. }
            | Operation::AwaitReady { .. }
            | Operation::Run { .. }
            | Operation::Migrate { .. },
        )
        | Task::Gate { .. } => {}
    }
}

fn measured(analysis: &Analysis, field: &str, found: &mut Findings) {
    if analysis.from.is_empty() {
        found.say(format!("{field}.from"), "names no source");
    }
    if !EVERY_MS.contains(&analysis.every_ms) {
        found.say(format!("{field}.every_ms"), "must lie between 100 ms and a day");
    }
    time(analysis.window_ms, format!("{field}.window_ms"), found);
    time(analysis.initial_delay_ms, format!("{field}.initial_delay_ms"), found);
    let nothing =
        analysis.require.is_empty() && analysis.forbid.is_empty() && analysis.baseline.is_empty();
    if nothing {
        found.say(format!("{field}.require"), "requires nothing, so nothing could ever fail it");
    }
    for (name, conditions) in
        [("require", &analysis.require), ("forbid", &analysis.forbid), ("advise", &analysis.advise)]
    {
        if !conditions.iter().all(|condition| sensible(condition, analysis)) {
            let message = "compares something that is not measured, or with no number";
            found.say(format!("{field}.{name}"), message);
        }
    }
    let sane = |one: &Baseline| {
        one.tolerance <= WHOLE
            && (WHOLE / 2..=WHOLE).contains(&one.confidence)
            && analysis.metrics.contains_key(&one.metric)
    };
    if !analysis.baseline.iter().all(sane) {
        found.say(format!("{field}.baseline"), "compares what is not measured, or by no share");
    }
}

fn sensible(condition: &Condition, analysis: &Analysis) -> bool {
    match condition {
        Condition::All(all) | Condition::Any(all) => all.iter().all(|one| sensible(one, analysis)),
        Condition::Not(one) => sensible(one, analysis),
        Condition::Compare { metric, value, .. } => {
            let number = matches!(value, Value::Int(_) | Value::Decimal(_) | Value::Quantity(_));
            number && analysis.metrics.contains_key(metric)
        }
    }
}
