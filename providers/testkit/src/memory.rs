//! A platform in memory: every operation takes effect at once, and faults come when they are told to.

use dax_core::{Name, RevisionId, Value};
use dax_model::Operation;
use dax_model::{LiveRevision, LiveService, Route, Traits};
use dax_provider_api::{BoxFuture, Call, Fence, Metrics, Platform, ProviderError, Query, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused and changes nothing.
    Refused,
    /// It takes effect, but the answer is lost.
    LostAnswer,
    /// Too many calls, with a time to wait for: it changes nothing.
    TooMany,
    /// The system has an error of its own: it changes nothing.
    Internal,
    /// Somebody else changes the object in the same moment, and back: it changes nothing.
    Conflict,
    /// The next read of the environment shows what was there before this call.
    StaleRead,
    /// The next read of the environment lacks its last service.
    PartialPage,
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
    /// Commands that were run, by the call that asked for them.
    ran: BTreeSet<Name>,
    /// Commands that end badly.
    failing: BTreeSet<Name>,
    /// The latest holder by environment.
    fences: BTreeMap<Name, Option<Fence>>,
    /// Environments that calls were made for: all that is written of a world that others share.
    touched: BTreeSet<Name>,
    /// Whether others have this world at the same time, and effects are kept beside it.
    shared: bool,
    /// What the next read shows instead of what is there.
    shown: Option<BTreeMap<(Name, Name), LiveService>>,
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
        let services = kept(&file);
        Self {
            state: Arc::new(Mutex::new(State { file: Some(file), services, ..State::default() })),
        }
    }

    /// A world in a file that several processes have at the same time: each writes the environments
    /// that it changed. Effects are appended to a file beside it, a line each.
    pub fn shared(file: PathBuf) -> Self {
        let world = Self::at(file);
        world.state().shared = true;
        world
    }

    /// A world of its own that is as this one is now.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.state();
        let copy = State {
            file: None,
            services: state.services.clone(),
            metrics: state.metrics.clone(),
            calls: state.calls,
            effects: state.effects.clone(),
            faults: state.faults.clone(),
            unready: state.unready.clone(),
            ran: state.ran.clone(),
            failing: state.failing.clone(),
            fences: state.fences.clone(),
            touched: state.touched.clone(),
            shared: false,
            shown: state.shown.clone(),
        };
        Self { state: Arc::new(Mutex::new(copy)) }
    }

    /// Makes the call with this number (from 0) fail.
    pub fn fail_call(&self, number: usize, fault: Fault) {
        self.state().faults.insert(number, fault);
    }

    /// Keeps a revision from ever becoming ready.
    pub fn never_ready(&self, revision: RevisionId) {
        self.state().unready.push(revision);
    }

    /// Makes a program end badly whenever it is run.
    pub fn fail_command(&self, program: &str) {
        self.state().failing.insert(program.into());
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
        of(&self.state().services, environment)
    }

    /// Changes a service behind everybody's back.
    pub fn meddle(&self, environment: &str, service: &str, change: impl FnOnce(&mut LiveService)) {
        if let Some(service) = self.state().services.get_mut(&(environment.into(), service.into()))
        {
            change(service);
        }
    }

    /// Puts a service there that nobody made.
    pub fn put(&self, environment: &str, name: &str, service: LiveService) {
        self.state().services.insert((environment.into(), name.into()), service);
    }

    /// Makes one change.
    ///
    /// # Errors
    /// The planned faults, and those that any platform has.
    pub fn execute(&self, call: &Call) -> Result<(), ProviderError> {
        let mut state = self.state();
        call.fence.pass(state.fences.entry(call.environment.clone()).or_default())?;
        let number = state.calls;
        let fault = state.faults.remove(&number);
        state.calls += 1;
        match fault {
            Some(Fault::Refused) => {
                return Err(ProviderError::Refused { message: "refused on purpose".to_owned() });
            }
            Some(Fault::TooMany) => {
                let message = "too many requests, on purpose".to_owned();
                return Err(ProviderError::Busy {
                    retry_after: Some(Duration::from_secs(7)),
                    message,
                });
            }
            Some(Fault::Internal) => {
                return Err(ProviderError::Busy {
                    retry_after: None,
                    message: "an error of the system, on purpose".to_owned(),
                });
            }
            Some(Fault::Conflict) => {
                return Err(ProviderError::Conflict {
                    message: "changed by somebody else, on purpose".to_owned(),
                });
            }
            Some(Fault::StaleRead) => state.shown = Some(state.services.clone()),
            Some(Fault::LostAnswer | Fault::PartialPage) | None => {}
        }
        if !state.touched.contains(&call.environment) {
            state.services = state.to_keep();
        }
        let key = (call.environment.clone(), call.service.clone());
        call.expect.check(state.services.get(&key))?;
        let effect = state.carry_out(call)?;
        if let Some(effect) = effect {
            state.touched.insert(call.environment.clone());
            state.effects.push(format!("{}: {effect}", call.service));
            if state.shared {
                state.note(&format!("{}/{}: {effect}\n", call.environment, call.service))?;
            }
        }
        if fault == Some(Fault::PartialPage) {
            let mut page = state.services.clone();
            page.pop_last();
            state.shown = Some(page);
        }
        match fault {
            Some(Fault::LostAnswer) => Err(ProviderError::Unreachable {
                message: "the answer was lost on purpose".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// A metric of one revision.
    pub fn metric(&self, query: &Query) -> Option<Value> {
        self.state()
            .metrics
            .get(&(query.service.clone(), query.revision.clone()))?
            .get(&query.text)
            .cloned()
    }
}

/// The services that a file keeps.
fn kept(file: &Path) -> BTreeMap<(Name, Name), LiveService> {
    let text = std::fs::read(file).unwrap_or_default();
    let kept: Vec<(Name, Name, LiveService)> = serde_json::from_slice(&text).unwrap_or_default();
    kept.into_iter().map(|(environment, name, service)| ((environment, name), service)).collect()
}

fn of(
    services: &BTreeMap<(Name, Name), LiveService>,
    environment: &str,
) -> BTreeMap<Name, LiveService> {
    let all = services.iter().filter(|((of, _), _)| of == environment);
    all.map(|((_, name), service)| (name.clone(), service.clone())).collect()
}

impl State {
    /// Appends an effect to the file beside a shared world.
    fn note(&self, line: &str) -> Result<(), ProviderError> {
        let Some(file) = &self.file else { return Ok(()) };
        let path = file.with_extension("log");
        let opened = std::fs::File::options().create(true).append(true).open(&path);
        opened.and_then(|mut log| log.write_all(line.as_bytes())).map_err(|error| {
            ProviderError::Refused { message: format!("{}: {error}", path.display()) }
        })
    }

    /// The services as they are now: of a shared world the others' environments are as they are by now.
    fn to_keep(&self) -> BTreeMap<(Name, Name), LiveService> {
        let Some(file) = self.file.as_deref().filter(|_| self.shared) else {
            return self.services.clone();
        };
        let mut all = kept(file);
        let touched = |(environment, _): &(Name, Name)| self.touched.contains(environment);
        all.retain(|key, _| !touched(key));
        let mine = self.services.iter().filter(|(key, _)| touched(key));
        all.extend(mine.map(|(key, service)| (key.clone(), service.clone())));
        all
    }

    /// What took effect, or nothing when it was so already.
    fn carry_out(&mut self, call: &Call) -> Result<Option<String>, ProviderError> {
        let Call { environment, service, operation, token, .. } = call;
        let key = (environment.clone(), service.clone());
        let unready = self.unready.clone();
        if let Operation::CreateService { settings } = operation {
            if self.services.get(&key).is_some_and(|there| there.settings == *settings) {
                return Ok(None);
            }
            let there = self.services.entry(key).or_default();
            there.settings = settings.clone();
            there.url = Some(format!("http://{service}.{environment}.test/").into());
            return Ok(Some("create service".to_owned()));
        }
        let Some(there) = self.services.get_mut(&key) else {
            return match operation {
                Operation::DeleteService | Operation::DeleteRevision { .. } => Ok(None),
                _ => Err(ProviderError::Conflict {
                    message: format!("there is no service `{service}`"),
                }),
            };
        };
        let no_revision = |id: &RevisionId| ProviderError::Conflict {
            message: format!("there is no revision {id}"),
        };
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
            Operation::Roll { from, revision, spec, replicas, .. } => {
                let ready = if unready.contains(revision) { 0 } else { *replicas };
                there.revisions.remove(from);
                there.revisions.insert(
                    revision.clone(),
                    LiveRevision { replicas: *replicas, ready, spec: spec.clone() },
                );
                there.traffic = BTreeMap::from([(revision.clone(), dax_model::WHOLE)]);
                format!("roll {from} to {revision} with {replicas}")
            }
            Operation::DeleteRevision { revision } => {
                there.revisions.remove(revision);
                there.traffic.remove(revision);
                format!("delete revision {revision}")
            }
            Operation::Scale { revision, replicas } => {
                let found =
                    there.revisions.get_mut(revision).ok_or_else(|| no_revision(revision))?;
                found.replicas = *replicas;
                found.ready = if unready.contains(revision) { 0 } else { *replicas };
                format!("scale {revision} to {replicas}")
            }
            Operation::AwaitReady { revision } => {
                let found = there.revisions.get(revision).ok_or_else(|| no_revision(revision))?;
                if found.ready < found.replicas {
                    return Err(ProviderError::Refused {
                        message: format!("revision {revision} did not become ready"),
                    });
                }
                return Ok(None);
            }
            Operation::ShiftTraffic { traffic } => {
                // Of what is wanted in no replica nothing can be ready.
                let unready = |r: &LiveRevision| r.ready < 1 && r.replicas > 0;
                if let Some(id) =
                    traffic.keys().find(|id| there.revisions.get(*id).is_none_or(unready))
                {
                    return Err(ProviderError::Refused {
                        message: format!("revision {id} is not ready for traffic"),
                    });
                }
                there.traffic = traffic.clone();
                format!(
                    "shift traffic {}",
                    traffic
                        .iter()
                        .map(|(id, share)| format!("{id}={share}"))
                        .collect::<Vec<_>>()
                        .join(" ")
                )
            }
            Operation::Route { routes } => {
                if let Some(id) = routes
                    .iter()
                    .map(Route::revision)
                    .find(|id| there.revisions.get(*id).is_none_or(|r| r.ready < 1))
                {
                    return Err(ProviderError::Refused {
                        message: format!("revision {id} is not ready for requests"),
                    });
                }
                there.routes.clone_from(routes);
                format!("{} routes", routes.len())
            }
            Operation::Run { command, .. } | Operation::Migrate { command, .. } => {
                let program = command.first().cloned().unwrap_or_default();
                if self.failing.contains(&program) {
                    return Err(ProviderError::Refused {
                        message: format!("`{program}` ended with status 1"),
                    });
                }
                if !self.ran.insert(token.clone()) {
                    return Ok(None);
                }
                let words: Vec<&str> = command.iter().map(Name::as_str).collect();
                return Ok(Some(format!("run {}", words.join(" "))));
            }
        };
        Ok((*there != before).then_some(text))
    }
}

impl Platform for Memory {
    fn traits(&self) -> Traits {
        Traits {
            header_routes: true,
            mirror: true,
            commands: true,
            commands_once: true,
            fenced: true,
            exclusive_ports: false,
            immutable: vec!["zone".into()],
            ..Traits::default()
        }
    }

    fn problems(&self, _values: &Value, _settings: &BTreeMap<Name, Value>) -> Vec<String> {
        Vec::new()
    }

    fn read<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<BTreeMap<Name, LiveService>, ProviderError>> {
        Box::pin(async move {
            let mut state = self.state();
            state.services = state.to_keep();
            let shown = state.shown.take();
            Ok(of(shown.as_ref().unwrap_or(&state.services), &scope.environment))
        })
    }

    fn change<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.execute(call) })
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async {
            let state = self.state();
            let Some(file) = &state.file else { return Ok(()) };
            if state.shared && state.touched.is_empty() {
                return Ok(());
            }
            let services = state.to_keep();
            let kept: Vec<_> = services
                .iter()
                .map(|((environment, name), service)| (environment, name, service))
                .collect();
            let refused = |message: String| ProviderError::Refused { message };
            let text = serde_json::to_vec(&kept).map_err(|error| refused(error.to_string()))?;
            std::fs::write(file, text)
                .map_err(|error| refused(format!("{}: {error}", file.display())))
        })
    }
}

impl Metrics for Memory {
    fn measure<'a>(
        &'a self,
        query: &'a Query,
    ) -> BoxFuture<'a, Result<Option<Value>, ProviderError>> {
        Box::pin(async move { Ok(self.metric(query)) })
    }
}
