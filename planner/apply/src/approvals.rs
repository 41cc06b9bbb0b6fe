//! Counting of approvals: whether enough of the right people approved.

use dax_core::Name;
use dax_plan::StepId;
use dax_plan::model::ApprovalGate;
use dax_store::Approval;
use std::collections::BTreeMap;

/// Tells whether an approval counts for a gate: it is by one of those whom the gate names, and it is
/// worth something. The driver knows neither groups nor keys.
pub type Counts<'c> = &'c dyn Fn(&ApprovalGate, &Approval) -> bool;

/// Returns who approved a gate, once it is enough.
///
/// One person counts once, however the name is written: at code hosts letter case does not tell
/// names apart.
///
/// # Errors
/// The number of approvals that are lacking.
pub fn agreed(
    gate: &ApprovalGate,
    step: Option<StepId>,
    approvals: &[Approval],
    counts: Counts<'_>,
) -> Result<Vec<Name>, u32> {
    let valid = approvals.iter().filter(|one| one.step == step && counts(gate, one));
    let by: BTreeMap<String, Name> =
        valid.map(|one| (one.by.to_ascii_lowercase(), one.by.clone())).collect();
    let count = u32::try_from(by.len()).unwrap_or(u32::MAX);
    if count >= gate.count { Ok(by.into_values().collect()) } else { Err(gate.count - count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(by: &str, step: Option<StepId>) -> Approval {
        Approval {
            digest: Name::default(),
            step,
            by: by.into(),
            groups: Vec::new(),
            reason: String::new(),
            at_ms: 0,
            signature: None,
            names: Vec::new(),
        }
    }

    #[test]
    fn one_person_counts_once_and_for_their_own_step_only() {
        let gate = ApprovalGate { count: 2, of: Vec::new(), span: String::new() };
        let anybody: Counts<'_> = &|_, _| true;
        let step = Some(StepId(3));
        let ann = [approval("ann", step), approval("Ann", step), approval("bob", None)];
        assert_eq!(agreed(&gate, step, &ann, anybody), Err(1));
        let both = [&ann[..], &[approval("bob", step)]].concat();
        assert_eq!(agreed(&gate, step, &both, anybody), Ok(vec!["Ann".into(), "bob".into()]));
        assert_eq!(agreed(&gate, step, &both, &|_, one| one.by == "bob"), Err(1));
    }
}
