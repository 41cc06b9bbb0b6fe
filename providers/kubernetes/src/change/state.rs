//! What a call finds: the record of a service and its Deployments, and what dax remembers once it is done.

use super::adopting;
use crate::api::Apply;
use crate::cluster::Cluster;
use crate::kinds::{self, Kind};
use crate::lower::{self, Of, Slot, fresh};
use crate::names;
use crate::read::{self, Holding, Objects, Record, Theirs, holding};
use crate::settings::Settings;
use dax_core::{Name, RevisionId, Value};
use dax_model::Operation;
use dax_model::{LiveRevision, LiveService, Route};
use dax_provider_api::{Call, ProviderError};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A service as a call finds and leaves it.
pub(super) struct State {
    pub(super) object: String,
    environment: String,
    service: String,
    place: String,
    pub(super) record: Option<Record>,
    /// As it stands on the server.
    saved: Option<Record>,
    pub(super) holdings: Vec<Holding>,
    /// The same as dax wrote them, whatever a controller beside it has made of it so far.
    pub(super) told: Vec<Holding>,
    /// What stood in front of the pods when the call came.
    pub(super) before: Vec<(Kind, Json)>,
    fence: dax_provider_api::Fence,
    /// Names of Deployments that are taken, by whomever.
    pub(super) taken: Vec<String>,
    /// Whether the call takes something away: what is another service's is not there for it.
    removes: bool,
    /// Whether what somebody else made is taken over.
    pub(super) adopts: bool,
    /// The Deployment that is taken over, with the revision that it is.
    pub(super) found: Option<(Slot, RevisionId, LiveRevision)>,
    /// The pods of that Deployment, as they are.
    template: Option<Json>,
}

impl State {
    /// Reads what a call is about, and lets it pass: by its fence, and if everything is as it expects.
    pub(super) async fn load(cluster: &Cluster, call: &Call) -> Result<Self, ProviderError> {
        let settings = match &call.operation {
            Operation::CreateService { settings } | Operation::UpdateService { settings } => {
                Some(settings)
            }
            _ => None,
        };
        let object = names::object(&call.service);
        let place = match settings.and_then(|settings| settings.get("namespace")?.as_str()) {
            Some(place) => place.to_owned(),
            None => call.place.to_string(),
        };
        let mut state = Self {
            object,
            environment: call.environment.to_string(),
            service: call.service.to_string(),
            place,
            record: None,
            saved: None,
            holdings: Vec::new(),
            told: Vec::new(),
            before: Vec::new(),
            fence: call.fence.clone(),
            taken: Vec::new(),
            removes: matches!(
                call.operation,
                Operation::DeleteService | Operation::DeleteRevision { .. }
            ),
            adopts: false,
            found: None,
            template: None,
        };
        state.reload(cluster).await?;
        let mut objects = None;
        if let (Operation::UpdateService { .. }, Some(_)) = (&call.operation, &state.record) {
            objects = Some(state.objects(cluster).await?);
        }
        if let Some(record) = &mut state.record {
            call.fence.pass(&mut record.fence)?;
        }
        let mut live = state
            .saved
            .as_ref()
            .map(|record| read::service(record, &state.object, &state.holdings, objects.as_ref()));
        // Taking over may have been interrupted after the record was made and before the Deployment bore dax's mark.
        if matches!(call.operation, Operation::UpdateService { .. }) && state.holdings.is_empty() {
            let foreign = state.foreign(cluster, settings).await?;
            live = live.or(foreign);
        }
        call.expect.check(live.as_ref()).or_else(|conflict| {
            // A controller beside dax may be on its way still: then what dax told it is what counts.
            let record =
                state.saved.as_ref().filter(|_| state.holdings != state.told).ok_or(conflict)?;
            call.expect.check(Some(&read::service(
                record,
                &state.object,
                &state.told,
                objects.as_ref(),
            )))
        })?;
        Ok(state)
    }

