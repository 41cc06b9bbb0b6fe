//! What happens in a run as JSON, one object a line, for other programs to follow.

use crate::Told;
use dax_apply::Progress;
use dax_plan::{Plan, StepId};
use serde_json::{Value, json};

/// The version of the events.
const FORMAT: u32 = 1;

/// An event as one line of JSON, without the line's end.
pub fn event(plan: &Plan, run: u64, at_ms: u64, told: &Told) -> String {
    let mut line = json!({ "format_version": FORMAT, "at_ms": at_ms, "environment": plan.environment, "run": run });
    let more = match told {
        Told::Begins => json!({
            "event": "begin", "mode": plan.mode, "digest": dax_plan::digest::digest(plan), "steps": plan.steps.len(),
        }),
        Told::Ends(outcome) => json!({ "event": "end", "result": outcome }),
        Told::Progress(progress) => progressed(plan, progress),
    };
    if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
        line.extend(more);
    }
    line.to_string()
}

fn progressed(plan: &Plan, progress: &Progress) -> Value {
    let about = |event: &str, step: StepId| {
        let planned = plan.steps.get(step.0 as usize);
        let service = planned.map(|step| step.service.to_string());
        let title = planned.map(dax_render::step_text);
        json!({ "event": event, "step": step.0 + 1, "service": service, "title": title })
    };
    let with = |mut object: Value, name: &str, value: Value| {
        object[name] = value;
        object
    };
    match progress {
        Progress::Begun(step) => about("step_begun", *step),
        Progress::Done(step) => about("step_done", *step),
        Progress::Failed(step, message) => {
            with(about("step_failed", *step), "message", json!(message))
        }
        Progress::Measured(step, verdict, values) => {
            let shown: std::collections::BTreeMap<_, _> =
                values.iter().map(|(name, value)| (name, value.to_string())).collect();
            with(with(about("measured", *step), "verdict", json!(verdict)), "values", json!(shown))
        }
        Progress::Advised(step, condition) => {
            with(about("advised", *step), "condition", json!(condition))
        }
        Progress::Open(step, message) => with(about("step_open", *step), "message", json!(message)),
        Progress::Awaits(step) => about("awaits_approval", *step),
        Progress::Approved(step, by) => with(about("approved", *step), "by", json!(by)),
        Progress::Aborted(by, reason) => json!({ "event": "aborted", "by": by, "reason": reason }),
        Progress::GoesBack => json!({ "event": "goes_back" }),
        Progress::Undoing(step) => about("undo_begun", *step),
        Progress::Undone(step) => about("undone", *step),
        Progress::Forced(step, message) => {
            with(about("undo_forced", *step), "message", json!(message))
        }
        Progress::UndoFailed(step, message) => {
            with(about("undo_failed", *step), "message", json!(message))
        }
        Progress::Kept(step, reason) => with(about("kept", *step), "reason", json!(reason)),
    }
}
