//! Analyses under way: when the next measurement is due, and what the measurements so far decide.

use super::{Command, Machine, Status};
use crate::journal::Entry;
use dax_core::{Name, Value};
use dax_plan::analysis::{self, Analysis, Decision, Measured, NoData, Semantics, Tally, Verdict};
use dax_plan::{StepId, Task};
use std::collections::BTreeMap;

/// An analysis under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    tally: Tally,
    /// When the next measurement is due.
    next_ms: u64,
    /// What was measured of metrics that are compared: of the new revision and of the old one.
    samples: BTreeMap<Name, (Vec<f64>, Vec<f64>)>,
}

impl Watch {
    fn keep(
        &mut self,
        analysis: &Analysis,
        values: &BTreeMap<Name, Value>,
        baseline: &BTreeMap<Name, Value>,
    ) {
        for one in &analysis.baseline {
            let (new, old) = self.samples.entry(one.metric.clone()).or_default();
            new.extend(values.get(&one.metric).and_then(Value::as_f64));
            old.extend(baseline.get(&one.metric).and_then(Value::as_f64));
        }
    }
}

impl Machine {
    /// Begins an analysis, or goes on with it.
    pub(super) fn watch(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        let watch = self.watching(step);
        out.push(Command::Timer(step, watch.next_ms.saturating_sub(now_ms)));
    }

    fn watching(&mut self, step: StepId) -> &mut Watch {
        let begun = self.begun(step);
        let (mut next_ms, mut failed_checks) = (begun, 0);
        if let Some(planned) = self.plan.step(step)
            && let Task::Analyse { ms, analysis, .. } = &planned.task
        {
            failed_checks = self.failed_checks.get(&planned.service).copied().unwrap_or(0);
            next_ms = begun.saturating_add(analysis.first_after_ms(*ms));
        }
        let tally = Tally { failed_checks, ..Tally::default() };
        self.watches.entry(step).or_insert_with(|| Watch { tally, next_ms, ..Watch::default() })
    }

    /// When a step began.
    fn begun(&self, step: StepId) -> u64 {
        self.intended_ms.get(&step).copied().unwrap_or(0)
    }

    fn held(&self, step: StepId, ms: u64, now_ms: u64) -> bool {
        now_ms >= self.begun(step).saturating_add(ms)
    }

    /// The time of a measurement, or of the end of the hold, has come.
    pub(super) fn tick(&mut self, step: StepId, now_ms: u64, out: &mut Vec<Command>) {
        let plan = self.plan.clone();
        let Some(Task::Analyse { ms, analysis, .. }) = plan.step(step).map(|step| &step.task)
        else {
            return;
        };
        let held = self.held(step, *ms, now_ms);
        let watch = self.watching(step).clone();
        if let Some(Decision::Failed(why)) = watch.tally.over_before_measuring(analysis) {
            return self.fail(step, why.to_string(), out);
        }
        if now_ms >= watch.next_ms {
            out.push(Command::Measure(step));
        } else if held && analysis.count == 0 && analysis.semantics == Semantics::Argo {
            self.passed(step, analysis, now_ms, out);
        } else {
            out.push(Command::Timer(step, watch.next_ms - now_ms));
        }
    }

    pub(super) fn measured(
        &mut self,
        step: StepId,
        measured: Measured,
        now_ms: u64,
        out: &mut Vec<Command>,
    ) {
        let plan = self.plan.clone();
        let Some(Task::Analyse { ms, analysis, .. }) = plan.step(step).map(|step| &step.task)
        else {
            return;
        };
        if self.get(step) != Status::Running {
            return;
        }
        let verdict = analysis::judge(analysis, &measured);
        let decision = self.take_in(step, now_ms, verdict, &measured.values, &measured.baseline);
        let shown = describe(analysis, &measured);
        let Measured { values, baseline, .. } = measured;
        out.push(Command::Write(Entry::Measured {
            step,
            at_ms: now_ms,
            verdict,
            values,
            baseline,
        }));
        match decision {
            Decision::Again(wait) => {
                // What is only held ends with the hold, whenever the next measurement is due.
                let ends = self.begun(step).saturating_add(*ms);
                let bounded = analysis.count == 0
                    && analysis.semantics != Semantics::Flagger
                    && ends > now_ms;
                out.push(Command::Timer(
                    step,
                    if bounded { wait.min(ends - now_ms) } else { wait },
                ));
            }
            Decision::Passed => self.passed(step, analysis, now_ms, out),
            Decision::Failed(why) => self.fail(step, format!("{why}; the last one: {shown}"), out),
            Decision::Undecided => self.leave_open(
                step,
                format!("the analysis came to no decision; the last measurement: {shown}"),
                out,
            ),
        }
    }

