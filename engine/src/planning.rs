//! Planning: the program, the state and the world become a plan.

use crate::providers::{self, Wanted};
use crate::standing::Standing;
use crate::unfinished::OpenRun;
use crate::{
    Diagnostic, Engine, EngineError, Judged, Loaded, Params, Reviews, Sources, diagnostic, judging,
    previewing, secrets, unknown,
};
use dax_apply::{Providers, world};
use dax_core::{Code, Name, ResourceAddr, Span, Value};
use dax_model::Traits;
use dax_plan::desired::{self, Desired};
use dax_plan::model::{Mode, StateVersion};
use dax_plan::{LiveState, Plan, Request, Selection};
use dax_provider_api::ProviderError;
use dax_store::Point;
use dax_store::{Snapshot, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// A service that its platform cannot run. Explained in docs/diagnostics/DAX7001.md.
pub const NOT_RUNNABLE: Code = Code::error(7001, "the platform cannot run this service");

/// Every code of this crate.
pub const CODES: &[Code] =
    &[unknown::NEVER_KNOWN, NOT_RUNNABLE, secrets::NO_SECRET, previewing::WOULD_REFUSE];

/// What to plan.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The environment.
    pub environment: String,
    /// Parameters of the program.
    pub params: Params,
    /// What of it; everything without a choice.
    pub selection: Selection,
    /// A service to take over, and what it is called where it runs, if that is not its own name.
    pub adopt: Option<(String, Option<String>)>,
}

/// To which state to go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one before what is in effect now.
    Before,
    /// The one with this number.
    Serial(u64),
    /// The one with this name.
    Named(String),
}

/// What a plan remembers of the program that it was made from; a state alone has little of it.
struct Origin<'o> {
    project: Name,
    params: BTreeMap<Name, dax_core::Value>,
    sources: Name,
    providers: BTreeMap<Name, Value>,
    locate: &'o dyn Fn(Span) -> String,
    selection: Selection,
}

/// What is not as it was applied.
pub struct Drifted {
    /// How many services were looked at.
    pub services: usize,
    /// What differs, leaf by leaf.
    pub drift: Vec<dax_plan::drift::Drift>,
    /// The run that has not ended, if there is one: differences may be its own.
    pub run: Option<OpenRun>,
    /// The services that it changes.
    pub touched: BTreeSet<ResourceAddr>,
}

/// What there is: the state, and what runs.
struct World {
    snapshot: Snapshot,
    base: StateVersion,
    providers: Providers,
    live: LiveState,
    /// Platforms that cannot be read, and why.
    unreachable: BTreeMap<Name, ProviderError>,
}

impl Engine {
    /// Plans what leads an environment to what the program describes.
    ///
    /// # Errors
    /// The program has errors, or the state or a platform cannot be read.
    pub fn plan(&self, request: &PlanRequest) -> Result<Judged, EngineError> {
        let environment = request.environment.as_str();
        let store = self.store()?;
        let mut world = self.world(&store, environment)?;
        let recorded = self.recorded_in(&store, environment)?;
        world.base.conditions = recorded.map(|recorded| recorded.conditions.digest());
        let (mut used, mut unsettled) = (BTreeMap::<Name, Value>::new(), BTreeSet::new());
        loop {
            let outputs = used.iter().filter(|(name, _)| !unsettled.contains(*name));
            let outputs: BTreeMap<Name, Value> =
                outputs.map(|(name, value)| (name.clone(), value.clone())).collect();
            let params =
                Params { only: Some(environment.into()), outputs, ..request.params.clone() };
            let judged = self.plan_with(request, &params, &mut world)?;
            // Most programs use none: only what somebody waits for is given, and only then is all computed again.
            if judged.plan.deferred.is_empty() && params.outputs.is_empty() {
                return self.stand(&store, judged, &world);
            }
            let mut known = unknown::outputs(&world.snapshot.services, &world.live);
            let causes =
                judged.plan.deferred.iter().flat_map(|one| &one.waits).map(|wait| &wait.cause);
            let wanted: BTreeMap<Name, Value> = causes
                .filter(|cause| !used.contains_key(*cause))
                .filter_map(|cause| known.remove_entry(cause))
                .collect();
            // What the plan itself changes is not known by what runs now: whoever uses it waits.
            let more: BTreeSet<Name> = unknown::unsettled(&judged.plan)
                .into_iter()
                .filter(|name| params.outputs.contains_key(name))
                .collect();
            if wanted.is_empty() && more.is_empty() {
                return self.stand(&store, judged, &world);
            }
            used.extend(wanted);
            unsettled.extend(more);
        }
    }

