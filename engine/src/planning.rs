//! Planning: the program, the state and the world become a plan.

use crate::{Checked, Diagnostic, Engine, EngineError, Judged, Params, Sources, diagnostic, judging, now_ms, plan_file, secrets, unknown};
use dax_apply::{Outcome, Providers, Store};
use dax_core::{Code, Name, ResourceAddr, Span};
use dax_ir::Environment;
use dax_plan::desired::{self, Desired};
use dax_plan::model::{Gate, Mode};
use dax_plan::{LiveState, Plan, Request};
use std::collections::BTreeMap;
use std::path::Path;

/// A service that its platform cannot run. Explained in docs/diagnostics/DAX7001.md.
pub const NOT_RUNNABLE: Code = Code::error(7001, "the platform cannot run this service");

/// Every code of this crate.
pub const CODES: &[Code] = &[unknown::NOT_YET_KNOWN, NOT_RUNNABLE, secrets::NO_SECRET];

/// What a plan remembers of the program that it was made from; a state alone has little of it.
struct Origin<'o> {
    project: Name,
    params: BTreeMap<Name, dax_core::Value>,
    sources: Name,
    locate: &'o dyn Fn(Span) -> String,
}

impl Engine {
    /// Plans what leads an environment to what the program describes.
    ///
    /// # Errors
    /// The program has errors, or the state or a platform cannot be read.
    pub fn plan(&self, environment: &str, params: &Params) -> Result<Judged, EngineError> {
        let params = &Params { only: Some(environment.into()), ..params.clone() };
        let mut checked = self.check(params)?.sound()?;
        let (found, mut problems) = self.prepare(&mut checked, environment)?;
        let store = self.store()?;
        let sources = &checked.loaded.sources;
        let locate = |span: Span| sources.location(span);
        let mut desired = desired::from_graph(&found, &locate);
        for gate in &mut desired.gates {
            gate.blocked = blocked(&store, gate)?;
        }
        let origin = Origin {
            project: checked.graph.project.clone(),
            params: checked.graph.params.iter().map(|(name, node)| (name.clone(), node.value())).collect(),
            sources: sources_digest(sources),
            locate: &locate,
        };
        let (plan, diagnostics) = self.make(&store, environment, Mode::Apply, &desired, origin)?;
        problems.extend(diagnostics);
        diagnostic::sort(&mut problems);
        if diagnostic::has_errors(&problems) {
            return Err(EngineError::Program { sources: checked.loaded.sources, diagnostics: problems });
        }
        let findings = checked.loaded.judge(params, &found, "plan", &|| judging::facts(&plan, judging::now()));
        Ok(Judged { plan, sources: checked.loaded.sources, findings })
    }