    /// Counts a measurement; the same for one that was just made and for one of the journal.
    fn take_in(
        &mut self,
        step: StepId,
        at_ms: u64,
        verdict: Verdict,
        values: &BTreeMap<Name, Value>,
        baseline: &BTreeMap<Name, Value>,
    ) -> Decision {
        let plan = self.plan.clone();
        let Some(planned) = plan.step(step) else { return Decision::Undecided };
        let Task::Analyse { ms, analysis, .. } = &planned.task else {
            return Decision::Undecided;
        };
        let held = self.held(step, *ms, at_ms);
        let ends = self.begun(step).saturating_add(*ms);
        let watch = self.watching(step);
        watch.keep(analysis, values, baseline);
        let decision = analysis::assess(analysis, &mut watch.tally, verdict, held);
        if let Decision::Again(wait) = decision {
            let next = at_ms.saturating_add(wait);
            // The native rules measure once more when the hold ends.
            let last =
                analysis.semantics == Semantics::Native && analysis.count == 0 && ends > at_ms;
            watch.next_ms = if last { next.min(ends) } else { next };
        }
        let failed_checks = watch.tally.failed_checks;
        self.failed_checks.insert(planned.service.clone(), failed_checks);
        decision
    }

    pub(super) fn replay_measured(
        &mut self,
        step: StepId,
        at_ms: u64,
        verdict: Verdict,
        values: &BTreeMap<Name, Value>,
        baseline: &BTreeMap<Name, Value>,
    ) {
        if self.get(step) == Status::Running {
            self.take_in(step, at_ms, verdict, values, baseline);
        }
    }

    /// The measurements are good enough; what is left is the comparison with the old revision.
    fn passed(&mut self, step: StepId, analysis: &Analysis, now_ms: u64, out: &mut Vec<Command>) {
        let samples = self.watching(step).samples.clone();
        for baseline in &analysis.baseline {
            let (new, old) = samples.get(&baseline.metric).cloned().unwrap_or_default();
            let metric = &baseline.metric;
            match (analysis::worse(baseline, &new, &old), analysis.on_no_data) {
                (Some(true), _) => {
                    let message = format!(
                        "`{metric}` is worse than that of the old revision ({} measurements against {})",
                        new.len(),
                        old.len()
                    );
                    return self.fail(step, message, out);
                }
                (None, NoData::Fail) => {
                    return self.fail(
                        step,
                        format!("`{metric}` cannot be compared: one revision has no data"),
                        out,
                    );
                }
                (None, NoData::Inconclusive | NoData::Error) => {
                    return self.leave_open(
                        step,
                        format!("`{metric}` cannot be compared: one revision has no data"),
                        out,
                    );
                }
                _ => {}
            }
        }
        self.watches.remove(&step);
        self.succeeded(step, now_ms, out);
    }
}

/// What was measured, in words.
fn describe(analysis: &Analysis, measured: &Measured) -> String {
    if let Some(error) = &measured.error {
        return format!("the source could not be asked: {error}");
    }
    let shown = analysis.metrics.keys().map(|name| match measured.values.get(name) {
        Some(value) => format!("{name} = {value}"),
        None => format!("{name} had no data"),
    });
    shown.collect::<Vec<_>>().join(", ")
}