    /// What somebody else made under this name, to be taken over.
    async fn foreign(
        &mut self,
        cluster: &Cluster,
        settings: Option<&BTreeMap<Name, Value>>,
    ) -> Result<Option<LiveService>, ProviderError> {
        if let Some(wanted) = settings.and_then(|settings| settings.get("object")) {
            let name = lower::object_name(wanted, &self.object);
            let found = cluster.get(lower::object_kind(wanted), &self.place, name).await?;
            let found = found.and_then(|found| {
                read::foreign_object(&self.place, &self.environment, &self.service, wanted, &found)
            });
            self.adopts = found.is_some();
            return Ok(found);
        }
        let mut workload = None;
        for kind in Theirs::KINDS {
            // A kind that the cluster has not has no objects.
            let found = match cluster.get(kind, &self.place, &self.object).await {
                Err(ProviderError::Refused { .. }) if kind != kinds::DEPLOYMENT => None,
                found => found?,
            };
            workload = workload.or(found.map(|found| (kind, found)));
        }
        let primary =
            cluster.get(kinds::DEPLOYMENT, &self.place, &lower::primary(&self.object)).await?;
        let address = cluster.get(kinds::SERVICE, &self.place, &self.object).await?;
        let theirs = workload
            .as_ref()
            .map(|(kind, workload)| Theirs::new(*kind, workload, primary.as_ref()));
        let found = read::foreign(&self.place, None, theirs, address.as_ref());
        self.adopts = found.is_some() && (self.record.is_none() || theirs.is_some());
        if let (Some(theirs), Some(live), Some(settings)) = (theirs, &found, settings)
            && let Some((revision, held)) = live.revisions.first_key_value()
        {
            adopting::must_fit(&theirs, &self.object, &held.spec, Settings(settings))?;
            self.found =
                Some((adopting::slot(&theirs, &self.object), revision.clone(), held.clone()));
            self.template = theirs.workload.pointer("/spec/template").cloned();
        }
        Ok(found)
    }

    /// Reads the record and the Deployments.
    pub(super) async fn reload(&mut self, cluster: &Cluster) -> Result<(), ProviderError> {
        let kept = self.record.take();
        let found =
            cluster.get(kinds::CONFIG_MAP, &self.place, &names::record(&self.object)).await?;
        self.saved = found.as_ref().and_then(Record::read);
        if let Some(record) = &self.saved
            && (record.environment != self.environment || record.service != self.service)
        {
            if !self.removes {
                let message = format!(
                    "`{}/{}` belongs to {} of `{}`",
                    self.place, self.object, record.service, record.environment
                );
                return Err(ProviderError::Conflict { message });
            }
            self.saved = None;
        }
        self.record = kept
            .map(|kept| Record { version: self.version(), ..kept })
            .or_else(|| self.saved.clone());
        let Some(record) = &self.record else { return Ok(()) };
        let runs = record.of(&self.object).settings.object().is_none();
        let names: Vec<String> = std::iter::once(self.object.clone())
            .filter(|_| runs)
            .chain(record.slots.iter().cloned())
            .collect();
        let found = names.iter().map(|name| {
            cluster.get(record.of(&self.object).settings.workload(), &self.place, name)
        });
        let deployments: Vec<Json> =
            futures::future::try_join_all(found).await?.into_iter().flatten().collect();
        let of = record.of(&self.object);
        self.taken = deployments
            .iter()
            .map(|deployment| names::text_at(deployment, "/metadata/name").to_owned())
            .collect();
        self.told = deployments.iter().filter_map(|deployment| holding(&of, deployment)).collect();
        self.holdings.clone_from(&self.told);
        let called = |name: &str| {
            deployments
                .iter()
                .find(|deployment| names::text_at(deployment, "/metadata/name") == name)
        };
        if let Some(target) =
            read::target(record, &self.told).and_then(|target| called(&target.slot.name))
            && let Some(serving) = read::ask_serving(cluster, &of, target).await?
        {
            read::put_serving(&mut self.holdings, serving, record);
        }
        if self.before.is_empty()
            && let Some(saved) = &self.saved
        {
            self.before = super::fronts(saved, &self.object, &self.holdings).unwrap_or_default();
        }
        Ok(())
    }

