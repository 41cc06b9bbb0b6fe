//! What a run shows while it runs: spinners on a terminal, plain lines elsewhere.

use crate::output::{Streams, barred, error_is_terminal};
use dax_engine::printable::{Line, Text};
use dax_engine::{Operation, Plan, Progress, StepId, Task, render};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::time::Instant;

/// The display of one run.
pub(crate) struct Display {
    quiet: bool,
    /// Whether approvals must be signed.
    signed: bool,
    streams: Streams,
    spinners: Option<MultiProgress>,
    running: BTreeMap<StepId, (Instant, Option<ProgressBar>)>,
}

impl Display {
    pub(crate) fn new(quiet: bool, signed: bool, streams: Streams) -> Self {
        let terminal = error_is_terminal() && std::env::var_os("CI").is_none();
        Self {
            quiet,
            signed,
            streams,
            spinners: (terminal && !quiet).then(MultiProgress::new),
            running: BTreeMap::new(),
        }
    }

    /// A line between the steps.
    pub(crate) fn line(&self, text: &str) {
        match &self.spinners {
            Some(spinners) => {
                let _ = spinners.println(barred(&Text::new(text)));
            }
            None if !self.quiet => self.streams.message(text),
            None => {}
        }
    }

    /// Takes an event in.
    pub(crate) fn event(&mut self, plan: &Plan, event: Progress) {
        match event {
            Progress::Begun(step) => self.begin(plan, step, ""),
            // Waiting is taken back by doing nothing: that is no news.
            Progress::Undoing(step) | Progress::Undone(step) if changes_nothing(plan, step) => {
                if let Some((_, Some(bar))) = self.running.remove(&step) {
                    bar.finish_and_clear();
                }
            }
            Progress::Undoing(step) => self.begin(plan, step, "take back: "),
            Progress::Done(step) => self.end(plan, step, "✓", ""),
            Progress::Undone(step) => self.end(plan, step, "↩", "taken back: "),
            Progress::Failed(step, message) => {
                self.end(plan, step, "✗", "");
                self.line(&format!("    {message}"));
            }
            Progress::Forced(_, message) => self.line(&format!(
                "    somebody else changed it: {message}; it is taken back all the same"
            )),
            Progress::UndoFailed(step, message) => {
                self.end(plan, step, "✗", "not taken back: ");
                self.line(&format!("    {message}"));
            }
            Progress::GoesBack => self.line("going back to the last rollback point"),
            Progress::Open(step, message) => {
                self.end(plan, step, "?", "");
                self.line(&format!("    {message}"));
            }
            Progress::Awaits(step) => {
                self.line(&format!(
                    "    waiting: `dax approve -e {} {}--step {step}`",
                    plan.environment,
                    if self.signed { "--key FILE " } else { "" }
                ));
            }
            Progress::Approved(_, by) => {
                let by: Vec<&str> = by.iter().map(|name| name.as_str()).collect();
                self.line(&format!("    approved by {}", by.join(", ")));
            }
            Progress::Advised(_, condition) => {
                self.line(&format!("    advice: {condition} does not hold"))
            }
            Progress::Aborted(by, reason) => {
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                self.line(&format!("{by} wants everything taken back{why}"));
            }
            Progress::Kept(step, reason) => {
                self.end(plan, step, "=", "stays: ");
                self.line(&format!("    {reason}"));
            }
            Progress::Measured(step, verdict, values) => {
                let values: Vec<String> =
                    values.iter().map(|(name, value)| format!("{name} {value}")).collect();
                let verdict = format!("{verdict:?}").to_lowercase();
                let text = format!(
                    "{verdict}: {}",
                    if values.is_empty() { "no data".to_owned() } else { values.join(", ") }
                );
                match self.running.get(&step) {
                    Some((_, Some(bar))) => {
                        bar.set_message(shown(&format!("{} · {text}", describe(plan, step))))
                    }
                    _ => self.line(&format!("    {text}")),
                }
            }
        }
    }

    fn begin(&mut self, plan: &Plan, step: StepId, prefix: &str) {
        let text = format!("{prefix}{}", describe(plan, step));
        let bar = self.spinners.as_ref().map(|spinners| {
            let bar = spinners.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(shown(&text));
            bar.enable_steady_tick(std::time::Duration::from_millis(100));
            bar
        });
        // Steps that take their time are announced; the others are told of when they are done.
        let slow = plan.steps.get(step.0 as usize).is_some_and(|step| {
            let slow = matches!(
                step.task,
                Task::Hold { .. } | Task::Analyse { .. } | Task::Call(Operation::AwaitReady { .. })
            );
            slow || matches!(
                step.task,
                Task::Gate { .. } | Task::Call(Operation::Run { .. } | Operation::Migrate { .. })
            )
        });
        if bar.is_none() && slow {
            self.line(&format!("  … {text}"));
        }
        self.running.insert(step, (Instant::now(), bar));
    }

    fn end(&mut self, plan: &Plan, step: StepId, mark: &str, prefix: &str) {
        let (begun, bar) = self.running.remove(&step).unwrap_or((Instant::now(), None));
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let seconds = begun.elapsed().as_secs_f64();
        self.line(&format!("  {mark} {prefix}{}  {seconds:.1}s", describe(plan, step)));
    }
}

/// What a spinner says: one printable line.
fn shown(text: &str) -> String {
    Line::new(text).to_string()
}

fn changes_nothing(plan: &Plan, step: StepId) -> bool {
    plan.steps.get(step.0 as usize).is_some_and(|step| step.inverse.operations.is_empty())
}

fn describe(plan: &Plan, step: StepId) -> String {
    let Some(found) = plan.steps.get(step.0 as usize) else { return format!("step {step}") };
    format!("{step:>3}/{} {}: {}", plan.steps.len(), found.service, render::step_text(found))
}
