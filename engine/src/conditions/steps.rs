//! Approvals of steps while a run is under way: which of them count for its gates.
//!
//! Invariant: a gate is judged by the conditions that its run began under, whatever is checked out
//! where it goes on. They are those of the commit that the run began from; where that is not known,
//! those of the program here, if the plan was made from it. Else only a rule that was recorded with
//! the last apply is known, and an approval counts where both allow it.

use super::{Conditions, of_plan};
use crate::standing::is_signed;
use crate::{Engine, EngineError};
use dax_core::Name;
use dax_plan::Plan;
use dax_plan::model::ApprovalGate;
use dax_store::Store;
use dax_store::{Approval, What};

/// What decides which approvals count for the gates of a plan's steps.
#[derive(Debug, Default)]
pub(crate) struct StepJudge {
    /// Each of them must allow an approval.
    conditions: Vec<Conditions>,
    /// Rules whose people are known; none where those of all rules are.
    known: Option<Conditions>,
    signers: Option<String>,
    project: Name,
    environment: Name,
    lineage: Name,
}

/// Conditions by which the gates of a run are judged.
enum Judging {
    /// Those that it began under.
    Begun(Box<Conditions>),
    /// Those of the last apply, with those of the program here, if it has any.
    Both(Box<Conditions>, Option<Box<Conditions>>),
    /// None: what it began under is not known here.
    Unknown,
}

impl Engine {
    /// What decides which approvals count for the gates of a plan's steps.
    pub(crate) fn step_judge(&self, store: &Store, plan: &Plan) -> Result<StepJudge, EngineError> {
        let has_gates =
            plan.steps.iter().any(|step| matches!(step.task, dax_plan::Task::Gate { .. }));
        if !has_gates {
            return Ok(StepJudge::default());
        }
        let environment = &plan.environment;
        let recorded = self.recorded_in(store, environment)?.map(|recorded| recorded.conditions);
        let recorded_signers = recorded.as_ref().and_then(Conditions::signers_text);
        let (conditions, known) = match self.judging(store, plan, recorded)? {
            Judging::Begun(begun) => (vec![*begun], None),
            Judging::Both(recorded, own) => {
                let known = (*recorded).clone();
                (std::iter::once(*recorded).chain(own.map(|own| *own)).collect(), Some(known))
            }
            Judging::Unknown => (Vec::new(), Some(Conditions::default())),
        };
        let signers =
            recorded_signers.or_else(|| conditions.iter().find_map(Conditions::signers_text));
        let (_, version) = self.runtime.block_on(store.state(environment))?;
        Ok(StepJudge {
            conditions,
            known,
            signers,
            project: plan.project.clone(),
            environment: environment.clone(),
            lineage: version.lineage,
        })
    }

    fn judging(
        &self,
        store: &Store,
        plan: &Plan,
        recorded: Option<Conditions>,
    ) -> Result<Judging, EngineError> {
        let params = of_plan(plan);
        if let Some(commit) = self.begun_at(store, plan)?
            && let Ok(Some(begun)) = self.conditions_at(&commit, &plan.environment, &params)
        {
            return Ok(Judging::Begun(Box::new(begun)));
        }
        // A run goes on although the program here cannot be read any more.
        let own = self.own_conditions(&plan.environment, &params).ok();
        Ok(match (own, recorded) {
            (Some(own), _) if own.sources == plan.sources => {
                Judging::Begun(Box::new(own.conditions))
            }
            (own, Some(recorded)) => {
                Judging::Both(Box::new(recorded), own.map(|own| Box::new(own.conditions)))
            }
            (_, None) => Judging::Unknown,
        })
    }

    /// The commit from which the run of a plan began, the newest one that did.
    fn begun_at(&self, store: &Store, plan: &Plan) -> Result<Option<Name>, EngineError> {
        let wanted = dax_plan::digest::digest(plan);
        let records = self.runtime.block_on(store.audit(&plan.environment))?;
        Ok(records
            .into_iter()
            .rev()
            .find_map(|record| match record.what {
                What::Begin { digest, commit, .. } if digest.as_str() == wanted => {
                    Some(commit.map(|commit| commit.id))
                }
                _ => None,
            })
            .flatten())
    }

    /// Makes sure that it is known who may approve a step of a run.
    ///
    /// # Errors
    /// [`EngineError::NoApproval`] where it is not, with what helps.
    pub(crate) fn knows_approvers(
        &self,
        store: &Store,
        plan: &Plan,
        gate: &ApprovalGate,
    ) -> Result<(), EngineError> {
        if self.step_judge(store, plan)?.knows(gate) {
            return Ok(());
        }
        let begun = self.begun_at(store, plan)?;
        let at = begun.map_or_else(
            || "the files that it was planned from".to_owned(),
            |commit| format!("commit {}", commit.get(..10).unwrap_or(&commit)),
        );
        let environment = &plan.environment;
        Err(EngineError::NoApproval {
            message: format!(
                "who may approve this step is what the run began with, and that is not known here: \
                 approve and resume where {at} is, or take the run back with `dax abort -e \
                 {environment}`"
            ),
        })
    }
}

impl StepJudge {
    /// Whether it is known who may approve a gate.
    fn knows(&self, gate: &ApprovalGate) -> bool {
        self.known.as_ref().is_none_or(|known| known.rules().any(|rule| rule.of == gate.of))
    }

    /// Whether an approval counts for a gate: by one of those whom it names, signed where it must
    /// be.
    pub(crate) fn counts(&self, gate: &ApprovalGate, approval: &Approval, now_ms: u64) -> bool {
        let Self { conditions, signers, project, environment, lineage, .. } = self;
        self.knows(gate)
            && conditions.iter().all(|one| one.may_approve(&gate.of, approval))
            && signers.as_ref().is_none_or(|signers| {
                is_signed(approval, project, environment, lineage, signers, now_ms).is_ok()
            })
    }
}