    /// A plan with what stands in its way, and what it took to make it.
    fn stand(&self, store: &Store, judged: Judged, world: &World) -> Result<Judged, EngineError> {
        let known = judged.conditions.as_ref();
        let mut standing =
            self.standing_of(store, &judged.plan, known, &Reviews::default(), None)?;
        if let Some(run) = self.open_run(store, &judged.plan.environment)? {
            standing.obstacles.insert(0, run.text());
            standing.early = false;
        }
        standing.obstacles.extend(world.unreachable.iter().map(unreachable));
        standing.early &= world.unreachable.is_empty();
        Ok(Judged { standing, calls: providers::calls(&world.providers), ..judged })
    }

    fn plan_with(
        &self,
        request: &PlanRequest,
        params: &Params,
        world: &mut World,
    ) -> Result<Judged, EngineError> {
        let environment = request.environment.as_str();
        let checked = self.check(params)?;
        // Without a key only a sample of it was computed.
        if checked
            .loaded
            .environments()
            .iter()
            .any(|(name, declared)| declared.keyed && name == environment)
        {
            return Err(EngineError::NeedsKey { name: environment.to_owned() });
        }
        let mut checked = checked.sound()?;
        let Some(mut found) = checked.graph.environments.swap_remove(environment) else {
            let mut known: Vec<String> =
                checked.loaded.environment_names().iter().map(ToString::to_string).collect();
            known.sort();
            return Err(EngineError::unknown_environment(environment, known));
        };
        let mut problems =
            secrets::fingerprint(&self.root, &|| self.fingerprint_key(), &mut found)?;
        let sources = &checked.loaded.sources;
        let locate = |span: Span| sources.location(span);
        let mut desired = desired::from_graph(&found, &locate);
        if let Some((service, object)) = &request.adopt {
            for addr in dax_plan::addressed(service, found.services.keys()) {
                if let Some(service) = desired.services.get_mut(&addr) {
                    service.adopt = true;
                    service.object =
                        object.as_deref().map(Name::from).or_else(|| service.object.clone());
                }
            }
        }
        let configs = providers::configs(&found);
        let mut wanted = Wanted::of_state(&world.snapshot);
        wanted.add_program(&found, configs.clone());
        wanted.add_desired(&desired);
        self.reach(world, environment, &wanted)?;
        problems.extend(not_runnable(&desired, &world.providers));
        let own = self.conditions_of(&checked.loaded, &found)?;
        let origin = Origin {
            providers: configs,
            project: checked.graph.project.clone(),
            params: checked
                .graph
                .params
                .iter()
                .map(|(name, node)| (name.clone(), node.value()))
                .collect(),
            sources: own.sources.clone(),
            locate: &locate,
            selection: request.selection.clone(),
        };
        let (plan, diagnostics) = make(world, environment, Mode::Apply, &desired, origin);
        problems.extend(diagnostics);
        if !diagnostic::has_errors(&problems) {
            problems.extend(self.runtime.block_on(previewing::preview(
                &plan,
                &world.providers,
                &desired,
            )));
        }
        if !plan.deferred.is_empty() {
            problems.extend(unknown::never_known(&found));
        }
        diagnostic::sort(&mut problems);
        if diagnostic::has_errors(&problems) {
            return Err(EngineError::Program {
                sources: checked.loaded.sources,
                diagnostics: problems,
            });
        }
        let findings =
            checked.loaded.judge(params, &found, "plan", &|| judging::facts(&plan, judging::now()));
        Ok(Judged {
            plan,
            conditions: Some(own),
            sources: checked.loaded.sources,
            findings,
            standing: Standing::default(),
            calls: BTreeMap::new(),
            environment: Some(found),
        })
    }

    /// The state of an environment and what runs of it.
    fn world(&self, store: &Store, environment: &str) -> Result<World, EngineError> {
        let (snapshot, base) = self.runtime.block_on(store.state(environment))?;
        let providers = self.providers(&Wanted::default())?;
        Ok(World {
            snapshot,
            base,
            providers,
            live: LiveState::new(),
            unreachable: BTreeMap::new(),
        })
    }

    /// Reads what runs on what is wanted, unless it was read already.
    fn reach(
        &self,
        world: &mut World,
        environment: &str,
        wanted: &Wanted,
    ) -> Result<(), EngineError> {
        let providers = self.providers(wanted)?;
        if providers.objects == world.providers.objects
            && providers.platforms.keys().eq(world.providers.platforms.keys())
        {
            return Ok(());
        }
        world.providers = providers;
        for (instance, live) in self.runtime.block_on(world::look(&world.providers, environment)) {
            match live {
                Ok(live) => drop(world.live.insert(instance, live)),
                Err(error) => {
                    let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
                    unread.insert(instance.clone(), unreachable((&instance, &error)));
                    drop(world.unreachable.insert(instance, error));
                }
            }
        }
        Ok(())
    }