    fn version(&self) -> String {
        self.saved.as_ref().map(|saved| saved.version.clone()).unwrap_or_default()
    }

    /// What stands in front of the pods.
    async fn objects(&self, cluster: &Cluster) -> Result<Objects, ProviderError> {
        let mut objects = Objects::new();
        for (kind, wanted) in &self.before {
            let name = names::text_at(wanted, "/metadata/name");
            if let Some(found) = cluster.get(*kind, &self.place, name).await? {
                objects.insert((*kind, name.to_owned()), found);
            }
        }
        Ok(objects)
    }

    pub(super) fn record(&self) -> Result<&Record, ProviderError> {
        self.record.as_ref().ok_or_else(|| ProviderError::Conflict {
            message: format!("there is no service `{}`", self.service),
        })
    }

    pub(super) fn of(&self) -> Of<'_> {
        self.record.as_ref().expect("a call that needs a record has looked for it").of(&self.object)
    }

    /// The settings from now on.
    pub(super) fn settings(&mut self, settings: &BTreeMap<Name, Value>) {
        let version = self.version();
        let record = self.record.get_or_insert_with(|| Record {
            version,
            fence: Some(self.fence.clone()),
            ..Record::default()
        });
        record.environment.clone_from(&self.environment);
        record.service.clone_from(&self.service);
        record.settings.clone_from(settings);
    }

    pub(super) fn settle_traffic(&mut self, traffic: BTreeMap<RevisionId, u32>) {
        if let Some(record) = &mut self.record {
            record.traffic = traffic;
        }
    }

    /// Remembers the revision that gives way to another while a controller beside dax is at work.
    pub(super) fn note_former(&mut self, revision: &RevisionId) {
        let found = self.told.iter().find(|holding| holding.revision == *revision);
        if let (Some(record), Some(found)) = (&mut self.record, found) {
            record.former = Some((revision.clone(), found.spec.clone()));
        }
    }

    /// Remembers the pods that are taken over, where what is rolled out must not be rolled out again to go back to them.
    pub(super) fn note_found(&mut self, revision: &RevisionId) {
        let controlled = self.of().settings.controller().is_some();
        if let (Some(record), Some(template), true) =
            (&mut self.record, self.template.take(), controlled)
        {
            record.found = Some((revision.clone(), template));
        }
    }

    /// The pods of a revision as somebody else wrote them before dax took over.
    pub(super) fn template(&self, revision: &RevisionId) -> Option<&Json> {
        let (found, template) = self.record.as_ref()?.found.as_ref()?;
        (found == revision).then_some(template)
    }

    /// What dax wrote, where a controller beside it makes of it what serves.
    pub(super) fn target(&self) -> Option<&Holding> {
        read::target(self.record.as_ref()?, &self.told)
    }

    /// What is to hold another revision from now on: where a controller beside dax decides, always the same.
    pub(super) fn target_or(&self, from: &RevisionId) -> Option<&Holding> {
        if self.of().settings.controller().is_some() { self.target() } else { self.holding(from) }
    }

    pub(super) fn settle_routes(&mut self, routes: Vec<Route>) {
        if let Some(record) = &mut self.record {
            record.routes = routes;
        }
    }

    /// Makes sure that nobody else is at work, before anything else is written: the record bears this call's fence, and
    /// the names of the Deployments that it makes. What it says of the service stays as it was until all else is
    /// written, so that a call that is made again does all of it again.
    pub(super) async fn guard(&mut self, cluster: &Cluster) -> Result<(), ProviderError> {
        let Some(record) = &self.record else { return Ok(()) };
        let guarded = match &self.saved {
            Some(saved) => {
                let (fence, slots) = (record.fence.clone(), record.slots.clone());
                Record {
                    fence,
                    slots,
                    former: record.former.clone(),
                    found: record.found.clone(),
                    ..saved.clone()
                }
            }
            None => record.clone(),
        };
        self.put(cluster, &guarded).await?;
        let version = self.version();
        self.record = self.record.take().map(|record| Record { version, ..record });
        Ok(())
    }

    /// Writes what the service is from now on, once everything is so.
    pub(super) async fn save(&mut self, cluster: &Cluster) -> Result<(), ProviderError> {
        let Some(record) = self.record.clone() else { return Ok(()) };
        self.put(cluster, &record).await?;
        self.record.clone_from(&self.saved);
        Ok(())
    }

    /// Writes a record unless it stands so already. Whoever was quicker wins: then this call has lost its footing.
    async fn put(&mut self, cluster: &Cluster, record: &Record) -> Result<(), ProviderError> {
        if self.saved.as_ref() == Some(record) {
            return Ok(());
        }
        let object = record.object(&self.object);
        let written = if record.version.is_empty() {
            let somebody = || ProviderError::Conflict {
                message: format!("somebody made `{}/{}` at the same time", self.place, self.object),
            };
            cluster.create(kinds::CONFIG_MAP, &self.place, &object).await?.ok_or_else(somebody)?
        } else {
            cluster
                .apply(
                    kinds::CONFIG_MAP,
                    &self.place,
                    &object,
                    Apply { force: true, dry_run: false },
                )
                .await?
        };
        self.saved = Record::read(&written);
        Ok(())
    }

    /// Remembers a Deployment that is not called as the service, before it is made.
    pub(super) fn note_slot(&mut self, name: &str) {
        if let Some(record) = self.record.as_mut().filter(|_| name != self.object) {
            record.slots.insert(name.to_owned());
        }
    }

    /// Forgets Deployments that are not there.
    pub(super) fn forget_slots(&mut self) {
        if let Some(record) = &mut self.record {
            record.slots.retain(|name| self.taken.contains(name));
        }
    }

    /// The Deployment that holds a revision.
    pub(super) fn holding(&self, revision: &RevisionId) -> Option<&Holding> {
        self.holdings.iter().find(|holding| holding.revision == *revision)
    }

    /// The Deployment that gets the requests, where it is one.
    pub(super) fn serving(&self) -> Option<&Holding> {
        let mut serving = self.holdings.iter().filter(|holding| {
            self.record.as_ref().is_some_and(|record| record.traffic.contains_key(&holding.wrote))
        });
        serving.next().filter(|_| serving.next().is_none())
    }

    /// The Deployment for a revision: that which has it, or a new one under the first name that is free.
    pub(super) fn slot_for(&self, revision: &RevisionId) -> Slot {
        if let Some(found) = self.holding(revision) {
            return found.slot.clone();
        }
        let names = std::iter::once(self.object.clone())
            .chain((2..).map(|number| format!("{}-{number}", self.object)));
        let name = names.into_iter().find(|name| !self.taken.contains(name)).unwrap_or_default();
        fresh(&self.object, name)
    }

    /// Nothing is sent to where nobody answers, but to what is wanted in no replica.
    pub(super) fn must_be_ready<'r>(
        &self,
        revisions: impl Iterator<Item = &'r RevisionId>,
        what: &str,
    ) -> Result<(), ProviderError> {
        let others = self.of().settings.controller().is_some();
        for revision in revisions.filter(|_| !others) {
            let unready = |held: &Holding| held.ready < 1 && held.replicas > 0;
            if self.holding(revision).is_none_or(unready) {
                return Err(ProviderError::Refused {
                    message: format!("revision {revision} is not ready for {what}"),
                });
            }
        }
        Ok(())
    }
}
