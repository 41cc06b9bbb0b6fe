//! Why the engine cannot do what was asked.

use dax_core::{Diagnostic, Sources};
use dax_project::ProjectError;
use dax_provider_api::ProviderError;
use dax_store::StoreError;

/// Why the engine cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The project cannot be loaded.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A provider cannot be reached or refuses.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The program has errors.
    #[error("the program has errors")]
    Program {
        /// The texts that the diagnostics point into.
        sources: Sources,
        /// What is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// A policy of the program forbids it.
    #[error("a policy forbids this")]
    Policy {
        /// The texts that the diagnostics point into.
        sources: Sources,
        /// What the policies say.
        diagnostics: Vec<Diagnostic>,
    },
    /// There is no such environment.
    #[error("there is no environment `{name}`{}", hint(meant, known))]
    UnknownEnvironment {
        /// What was asked for.
        name: String,
        /// What was perhaps meant.
        meant: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// There is one environment for each key, and none was named.
    #[error("there is one environment `{name}` for each key: say which, as `-e '{name}[12]'`")]
    NeedsKey {
        /// What was asked for.
        name: String,
    },
    /// There is no such parameter.
    #[error("the program has no parameter `{name}`{}", hint(meant, &[]))]
    UnknownParam {
        /// What was given.
        name: String,
        /// What was perhaps meant.
        meant: Option<String>,
    },
    /// A file cannot be read or written.
    #[error("{path}: {}", in_words(source))]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The folder that holds state and records was not made here.
    #[error(
        "{} is not trusted: {why}. It may have come with the repository, and what it holds decides \
         what runs. If it is yours, run `dax state trust`; else remove it",
        path.display()
    )]
    ForeignFolder {
        /// The folder.
        path: std::path::PathBuf,
        /// What speaks against it.
        why: String,
    },
    /// A commit is not in this clone.
    #[error(
        "this clone has no commit {commit}: check its name, or fetch the whole history (`git fetch \
         --unshallow`; in pipelines `fetch-depth: 0`, `GIT_DEPTH: 0`, `clone: depth: full`)"
    )]
    MissingCommit {
        /// Which one.
        commit: String,
    },
    /// Git cannot do what it was asked.
    #[error("{what}: {detail}")]
    Git {
        /// The command.
        what: String,
        /// What it says.
        detail: String,
    },
    /// A plan file is not one, or was changed.
    #[error("{path} is no plan that this dax can apply: {message}")]
    PlanFile {
        /// Which file.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// A kind of place for the state is not built in.
    #[error(
        "the state cannot be kept at `{url}`: this dax knows `file:`, `postgres://` and `s3://` where they are built in"
    )]
    NoPlace {
        /// The address, without a password.
        url: String,
    },
    /// A text that was given as the key of the state is none.
    #[error("what is given as the key of the state (DAX_STATE_KEY or alike) is none: {message}")]
    NoKey {
        /// What a key looks like.
        message: String,
    },
    /// A plan is not one that a planner makes for this state and this world.
    #[error("the plan does not hold: {_0}; make a new one with `dax plan`")]
    Unsound(dax_plan::proof::Unsound),
    /// The plan or the journal of a run was written by nobody who may.
    #[error(
        "run {run} of `{environment}` cannot be resumed: {why}. `dax abort -e {environment}` ends it as it is; nothing more is applied or rolled back then"
    )]
    Broken {
        /// The run.
        run: u64,
        /// Its environment.
        environment: String,
        /// What is wrong.
        why: String,
    },
    /// The plan does nothing.
    #[error("there is nothing to do")]
    NothingToDo,
    /// A provider is not built in.
    #[error("the provider `{instance}` is not built into this dax")]
    NoProvider {
        /// Its instance.
        instance: String,
    },
    /// The world is not as it was when the plan was made.
    #[error("the plan is stale: {message}; make a new one with `dax plan`")]
    Stale {
        /// The field and both values.
        message: String,
    },
    /// The plan is not the one that was approved.
    #[error(
        "the plan's digest is {found}, {expected} was expected: the plan that was approved is another"
    )]
    OtherDigest {
        /// What was expected.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Something must hold first.
    #[error("not allowed yet: {message}")]
    Denied {
        /// What must hold.
        message: String,
    },
    /// An approval cannot be given as it was asked for.
    #[error("{message}")]
    NoApproval {
        /// What is wrong with it.
        message: String,
    },
    /// An earlier run has not ended.
    #[error(
        "run {run} of `{environment}` has not ended: carry it on with `dax resume -e {environment}`, or take it back with `dax abort -e {environment}`"
    )]
    Unfinished {
        /// The run.
        run: u64,
        /// Its environment.
        environment: String,
    },
    /// There is nothing to carry on.
    #[error("there is no unfinished run{}", in_environment(environment))]
    NothingToResume {
        /// The environment that was asked for.
        environment: Option<String>,
    },
    /// There is no such run, or it is no longer kept.
    #[error(
        "`{environment}` has no run {run} of which the course is kept; `dax history -e {environment}` lists the runs"
    )]
    NoRun {
        /// The environment.
        environment: String,
        /// The run.
        run: u64,
    },
    /// There is no such rollback point.
    #[error(
        "`{environment}` has no rollback point {what}; `dax history -e {environment}` lists them"
    )]
    NoPoint {
        /// The environment.
        environment: String,
        /// What was asked for.
        what: String,
    },
    /// What is in effect is the first state, or nothing is.
    #[error(
        "{}; `dax history -e {environment}` lists the states that are kept, and `dax destroy -e {environment}` removes \
         everything",
        no_earlier(environment, now)
    )]
    NoEarlier {
        /// The environment.
        environment: String,
        /// The state that is in effect.
        now: Option<u64>,
    },
    /// An address leads nowhere.
    #[error("{address}: {message}")]
    NoAddress {
        /// What was asked for.
        address: String,
        /// How far it leads.
        message: String,
    },
}

impl EngineError {
    /// Whether the program itself is at fault: it cannot be read, has errors, or breaks a policy.
    pub fn is_of_program(&self) -> bool {
        matches!(self, Self::Program { .. } | Self::Policy { .. } | Self::Project(_))
    }

    /// That there is no such environment, with the one that was perhaps meant.
    pub(crate) fn unknown_environment(name: &str, known: Vec<String>) -> Self {
        let meant =
            dax_core::suggest::nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        Self::UnknownEnvironment { name: name.to_owned(), meant, known }
    }
}

/// A fault of a file, in words that a shell would use.
fn in_words(source: &std::io::Error) -> String {
    match source.kind() {
        std::io::ErrorKind::NotFound if source.get_ref().is_none() => "no such file".to_owned(),
        _ => source.to_string(),
    }
}

fn hint(meant: &Option<String>, known: &[String]) -> String {
    match (meant, known) {
        (Some(meant), _) => format!("; did you mean `{meant}`?"),
        (None, []) => String::new(),
        (None, known) => format!("; there are {}", known.join(", ")),
    }
}

fn in_environment(environment: &Option<String>) -> String {
    environment.as_ref().map_or_else(String::new, |name| format!(" of `{name}`"))
}

fn no_earlier(environment: &str, now: &Option<u64>) -> String {
    match now {
        Some(serial) => {
            format!(
                "`{environment}` is at state {serial}, and no earlier one is kept to go back to"
            )
        }
        None => {
            format!("nothing was applied in `{environment}` yet, so there is nothing to go back to")
        }
    }
}
