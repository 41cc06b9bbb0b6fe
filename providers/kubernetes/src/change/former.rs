//! From dax to a controller beside it and back: what serves from now on is there before what served goes.

use super::state::State;
use crate::cluster::Cluster;
use crate::following;
use crate::handed::Controller;
use crate::kinds::{self, Kind};
use crate::lower;
use crate::read::Holding;
use crate::settings::Settings;
use crate::wait::{self, Waited};
use dax_core::{Name, Value};
use dax_provider_api::ProviderError;
use std::collections::BTreeMap;
use std::time::Duration;

/// Time between two looks for what is to be gone.
const AGAIN: Duration = Duration::from_millis(200);

/// Who divided the requests before the settings changed, and what held the pods.
pub(super) struct Former {
    controller: Option<Controller>,
    kind: Kind,
    /// Names of what held the pods, with the replicas that serve of each.
    held: Vec<(String, i64)>,
}

impl Former {
    /// What a call finds.
    pub(super) fn of(state: &State) -> Self {
        let settings = state.record.as_ref().map(|record| record.of(&state.object).settings);
        let target = state.target().map(|target| target.slot.name.clone());
        let serving = |held: &Holding| {
            let replaced = state.holdings.iter().find(|holding| {
                holding.share.is_some() && Some(&held.slot.name) == target.as_ref()
            });
            let same = || state.holdings.iter().find(|holding| holding.slot.name == held.slot.name);
            (
                held.slot.name.clone(),
                replaced.or_else(same).map_or(held.replicas, |holding| holding.replicas),
            )
        };
        Self {
            controller: settings.and_then(|settings| settings.controller()),
            kind: settings.map_or(kinds::DEPLOYMENT, |settings| settings.workload()),
            held: state.told.iter().map(serving).collect(),
        }
    }

    /// How many replicas what dax writes is to have.
    pub(super) fn replicas(&self, holding: &Holding) -> i64 {
        self.held
            .iter()
            .find(|(name, _)| *name == holding.slot.name)
            .map_or(holding.replicas, |(_, replicas)| *replicas)
    }

    /// Whether what stands in front of the pods bears Flagger's mark and not dax's.
    pub(super) fn made_by_flagger(&self) -> bool {
        self.controller == Some(Controller::Flagger)
    }

    /// Whether another controller is to come, and not dax itself.
    pub(super) fn gives_way_to_another(&self, settings: &BTreeMap<Name, Value>) -> bool {
        let next = Settings(settings).controller();
        self.controller.is_some() && next.is_some() && next != self.controller
    }

    fn changes(&self, state: &State) -> bool {
        let settings = state.of().settings;
        settings.workload() != self.kind
            || (self.controller.is_some() && settings.controller() != self.controller)
    }

    /// Waits for what serves from now on, and has the former controller let go.
    pub(super) async fn replace(
        &self,
        cluster: &Cluster,
        state: &mut State,
        timeout: Duration,
    ) -> Result<(), ProviderError> {
        if !self.changes(state) {
            return Ok(());
        }
        state.reload(cluster).await?;
        if state.of().settings.controller() == Some(Controller::Argo) {
            // It begins only when its Services are there.
            super::put_front(cluster, state, true).await?;
        }
        let of = state.of();
        for holding in &state.told {
            if self.made_by_flagger() && of.settings.workload() == kinds::DEPLOYMENT {
                cluster.scale(of.namespace(), &holding.slot.name, self.replicas(holding)).await?;
            }
            match of.settings.controller() {
                Some(Controller::Argo) => {
                    following::follow(cluster, &of, Controller::Argo, holding, timeout).await?
                }
                _ => {
                    wait::ready(
                        cluster,
                        &Waited::of(&of),
                        &holding.slot,
                        holding.generation,
                        timeout,
                    )
                    .await?
                }
            }
        }
        if self.made_by_flagger() {
            cluster.delete_alone(kinds::CANARY, of.namespace(), of.object).await?;
            // It is gone once nothing belongs to it any more; until then another delete would take that along.
            let until = tokio::time::Instant::now() + timeout;
            while cluster.get(kinds::CANARY, of.namespace(), of.object).await?.is_some() {
                if tokio::time::Instant::now() > until {
                    let message = format!(
                        "Canary `{}` does not go: is the garbage collector of the cluster running?",
                        of.object
                    );
                    return Err(ProviderError::Busy { retry_after: None, message });
                }
                tokio::time::sleep(AGAIN).await;
            }
            state.before.retain(|(kind, _)| *kind != kinds::CANARY);
        }
        Ok(())
    }

    /// Takes away what served before.
    pub(super) async fn clear(
        &self,
        cluster: &Cluster,
        state: &State,
    ) -> Result<(), ProviderError> {
        if !self.changes(state) {
            return Ok(());
        }
        let of = state.of();
        for (name, _) in &self.held {
            if self.kind != of.settings.workload() {
                cluster.delete(self.kind, of.namespace(), name).await?;
            }
            if self.made_by_flagger() {
                for (kind, name) in lower::made_by_flagger(of.object, name) {
                    cluster.delete(kind, of.namespace(), &name).await?;
                }
            }
        }
        Ok(())
    }
}
