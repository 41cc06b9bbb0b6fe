//! One pipeline for every front: load, check, read, plan, apply.
//!
//! The engine owns the async runtime, the clock and the files; fronts call plain functions. What a provider
//! is called stays with whoever builds the program: the engine is handed a [`ProviderFactory`].

mod abandoning;
mod affected;
mod aftermath;
mod apply;
mod codes;
mod command;
mod committed;
pub mod conditions;
mod course;
mod doctor;
mod error;
mod evaluating;
mod events;
mod files;
mod git;
mod holder;
mod holding;
mod inspect;
mod judging;
mod ordering;
mod own_folder;
mod people;
mod plan_file;
mod planning;
mod previewing;
mod promoting;
mod providers;
mod rates;
mod reviewing;
mod revisions;
mod secrets;
pub mod signing;
mod standing;
mod state;
mod unfinished;
mod unknown;
mod vendor;

pub use affected::{Affected, affected, brought};
pub use apply::{ApplyRequest, Decisions, Finished, Interrupts, Origin, Told, Watch};
pub use codes::{codes, format};
pub use command::output_within;
pub use conditions::{
    Base, ConditionChange, ConditionKind, Conditions, RecordedConditions,
    compare as compare_conditions,
};
pub use course::Moment;
pub use dax_apply::Progress;
pub use dax_core::{
    Diagnostic, Name, RevisionId, Severity, Sources, Span, Value, diagnostic, keyed, printable,
};
pub use dax_ir::{Environment, Graph, to_json};
pub use dax_machine::Outcome;
pub use dax_machine::simulate::{Rehearsal, Report as RehearsalReport, rehearse};
pub use dax_model::Operation;
pub use dax_plan::drift::Drift;
pub use dax_plan::{Plan, Selection, Step, StepId, Task, digest, model};
pub use dax_project::{
    Declared, Loaded, Missing, Params, TestOutcome, TestRequest, Verdict, is_policy, text,
};
pub use dax_provider_api::checkout::in_pipeline;
pub use dax_render as render;
pub use dax_store::Wish;
pub use dax_store::audit::{Brought, Promoted};
pub use dax_store::{Approval, Pin, Provenance, Record, Report, ShownPlan, blobs::Blobs};
pub use dax_store::{Run, StoreError};
pub use doctor::Examined;
pub use error::EngineError;
pub use evaluating::Evaluated;
pub use events::event;
pub use git::tracked;
pub use inspect::{Explanation, HistoryEntry, ServiceStatus};
pub use judging::{Judged, plan_from_nothing, run_tests};
pub use people::{Approved, Heard, Receipt, Snapshotted};
pub use plan_file::{expected, is_vouching};
pub use planning::{Drifted, PlanRequest, Target};
pub use promoting::Bundle;
pub use rates::{Rates, prometheus, rates};
pub use reviewing::{Excluded, Reviews, projects};
pub use revisions::{
    Revision, age, branches_below, commits, commits_naming, commits_of_programs, common,
    head_commit, is_ancestor, is_whole, revision, subject, top,
};
pub use standing::{Counted, Standing, denial};
pub use state::{OpenPlace, StateSource};
pub use unfinished::{Condition, OpenRun};

pub use vendor::Vendored;

use dax_provider_api::{Instance, Provider, ProviderError};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Makes a provider instance; gives nothing for a provider that it does not know.
pub type ProviderFactory = Box<dyn Fn(&Instance) -> Result<Option<Provider>, ProviderError>>;

/// A project on disk with what it takes to act on it.
pub struct Engine {
    /// The folder that holds `dax.mod`.
    pub root: PathBuf,
    /// Makes provider instances.
    pub platforms: ProviderFactory,
    /// Where the state is kept.
    pub state: StateSource,
    runtime: tokio::runtime::Runtime,
    /// The project's own folder, once it is known to belong here.
    own: std::sync::OnceLock<dax_files::Private>,
    /// The files of the commit that was asked for last.
    committed: std::sync::Mutex<Option<revisions::Committed>>,
    /// Why platforms could not be read when they were last looked at.
    unread: std::sync::Mutex<BTreeMap<Name, String>>,
}

/// A program with its graph and what was found about it.
pub struct Checked {
    /// The loaded project.
    pub loaded: Loaded,
    /// What it describes, as far as it could be computed.
    pub graph: Graph,
    /// What was found, in source order.
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Whether nothing keeps it from being planned.
    ///
    /// # Errors
    /// [`EngineError::Program`] holds what does.
    pub fn sound(self) -> Result<Self, EngineError> {
        if diagnostic::has_errors(&self.diagnostics) {
            let denied =
                self.diagnostics.iter().all(|d| !d.is_error() || dax_project::is_policy(d));
            if denied {
                return Err(EngineError::Policy {
                    sources: self.loaded.sources,
                    diagnostics: self.diagnostics,
                });
            }
            return Err(EngineError::Program {
                sources: self.loaded.sources,
                diagnostics: self.diagnostics,
            });
        }
        Ok(self)
    }
}

