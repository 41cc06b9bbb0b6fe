//! From a journal to the state of the run that wrote it.

use super::{Machine, Phase, Status};
use crate::journal::{Entry, How};

impl Machine {
    pub(super) fn replay(&mut self, entry: &Entry) {
        match entry {
            Entry::Intent { step, at_ms } => {
                self.set(*step, Status::Running);
                self.intended_ms.insert(*step, *at_ms);
            }
            Entry::Done { step } => {
                self.watches.remove(step);
                self.set(*step, Status::Done);
            }
            Entry::Failed { step, message, untouched } => {
                self.watches.remove(step);
                self.set(*step, if *untouched { Status::Untouched } else { Status::Failed });
                self.note_failure(Some(*step), message.clone());
            }
            Entry::Measured { step, at_ms, verdict, values, baseline } => {
                self.replay_measured(*step, *at_ms, *verdict, values, baseline)
            }
            Entry::Approved { .. } => {}
            Entry::Open { step, message } => {
                self.watches.remove(step);
                self.set(*step, Status::Open);
                self.open.insert(*step, message.clone());
            }
            Entry::Decided { step, how, .. } => {
                self.open.remove(step);
                if self.failure.as_ref().is_some_and(|(failed, _)| *failed == Some(*step)) {
                    self.failure = None;
                }
                self.set(*step, if *how == How::Done { Status::Done } else { Status::Waiting });
            }
            Entry::Abort { by, reason } => self.note_abort(by, reason),
            Entry::GoBack => {
                self.phase = Phase::Back;
                self.plan_the_way_back();
            }
            Entry::UndoIntent { step, .. }
            | Entry::UndoForced { step, .. }
            | Entry::UndoFailed { step, .. } => self.set(*step, Status::Undoing),
            Entry::Undone { step } => {
                self.set(*step, Status::Undone);
                self.went_back(*step);
            }
            Entry::Kept { step, .. } => {
                self.set(*step, Status::Kept);
                self.went_back(*step);
            }
            Entry::End { .. } => self.phase = Phase::Over,
        }
    }

    fn went_back(&mut self, step: dax_plan::StepId) {
        if self.going_back.last() == Some(&step) {
            self.going_back.pop();
        }
    }
}
