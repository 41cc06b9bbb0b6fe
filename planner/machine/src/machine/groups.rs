//! What is taken back together: a service, a release of services, or the whole run.

use dax_core::ResourceAddr;
use dax_plan::{Plan, StepId};
use std::collections::BTreeMap;

/// Steps and services by group.
pub(super) struct Groups {
    /// The group of each step.
    of_step: Vec<usize>,
    /// The group of each service that changes.
    of_service: BTreeMap<ResourceAddr, usize>,
    steps: Vec<Vec<StepId>>,
}

impl Groups {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut of_service: BTreeMap<ResourceAddr, usize> = BTreeMap::new();
        let mut count = 0;
        for services in plan.releases.values() {
            // A service of two releases joins them.
            let known = services
                .iter()
                .filter_map(|addr| of_service.get(addr))
                .copied()
                .collect::<Vec<_>>();
            let group = known.first().copied().unwrap_or_else(|| {
                count += 1;
                count - 1
            });
            of_service
                .values_mut()
                .filter(|other| known.contains(other))
                .for_each(|other| *other = group);
            for addr in services {
                of_service.insert(addr.clone(), group);
            }
        }
        for addr in plan.result.keys() {
            of_service.entry(addr.clone()).or_insert_with(|| {
                count += 1;
                count - 1
            });
        }
        let of_step: Vec<usize> = plan
            .steps
            .iter()
            .map(|step| of_service.get(&step.service).copied().unwrap_or(0))
            .collect();
        let mut steps = vec![Vec::new(); count.max(1)];
        for (id, group) in super::ids(plan.steps.len()).zip(&of_step) {
            if let Some(steps) = steps.get_mut(*group) {
                steps.push(id);
            }
        }
        Self { of_step, of_service, steps }
    }

    /// The steps that are taken back together with this one.
    pub(super) fn with(&self, step: StepId) -> usize {
        self.of_step.get(super::index(step)).copied().unwrap_or(usize::MAX)
    }

    /// The steps of a group.
    pub(super) fn steps(&self, group: usize) -> &[StepId] {
        self.steps.get(group).map_or(&[], Vec::as_slice)
    }

    /// The group of a service.
    pub(super) fn group_of(&self, addr: &ResourceAddr) -> Option<usize> {
        self.of_service.get(addr).copied()
    }

    /// How many groups there are.
    pub(super) fn count(&self) -> usize {
        self.steps.len()
    }
}