    /// Plans what leads an environment back to an earlier state; gives the number of that state, too.
    ///
    /// # Errors
    /// There is no such state, or it or a platform cannot be read.
    pub fn plan_rollback(
        &self,
        environment: &str,
        target: &Target,
    ) -> Result<(Plan, u64), EngineError> {
        let store = self.store()?;
        let points = self.runtime.block_on(store.points(environment))?;
        let found = match target {
            Target::Before => match before(&points) {
                Ok(found) => Some(found),
                Err(now) => {
                    let environment = environment.to_owned();
                    return Err(EngineError::NoEarlier { environment, now });
                }
            },
            Target::Serial(serial) => points.iter().find(|point| point.serial == *serial),
            Target::Named(name) => {
                points.iter().find(|point| point.name.as_deref() == Some(name.as_str()))
            }
        };
        let what = match target {
            Target::Before => "before this one".to_owned(),
            Target::Serial(serial) => serial.to_string(),
            Target::Named(name) => format!("`{name}`"),
        };
        let missing =
            || EngineError::NoPoint { environment: environment.to_owned(), what: what.clone() };
        let serial = found.map(|point| point.serial).ok_or_else(missing)?;
        let snapshot =
            self.runtime.block_on(store.state_at(environment, serial))?.ok_or_else(missing)?;
        let desired = desired::from_state(&snapshot.services);
        Ok((self.make_sound(&store, environment, Mode::Rollback, &desired)?, serial))
    }

    /// Plans the removal of everything that dax made in an environment.
    ///
    /// # Errors
    /// The state or a platform cannot be read.
    pub fn plan_destroy(&self, environment: &str) -> Result<Plan, EngineError> {
        self.refuse_protected(environment)?;
        let store = self.store()?;
        if self.runtime.block_on(store.points(environment))?.is_empty() {
            let known: Vec<String> = self
                .runtime
                .block_on(store.environments())?
                .iter()
                .map(ToString::to_string)
                .collect();
            if !self
                .environments()
                .is_ok_and(|declared| declared.iter().any(|name| name == environment))
            {
                return Err(EngineError::unknown_environment(environment, known));
            }
        }
        self.make_sound(&store, environment, Mode::Destroy, &Desired::default())
    }

    /// Says no when the program protects a service of the environment from being destroyed.
    fn refuse_protected(&self, environment: &str) -> Result<(), EngineError> {
        let loaded = dax_project::load(&crate::files::Disk::new(&self.root))?;
        match loaded.protected(environment).first() {
            None => Ok(()),
            Some(name) => {
                let message = format!(
                    "`{name}` is protected in `{environment}`: take `protect {name} from destroy` away first"
                );
                Err(EngineError::Denied { message })
            }
        }
    }

    fn make_sound(
        &self,
        store: &Store,
        environment: &str,
        mode: Mode,
        desired: &Desired<'_>,
    ) -> Result<Plan, EngineError> {
        let project = dax_project::read_manifest(&crate::files::Disk::new(&self.root))?.project;
        let mut world = self.world(store, environment)?;
        let mut wanted = Wanted::of_state(&world.snapshot);
        wanted.add_desired(desired);
        self.reach(&mut world, environment, &wanted)?;
        let selection = Selection::default();
        let providers = world.snapshot.providers.clone();
        let origin = Origin {
            providers,
            project,
            params: BTreeMap::new(),
            sources: Name::default(),
            locate: &|_| String::new(),
            selection,
        };
        if let Some((_, error)) = world.unreachable.pop_first() {
            return Err(error.into());
        }
        let (plan, diagnostics) = make(&world, environment, mode, desired, origin);
        if diagnostic::has_errors(&diagnostics) {
            return Err(EngineError::Program { sources: Sources::default(), diagnostics });
        }
        Ok(plan)
    }

    /// What is not as it was applied, leaf by leaf.
    ///
    /// # Errors
    /// The state or a platform cannot be read.
    pub fn drift(&self, environment: &str) -> Result<Drifted, EngineError> {
        let store = self.store()?;
        let mut world = self.world(&store, environment)?;
        let wanted = Wanted::of_state(&world.snapshot);
        self.reach(&mut world, environment, &wanted)?;
        if let Some((_, error)) = world.unreachable.into_iter().next() {
            return Err(error.into());
        }
        let applied = &world.snapshot.services;
        let run = self.open_run(&store, environment)?;
        let touched = run.as_ref().map_or(Ok(BTreeSet::new()), |run| self.touched(&store, run))?;
        Ok(Drifted {
            services: applied.len(),
            drift: dax_plan::drift::drift(applied, &world.live),
            run,
            touched,
        })
    }
}

