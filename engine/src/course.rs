//! The course of one run: what its journal says, with the shares of the traffic as they followed on one another.

use crate::{Engine, EngineError};
use dax_core::Name;
use dax_machine::journal::{Entry, How};
use dax_plan::{Plan, StepId};
use dax_render::step_text;

/// One line of the journal, in words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// When, in milliseconds since 1970, where the journal says it.
    pub at_ms: Option<u64>,
    /// The service.
    pub service: String,
    /// What happened.
    pub what: String,
    /// How the traffic is divided from then on, where that changes.
    pub traffic: String,
}

impl Engine {
    /// What happened in a run, in order.
    ///
    /// # Errors
    /// The state cannot be read, or there is no such run, or it is no longer kept.
    pub fn course(&self, environment: &str, run: u64) -> Result<Vec<Moment>, EngineError> {
        let store = self.store()?;
        let plan = self.runtime.block_on(store.plan_of(environment, run))?;
        let Some(plan) = plan else {
            return Err(EngineError::NoRun { environment: environment.to_owned(), run });
        };
        let journal = self.runtime.block_on(store.journal(environment, run))?;
        Ok(journal.iter().filter_map(|entry| moment(&plan, entry)).collect())
    }
}

/// How a step leaves the traffic, or how taking it back does.
fn traffic(plan: &Plan, step: StepId, back: bool) -> String {
    let Some(step) = plan.steps.get(step.0 as usize) else { return String::new() };
    let image = if back { &step.pre } else { &step.post };
    let Some(shares) = image.get("traffic") else { return String::new() };
    let mut shown: Vec<String> = shares
        .entries()
        .filter_map(|(revision, share)| {
            Some(format!("{revision} {}%", f64::from(u32::try_from(share.as_int()?).ok()?) / 100.0))
        })
        .collect();
    shown.sort_unstable();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

fn moment(plan: &Plan, entry: &Entry) -> Option<Moment> {
    let of = |step: &StepId, what: String| {
        let service = plan
            .steps
            .get(step.0 as usize)
            .map(|step| step.service.to_string())
            .unwrap_or_default();
        Moment { service, what, ..Moment::default() }
    };
    let text = |step: &StepId| plan.steps.get(step.0 as usize).map(step_text).unwrap_or_default();
    let people = |by: &[Name]| by.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
    Some(match entry {
        Entry::Intent { step, at_ms } => Moment {
            at_ms: Some(*at_ms),
            traffic: traffic(plan, *step, false),
            ..of(step, format!("{step}. {}", text(step)))
        },
        Entry::Measured { step, at_ms, verdict, values, .. } => {
            let values: Vec<String> =
                values.iter().map(|(name, value)| format!("{name} {value}")).collect();
            let values = if values.is_empty() { "no data".to_owned() } else { values.join(", ") };
            Moment {
                at_ms: Some(*at_ms),
                ..of(step, format!("   {}: {values}", format!("{verdict:?}").to_lowercase()))
            }
        }
        Entry::Failed { step, message, .. } => {
            of(step, format!("{step}. failed: {}", first(message)))
        }
        Entry::Open { step, message } => of(step, format!("{step}. open: {}", first(message))),
        Entry::Decided { step, how, by, reason } => {
            let how = if *how == How::Done { "it is done" } else { "try it again" };
            of(step, format!("{step}. {by} says: {how} ({reason})"))
        }
        Entry::Approved { step, by } => of(step, format!("{step}. approved by {}", people(by))),
        Entry::Abort { by, reason } => Moment {
            what: format!("{by} wants everything taken back: {reason}"),
            ..Moment::default()
        },
        Entry::GoBack => Moment { what: "going back".to_owned(), ..Moment::default() },
        Entry::UndoIntent { step, at_ms } => {
            let at_ms = Some(*at_ms).filter(|at| *at > 0);
            Moment {
                at_ms,
                traffic: traffic(plan, *step, true),
                ..of(step, format!("{step}. take back: {}", text(step)))
            }
        }
        Entry::UndoForced { step, message } => {
            of(step, format!("{step}. somebody else changed it: {}", first(message)))
        }
        Entry::UndoFailed { step, message } => {
            of(step, format!("{step}. not taken back: {}", first(message)))
        }
        Entry::Kept { step, reason, .. } => of(step, format!("{step}. stays: {reason}")),
        Entry::Done { .. } | Entry::Undone { .. } => return None,
        Entry::End { outcome } => Moment { what: outcome.word().to_owned(), ..Moment::default() },
    })
}

/// The first line of a message.
fn first(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}
