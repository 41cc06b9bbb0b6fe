//! What a plan says as a whole: its estimate, conditions, releases, and what it puts off.

use super::Findings;
use super::changes::Part;
use crate::model::{Deferred, Gate, Plan, StepId, Window};
use crate::passes::{defer, estimate};
use dax_core::ResourceAddr;
use std::collections::{BTreeMap, BTreeSet};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn check(plan: &Plan, found: &mut Findings) {
    if plan.estimate != estimate::estimate(&plan.steps) {
        found.say("estimate", "is not that of the steps");
    }
    for (at, gate) in plan.gates.iter().enumerate() {
        match gate {
            Gate::After { environment, .. } if environment.is_empty() => {
                found.say(format!("gates[{at}].after.environment"), "names none");
            }
            Gate::After { .. } => {}
            Gate::Windows(windows) => {
                if windows.is_empty() || !windows.iter().all(possible) {
                    found.say(format!("gates[{at}].windows"), "has a time that there is not");
                }
            }
        }
    }
    for (at, gate) in plan.approvals.iter().enumerate() {
        if gate.count == 0 {
            found.say(format!("approvals[{at}].count"), "asks nobody");
        }
    }
    for (name, services) in &plan.releases {
        let distinct: BTreeSet<&ResourceAddr> = services.iter().collect();
        let known = services.iter().all(|addr| plan.result.contains_key(addr));
        if !known || distinct.len() < 2 || distinct.len() != services.len() {
            found.say(format!("releases.{name}"), "must name two or more services that change");
        }
    }
    later(plan, found);
}

fn possible(window: &Window) -> bool {
    let clock = |text: &str| {
        let (hours, minutes) = text.split_once(':').unwrap_or_default();
        let below = |text: &str, most: u8| {
            text.len() == 2
                && text.bytes().all(|b| b.is_ascii_digit())
                && text.parse::<u8>().is_ok_and(|number| number < most)
        };
        below(hours, 24) && below(minutes, 60)
    };
    let zone = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/');
    !window.days.is_empty()
        && window.days.iter().all(|day| DAYS.contains(&day.as_str()))
        && clock(&window.from)
        && clock(&window.to)
        && !window.zone.is_empty()
        && window.zone.chars().all(zone)
}

/// Services that are planned once more is known, or not at all.
fn later(plan: &Plan, found: &mut Findings) {
    let changed: BTreeSet<&ResourceAddr> = plan.changes.iter().map(|change| &change.addr).collect();
    let all = plan.deferred.iter().map(|one| &one.addr);
    let all = all.chain(&plan.left_out).chain(&plan.unreachable);
    if let Some(addr) = all.clone().find(|addr| changed.contains(addr)) {
        found.say("deferred", format!("names {addr}, which changes"));
    }
    if all.clone().collect::<BTreeSet<_>>().len() != all.count() {
        found.say("deferred", "names a service twice");
    }
    let last: BTreeMap<ResourceAddr, Vec<StepId>> = Part::all(plan)
        .filter_map(|part| Some((part.change.addr.clone(), vec![part.steps.last()?.id])))
        .collect();
    let mut wanted: Vec<Deferred> = plan.deferred.clone();
    defer::name_steps(&mut wanted, &last);
    for (at, (one, wanted)) in plan.deferred.iter().zip(&wanted).enumerate() {
        for (index, (wait, wanted)) in one.waits.iter().zip(&wanted.waits).enumerate() {
            // A service without steps of its own is known after those for which it waits.
            let there = |step: StepId| plan.step(step).is_some();
            if wait.step != wanted.step && (wanted.step.is_some() || !wait.step.is_none_or(there)) {
                found.say(
                    format!("deferred[{at}].waits[{index}].step"),
                    "is not the step after which it is known",
                );
            }
        }
        if one.waits.is_empty() {
            found.say(format!("deferred[{at}].waits"), "waits for nothing");
        }
    }
}
