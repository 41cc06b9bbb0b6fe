//! Conditions of the program here, of a commit, and those recorded with the last apply.

use super::Conditions;
use crate::planning::sources_digest;
use crate::{Checked, Diagnostic, Engine, EngineError, Missing, Params, is_policy, judging};
use dax_core::Name;
use dax_files::Beneath;
use dax_plan::Plan;
use dax_store::Provenance;
use dax_store::audit::Commit;
use std::path::Path;

/// Largest file of allowed signers, in bytes.
pub(crate) const LARGEST_SIGNERS: u64 = 4 << 20;
/// Phases in which policies are asked.
const PHASES: [&str; 3] = ["check", "plan", "apply"];

/// Conditions of the commit that a change is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The conditions.
    pub conditions: Conditions,
    /// The commit.
    pub commit: String,
    /// Those of later commits, as far as they are others: a rule that one brings guards the next.
    pub later: Vec<Base>,
}

impl Base {
    /// It and those after it, in the order of their commits.
    pub fn all(&self) -> impl Iterator<Item = &Base> {
        std::iter::once(self).chain(&self.later)
    }
}

/// Conditions that were recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedConditions {
    /// The conditions.
    pub conditions: Conditions,
    /// The commit of the program that they are from, where it had one.
    pub commit: Option<Commit>,
    /// Who applied it.
    pub by: Name,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Conditions of the program here.
pub(crate) struct OwnConditions {
    /// The conditions.
    pub(crate) conditions: Conditions,
    /// The digest of the program's texts, as plans have it.
    pub(crate) sources: Name,
}

/// The parameters with which conditions are computed: those of one environment, known or not.
fn only(params: &Params, environment: &str) -> Params {
    Params { missing: Missing::Ignore, only: Some(environment.into()), ..params.clone() }
}

/// The parameters that a plan was made with.
pub(crate) fn of_plan(plan: &Plan) -> Params {
    let typed = plan.params.iter().map(|(name, value)| (name.clone(), value.clone()));
    Params {
        typed: typed.collect(),
        only: Some(plan.environment.clone()),
        ..Params::none(Missing::Ignore)
    }
}

/// A program without what its policies say of it: conditions are asked for whether they hold or not.
fn sound(mut checked: Checked) -> Result<Checked, EngineError> {
    checked.diagnostics.retain(|finding| !is_policy(finding));
    checked.sound()
}

fn unreadable(path: &str, why: &str) -> EngineError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned());
    EngineError::File { path: path.to_owned(), source }
}

/// The text of a file of signers that was read.
fn signers_text(path: &str, found: Option<Vec<u8>>) -> Result<String, EngineError> {
    let bytes = found.ok_or_else(|| {
        unreadable(
            path,
            "`signers` of dax.mod names it, and there is no such file: add it to the repository, \
             or take `signers` out of dax.mod",
        )
    })?;
    String::from_utf8(bytes).map_err(|_| unreadable(path, "it is not UTF-8 text"))
}

impl Engine {
    /// The conditions of an environment of the program here.
    ///
    /// # Errors
    /// The project cannot be loaded or has errors, there is no such environment, or the file of
    /// signers cannot be read.
    pub fn conditions(
        &self,
        environment: &str,
        params: &Params,
    ) -> Result<Conditions, EngineError> {
        Ok(self.own_conditions(environment, params)?.conditions)
    }

    /// The same, with what tells the program from others.
    pub(crate) fn own_conditions(
        &self,
        environment: &str,
        params: &Params,
    ) -> Result<OwnConditions, EngineError> {
        let checked = sound(self.check(&only(params, environment))?)?;
        let Some(found) = checked.graph.environments.get(environment) else {
            let names = checked.loaded.environment_names();
            let known = names.iter().map(ToString::to_string).collect();
            return Err(EngineError::unknown_environment(environment, known));
        };
        self.conditions_of(&checked.loaded, found)
    }

    /// The text of the allowed signers of a manifest; nothing where it names none.
    pub(crate) fn signers_of(
        &self,
        manifest: &dax_project::Manifest,
    ) -> Result<Option<String>, EngineError> {
        let Some(path) = &manifest.signers else { return Ok(None) };
        let read = Beneath::open(&self.root)
            .and_then(|project| project.read(Path::new(path.as_str()), LARGEST_SIGNERS));
        let read = read.map_err(|source| EngineError::File { path: path.to_string(), source })?;
        signers_text(path, read).map(Some)
    }

    /// The text of the allowed signers of the program here; nothing where it names none.
    pub(crate) fn own_signers(&self) -> Result<Option<String>, EngineError> {
        self.signers_of(&dax_project::read_manifest(&crate::files::Disk::new(&self.root))?)
    }

    /// The conditions of an environment of a program that was checked.
    pub(crate) fn conditions_of(
        &self,
        loaded: &crate::Loaded,
        environment: &dax_ir::Environment,
    ) -> Result<OwnConditions, EngineError> {
        let signers = self.signers_of(&loaded.manifest)?;
        let conditions = Conditions::of(loaded, environment, signers.as_deref());
        Ok(OwnConditions { conditions, sources: sources_digest(loaded, signers.as_deref()) })
    }