/// The state that ran before the one that is in effect now, of those that are kept, newest first. After a rollback
/// the one that it went back to is in effect, so that the next one goes further back.
///
/// # Errors
/// There is none before; gives the number of the one that is in effect, if any is.
fn before(points: &[Point]) -> Result<&Point, Option<u64>> {
    let now = points.first().ok_or(None)?;
    let mut effective = now.serial;
    // A rollback leads to a state that is older than its own: this ends.
    while let Some(restored) =
        points.iter().find(|point| point.serial == effective).and_then(|point| point.restores)
        && restored < effective
    {
        effective = restored;
    }
    points.iter().find(|point| point.serial < effective).ok_or(Some(effective))
}

fn make(
    world: &World,
    environment: &str,
    mode: Mode,
    desired: &Desired<'_>,
    origin: Origin<'_>,
) -> (Plan, Vec<Diagnostic>) {
    let Origin { project, params, sources, providers, locate, selection } = origin;
    let platforms = &world.providers.platforms;
    let request = Request {
        project,
        environment: environment.into(),
        mode,
        params,
        providers,
        sources,
        base: world.base.clone(),
        applied: &world.snapshot.services,
        live: &world.live,
        traits: &|instance: &Name| {
            platforms.get(instance).map_or_else(Traits::default, |platform| platform.traits())
        },
        unreachable: world.unreachable.keys().cloned().collect(),
        selection,
        locate,
    };
    dax_plan::plan(desired, &request)
}

/// Why nothing is known of a provider, which is named once.
fn unreachable((name, error): (&Name, &ProviderError)) -> String {
    let message = error.to_string();
    if message.contains(name.as_str()) { message } else { format!("`{name}`: {message}") }
}

/// What keeps services from running where they are bound to.
fn not_runnable(desired: &Desired<'_>, providers: &Providers) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for service in desired.services.values() {
        let Some(platform) = providers.platforms.get(&service.provider) else { continue };
        let messages = platform.problems(&service.fields.value(), &service.settings);
        problems.extend(messages.into_iter().map(|message| {
            Diagnostic::new(NOT_RUNNABLE, service.span.unwrap_or_default(), message)
        }));
    }
    problems
}

/// The services that wait for more to be known.
pub(crate) fn waiting(plan: &Plan) -> BTreeSet<ResourceAddr> {
    plan.deferred.iter().map(|one| one.addr.clone()).collect()
}

/// The digest of the program's texts, names included, in whatever order they were read. The allowed
/// signers are one of them: who approves a plan approves whose signatures count from then on.
pub(crate) fn sources_digest(loaded: &Loaded, signers: Option<&str>) -> Name {
    let sources = &loaded.sources;
    let mut files: Vec<_> =
        sources.ids().map(|file| (sources.name(file), sources.text(file))).collect();
    files.extend(loaded.manifest.signers.as_deref().zip(signers));
    files.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for (name, text) in files {
        for part in [name, text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    Name::new(hasher.finalize().to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// States, newest first: number, and which one it went back to.
    fn found(points: &[(u64, Option<u64>)]) -> Result<u64, Option<u64>> {
        let all: Vec<Point> = points
            .iter()
            .map(|(serial, restores)| {
                let restores =
                    restores.map_or_else(String::new, |to| format!(",\"restores\":{to}"));
                let text = format!(
                    "{{\"serial\":{serial},\"at_ms\":0,\"run\":1,\"key\":\"k\"{restores}}}"
                );
                serde_json::from_str(&text).expect("a point")
            })
            .collect();
        before(&all).map(|point| point.serial)
    }

    #[test]
    fn each_rollback_goes_further_back_until_there_is_nothing_before() {
        let forward = [(3, None), (2, None), (1, None)];
        assert_eq!(found(&forward), Ok(2));
        let once = [&[(4, Some(2))], &forward[..]].concat();
        assert_eq!(found(&once), Ok(1));
        let twice = [&[(5, Some(1))], &once[..]].concat();
        assert_eq!(found(&twice), Err(Some(1)));
        // After an apply what ran before it is what the last rollback led to.
        let again = [&[(6, None)], &twice[..]].concat();
        assert_eq!(found(&again), Ok(5));
        let back = [&[(7, Some(5))], &again[..]].concat();
        assert_eq!(found(&back), Err(Some(1)));
        // Back to a state that was itself come back to.
        let through = [&[(8, Some(4))], &back[..]].concat();
        assert_eq!(found(&through), Ok(1));
        assert_eq!(found(&[]), Err(None));
        // What no dax writes ends all the same.
        assert_eq!(found(&[(2, Some(2)), (1, Some(9))]), Ok(1));
    }
}
