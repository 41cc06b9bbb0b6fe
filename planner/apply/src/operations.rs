//! Steps of a plan as operations of a provider.

use dax_core::{Name, SecretRef, Value};
use dax_plan::StepKind;
use dax_provider_api::Operation;

/// The provider's operation, or nothing for steps that only wait.
pub fn operation(kind: &StepKind) -> Option<Operation> {
    Some(match kind.clone() {
        StepKind::CreateService { settings } => Operation::CreateService { settings },
        StepKind::UpdateService { settings } => Operation::UpdateService { settings },
        StepKind::DeleteService => Operation::DeleteService,
        StepKind::CreateRevision { revision, spec, replicas } => Operation::CreateRevision { revision, spec, replicas },
        StepKind::DeleteRevision { revision } => Operation::DeleteRevision { revision },
        StepKind::Scale { revision, replicas } => Operation::Scale { revision, replicas },
        StepKind::AwaitReady { revision } => Operation::AwaitReady { revision },
        StepKind::ShiftTraffic { traffic } => Operation::ShiftTraffic { traffic },
        StepKind::Hold { .. } | StepKind::Analyse { .. } => return None,
    })
}

/// The secrets that a step's processes will need, by reference.
pub(crate) fn secrets<'s>(kind: &'s StepKind, spec_of: &dyn Fn(&Name) -> Option<&'s Value>) -> Vec<&'s SecretRef> {
    let mut found = Vec::new();
    match kind {
        StepKind::CreateRevision { spec, .. } => spec.secrets(&mut found),
        StepKind::Scale { revision, replicas } if *replicas > 0 => {
            if let Some(spec) = spec_of(&revision.0) {
                spec.secrets(&mut found);
            }
        }
        _ => {}
    }
    found
}