    /// The environment with the fingerprints of its secrets, and what keeps its services from running.
    fn prepare(&self, checked: &mut Checked, environment: &str) -> Result<(Environment, Vec<Diagnostic>), EngineError> {
        let Some(mut found) = checked.graph.environments.swap_remove(environment) else {
            let mut known: Vec<String> = checked.loaded.environment_names().iter().map(ToString::to_string).collect();
            known.sort();
            let meant = dax_core::suggest::nearest(environment, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(EngineError::UnknownEnvironment { name: environment.to_owned(), meant, known });
        };
        let unknown = unknown::not_yet_known(&found);
        if !unknown.is_empty() {
            return Ok((found, unknown));
        }
        let folder = self.folder();
        let mut problems = secrets::fingerprint(&self.root, &folder, &mut found)
            .map_err(|source| EngineError::File { path: folder.display().to_string(), source })?;
        let providers = self.providers(found.services.values().map(|service| service.provider.instance.clone()))?;
        for service in found.services.values() {
            if let Some(platform) = providers.platforms.get(&service.provider.instance) {
                let messages = platform.problems(&service.desired.value());
                problems.extend(messages.into_iter().map(|message| Diagnostic::new(NOT_RUNNABLE, service.span, message)));
            }
        }
        Ok((found, problems))
    }

    /// Plans what leads an environment back to an earlier state: the one with `serial`, or the one before the last.
    ///
    /// # Errors
    /// There is no such state, or it or a platform cannot be read.
    pub fn plan_rollback(&self, environment: &str, serial: Option<u64>) -> Result<Plan, EngineError> {
        let store = self.store()?;
        let points = store.points(environment)?;
        let target = match serial {
            Some(serial) => Some(serial).filter(|serial| points.iter().any(|point| point.serial == *serial)),
            None => points.get(1).map(|point| point.serial),
        };
        let what = serial.map_or_else(|| "before the last apply".to_owned(), |serial| serial.to_string());
        let missing = || EngineError::NoPoint { environment: environment.to_owned(), what: what.clone() };
        let snapshot = store.state_at(environment, target.ok_or_else(missing)?)?.ok_or_else(missing)?;
        let desired = desired::from_state(&snapshot.services);
        self.make_sound(&store, environment, Mode::Rollback, &desired)
    }

    /// Plans the removal of everything that dax made in an environment.
    ///
    /// # Errors
    /// The state or a platform cannot be read.
    pub fn plan_destroy(&self, environment: &str) -> Result<Plan, EngineError> {
        self.refuse_protected(environment)?;
        let store = self.store()?;
        if store.points(environment)?.is_empty() {
            let known: Vec<String> = store.environments()?.iter().map(ToString::to_string).collect();
            let meant = dax_core::suggest::nearest(environment, known.iter().map(String::as_str)).map(str::to_owned);
            let declared =
                self.check(&Params { values: BTreeMap::new(), typed: BTreeMap::new(), missing: dax_project::Missing::Ignore, only: None });
            if !declared.is_ok_and(|checked| checked.graph.environments.contains_key(environment)) {
                return Err(EngineError::UnknownEnvironment { name: environment.to_owned(), meant, known });
            }
        }
        self.make_sound(&store, environment, Mode::Destroy, &Desired::default())
    }

    /// Says no when the program protects a service of the environment from being destroyed.
    fn refuse_protected(&self, environment: &str) -> Result<(), EngineError> {
        let loaded = dax_project::load(&crate::files::Disk { root: self.root.clone() })?;
        match loaded.protected(environment).first() {
            None => Ok(()),
            Some(name) => {
                let message = format!("`{name}` is protected in `{environment}`: take `protect {name} from destroy` away first");
                Err(EngineError::Denied { message })
            }
        }
    }

    fn make_sound(&self, store: &Store, environment: &str, mode: Mode, desired: &Desired<'_>) -> Result<Plan, EngineError> {
        let project = dax_project::project_name(&crate::files::Disk { root: self.root.clone() })?;
        let origin = Origin { project, params: BTreeMap::new(), sources: Name::default(), locate: &|_| String::new() };
        let (plan, diagnostics) = self.make(store, environment, mode, desired, origin)?;
        if diagnostic::has_errors(&diagnostics) {
            return Err(EngineError::Program { sources: Sources::default(), diagnostics });
        }
        Ok(plan)
    }

    fn make(
        &self,
        store: &Store,
        environment: &str,
        mode: Mode,
        desired: &Desired<'_>,
        origin: Origin<'_>,
    ) -> Result<(Plan, Vec<Diagnostic>), EngineError> {
        let Origin { project, params, sources, locate } = origin;
        let (snapshot, base) = store.state(environment)?;
        let instances = desired.services.values().map(|s| s.provider.clone()).chain(snapshot.services.values().map(|s| s.provider.clone()));
        let providers = self.providers(instances)?;
        let live = self.runtime.block_on(read(&providers, environment))?;
        let request = Request {
            project,
            environment: environment.into(),
            mode,
            params,
            sources,
            base,
            applied: &snapshot.services,
            live: &live,
            locate,
        };
        Ok(dax_plan::plan(desired, &request))
    }

    /// Saves a plan.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_plan(&self, plan: &Plan, path: &Path) -> Result<(), EngineError> {
        plan_file::write(plan, path)
    }

    /// Reads a saved plan.
    ///
    /// # Errors
    /// The file cannot be read, is no plan, or was changed.
    pub fn open_plan(&self, path: &Path) -> Result<Plan, EngineError> {
        plan_file::read(path)
    }
}

/// Everything that runs in an environment, one call a platform.
pub(crate) async fn read(providers: &Providers, environment: &str) -> Result<LiveState, EngineError> {
    let mut live = LiveState::new();
    for platform in providers.platforms.values() {
        let services = platform.read(environment).await?;
        live.extend(services.into_iter().map(|(name, service)| (ResourceAddr::service(&name), service)));
    }
    Ok(live)
}

/// The digest of the program's texts, names included.
fn sources_digest(sources: &Sources) -> Name {
    let mut hasher = blake3::Hasher::new();
    for file in sources.ids() {
        for part in [sources.name(file), sources.text(file)] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    Name::new(hasher.finalize().to_hex())
}

/// Why a gate does not hold, or nothing when it does.
fn blocked(store: &Store, gate: &Gate) -> Result<Option<String>, EngineError> {
    let runs = store.runs(Some(&gate.after))?;
    let last = runs.iter().find(|run| run.outcome.is_some());
    let succeeded = last.filter(|run| run.outcome == Some(Outcome::Succeeded) && run.mode != "destroy");
    Ok(match succeeded.and_then(|run| run.ended_ms) {
        None => Some(format!("`{}` was not applied successfully yet", gate.after)),
        Some(ended) if now_ms().saturating_sub(ended) < gate.soak_ms => {
            Some(format!("`{}` must have run for {} first", gate.after, dax_render::millis(gate.soak_ms)))
        }
        Some(_) => None,
    })
}
