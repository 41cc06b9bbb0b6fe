//! The steps of a service as lines: waiting joins the step that it waits for, equal steps stand
//! once.
//!
//! Invariant: whatever is folded can be told from what is shown, so no two sequences of steps read
//! alike.

use super::details;
use super::steps::step_text;
use crate::tree::{Line, Tone};
use dax_core::{ResourceAddr, RevisionId};
use dax_model::Operation;
use dax_plan::model::{Change, InverseClass};
use dax_plan::{Plan, Step, StepId, Task};
use std::collections::BTreeMap;

/// A step, or several that are shown as one.
struct Shown<'p> {
    first: u32,
    last: u32,
    step: &'p Step,
    /// True when the last one waits until the revision of the first is ready.
    waits: bool,
    /// Steps that are equal, one after another.
    times: usize,
}

/// Sequences that were shown already, each with the service that has it.
#[derive(Default)]
pub(super) struct Sequences {
    known: BTreeMap<String, ResourceAddr>,
}

impl Sequences {
    /// The lines of the steps of a service; one line where another service has the same ones.
    pub(super) fn lines(&mut self, plan: &Plan, change: &Change, steps: &[&Step]) -> Vec<Line> {
        let Some(first) = steps.first() else { return Vec::new() };
        let lines = lines_at(plan, steps, 0);
        let mut same: String = lines_text(&lines_at(plan, steps, first.id.0));
        for (id, name) in [(&change.from, "<old>"), (&change.to, "<new>")] {
            if let Some(id) = id.as_ref().filter(|id| !id.0.is_empty()) {
                same = same.replace(id.0.as_str(), name);
            }
        }
        if lines.len() < 2 {
            return lines;
        }
        if let Some(other) = self.known.get(&same) {
            let last = steps.last().map_or(first.id, |step| step.id);
            let text = format!("steps {}–{last}: the same as those of {other}", first.id);
            let after = after(plan, first, 0);
            return vec![Line::at(1).with(Tone::Plain, text).with(Tone::Dim, after)];
        }
        self.known.insert(same, change.addr.clone());
        lines
    }
}

fn lines_text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.plain() + "\n").collect()
}

/// The lines with numbers from one on behind an offset.
fn lines_at(plan: &Plan, steps: &[&Step], offset: u32) -> Vec<Line> {
    let (mut analyses, mut lines) = (Vec::new(), Vec::new());
    for shown in folded(plan, steps) {
        let known = details::same_as(shown.step, &analyses).unwrap_or_default();
        lines.push(line(plan, &shown, &known, offset));
        lines.extend(details::analysis(shown.step, &mut analyses));
    }
    lines
}

fn folded<'p>(plan: &Plan, steps: &[&'p Step]) -> Vec<Shown<'p>> {
    let mut all: Vec<Shown<'p>> = Vec::new();
    for step in steps {
        let id = step.id.0;
        let plain = foreign(plan, step).next().is_none() && !step.rollback_point;
        if let Some(last) =
            all.last_mut().filter(|last| plain && last.last.checked_add(1) == Some(id))
        {
            if !last.waits && last.times == 1 && awaits(last.step, step) {
                (last.last, last.waits) = (id, true);
                continue;
            }
            let analyses = matches!(step.task, Task::Analyse { .. });
            if !last.waits && !analyses && equal(last.step, step) {
                (last.last, last.times) = (id, last.times + 1);
                continue;
            }
        }
        all.push(Shown { first: id, last: id, step, waits: false, times: 1 });
    }
    all
}

fn equal(one: &Step, other: &Step) -> bool {
    one.task == other.task
        && one.inverse == other.inverse
        && details::command(one) == details::command(other)
}

/// Reports whether a step only waits for the revision that the one before it has started.
fn awaits(before: &Step, step: &Step) -> bool {
    let Task::Call(Operation::AwaitReady { revision }) = &step.task else { return false };
    started(&before.task) == Some(revision)
}

const fn started(kind: &Task) -> Option<&RevisionId> {
    match kind {
        Task::Call(
            Operation::CreateRevision { revision, .. }
            | Operation::Scale { revision, .. }
            | Operation::Roll { revision, .. },
        ) => Some(revision),
        Task::Call(
            Operation::CreateService { .. }
            | Operation::UpdateService { .. }
            | Operation::DeleteService
            | Operation::DeleteRevision { .. }
            | Operation::AwaitReady { .. }
            | Operation::ShiftTraffic { .. }
            | Operation::Route { .. }
            | Operation::Run { .. }
            | Operation::Migrate { .. },
        )
        | Task::Hold { .. }
        | Task::Analyse { .. }
        | Task::Gate { .. } => None,
    }
}

fn line(plan: &Plan, shown: &Shown<'_>, analysis: &str, offset: u32) -> Line {
    let step = shown.step;
    let number = |id: u32| i64::from(id) + 1 - i64::from(offset);
    let label = if shown.first == shown.last {
        format!("{}.", number(shown.first))
    } else {
        format!("{}–{}.", number(shown.first), number(shown.last))
    };
    let times = if shown.times > 1 { format!("{} × ", shown.times) } else { String::new() };
    let waits = if shown.waits { ", then wait until it is ready" } else { "" };
    let mut line = Line::at(1)
        .with(Tone::Dim, format!("{label:>6} "))
        .with(Tone::Plain, format!("{times}{}{waits}", step_text(step)));
    for more in [analysis, &details::command(step).unwrap_or_default()] {
        line = if more.is_empty() { line } else { line.with(Tone::Dim, more) };
    }
    line = undo(line, step);
    let after = after(plan, step, offset);
    line = if after.is_empty() { line } else { line.with(Tone::Dim, after) };
    if step.rollback_point { line.with(Tone::Dim, "  rollback point before") } else { line }
}

/// Adds the way in which a step comes back, if not as it was.
fn undo(line: Line, step: &Step) -> Line {
    let by = details::undo(step).unwrap_or_default();
    match (step.inverse.class, &step.task) {
        (InverseClass::None, _) => line.with(Tone::Remove, "  irreversible"),
        (InverseClass::Compensating, Task::Call(Operation::Migrate { .. })) => {
            line.with(Tone::Warn, format!("  undo: compensating{by}"))
        }
        (InverseClass::Compensating, _) => line.with(Tone::Dim, "  undo: compensating"),
        (_, Task::Call(Operation::DeleteService)) => {
            line.with(Tone::Remove, format!("  {} is gone", lost(&step.service)))
        }
        (InverseClass::Nothing | InverseClass::Exact, _) => line,
    }
}

/// The part of a deleted service that no undo brings back.
pub(super) fn lost(addr: &ResourceAddr) -> &'static str {
    // An object is all that the state knows of it; a platform may keep more in it.
    if addr.kind() == "object" { "what the state does not know of it" } else { "its data" }
}

/// Steps of other services that come first, with numbers behind an offset.
///
/// Waiting for the step before it goes without saying.
fn after(plan: &Plan, step: &Step, offset: u32) -> String {
    let numbers: Vec<String> = foreign(plan, step)
        .map(|id| (i64::from(id.0) + 1 - i64::from(offset)).to_string())
        .collect();
    if numbers.is_empty() { String::new() } else { format!("  after step {}", numbers.join(", ")) }
}

fn foreign<'p>(plan: &'p Plan, step: &'p Step) -> impl Iterator<Item = &'p StepId> {
    let others = |id: &&StepId| plan.step(**id).is_some_and(|one| one.service != step.service);
    step.after.iter().filter(others)
}
