//! Deferred parts: services that cannot be planned before a step has made known what they wait for.

use crate::desired::Desired;
use crate::model::{AppliedService, Deferred, StepId, Wait};
use crate::work::Work;
use dax_core::{Name, ResourceAddr};
use std::collections::BTreeMap;

/// Takes out of `work` what has to wait: services with unknown leaves, those that change and need such a
/// service, and those that go and are still used by one.
pub(crate) fn defer(
    work: &mut BTreeMap<ResourceAddr, Work>,
    desired: &Desired<'_>,
    applied: &BTreeMap<ResourceAddr, AppliedService>,
    unknown: &BTreeMap<ResourceAddr, Vec<(Name, Name)>>,
    locate: &dyn Fn(dax_core::Span) -> String,
) -> Vec<Deferred> {
    let wait = |(path, cause): &(Name, Name)| Wait {
        path: path.clone(),
        cause: cause.clone(),
        step: None,
    };
    let mut waiting: BTreeMap<ResourceAddr, Vec<Wait>> = unknown
        .iter()
        .map(|(addr, leaves)| (addr.clone(), leaves.iter().map(wait).collect()))
        .collect();
    loop {
        let mut more: BTreeMap<ResourceAddr, Vec<Wait>> = BTreeMap::new();
        for (addr, item) in work.iter() {
            let for_whom: Vec<&ResourceAddr> = if item.result.is_none() {
                waiting
                    .keys()
                    .filter(|other| applied.get(*other).is_some_and(|a| a.needs.contains(addr)))
                    .collect()
            } else {
                item.needs.iter().filter(|need| waiting.contains_key(*need)).collect()
            };
            if !for_whom.is_empty() {
                let wait = |other: &ResourceAddr| Wait {
                    path: Name::default(),
                    cause: Name::new(other.as_str()),
                    step: None,
                };
                more.insert(addr.clone(), for_whom.into_iter().map(wait).collect());
            }
        }
        if more.is_empty() {
            break;
        }
        for (addr, waits) in more {
            work.remove(&addr);
            waiting.insert(addr, waits);
        }
    }
    let span = |addr: &ResourceAddr| {
        desired.services.get(addr).and_then(|service| service.span).map(locate)
    };
    waiting.into_iter().map(|(addr, waits)| Deferred { span: span(&addr), addr, waits }).collect()
}

/// Names the step after which each thing is known: the last one of the service whose output it is.
pub(crate) fn name_steps(deferred: &mut [Deferred], last: &BTreeMap<ResourceAddr, Vec<StepId>>) {
    for wait in deferred.iter_mut().flat_map(|one| one.waits.iter_mut()) {
        let cause = wait.cause.as_str();
        let owner = last.iter().find(|(addr, _)| {
            cause.strip_prefix(addr.as_str()).is_some_and(|rest| rest.starts_with('.'))
        });
        wait.step = owner.and_then(|(_, steps)| steps.last().copied());
    }
}
