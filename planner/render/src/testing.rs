//! Plans by hand for the tests of this crate.

use dax_core::{Name, ResourceAddr, RevisionId, Value};
use dax_model::Operation;
use dax_plan::model::{
    Action, ApprovalGate, Change, Estimate, FORMAT_VERSION, Idempotency, Inverse, InverseClass,
    LeafChange, Mode, OnFailure, Owner, Reason, Retry, Risk, StateVersion, Step, StepId, Task,
};
use dax_plan::{Plan, ROLLBACK_WITHIN_MS};
use std::collections::BTreeMap;

/// An empty plan of `production`.
pub(crate) fn empty() -> Plan {
    Plan {
        format_version: FORMAT_VERSION,
        project: "shop".into(),
        environment: "production".into(),
        mode: Mode::Apply,
        params: BTreeMap::new(),
        providers: BTreeMap::new(),
        sources: Name::default(),
        base: StateVersion::default(),
        gates: Vec::new(),
        approvals: Vec::new(),
        on_failure: OnFailure::Rollback,
        releases: BTreeMap::new(),
        changes: Vec::new(),
        deferred: Vec::new(),
        left_out: Vec::new(),
        unreachable: Vec::new(),
        unchanged: 0,
        steps: Vec::new(),
        estimate: Estimate::default(),
        observed: BTreeMap::new(),
        known: BTreeMap::new(),
        result: BTreeMap::new(),
    }
}

/// A plan with these changes and an approval rule of `team:sre`.
pub(crate) fn guarded(changes: Vec<Change>) -> Plan {
    let gate =
        ApprovalGate { count: 1, of: vec!["team:sre".into()], span: "main.dax:19:3".to_owned() };
    let mut plan = Plan { approvals: vec![gate], ..empty() };
    for change in changes {
        let id = StepId(u32::try_from(plan.steps.len()).expect("few steps"));
        let kind = match change.action {
            Action::Delete => Task::Call(Operation::DeleteService),
            _ => Task::Call(Operation::AwaitReady { revision: RevisionId("22222222".into()) }),
        };
        plan.steps.push(step(id, &change.addr, kind));
        plan.changes.push(change);
    }
    plan
}

/// A step with an exact inverse.
pub(crate) fn step(id: StepId, service: &ResourceAddr, kind: Task) -> Step {
    Step {
        id,
        service: service.clone(),
        provider: "memory.world".into(),
        object: service.name().into(),
        task: kind,
        after: Vec::new(),
        pre: BTreeMap::new(),
        post: BTreeMap::new(),
        inverse: Inverse { class: InverseClass::Exact, operations: Vec::new() },
        idempotency: Idempotency::ByKey,
        retry: Retry::Transient,
        timeout_ms: 0,
        expected_ms: 0,
        calls: 1,
        cause: Vec::new(),
        rollback_point: false,
    }
}

/// An address of a service.
pub(crate) fn addr(name: &str) -> ResourceAddr {
    ResourceAddr::parse(&format!("service.{name}")).expect("an address")
}

/// A change with these leaves.
pub(crate) fn change(name: &str, action: Action, leaves: Vec<LeafChange>) -> Change {
    let risks = match action {
        Action::Delete => vec![Risk::Delete],
        Action::Replace => vec![Risk::Replace],
        _ => Vec::new(),
    };
    Change {
        addr: addr(name),
        action,
        reason: if action == Action::Delete { Reason::Removed } else { Reason::Changed },
        strategy: (action == Action::Rollout).then(|| ("immediate".into(), "immediate".into())),
        from: Some(RevisionId("11111111".into())),
        to: (action != Action::Delete).then(|| RevisionId("22222222".into())),
        leaves,
        replace: None,
        moved_from: None,
        risks,
        blocked: None,
        span: None,
        rollback_within_ms: ROLLBACK_WITHIN_MS,
    }
}

/// A leaf that the program changes.
pub(crate) fn leaf(path: &str, before: Value, after: Value) -> LeafChange {
    LeafChange {
        path: path.into(),
        before: Some(before),
        after: Some(after),
        live: None,
        owner: Owner::Dax,
        origin: None,
        changed_by: None,
    }
}

/// A text as a value.
pub(crate) fn text(text: &str) -> Value {
    Value::Str(text.into())
}