    /// The conditions of an environment of the program of a commit; nothing where it has no such
    /// environment.
    ///
    /// # Errors
    /// [`EngineError::MissingCommit`] where this clone lacks the commit; as
    /// [`Engine::conditions`].
    pub fn conditions_at(
        &self,
        commit: &str,
        environment: &str,
        params: &Params,
    ) -> Result<Option<Conditions>, EngineError> {
        let committed = self.committed(commit)?;
        let Some(loaded) = committed.load()? else { return Ok(None) };
        let (graph, diagnostics) = loaded.analyse(&known(&only(params, environment), &loaded));
        let checked = sound(Checked { loaded, graph, diagnostics })?;
        let Some(found) = checked.graph.environments.get(environment) else { return Ok(None) };
        let signers = match &checked.loaded.manifest.signers {
            None => None,
            Some(path) => match committed.read(path, LARGEST_SIGNERS) {
                Ok(Some(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                // Those that were recorded are in force whatever became of the file: a commit that
                // lacks it must not keep a later one from bringing it.
                Ok(None) | Err(_) => {
                    let recorded = self.recorded_conditions(environment)?;
                    recorded.and_then(|recorded| recorded.conditions.signers_text())
                }
            },
        };
        Ok(Some(Conditions::of(&checked.loaded, found, signers.as_deref())))
    }

    /// The conditions of the commit that a change is made from, for [`Engine::standing_with`].
    ///
    /// # Errors
    /// As [`Engine::conditions_at`].
    pub fn base(
        &self,
        commit: &str,
        environment: &str,
        params: &Params,
    ) -> Result<Option<Base>, EngineError> {
        let found = self.conditions_at(commit, environment, params)?;
        let commit = commit.to_owned();
        Ok(found.map(|conditions| Base { conditions, commit, later: Vec::new() }))
    }

    /// Adds the conditions of these later commits, the first one first. A program that is broken
    /// there, or has no such environment, adds nothing.
    ///
    /// # Errors
    /// [`EngineError::MissingCommit`] where this clone lacks one; git cannot be asked.
    pub fn base_with_later(
        &self,
        mut base: Base,
        commits: &[String],
        environment: &str,
        params: &Params,
    ) -> Result<Base, EngineError> {
        for commit in commits {
            match self.base(commit, environment, params) {
                Ok(Some(one)) if base.all().all(|known| known.conditions != one.conditions) => {
                    base.later.push(one);
                }
                Ok(_) => {}
                Err(error) if error.is_of_program() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(base)
    }

    /// Denials of a plan by the policies of the program of a commit, a line each.
    ///
    /// # Errors
    /// [`EngineError::MissingCommit`] where this clone lacks the commit; a program cannot be
    /// loaded or has errors.
    pub fn policies_at(&self, commit: &str, plan: &Plan) -> Result<Vec<String>, EngineError> {
        let digits = commit.get(..10).unwrap_or(commit);
        let unasked = |why: String| {
            Ok(vec![format!("the policies of commit {digits} cannot be asked: {why}")])
        };
        let committed = self.committed(commit)?;
        let loaded = match committed.load() {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return unasked("the project is not in its folder there".to_owned()),
            Err(error @ EngineError::Project(_)) => return unasked(error.to_string()),
            Err(error) => return Err(error),
        };
        if let Some(fault) = loaded.diagnostics.iter().find(|finding| finding.is_error()) {
            return unasked(fault.one_line(&loaded.sources));
        }
        // Whatever the cause: a policy that is not found denies nothing.
        let recorded = self.recorded_conditions(&plan.environment)?;
        let recorded = recorded.filter(|one| {
            one.commit.as_ref().is_some_and(|commit| commit.id.as_str() == committed.commit())
        });
        let there = loaded.policies(&plan.environment);
        let lacks = recorded.iter().flat_map(|one| &one.conditions.policies).find(|policy| {
            !there.iter().any(|one| one.name == policy.name && one.phase == policy.phase)
        });
        if let Some(policy) = lacks {
            let name = &policy.name;
            return unasked(format!("`{name}`, which was recorded with it, is not found there"));
        }
        let params = of_plan(plan);
        let checked = sound(self.check(&params)?)?;
        let Some(environment) = checked.graph.environments.get(&plan.environment) else {
            return Ok(Vec::new());
        };
        let params = known(&params, &loaded);
        let facts = || judging::facts(plan, judging::now());
        let asked = PHASES
            .iter()
            .flat_map(|phase| loaded.judge(&params, environment, phase, &facts))
            .filter(Diagnostic::is_error);
        Ok(asked.map(|finding| finding.detail.to_string()).collect())
    }

    /// The conditions that were recorded with the last apply of an environment.
    ///
    /// # Errors
    /// The state cannot be read, or was written by a newer dax.
    pub fn recorded_conditions(
        &self,
        environment: &str,
    ) -> Result<Option<RecordedConditions>, EngineError> {
        let store = self.store()?;
        self.recorded_in(&store, environment)
    }

    pub(crate) fn recorded_in(
        &self,
        store: &dax_store::Store,
        environment: &str,
    ) -> Result<Option<RecordedConditions>, EngineError> {
        let Some(kept) = self.runtime.block_on(store.conditions(environment))? else {
            return Ok(None);
        };
        let conditions = serde_json::from_value(kept.conditions).map_err(|error| {
            unreadable(
                &format!("conditions of `{environment}` in the state"),
                &format!("they cannot be read: {error}"),
            )
        })?;
        let (commit, by, at_ms) = (kept.commit, kept.by, kept.at_ms);
        Ok(Some(RecordedConditions { conditions, commit, by, at_ms }))
    }

    /// The program that was applied last in an environment; nothing where none ever was.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn last_applied(&self, environment: &str) -> Result<Option<Provenance>, EngineError> {
        let store = self.store()?;
        Ok(self.runtime.block_on(store.last_applied(environment))?)
    }
}

/// Parameters that a program knows; another program may have others.
fn known(params: &Params, loaded: &crate::Loaded) -> Params {
    let names = loaded.param_names();
    let mut params = params.clone();
    params.values.retain(|name, _| names.contains(name));
    params.typed.retain(|name, _| names.contains(name));
    params
}
