//! Whether enough of the right people agreed.

use crate::store::Approval;
use dax_core::Name;
use dax_plan::StepId;
use dax_plan::model::ApprovalGate;
use std::collections::BTreeSet;

/// Who agreed, once it is enough; how many are lacking otherwise.
///
/// # Errors
/// So many more are needed.
pub fn agreed(
    gate: &ApprovalGate,
    step: Option<StepId>,
    approvals: &[Approval],
) -> Result<Vec<Name>, u32> {
    let may = |approval: &&Approval| {
        approval.step == step
            && (gate.of.is_empty()
                || gate
                    .of
                    .iter()
                    .any(|name| *name == approval.by || approval.groups.contains(name)))
    };
    let by: BTreeSet<&Name> = approvals.iter().filter(may).map(|approval| &approval.by).collect();
    let count = u32::try_from(by.len()).unwrap_or(u32::MAX);
    if count >= gate.count {
        Ok(by.into_iter().cloned().collect())
    } else {
        Err(gate.count - count)
    }
}
