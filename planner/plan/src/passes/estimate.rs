//! How long a plan takes and how often it calls.

use crate::model::{Estimate, Step, Task};

/// Reads of each provider beside the steps: one before the first step, one after the last.
const READS: u32 = 2;

/// The longest way through the steps; people are not counted.
pub(crate) fn estimate(steps: &[Step]) -> Estimate {
    let mut least = vec![0_u64; steps.len()];
    let mut most = vec![0_u64; steps.len()];
    for (at, step) in steps.iter().enumerate() {
        let longest = |times: &[u64]| {
            step.after
                .iter()
                .filter_map(|before| times.get(before.0 as usize))
                .max()
                .copied()
                .unwrap_or(0)
        };
        let own = if matches!(step.task, Task::Gate { .. }) { 0 } else { step.timeout_ms };
        least[at] = longest(&least).saturating_add(step.expected_ms);
        most[at] = longest(&most).saturating_add(own);
    }
    let providers: std::collections::BTreeSet<_> =
        steps.iter().map(|step| &step.provider).collect();
    Estimate {
        calls: steps
            .iter()
            .map(|step| step.calls)
            .fold(READS * u32::try_from(providers.len()).unwrap_or(0), u32::saturating_add),
        least_ms: least.into_iter().max().unwrap_or(0),
        most_ms: most.into_iter().max().unwrap_or(0),
    }
}

/// Calls that a step makes when all goes well.
pub(crate) fn calls(kind: &Task, expected_ms: u64) -> u32 {
    match kind {
        Task::Hold { .. } | Task::Gate { .. } => 0,
        Task::Analyse { analysis, against, .. } => {
            let times =
                u32::try_from(expected_ms / analysis.every_ms.max(1)).unwrap_or(u32::MAX).max(1);
            let compared = if against.is_some() { analysis.baseline.len() } else { 0 };
            times.saturating_mul(
                u32::try_from(analysis.metrics.len() + compared).unwrap_or(u32::MAX),
            )
        }
        _ => 1,
    }
}
