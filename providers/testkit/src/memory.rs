//! A platform in memory: every operation takes effect at once, and faults come when they are told to.

use dax_core::{LiveRevision, LiveService, Name, RevisionId, Value};
use dax_provider_api::{BoxFuture, Call, Operation, Platform, ProviderError, Query};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused and changes nothing.
    Refused,
    /// It takes effect, but the answer is lost.
    LostAnswer,
}

#[derive(Default)]
struct State {
    /// Where the world is kept between two processes, if it is.
    file: Option<PathBuf>,
    services: BTreeMap<(Name, Name), LiveService>,
    metrics: BTreeMap<(Name, RevisionId), BTreeMap<Name, Value>>,
    /// Calls so far, those that changed nothing included.
    calls: usize,
    /// Effects so far: what was done to what.
    effects: Vec<String>,
    faults: BTreeMap<usize, Fault>,
    unready: Vec<RevisionId>,
}

/// A platform in memory; clones share one world.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

impl Memory {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A world that is kept in a file: read now, written when a run ends.
    pub fn at(file: PathBuf) -> Self {
        let text = std::fs::read(&file).unwrap_or_default();
        let kept: Vec<(Name, Name, LiveService)> = serde_json::from_slice(&text).unwrap_or_default();
        let services = kept.into_iter().map(|(environment, name, service)| ((environment, name), service)).collect();
        Self { state: Arc::new(Mutex::new(State { file: Some(file), services, ..State::default() })) }
    }

    /// Makes the call with this number (from 0) fail.
    pub fn fail_call(&self, number: usize, fault: Fault) {
        self.state().faults.insert(number, fault);
    }

    /// Keeps a revision from ever becoming ready.
    pub fn never_ready(&self, revision: RevisionId) {
        self.state().unready.push(revision);
    }

    /// Sets what measurements of a revision answer.
    pub fn set_metrics(&self, service: &str, revision: RevisionId, values: BTreeMap<Name, Value>) {
        self.state().metrics.insert((service.into(), revision), values);
    }

    /// Calls made so far.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// What was done, once for each time that it took effect.
    pub fn effects(&self) -> Vec<String> {
        self.state().effects.clone()
    }

    /// The services of an environment.
    pub fn services(&self, environment: &str) -> BTreeMap<Name, LiveService> {
        let state = self.state();
        let all = state.services.iter().filter(|((of, _), _)| of == environment);
        all.map(|((_, name), service)| (name.clone(), service.clone())).collect()
    }

    /// Changes a service behind everybody's back.
    pub fn meddle(&self, environment: &str, service: &str, change: impl FnOnce(&mut LiveService)) {
        if let Some(service) = self.state().services.get_mut(&(environment.into(), service.into())) {
            change(service);
        }
    }

    /// Makes one change.
    ///
    /// # Errors
    /// The planned faults, and those that any platform has.
    pub fn execute(&self, environment: &Name, service: &Name, operation: &Operation) -> Result<(), ProviderError> {
        let mut state = self.state();
        let fault = {
            let number = state.calls;
            state.faults.remove(&number)
        };
        state.calls += 1;
        if fault == Some(Fault::Refused) {
            return Err(ProviderError::Refused { message: "refused on purpose".to_owned() });
        }
        let effect = state.carry_out(environment, service, operation)?;
        if let Some(effect) = effect {
            state.effects.push(format!("{service}: {effect}"));
        }
        match fault {
            Some(Fault::LostAnswer) => Err(ProviderError::Unreachable { message: "the answer was lost on purpose".to_owned() }),
            _ => Ok(()),
        }
    }

    /// A metric of one revision.
    pub fn metric(&self, query: &Query) -> Option<Value> {
        self.state().metrics.get(&(query.service.clone(), query.revision.clone()))?.get(&query.text).cloned()
    }
}

impl State {
    /// What took effect, or nothing when it was so already.
    fn carry_out(&mut self, environment: &Name, service: &Name, operation: &Operation) -> Result<Option<String>, ProviderError> {
        let key = (environment.clone(), service.clone());
        let unready = self.unready.clone();
        if let Operation::CreateService { settings } = operation {
            if self.services.get(&key).is_some_and(|there| there.settings == *settings) {
                return Ok(None);
            }
            self.services.entry(key).or_default().settings = settings.clone();
            return Ok(Some("create service".to_owned()));
        }
        let Some(there) = self.services.get_mut(&key) else {
            return match operation {
                Operation::DeleteService | Operation::DeleteRevision { .. } => Ok(None),
                _ => Err(ProviderError::Conflict { message: format!("there is no service `{service}`") }),
            };
        };
        let no_revision = |id: &RevisionId| ProviderError::Conflict { message: format!("there is no revision {id}") };
        let before = there.clone();
        let text = match operation {
            Operation::CreateService { .. } => return Ok(None),
            Operation::UpdateService { settings } => {
                there.settings = settings.clone();
                "update service".to_owned()
            }
            Operation::DeleteService => {
                self.services.remove(&key);
                return Ok(Some("delete service".to_owned()));
            }
            Operation::CreateRevision { revision, spec, replicas } => {
                let ready = if unready.contains(revision) { 0 } else { *replicas };
                let made = LiveRevision { replicas: *replicas, ready, spec: spec.clone() };
                there.revisions.insert(revision.clone(), made);
                format!("create revision {revision} with {replicas}")
            }
            Operation::DeleteRevision { revision } => {
                there.revisions.remove(revision);
                there.traffic.remove(revision);
                format!("delete revision {revision}")
            }
            Operation::Scale { revision, replicas } => {
                let found = there.revisions.get_mut(revision).ok_or_else(|| no_revision(revision))?;
                found.replicas = *replicas;
                found.ready = if unready.contains(revision) { 0 } else { *replicas };
                format!("scale {revision} to {replicas}")
            }
            Operation::AwaitReady { revision } => {
                let found = there.revisions.get(revision).ok_or_else(|| no_revision(revision))?;
                if found.ready < found.replicas {
                    return Err(ProviderError::Refused { message: format!("revision {revision} did not become ready") });
                }
                return Ok(None);
            }
            Operation::ShiftTraffic { traffic } => {
                if let Some(id) = traffic.keys().find(|id| there.revisions.get(*id).is_none_or(|r| r.ready < 1)) {
                    return Err(ProviderError::Refused { message: format!("revision {id} is not ready for traffic") });
                }
                there.traffic = traffic.clone();
                format!("shift traffic {}", traffic.iter().map(|(id, share)| format!("{id}={share}")).collect::<Vec<_>>().join(" "))
            }
        };
        Ok((*there != before).then_some(text))
    }
}

impl Platform for Memory {
    fn problems(&self, _values: &Value) -> Vec<String> {
        Vec::new()
    }

    fn read<'a>(&'a self, environment: &'a str) -> BoxFuture<'a, Result<BTreeMap<Name, LiveService>, ProviderError>> {
        Box::pin(async move { Ok(self.services(environment)) })
    }

    fn change<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.execute(&call.environment, &call.service, &call.operation) })
    }

    fn measure<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Option<Value>, ProviderError>> {
        Box::pin(async move { Ok(self.metric(query)) })
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async {
            let state = self.state();
            let Some(file) = &state.file else { return Ok(()) };
            let kept: Vec<_> = state.services.iter().map(|((environment, name), service)| (environment, name, service)).collect();
            let refused = |message: String| ProviderError::Refused { message };
            let text = serde_json::to_vec(&kept).map_err(|error| refused(error.to_string()))?;
            std::fs::write(file, text).map_err(|error| refused(format!("{}: {error}", file.display())))
        })
    }
}