impl Engine {
    /// An engine for the project in a folder.
    ///
    /// # Errors
    /// The runtime cannot be started.
    pub fn new(
        root: PathBuf,
        platforms: ProviderFactory,
        state: StateSource,
    ) -> Result<Self, EngineError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| EngineError::File { path: root.display().to_string(), source })?;
        let (own, unread) = (std::sync::OnceLock::new(), std::sync::Mutex::default());
        let committed = std::sync::Mutex::default();
        Ok(Self { root, platforms, state, runtime, own, committed, unread })
    }

    /// Where dax keeps its own files.
    pub fn folder(&self) -> PathBuf {
        self.root.join(".dax")
    }

    /// Types and computes the whole program.
    ///
    /// # Errors
    /// The project cannot be loaded, or a parameter is not known.
    pub fn check(&self, params: &Params) -> Result<Checked, EngineError> {
        let loaded = self.load(params)?;
        let (graph, diagnostics) = loaded.analyse(params);
        Ok(Checked { loaded, graph, diagnostics })
    }

    /// What is wrong with the whole program, and how many environments it has; nothing else of it is kept.
    ///
    /// # Errors
    /// The project cannot be loaded, or a parameter is not known.
    pub fn findings(
        &self,
        params: &Params,
    ) -> Result<(Loaded, usize, Vec<Diagnostic>), EngineError> {
        let loaded = self.load(params)?;
        let (count, diagnostics) = loaded.check(params);
        Ok((loaded, count, diagnostics))
    }

    /// The parsed project, with parameters that it has.
    fn load(&self, params: &Params) -> Result<Loaded, EngineError> {
        let disk = files::Disk::new(&self.root);
        let mut loaded = dax_project::load(&disk)?;
        // Of this program alone: those of older commits are read to be asked, not to be mended.
        loaded.check_signers(&disk);
        loaded.diagnostics.extend(loaded.approvals_of_nobody());
        if !params.values.is_empty() {
            let names = loaded.param_names();
            if let Some(name) = params.values.keys().find(|name| !names.contains(name)) {
                let meant = dax_core::suggest::nearest(name, names.iter().map(Name::as_str))
                    .map(str::to_owned);
                return Err(EngineError::UnknownParam { name: name.to_string(), meant });
            }
        }
        Ok(loaded)
    }

    /// What lint finds in a program, which is checked first.
    ///
    /// # Errors
    /// The project cannot be loaded or has errors.
    pub fn lint(&self, params: &Params) -> Result<(Checked, Vec<Diagnostic>), EngineError> {
        let checked = self.check(params)?.sound()?;
        let found = dax_lint::lint(&checked.loaded, &checked.graph);
        Ok((checked, found))
    }

    /// The names of the project's environments.
    ///
    /// # Errors
    /// The project cannot be loaded.
    pub fn environments(&self) -> Result<Vec<String>, EngineError> {
        let loaded = dax_project::load(&files::Disk::new(&self.root))?;
        Ok(loaded.environment_names().iter().map(ToString::to_string).collect())
    }

    /// The pages of the project's documentation, by path.
    ///
    /// # Errors
    /// The project cannot be loaded or has errors.
    pub fn doc(&self, params: &Params) -> Result<BTreeMap<String, String>, EngineError> {
        let mut checked = self.check(params)?;
        checked.diagnostics.retain(|finding| !is_policy(finding));
        let checked = checked.sound()?;
        let pictures = checked.graph.environments.values();
        let pictures = pictures
            .filter_map(|environment| {
                Some((environment.name.to_string(), render::graph::svg(environment).ok()?))
            })
            .collect();
        Ok(dax_doc::site(&dax_doc::Request {
            loaded: &checked.loaded,
            graph: &checked.graph,
            pictures: &pictures,
        }))
    }

    /// The environment that is named, or all that have a state.
    fn named_or_all(
        &self,
        store: &dax_store::Store,
        environment: Option<&str>,
    ) -> Result<Vec<Name>, EngineError> {
        match environment {
            Some(name) => Ok(vec![name.into()]),
            None => Ok(self.runtime.block_on(store.environments())?),
        }
    }
}

pub use dax_import::{Imported, Manifests, Request as ImportRequest, import as import_kubernetes};

/// A schema of others as types.
///
/// # Errors
/// Why it gives none.
pub fn import_schema(text: &str, name: &str, only: &[String]) -> Result<String, String> {
    dax_schema::import(&dax_schema::Request { text, name, only }).map_err(|error| error.to_string())
}

/// Now, as RFC 3339 has it and as policies read it.
pub fn now() -> Name {
    judging::now()
}

/// Now, in milliseconds since 1970.
fn now_ms() -> u64 {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
