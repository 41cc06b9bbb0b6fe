//! Steps of a plan as operations of a provider.

use dax_core::{Name, RevisionId, SecretPart, SecretRef, Value};
use dax_machine::Which;
use dax_machine::machine::Failure;
use dax_model::Operation;
use dax_plan::{Plan, Step, StepId, Task};
use dax_provider_api::{Call, Expect, Fence, ProviderError, Secrets};
use dax_store::Lease;
use std::collections::BTreeMap;
use std::time::Duration;

/// The fields of every revision that a plan makes, by provider, object and name: the step that makes it.
pub struct Specs {
    made: BTreeMap<(Name, Name, RevisionId), StepId>,
    /// Steps that set an object's settings, in order.
    set: BTreeMap<(Name, Name), Vec<StepId>>,
}

impl Specs {
    /// Those of a plan.
    pub fn of(plan: &Plan) -> Self {
        let made = plan.steps.iter().filter_map(|step| match &step.task {
            Task::Call(
                Operation::CreateRevision { revision, .. } | Operation::Roll { revision, .. },
            ) => Some(((step.provider.clone(), step.object.clone(), revision.clone()), step.id)),
            _ => None,
        });
        let made = made.collect();
        let mut set: BTreeMap<(Name, Name), Vec<StepId>> = BTreeMap::new();
        for step in plan.steps.iter().filter(|step| settings(&step.task).is_some()) {
            set.entry((step.provider.clone(), step.object.clone())).or_default().push(step.id);
        }
        Self { made, set }
    }

    /// A setting of the object that a step is about, as it is around that step.
    pub fn setting<'p>(&self, plan: &'p Plan, step: &Step, name: &str) -> Option<&'p Value> {
        let set = self
            .set
            .get(&(step.provider.clone(), step.object.clone()))
            .map_or(&[][..], Vec::as_slice);
        let last = set
            .iter()
            .rev()
            .find(|id| **id <= step.id)
            .and_then(|id| settings(&plan.step(*id)?.task));
        last.or_else(|| Some(&plan.observed(&step.provider, &step.object)?.settings))?.get(name)
    }

    /// The fields of a revision of the object that a step is about: as the plan makes it, or as it was there.
    fn find<'p>(&self, plan: &'p Plan, step: &Step, revision: &RevisionId) -> Option<&'p Value> {
        let key = (step.provider.clone(), step.object.clone(), revision.clone());
        if let Some(Task::Call(
            Operation::CreateRevision { spec, .. } | Operation::Roll { spec, .. },
        )) = self.made.get(&key).and_then(|made| Some(&plan.step(*made)?.task))
        {
            return Some(spec);
        }
        plan.observed(&step.provider, &step.object)?
            .revisions
            .get(revision)
            .map(|revision| &revision.spec)
    }
}

fn settings(kind: &Task) -> Option<&BTreeMap<Name, Value>> {
    match kind {
        Task::Call(
            Operation::CreateService { settings } | Operation::UpdateService { settings },
        ) => Some(settings),
        _ => None,
    }
}

/// The fence of calls under a lease.
pub fn fence(lease: &Lease) -> Fence {
    Fence { lineage: lease.lineage().clone(), epoch: lease.epoch }
}

/// A failed call as the machine sees it.
pub fn failure(error: &ProviderError) -> Failure {
    Failure {
        message: error.to_string(),
        transient: error.is_transient(),
        unknown: error.is_unknown(),
        conflict: matches!(error, ProviderError::Conflict { .. }),
        retry_after_ms: error.retry_after().and_then(|after| u64::try_from(after.as_millis()).ok()),
    }
}

/// The call that carries out a step, without secrets; nothing for steps that only wait.
pub fn call(
    plan: &Plan,
    specs: &Specs,
    run: u64,
    fence: Fence,
    id: StepId,
    which: Which,
) -> Option<Call> {
    let step = plan.step(id)?;
    let operation = which.operation(step)?;
    let (expect, timeout_ms) = match which {
        Which::Do => {
            (Expect { before: step.pre.clone(), after: step.post.clone() }, step.timeout_ms)
        }
        // What comes back may take as long as the change allows, however quick the way there was.
        Which::Undo(_) | Which::Force(_) => {
            let change = plan.changes.iter().find(|change| change.addr == step.service);
            let within = change.map_or(0, |change| change.rollback_within_ms).max(step.timeout_ms);
            let expect = match which {
                Which::Force(_) => Expect::default(),
                _ => Expect { before: step.post.clone(), after: step.pre.clone() },
            };
            (expect, within)
        }
    };
    let part = match which {
        Which::Do => "do".to_owned(),
        Which::Undo(at) | Which::Force(at) => format!("undo{at}"),
    };
    Some(Call {
        environment: plan.environment.clone(),
        service: step.object.clone(),
        place: Name::default(),
        operation: operation.clone(),
        spec: match operation {
            Operation::Run { revision, .. } | Operation::Migrate { revision, .. } => {
                specs.find(plan, step, revision).cloned()
            }
            _ => None,
        },
        token: format!("{}:{run}:{}:{part}", plan.environment, step.id.0).into(),
        fence,
        expect,
        timeout: Duration::from_millis(timeout_ms),
        secrets: Secrets::default(),
    })
}

/// The secrets that a call needs, and no others.
pub fn secrets(plan: &Plan, specs: &Specs, id: StepId, call: &Call) -> Vec<SecretRef> {
    let Some(step) = plan.step(id) else { return Vec::new() };
    let spec = match &call.operation {
        Operation::CreateRevision { spec, .. } | Operation::Roll { spec, .. } => Some(spec),
        Operation::Run { .. } | Operation::Migrate { .. } => call.spec.as_ref(),
        Operation::Scale { revision, replicas } if *replicas > 0 => {
            specs.find(plan, step, revision)
        }
        _ => None,
    };
    let mut found = Vec::new();
    spec.iter().for_each(|spec| spec.secrets(&mut found));
    found.into_iter().cloned().collect()
}

/// Secrets that a call can do without: with them a platform masks them in what it shows, and gives them to
/// what it starts again by itself.
pub fn useful_secrets(plan: &Plan, specs: &Specs, id: StepId, call: &Call) -> Vec<SecretRef> {
    let Some(step) = plan.step(id) else { return Vec::new() };
    let mut found: Vec<&SecretRef> = Vec::new();
    match &call.operation {
        Operation::AwaitReady { revision } => {
            specs.find(plan, step, revision).iter().for_each(|spec| spec.secrets(&mut found));
        }
        Operation::UpdateService { .. } => {
            let live = plan.observed(&step.provider, &step.object);
            let revisions = live.into_iter().flat_map(|live| live.revisions.values());
            revisions.for_each(|revision| revision.spec.secrets(&mut found));
        }
        Operation::CreateRevision { spec, .. } | Operation::Roll { spec, .. } => {
            spec.secrets(&mut found);
        }
        Operation::Run { .. } | Operation::Migrate { .. } => {
            call.spec.iter().for_each(|spec| spec.secrets(&mut found));
        }
        _ => {}
    }
    // A text that is made of secrets is one, and so is each of its pieces.
    let mut all = Vec::new();
    let mut open: Vec<&SecretRef> = found;
    while let Some(secret) = open.pop() {
        all.push(secret.clone());
        open.extend(secret.parts.iter().filter_map(|part| match part {
            SecretPart::Secret(inner) => Some(inner),
            SecretPart::Text(_) => None,
        }));
    }
    all
}
